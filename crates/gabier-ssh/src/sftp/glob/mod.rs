//! Patterns of paths: `*` and `?` within a part, `[a-z]` and `[!a-z]`, `**` over any number of parts.

mod expand;
mod part;

pub(super) use expand::{fixed, match_local, match_remote};
use part::matches;

use super::error::{Error, Reason, Result};

const PATTERN_MAX: usize = 512;
const WILD: &[u8] = b"*?[\\";

/// A pattern of paths. Names that begin with a dot are matched only where the pattern spells the dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    fixed: Vec<u8>,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// One name.
    Name(Vec<u8>),
    /// Any number of names.
    Deep,
}

/// The parts of a pattern that the next name may match.
pub(super) type Places = Vec<usize>;

impl Pattern {
    /// Reads a pattern.
    pub fn new(pattern: &[u8]) -> Result<Self> {
        let refuse = |why: &str| {
            let shown = super::path::RemotePath::new(pattern);
            Err(Error::new(Reason::BadName, format!("the pattern {shown} {why}")))
        };
        if pattern.is_empty() || pattern.len() > PATTERN_MAX {
            return refuse("has no length between 1 and 512 bytes");
        }
        if pattern.contains(&0) {
            return refuse("contains NUL");
        }
        let mut fixed = if pattern.starts_with(b"/") { b"/".to_vec() } else { Vec::new() };
        let mut parts = Vec::new();
        let mut names = pattern.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).peekable();
        while let Some(name) = names.next() {
            let is_fixed = parts.is_empty() && names.peek().is_some() && !is_wild(name);
            if is_fixed {
                if !fixed.is_empty() && !fixed.ends_with(b"/") {
                    fixed.push(b'/');
                }
                fixed.extend_from_slice(name);
            } else if name == b".." {
                return refuse("goes up behind a wildcard");
            } else if name != b"**" {
                parts.push(Part::Name(name.to_vec()));
            } else if parts.last() != Some(&Part::Deep) {
                parts.push(Part::Deep);
            }
        }
        if parts.last() == Some(&Part::Deep) {
            parts.push(Part::Name(b"*".to_vec()));
        }
        if parts.is_empty() {
            return refuse("names no file");
        }
        Ok(Self { fixed, parts })
    }

    /// True when the text has anything of a pattern.
    pub fn is_pattern(text: &[u8]) -> bool {
        text.split(|byte| *byte == b'/').any(is_wild)
    }

    /// The folder that the pattern starts in: what comes before the first wildcard. Empty for the present one.
    pub fn fixed(&self) -> &[u8] {
        &self.fixed
    }

    /// True for a path below the fixed part that the pattern matches.
    pub fn matches(&self, path: &[u8]) -> bool {
        let mut places = self.start();
        let mut names = path.split(|byte| *byte == b'/').peekable();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                return self.ends_with(&places, name);
            }
            places = self.enter(&places, name);
        }
        false
    }

    /// Where the first name is matched.
    pub(super) fn start(&self) -> Places {
        self.with_skipped(vec![0])
    }

    /// Where the names within this folder are matched; empty when nothing below it can match.
    pub(super) fn enter(&self, places: &Places, folder: &[u8]) -> Places {
        let mut next = Places::new();
        for place in places {
            match &self.parts[*place] {
                Part::Deep if !folder.starts_with(b".") => next.push(*place),
                Part::Name(name) if place + 1 < self.parts.len() && matches(name, folder) => {
                    next.push(place + 1);
                }
                Part::Deep | Part::Name(_) => {}
            }
        }
        self.with_skipped(next)
    }

    /// True when the name of a file completes the pattern.
    pub(super) fn ends_with(&self, places: &Places, file: &[u8]) -> bool {
        let last = self.parts.len() - 1;
        places.iter().any(|place| match &self.parts[*place] {
            Part::Name(name) => *place == last && matches(name, file),
            Part::Deep => false,
        })
    }

    /// `**` may stand for no name at all.
    fn with_skipped(&self, mut places: Places) -> Places {
        let behind: Vec<usize> =
            places.iter().filter(|place| self.parts[**place] == Part::Deep).map(|place| place + 1).collect();
        places.extend(behind);
        places.sort_unstable();
        places.dedup();
        places
    }
}

fn is_wild(name: &[u8]) -> bool {
    name.iter().any(|byte| WILD.contains(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, path: &str) -> bool {
        Pattern::new(pattern.as_bytes()).unwrap().matches(path.as_bytes())
    }

    #[test]
    fn patterns_match_as_a_shell_does() {
        let cases = [
            ("*.log", "a.log", true),
            ("*.log", "b/a.log", false),
            ("*.log", ".a.log", false),
            (".*.log", ".a.log", true),
            ("**/*.log", "a.log", true),
            ("**/*.log", "b/c/a.log", true),
            ("**/*.log", ".b/a.log", false),
            ("**", "b/c/a", true),
            ("**/**/a", "b/a", true),
            ("b/**/a", "a", true), // `b` is the fixed part
            ("b*/**/a", "b1/x/y/a", true),
            ("b*/**/a", "c/a", false),
            ("?", "é", true),
            ("??", "é", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[!a-c]x", "éx", true),
            ("[]x]", "]", true),
            ("[", "[", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("*", "b/a", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(check(pattern, path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn the_fixed_part_ends_before_the_first_wildcard() {
        let cases = [
            ("/var/log/*.log", "/var/log"),
            ("/*", "/"),
            ("*", ""),
            ("a/b/c", "a/b"),
            ("a/**/c", "a"),
            ("../a/*", "../a"),
        ];
        for (pattern, fixed) in cases {
            assert_eq!(Pattern::new(pattern.as_bytes()).unwrap().fixed(), fixed.as_bytes(), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_cannot_be_are_refused() {
        for pattern in ["", "/", "*/../a", "a\0*", &"*".repeat(513)] {
            assert_eq!(Pattern::new(pattern.as_bytes()).unwrap_err().reason(), Reason::BadName, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_path_without_wildcards_matches_itself(path in "[a-z]{1,3}(/[a-z]{1,3}){0,3}") {
            let pattern = Pattern::new(path.as_bytes()).unwrap();
            let inner = path.strip_prefix(std::str::from_utf8(pattern.fixed()).unwrap()).unwrap();
            prop_assert!(pattern.matches(inner.trim_start_matches('/').as_bytes()));
        }

        #[test]
        fn two_stars_match_every_path_without_hidden_parts(path in "[a-z]{1,3}(/[a-z.]{0,2}[a-z]){0,4}") {
            let has_hidden = path.split('/').any(|part| part.starts_with('.'));
            prop_assert_eq!(check("**", &path), !has_hidden);
        }

        #[test]
        fn no_pattern_takes_forever(stars in "(a?\\*){1,30}b", path in "a{0,200}") {
            prop_assert!(!check(&stars, &path));
        }
    }
}
