//! Names on a host: those that are let in, and those that files have until they are whole.

pub use gabier_host::RemotePath;

use super::error::{Error, Reason, Result};

/// The longest name that file systems take.
const NAME_MAX: usize = 255;

/// Lets a name pass that a server's listing may give to a file of ours: one part of a path, nothing else.
pub fn admit_name(name: &[u8]) -> Result<()> {
    let is_bad = name.is_empty()
        || name.len() > NAME_MAX
        || name == b"."
        || name == b".."
        || name.iter().any(|byte| *byte == b'/' || byte.is_ascii_control());
    if is_bad {
        let shown = RemotePath::new(name);
        return Err(Error::new(Reason::BadName, format!("the server lists a file as \"{shown}\"")));
    }
    Ok(())
}

/// The name that a file has until it is whole: hidden, beside the target, and nobody else's.
pub(super) fn temporary_name(name: &[u8]) -> Result<Vec<u8>> {
    let random = getrandom::u64().map_err(|error| {
        Error::local(std::io::Error::other(error.to_string()), "asking the system for random bytes")
    })?;
    let suffix = format!("{random:016x}");
    let room = NAME_MAX - (1 + 1 + suffix.len() + ".part".len());
    let kept = &name[..name.len().min(room)];
    Ok([b".", kept, b".", suffix.as_bytes(), b".part"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [&b""[..], b".", b"..", b"a/b", b"/", b"a\0b", b"a\nb", b"\x1b[2J", b"\x7f", &[b'x'; 256]]
        {
            assert_eq!(admit_name(name).unwrap_err().reason(), Reason::BadName);
        }
        for name in [&b"a"[..], b"...", b".a", b"caf\xe9", b"-rf", b"a b"] {
            admit_name(name).unwrap();
        }
    }

    #[test]
    fn a_temporary_name_fits_whatever_the_name_is() {
        let name = temporary_name(&[b'x'; 255]).unwrap();
        assert_eq!(name.len(), 255);
        assert!(name.starts_with(b".xxx") && name.ends_with(b".part"));
        assert_ne!(temporary_name(b"a").unwrap(), temporary_name(b"a").unwrap());
    }
}
