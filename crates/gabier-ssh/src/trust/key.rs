//! A host's public key, as it is sent and recorded.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use gabier_tool::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};

/// The longest key that is taken, in bytes; an RSA key of 16,384 bits has 2,100.
const LONGEST: usize = 16 << 10;

/// A public key: the bytes that go over the wire, and the name of the algorithm that stands in them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HostKey {
    algorithm: String,
    blob: Vec<u8>,
}

impl HostKey {
    /// The key in these bytes, which begin with the name of its algorithm.
    pub fn from_blob(blob: &[u8]) -> Result<Self> {
        let algorithm = algorithm_of(blob).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "read a host key: its bytes name no algorithm")
        })?;
        Ok(Self { algorithm: algorithm.to_owned(), blob: blob.to_vec() })
    }

    /// The key as it is written in files: `ssh-ed25519 AAAAC3…`, a comment behind it or not.
    pub fn parse(text: &str) -> Result<Self> {
        let mut words = text.split_ascii_whitespace();
        let key = words.next().zip(words.next()).and_then(|(algorithm, base64)| written(algorithm, base64));
        key.ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "read a host key: the text is none"))
    }

    /// The algorithm's name, such as `ssh-ed25519`.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The bytes that go over the wire.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// `SHA256:` and 43 characters, as OpenSSH shows it.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }
}

/// The two words of a key in a file: its algorithm, and its bytes in base64.
pub(crate) fn written(algorithm: &str, base64: &str) -> Option<HostKey> {
    if base64.len() > LONGEST * 2 {
        return None;
    }
    let key = HostKey::from_blob(&STANDARD.decode(base64).ok()?).ok()?;
    (key.algorithm == algorithm).then_some(key)
}

fn algorithm_of(blob: &[u8]) -> Option<&str> {
    let (length, rest) = blob.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let name = std::str::from_utf8(rest.get(..length)?).ok()?;
    let is_name = !name.is_empty() && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic());
    (is_name && blob.len() <= LONGEST && rest.len() > length).then_some(name)
}

/// As it is written in files.
impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, STANDARD.encode(&self.blob))
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn a_key_is_read_and_written_as_it_was() {
        let key = HostKey::parse(&format!("{KEY} github.com")).unwrap();
        assert_eq!(key.to_string(), KEY);
        assert_eq!(key.fingerprint(), "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
        assert_eq!(HostKey::from_blob(key.blob()).unwrap(), key);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 !!!!",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
            "ssh-ed25519 AAAA",
        ] {
            assert!(HostKey::parse(text).is_err(), "{text}");
        }
    }
}
