//! One line of a `known_hosts` file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::trust::key::{self, HostKey};
use crate::trust::pattern;

const BLANK: [char; 2] = [' ', '\t'];

/// What a line says of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// It is a host's.
    None,
    /// It is an authority's, which vouches for hosts.
    Authority,
    /// It must never be taken.
    Revoked,
}

/// The hosts a line is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hosts {
    /// Patterns, separated by commas.
    Patterns(String),
    /// One name, hashed with a salt.
    Hashed {
        /// What the name is hashed with.
        salt: Vec<u8>,
        /// The HMAC-SHA1 of the name.
        digest: Vec<u8>,
    },
}

/// What a line says, without its key.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) mark: Mark,
    pub(super) hosts: Hosts,
}

impl Line {
    /// Reads a line; none when it says nothing, the reason when it cannot be understood.
    pub(super) fn parse(line: &str) -> Result<Option<(Self, HostKey)>, &'static str> {
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start_matches(BLANK);
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        if line.contains('\0') {
            return Err("is no text");
        }
        let (mark, line) = match line.strip_prefix('@') {
            Some(marked) => {
                let (word, rest) = word(marked);
                (mark_of(word)?, rest)
            }
            None => (Mark::None, line),
        };
        let (names, rest) = word(line);
        let (algorithm, rest) = word(rest);
        if !algorithm.is_empty() && algorithm.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        let hosts = Hosts::parse(names).ok_or("has a damaged host name")?;
        let key = key::written(algorithm, word(rest).0).ok_or("holds no key")?;
        Ok(Some((Self { mark, hosts }, key)))
    }
}

impl Hosts {
    fn parse(names: &str) -> Option<Self> {
        let Some(hashed) = names.strip_prefix('|') else { return Some(Self::Patterns(names.to_owned())) };
        let (salt, digest) = hashed.strip_prefix("1|")?.split_once('|')?;
        let part = |text: &str| STANDARD.decode(text).ok().filter(|bytes| bytes.len() == 20);
        Some(Self::Hashed { salt: part(salt)?, digest: part(digest)? })
    }

    /// One name, hashed.
    pub(super) fn hashed(name: &str, salt: [u8; 20]) -> Self {
        Self::Hashed { salt: salt.to_vec(), digest: digest_of(&salt, name) }
    }

    /// True when the line is about the host of that name, which is in lower case.
    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Patterns(list) => pattern::matches_hosts(name, list),
            Self::Hashed { salt, digest } => digest_of(salt, name) == *digest,
        }
    }

    /// As it is written.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Patterns(list) => list.clone(),
            Self::Hashed { salt, digest } => {
                format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(digest))
            }
        }
    }

    /// The same without a name that stands in it literally; none when nothing would be left, an error when a
    /// pattern names the host.
    pub(super) fn without(&self, name: &str) -> Result<Option<Self>, &'static str> {
        let Self::Patterns(list) = self else { return Ok(None) };
        let rest: Vec<&str> = list.split(',').filter(|own| !own.eq_ignore_ascii_case(name)).collect();
        let is_left = rest.iter().any(|own| !own.starts_with('!') && !own.is_empty());
        let rest = Self::Patterns(rest.join(","));
        if is_left && rest.matches(name) {
            return Err("names the host by a pattern");
        }
        Ok(is_left.then_some(rest))
    }
}

fn digest_of(salt: &[u8], name: &str) -> Vec<u8> {
    let mut hmac = Hmac::<Sha1>::new_from_slice(salt).expect("HMAC takes keys of every length");
    hmac.update(name.as_bytes());
    hmac.finalize().into_bytes().to_vec()
}

fn mark_of(word: &str) -> Result<Mark, &'static str> {
    match word {
        "cert-authority" => Ok(Mark::Authority),
        "revoked" => Ok(Mark::Revoked),
        _ => Err("has an unknown marker"),
    }
}

/// The first word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(BLANK).unwrap_or((text, ""));
    (word, rest.trim_start_matches(BLANK))
}
