//! The hops on the way to a host.

use gabier_tool::{Error, ErrorKind, Result};

/// One stop on the way: a host to log in at, which the configuration may know more about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Whom to log in as; the configuration says it when absent.
    pub user: Option<String>,
    /// Its name or address.
    pub host: String,
    /// Its port; the configuration says it when absent.
    pub port: Option<u16>,
}

/// How a host is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Jump {
    /// At once.
    #[default]
    Direct,
    /// Over other hosts, the nearest first.
    Hops(Vec<Hop>),
    /// By a program, which we do not start.
    Command,
}

impl Hop {
    /// Reads `[user@]host[:port]` or `ssh://[user@]host[:port]`.
    pub fn parse(text: &str) -> Result<Self> {
        read(text).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                format!("read the hop {text:?}: it is no [user@]host[:port]"),
            )
        })
    }
}

/// Reads a list of hops, separated by commas.
pub(super) fn hops(text: &str) -> Option<Vec<Hop>> {
    text.split(',').map(read).collect()
}

/// What stands before a comment.
pub(super) fn without_comment(text: &str) -> &str {
    let text = text.split_once('#').map_or(text, |(text, _)| text);
    text.trim_end_matches([' ', '\t', '\r', '\n'])
}

fn read(text: &str) -> Option<Hop> {
    if let Some(uri) = text.strip_prefix("ssh://") {
        let uri = uri.strip_suffix('/').unwrap_or(uri);
        let (user, place) = match uri.rsplit_once('@') {
            Some((user, place)) => (Some(decoded(user)?), place),
            None => (None, uri),
        };
        // A password or a path in it is no part of a hop.
        let user_is_plain = user.as_deref().is_none_or(|user| !user.is_empty() && !user.contains([':', ';']));
        return user_is_plain.then(|| place_of(user, place)).flatten();
    }
    match text.rsplit_once('@') {
        Some(("", _)) => None,
        Some((user, place)) => place_of(Some(user.to_owned()), place),
        None => place_of(None, text),
    }
}

fn place_of(user: Option<String>, place: &str) -> Option<Hop> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, if after.is_empty() { "" } else { after.strip_prefix(':')? })
        }
        None => place.split_once(':').unwrap_or((place, "")),
    };
    let port = if port.is_empty() { None } else { Some(super::port(port)?) };
    (!host.is_empty() && !host.contains('/')).then(|| Hop { user, host: host.to_owned(), port })
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                after
            }
            (b'%', _) => return None,
            (byte, after) => {
                bytes.push(*byte);
                after
            }
        };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        match Hop::parse(text) {
            Ok(Hop { user, host, port }) => format!("{user:?} {host} {port:?}"),
            Err(_) => "refused".to_owned(),
        }
    }

    #[test]
    fn a_hop_has_a_host_and_perhaps_a_user_and_a_port() {
        assert_eq!(check("gw"), "None gw None");
        assert_eq!(check("me@gw:2222"), "Some(\"me\") gw Some(2222)");
        assert_eq!(check("[::1]:22"), "None ::1 Some(22)");
        assert_eq!(check("a@b@gw"), "Some(\"a@b\") gw None");
        assert_eq!(check("ssh://me%40corp@gw:22/"), "Some(\"me@corp\") gw Some(22)");
        for bad in ["", "@gw", "gw:0", "gw:99999", "gw:x", "gw/x", "[::1", "ssh://me:pass@gw", ":22"] {
            assert_eq!(check(bad), "refused", "{bad}");
        }
    }
}
