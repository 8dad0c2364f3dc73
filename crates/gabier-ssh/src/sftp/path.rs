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

/// The name that a file has until it is whole: hidden, beside the target, and nobody else's. Those of many files on
/// their way together carry a mark, by which they are known when the transfer broke off.
pub(super) fn temporary_name(name: &[u8], mark: Option<u32>) -> Result<Vec<u8>> {
    let suffix = match mark {
        Some(mark) => format!("{mark:08x}{:08x}", random()?),
        None => format!("{:08x}{:08x}", random()?, random()?),
    };
    let room = NAME_MAX - (1 + 1 + suffix.len() + ".part".len());
    let kept = &name[..name.len().min(room)];
    Ok([b".", kept, b".", suffix.as_bytes(), b".part"].concat())
}

/// True for a name that was given to an unfinished copy with this mark.
pub(super) fn is_left(name: &[u8], mark: u32) -> bool {
    let number = name.strip_suffix(b".part").and_then(|rest| rest.rsplit(|byte| *byte == b'.').next());
    let is_ours = |number: &[u8]| number.len() == 16 && number.starts_with(format!("{mark:08x}").as_bytes());
    name.starts_with(b".") && number.is_some_and(is_ours)
}

/// A number that nobody knows before.
pub(super) fn random() -> Result<u32> {
    getrandom::u32().map_err(|error| {
        Error::local(std::io::Error::other(error.to_string()), "asking the system for random bytes")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_name_is_known_by_its_mark() {
        for name in [&b"a"[..], b".a.b", &[b'x'; 255], b"\xff"] {
            let left = temporary_name(name, Some(7)).unwrap();
            assert!(is_left(&left, 7) && !is_left(&left, 8));
            assert!(!is_left(&temporary_name(name, None).unwrap(), 7) && !is_left(name, 7));
        }
        assert!(!is_left(b".a.00000007.part", 7) && !is_left(b"a.0000000700000000.part", 7));
    }

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
        let name = temporary_name(&[b'x'; 255], None).unwrap();
        assert_eq!(name.len(), 255);
        assert!(name.starts_with(b".xxx") && name.ends_with(b".part"));
        assert_ne!(temporary_name(b"a", None).unwrap(), temporary_name(b"a", None).unwrap());
    }
}
