//! Paths on a host: bytes, never text.

use std::fmt;

/// A path on a host: any bytes, printed with what is not text made visible. Relative paths begin in the account's home.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemotePath(Vec<u8>);

impl RemotePath {
    /// The bytes as they stand.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// A path as a person writes it: `~/` is the folder that sessions start in.
    pub fn typed(text: &str) -> Self {
        match text.strip_prefix('~') {
            Some("" | "/") => Self::from("."),
            Some(rest) if rest.starts_with('/') => Self::from(rest.trim_start_matches('/')),
            _ => Self::from(text),
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A path below this one.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        let mut joined = Vec::with_capacity(self.0.len() + name.len() + 1);
        joined.extend_from_slice(&self.0);
        if !name.is_empty() {
            if !joined.is_empty() && !joined.ends_with(b"/") {
                joined.push(b'/');
            }
            joined.extend_from_slice(name);
        }
        Self(joined)
    }

    /// The folder that holds it: `.` for a bare name, `/` for what is in the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        let trimmed = self.trimmed();
        match trimmed.iter().rposition(|byte| *byte == b'/') {
            Some(0) => Self::from("/"),
            Some(slash) => Self(trimmed[..slash].to_vec()),
            None => Self::from("."),
        }
    }

    /// The last part; empty for `/`.
    pub fn name(&self) -> &[u8] {
        let trimmed = self.trimmed();
        let start = trimmed.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        &trimmed[start..]
    }

    /// True when it is spelt as a folder.
    pub fn has_trailing_slash(&self) -> bool {
        self.0.ends_with(b"/")
    }

    fn trimmed(&self) -> &[u8] {
        let end = self.0.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        if end == 0 && !self.0.is_empty() { &self.0[..1] } else { &self.0[..end] }
    }
}

impl From<&str> for RemotePath {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&self.0, f)
    }
}

/// Writes bytes as text; what is not text, and control characters, as `\xNN`.
fn show(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write as _;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        for byte in chunk.invalid() {
            write!(f, "\\x{byte:02x}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_and_names_are_split_at_the_last_slash() {
        let cases: [(&str, &str, &str); 6] = [
            ("/srv/www/a", "/srv/www", "a"),
            ("/srv/www/", "/srv", "www"),
            ("/a", "/", "a"),
            ("a", ".", "a"),
            ("a/b", "a", "b"),
            ("/", "/", ""),
        ];
        for (path, parent, name) in cases {
            let path = RemotePath::from(path);
            assert_eq!((path.parent(), path.name()), (RemotePath::from(parent), name.as_bytes()), "{path}");
        }
    }

    #[test]
    fn a_tilde_is_the_folder_that_sessions_start_in() {
        let cases = [("~", "."), ("~/", "."), ("~/a", "a"), ("~x/a", "~x/a"), ("/~", "/~")];
        for (typed, path) in cases {
            assert_eq!(RemotePath::typed(typed), RemotePath::from(path));
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_shown_and_kept() {
        let path = RemotePath::from("/srv").join(b"caf\xe9\n");
        assert_eq!(path.to_string(), "/srv/caf\\xe9\\n");
        assert_eq!(path.as_bytes(), b"/srv/caf\xe9\n");
    }
}
