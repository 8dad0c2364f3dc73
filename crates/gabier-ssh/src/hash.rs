//! SHA-256 of files on the machine they lie on, many by one command.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use gabier_host::{Command, Target};

use crate::exec::run;
use crate::pool::Pool;
use crate::sftp::{Error, Hashed, Reason, RemoteHash, RemotePath, Result};

/// How long a host may take to say whether it can hash.
const PROBE_LIMIT: Duration = Duration::from_secs(10);
/// The first that works is taken. OpenSSL uses the CPU's own instructions for it, which make it several times faster.
const PROGRAMS: [&str; 3] = ["openssl dgst -sha256 -r", "sha256sum -b", "shasum -a 256 -b"];
/// SHA-256 of nothing.
const OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Hashes by a program of the host.
pub(crate) struct Hasher {
    pool: Arc<Pool>,
    target: Target,
    program: &'static str,
}

impl Hasher {
    /// The program of a host that hashes; none where commands are not allowed or it has none.
    pub(crate) async fn probe(pool: &Arc<Pool>, target: &Target) -> Option<&'static str> {
        for program in PROGRAMS {
            let hasher = Self::new(pool, target, program);
            let nothing = [Hashed { path: RemotePath::from("/dev/null"), length: None }];
            let found = hasher.ask(&nothing, Some(PROBE_LIMIT)).await;
            if found.is_ok_and(|found| crate::sftp::hex(&found[0]) == OF_NOTHING) {
                return Some(program);
            }
        }
        None
    }

    pub(crate) fn new(pool: &Arc<Pool>, target: &Target, program: &'static str) -> Self {
        Self { pool: Arc::clone(pool), target: target.clone(), program }
    }

    async fn ask(&self, files: &[Hashed], limit: Option<Duration>) -> Result<Vec<[u8; 32]>> {
        let cannot = |why: String| Error::new(Reason::Mismatch, format!("hashing on the host: {why}"));
        let mut command = command(self.program, files);
        command.limit = limit;
        let ran = run(&self.pool, &self.target, command).await;
        let ran = ran.map_err(|error| cannot(error.message().to_owned()))?;
        let hashes: Vec<[u8; 32]> = ran.stdout.text().lines().filter_map(hash_of).collect();
        if !ran.is_success() || hashes.len() != files.len() {
            let errors = ran.stderr.text();
            let first = errors.lines().next().unwrap_or("it gave no hash");
            return Err(cannot(first.to_owned()));
        }
        Ok(hashes)
    }
}

impl RemoteHash for Hasher {
    fn sha256(&self, files: Vec<Hashed>) -> BoxFuture<'_, Result<Vec<[u8; 32]>>> {
        Box::pin(async move { self.ask(&files, None).await })
    }
}

/// Names go in as input: they may be any bytes, and be more than a command line holds.
fn command(program: &str, files: &[Hashed]) -> Command {
    // Not every program marks a line break within a name.
    let is_simple = |file: &Hashed| file.length.is_none() && !file.path.as_bytes().contains(&b'\n');
    let mut input = Vec::new();
    let script = if files.iter().all(is_simple) {
        for file in files {
            input.extend_from_slice(file.path.as_bytes());
            input.push(0);
        }
        format!("exec xargs -0 {program} --")
    } else {
        for file in files {
            let length = file.length.map_or_else(|| "-".to_owned(), |length| length.to_string());
            input.extend_from_slice(length.as_bytes());
            input.push(0);
            input.extend_from_slice(file.path.as_bytes());
            input.push(0);
        }
        format!(
            "exec xargs -0 -n 2 sh -c 'if [ \"$1\" = - ]; then {program} < \"$2\"; \
             else head -c \"$1\" < \"$2\" | {program}; fi' sh"
        )
    };
    let mut command = Command::of(["sh", "-c", &script]);
    command.keep = 4 * input.len() + 200 * files.len() + 4096;
    command.is_idempotent = true;
    command.reading(input)
}

/// The hash that begins a line; a backslash before it marks a name that was escaped.
fn hash_of(line: &str) -> Option<[u8; 32]> {
    let digits = line.trim_start_matches('\\').get(..64)?;
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_from_every_form_of_a_line() {
        for line in [OF_NOTHING.to_owned(), format!("{OF_NOTHING} *a"), format!("\\{OF_NOTHING} *a\\nb")] {
            assert_eq!(crate::sftp::hex(&hash_of(&line).unwrap()), OF_NOTHING);
        }
        assert_eq!(hash_of("sha256sum: a: No such file or directory, and so on, and so on, and so on"), None);
    }
}
