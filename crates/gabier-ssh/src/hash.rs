//! SHA-256 of files on the machine they lie on, many by one command.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use gabier_host::{Command, Execution, Target};

use crate::exec::run;
use crate::pool::Pool;
use crate::sftp::{Error, Hashed, Reason, RemoteHash, RemotePath, Result};

/// How long a host may take to say whether it can hash.
const PROBE_LIMIT: Duration = Duration::from_secs(10);
/// The first that works is taken. OpenSSL uses the CPU's own instructions for it, which make it several times faster.
const PROGRAMS: [&str; 3] = ["openssl dgst -sha256 -r", "sha256sum -b", "shasum -a 256 -b"];
/// Output that is kept of a command whose files are not known yet: that of a thousand long names.
const KEEP_LATER: usize = 16 << 20;
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
        let (script, input) = if files.iter().all(is_simple) {
            (of_names(self.program), names(files))
        } else {
            (of_parts(self.program), parts(files))
        };
        let keep = output_limit(input.len(), files.len());
        let mut command = Command::of(["sh", "-c", &script]).reading(input);
        (command.limit, command.keep) = (limit, keep);
        self.run(command).await.and_then(|answer| answer.of(files.len()))
    }

    /// The command is begun before the files are known, so that nothing but the hashing is left to wait for.
    async fn ask_later(&self, files: BoxFuture<'static, Vec<Hashed>>) -> Result<Vec<[u8; 32]>> {
        let files = files.shared();
        let input = files.clone().map(|files| {
            let are_simple = files.iter().all(is_simple);
            if are_simple { names(&files).into() } else { Bytes::new() }
        });
        let mut command = Command::of(["sh", "-c", &of_names(self.program)]).reading_later(input);
        command.keep = KEEP_LATER;
        let answer = self.run(command).await;
        let files = files.await;
        match answer.and_then(|answer| answer.of(files.len())) {
            Ok(hashes) if files.iter().all(is_simple) => Ok(hashes),
            // Names that were not sent, or a connection that did not live so long.
            _ => self.ask(&files, None).await,
        }
    }

    async fn run(&self, mut command: Command) -> Result<Answer> {
        command.is_idempotent = true;
        let ran = run(&self.pool, &self.target, command).await;
        ran.map(Answer).map_err(|error| cannot(error.message()))
    }
}

/// What the program said.
struct Answer(Execution);

impl Answer {
    /// The hashes of so many files.
    fn of(self, files: usize) -> Result<Vec<[u8; 32]>> {
        let hashes: Vec<[u8; 32]> = self.0.stdout.text().lines().filter_map(hash_of).collect();
        if !self.0.is_success() || hashes.len() != files {
            return Err(cannot(self.0.stderr.text().lines().next().unwrap_or("it gave no hash")));
        }
        Ok(hashes)
    }
}

fn cannot(why: &str) -> Error {
    Error::new(Reason::Mismatch, format!("hashing on the host: {why}"))
}

impl RemoteHash for Hasher {
    fn sha256(&self, files: Vec<Hashed>) -> BoxFuture<'_, Result<Vec<[u8; 32]>>> {
        Box::pin(async move { self.ask(&files, None).await })
    }

    fn sha256_later(&self, files: BoxFuture<'static, Vec<Hashed>>) -> BoxFuture<'_, Result<Vec<[u8; 32]>>> {
        Box::pin(self.ask_later(files))
    }
}

/// True for a file that its name alone tells: not every program marks a line break within a name.
fn is_simple(file: &Hashed) -> bool {
    file.length.is_none() && !file.path.as_bytes().contains(&b'\n')
}

/// Hashes files whose names come as input: they may be any bytes, and be more than a command line holds.
fn of_names(program: &str) -> String {
    format!("exec xargs -0 {program} --")
}

fn names(files: &[Hashed]) -> Vec<u8> {
    files.iter().flat_map(|file| [file.path.as_bytes(), b"\0"]).flatten().copied().collect()
}

/// Hashes parts of files, whose lengths and names come as input.
fn of_parts(program: &str) -> String {
    format!(
        "exec xargs -0 -n 2 sh -c 'if [ \"$1\" = - ]; then {program} < \"$2\"; \
         else head -c \"$1\" < \"$2\" | {program}; fi' sh"
    )
}

fn parts(files: &[Hashed]) -> Vec<u8> {
    let mut input = Vec::new();
    for file in files {
        let length = file.length.map_or_else(|| "-".to_owned(), |length| length.to_string());
        for word in [length.as_bytes(), file.path.as_bytes()] {
            input.extend_from_slice(word);
            input.push(0);
        }
    }
    input
}

/// The most that a program says of so many files with such names, escaped as they may be.
fn output_limit(input: usize, files: usize) -> usize {
    4 * input + 200 * files + 4096
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
