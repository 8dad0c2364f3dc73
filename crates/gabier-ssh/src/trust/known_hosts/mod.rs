//! The keys of hosts that somebody has accepted or revoked.

mod file;
mod line;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gabier_tool::{Error, ErrorKind, Result};

pub use file::{KnownHostsFile, Names};

use super::key::HostKey;
use line::{Line, Mark};

/// The largest file that is read, in bytes: some 100,000 keys.
const LARGEST: u64 = 32 << 20;

/// A host as `known_hosts` names it: a name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    host: String,
    port: u16,
}

impl Place {
    /// The server at a port of a host; the case of its name does not count.
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_ascii_lowercase(), port }
    }

    /// The name under which its keys stand: `web1`, or `[web1]:2222` on another port than 22.
    pub fn name(&self) -> String {
        if self.port == 22 { self.host.clone() } else { format!("[{}]:{}", self.host, self.port) }
    }

    /// Its names, the exact one first: OpenSSH knows a host on another port by its bare name too.
    fn names(&self) -> Vec<String> {
        let mut names = vec![self.name()];
        if self.port != 22 {
            names.push(self.host.clone());
        }
        names
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// A key and where it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The key.
    pub key: HostKey,
    /// The file.
    pub file: Arc<PathBuf>,
    /// The line, from 1.
    pub line: usize,
}

/// What is known of the key that a host has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is recorded, and not revoked.
    Known(Recorded),
    /// No key of any type is recorded for the host. Only this may be accepted at first sight, and only when
    /// `authorities` is empty: a host that an authority vouches for must show a certificate.
    Unknown {
        /// Certificate authorities that are recorded for the host.
        authorities: Vec<Recorded>,
    },
    /// Other keys are recorded for the host, of whatever type.
    Changed {
        /// All of them.
        recorded: Vec<Recorded>,
    },
    /// It is marked as revoked.
    Revoked(Recorded),
}

impl Decision {
    /// True when policy `accept-new` may accept and record the key.
    pub fn may_accept_new(&self) -> bool {
        matches!(self, Self::Unknown { authorities } if authorities.is_empty())
    }
}

/// Everything that some files say about hosts.
#[derive(Clone, Debug, Default)]
pub struct KnownHosts {
    entries: Vec<(Line, Recorded)>,
}

impl KnownHosts {
    /// Reads files in their order. One that is not there says nothing; one that cannot be read or understood is a
    /// refusal, since it may hold the very key that has changed.
    pub fn read<P: AsRef<Path>>(files: &[P]) -> Result<Self> {
        let mut known = Self::default();
        for file in files {
            let file = file.as_ref();
            match bytes_of(file) {
                Ok(bytes) => known.add(file, &bytes)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable(file, "cannot be read").with_source(error)),
            }
        }
        Ok(known)
    }

    /// Reads the text of one file; `file` is what messages and records name.
    pub fn parse(file: &Path, text: &[u8]) -> Result<Self> {
        let mut known = Self::default();
        known.add(file, text)?;
        Ok(known)
    }

    fn add(&mut self, file: &Path, bytes: &[u8]) -> Result<()> {
        let shared = Arc::new(file.to_path_buf());
        for (number, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            let parsed = std::str::from_utf8(bytes).map_err(|_| "is no text").and_then(Line::parse);
            match parsed {
                Ok(None) => {}
                Ok(Some((line, key))) => {
                    self.entries.push((line, Recorded { key, file: Arc::clone(&shared), line: number }));
                }
                Err(reason) => {
                    return Err(unreadable(file, &format!("line {number} {reason}")).with("line", number));
                }
            }
        }
        Ok(())
    }

    /// What is known of a key that a host has shown.
    pub fn check(&self, place: &Place, key: &HostKey) -> Decision {
        if let Some(revoked) = self.revoked(place, key) {
            return Decision::Revoked(revoked.clone());
        }
        let names = place.names();
        let recorded = self.under(&names[..1], Mark::None);
        if let Some(known) = recorded.iter().find(|recorded| recorded.key == *key) {
            return Decision::Known(known.clone());
        }
        if !recorded.is_empty() {
            return Decision::Changed { recorded };
        }
        // Another server may answer on the usual port, so its key says nothing against this one.
        match self.under(&names[1..], Mark::None).into_iter().find(|recorded| recorded.key == *key) {
            Some(known) => Decision::Known(known),
            None => Decision::Unknown { authorities: self.authorities(place) },
        }
    }

    /// The keys recorded for a host, in the order of the files: their algorithms are to be offered first.
    pub fn recorded(&self, place: &Place) -> Vec<Recorded> {
        self.under(&place.names(), Mark::None)
    }

    /// The certificate authorities recorded for a host that are not revoked.
    pub fn authorities(&self, place: &Place) -> Vec<Recorded> {
        let mut found = self.under(&place.names(), Mark::Authority);
        found.retain(|authority| self.revoked(place, &authority.key).is_none());
        found
    }

    fn revoked(&self, place: &Place, key: &HostKey) -> Option<&Recorded> {
        let names = place.names();
        let is_hit = |(line, recorded): &&(Line, Recorded)| {
            line.mark == Mark::Revoked
                && recorded.key == *key
                && names.iter().any(|name| line.hosts.matches(name))
        };
        self.entries.iter().find(is_hit).map(|(_, recorded)| recorded)
    }

    fn under(&self, names: &[String], mark: Mark) -> Vec<Recorded> {
        let is_hit = |line: &Line| line.mark == mark && names.iter().any(|name| line.hosts.matches(name));
        self.entries.iter().filter(|(line, _)| is_hit(line)).map(|(_, recorded)| recorded.clone()).collect()
    }
}

