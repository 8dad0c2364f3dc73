//! Private key files as they are named elsewhere, and what must be known before they work here.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::found::Fault;

/// Where keys are.
#[derive(Default)]
pub(super) struct Keys {
    /// The home directory.
    pub(super) home: PathBuf,
    /// The folders that keys are read from.
    pub(super) roots: Vec<PathBuf>,
}

impl Keys {
    /// The file that a word means.
    pub(super) fn expand(&self, word: &str) -> Result<PathBuf, Fault> {
        let path = match word.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None => PathBuf::from(word),
        };
        if path.is_absolute() { Ok(path) } else { Err(Fault::at("keyPath", "takes an absolute path")) }
    }

    /// What keeps a key from working.
    pub(super) fn notes(&self, key: &Path) -> Option<String> {
        let shown = key.display();
        if !self.roots.iter().any(|root| key.starts_with(root)) {
            let folder = key.parent().unwrap_or(key).display();
            return Some(format!("its key {shown} is read once the setting ssh.key_roots names {folder}"));
        }
        (!key.is_file()).then(|| format!("its key {shown} is not there"))
    }
}

/// True when a key cannot be used without a passphrase.
pub(super) fn is_locked(key: &Path) -> bool {
    let mut text = String::new();
    let read = File::open(key).and_then(|file| file.take(64 << 10).read_to_string(&mut text));
    read.is_ok() && is_locked_text(&text)
}

fn is_locked_text(text: &str) -> bool {
    // `openssh-key-v1`, a zero, then the name of the cipher with its length: `none` for a key in the clear.
    const OPEN: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE";
    let mut lines = text.lines();
    match lines.next().map(str::trim) {
        Some("-----BEGIN OPENSSH PRIVATE KEY-----") => {
            lines.next().is_some_and(|line| !line.starts_with(OPEN))
        }
        Some("-----BEGIN ENCRYPTED PRIVATE KEY-----") => true,
        Some(_) => lines.next().is_some_and(|line| line.contains("ENCRYPTED")),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_under_a_passphrase_is_told_from_an_open_one() {
        let openssh = |body: &str| format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n");
        assert!(!is_locked_text(&openssh(
            "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW"
        )));
        assert!(is_locked_text(&openssh(
            "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABBzHxoNzD"
        )));
        assert!(is_locked_text("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"));
        assert!(is_locked_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        assert!(!is_locked_text("-----BEGIN PRIVATE KEY-----\nMIIE\n") && !is_locked_text(""));
    }

    #[test]
    fn a_key_elsewhere_names_the_setting_that_lets_it_in() {
        let keys = Keys { home: "/home/ann".into(), roots: vec!["/home/ann/.ssh".into()] };
        assert_eq!(keys.expand("~/.ssh/id").unwrap(), Path::new("/home/ann/.ssh/id"));
        assert!(keys.notes(Path::new("/opt/keys/id")).unwrap().ends_with("ssh.key_roots names /opt/keys"));
        assert!(keys.notes(Path::new("/home/ann/.ssh/id")).unwrap().ends_with("is not there"));
        assert!(keys.expand("id_rsa").is_err());
    }
}