fn bytes_of(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 32 MiB"));
    }
    Ok(bytes)
}

fn unreadable(file: &Path, what: &str) -> Error {
    let file = file.display().to_string();
    Error::new(ErrorKind::HostKeyUnknown, format!("look the host up in {file}: {what}"))
        .with("reason", "known_hosts_unreadable")
        .with_next(format!("repair or remove {file}"))
        .with("file", file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Zk0wzXnGKfYQh3y0TTtqGsbQxGxq0Nq9bRk4tFZ5o";
    const C: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=";

    fn key(text: &str) -> HostKey {
        HostKey::parse(text).unwrap()
    }

    /// The decision about key A at a place, as one word and the lines it names.
    fn check(text: &str, host: &str, port: u16) -> String {
        let known = match KnownHosts::parse(Path::new("known_hosts"), text.as_bytes()) {
            Ok(known) => known,
            Err(error) => return error.message().to_owned(),
        };
        let lines = |recorded: &[Recorded]| {
            recorded.iter().map(|recorded| recorded.line.to_string()).collect::<Vec<_>>().join(",")
        };
        match known.check(&Place::new(host, port), &key(A)) {
            Decision::Known(recorded) => format!("known {}", recorded.line),
            Decision::Unknown { authorities } => format!("unknown {}", lines(&authorities)).trim().to_owned(),
            Decision::Changed { recorded } => format!("changed {}", lines(&recorded)),
            Decision::Revoked(recorded) => format!("revoked {}", recorded.line),
        }
    }

    #[test]
    fn an_equal_key_is_known_and_no_key_is_unknown() {
        assert_eq!(check(&format!("# mine\n\n web1,web2\t{A} me\n"), "WEB2", 22), "known 3");
        assert_eq!(check(&format!("web1 {A}"), "web3", 22), "unknown");
        assert_eq!(check("", "web3", 22), "unknown");
    }

    #[test]
    fn a_recorded_key_of_another_type_is_a_changed_key() {
        assert_eq!(check(&format!("web1 {C}"), "web1", 22), "changed 1");
        assert_eq!(check(&format!("web1 {B}\nweb1 {C}"), "web1", 22), "changed 1,2");
        assert_eq!(check(&format!("web1 {B}\nweb* {A}"), "web1", 22), "known 2");
    }

    #[test]
    fn a_revoked_key_stays_revoked_where_it_is_also_listed() {
        assert_eq!(check(&format!("web1 {A}\n@revoked * {A}"), "web1", 22), "revoked 2");
        assert_eq!(check(&format!("@revoked web1 {A}"), "web1", 2222), "revoked 1");
        assert_eq!(check(&format!("@revoked web1 {B}"), "web1", 22), "unknown");
    }

    #[test]
    fn a_host_with_an_authority_is_not_accepted_at_first_sight() {
        let text = format!("@cert-authority *.corp {B}");
        assert_eq!(check(&text, "web1.corp", 22), "unknown 1");
        let known = KnownHosts::parse(Path::new("f"), text.as_bytes()).unwrap();
        assert!(!known.check(&Place::new("web1.corp", 22), &key(A)).may_accept_new());
        assert!(known.check(&Place::new("web1", 22), &key(A)).may_accept_new());
        let revoked = format!("{text}\n@revoked * {B}");
        assert_eq!(check(&revoked, "web1.corp", 22), "unknown", "a revoked authority vouches for nobody");
    }

    #[test]
    fn another_port_is_another_server_unless_its_key_is_the_hosts() {
        assert_eq!(check(&format!("[web1]:2222 {A}"), "web1", 2222), "known 1");
        assert_eq!(check(&format!("[web1]:2222 {B}"), "web1", 22), "unknown");
        assert_eq!(check(&format!("web1 {A}"), "web1", 2222), "known 1");
        assert_eq!(check(&format!("web1 {B}"), "web1", 2222), "unknown");
        assert_eq!(check(&format!("[web1]:2222 {B}\nweb1 {A}"), "web1", 2222), "changed 1");
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_a_refusal_that_names_the_line() {
        for (line, reason) in [
            ("web1 ssh-ed25519 AAAAC3Nza", "holds no key"),
            ("web1", "holds no key"),
            ("@trusted web1 ssh-ed25519 A", "has an unknown marker"),
            ("|1|short|hash ssh-ed25519 AAAA", "has a damaged host name"),
        ] {
            let text = format!("web1 {A}\n{line}\n");
            let expected = format!("look the host up in known_hosts: line 2 {reason}");
            assert_eq!(check(&text, "web1", 22), expected);
        }
        let torn = [b"web1 ".as_slice(), &[0xff, 0xfe]].concat();
        assert!(KnownHosts::parse(Path::new("f"), &torn).is_err());
    }

    #[test]
    fn a_missing_file_says_nothing_and_an_unreadable_one_refuses() {
        let folder = tempfile::tempdir().unwrap();
        KnownHosts::read(&[folder.path().join("none")]).unwrap();
        let error = KnownHosts::read(&[folder.path()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HostKeyUnknown);
    }

    #[test]
    fn a_key_of_the_first_protocol_is_passed_over() {
        assert_eq!(check(&format!("old 1024 35 1234567\nweb1 {A}"), "web1", 22), "known 2");
    }
}
