//! The files that a pattern names.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// How many files one pattern may name.
const MOST: usize = 1024;

/// The files and folders that match an absolute pattern of `*`, `?` and `[…]`, in the order of their names. A hidden
/// one is named only by a pattern that begins with a dot.
pub(super) fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/")];
    for component in pattern.components() {
        match component {
            Component::Normal(name) => {
                let name = name.to_string_lossy();
                found = found.iter().flat_map(|folder| step(folder, &name)).take(MOST).collect();
            }
            Component::ParentDir => found.iter_mut().for_each(|path| path.push("..")),
            _ => {}
        }
    }
    found
}

fn step(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    if !pattern.contains(['*', '?', '[', '\\']) {
        let path = folder.join(pattern);
        return if path.symlink_metadata().is_ok() { vec![path] } else { Vec::new() };
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') || pattern.first() == Some(&'.'))
        .filter(|name| is_match(&name.chars().collect::<Vec<_>>(), &pattern))
        .collect();
    names.sort_unstable();
    names.into_iter().map(|name| folder.join(name)).collect()
}

/// Matches with one place to fall back to, so that a star costs no more than a walk along the name.
fn is_match(name: &[char], pattern: &[char]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < name.len() {
        if pattern.get(place) == Some(&'*') {
            retry = Some((place + 1, at));
            place += 1;
        } else if let Some(length) = element(name[at], &pattern[place..]) {
            at += 1;
            place += length;
        } else if let Some((after, from)) = retry {
            retry = Some((after, from + 1));
            (place, at) = (after, from + 1);
        } else {
            return false;
        }
    }
    pattern[place..].iter().all(|rest| *rest == '*')
}

/// How long the first element of a pattern is, when it matches a character.
fn element(c: char, pattern: &[char]) -> Option<usize> {
    match pattern {
        [] => None,
        ['?', ..] => Some(1),
        ['\\', escaped, ..] => (c == *escaped).then_some(2),
        ['[', set @ ..] => match set.iter().skip(1).position(|end| *end == ']').map(|end| end + 1) {
            Some(end) => is_in(c, &set[..end]).then_some(end + 2),
            None => (c == '[').then_some(1),
        },
        [own, ..] => (c == *own).then_some(1),
    }
}

fn is_in(c: char, set: &[char]) -> bool {
    let (negated, set) = match set {
        ['!' | '^', rest @ ..] if !rest.is_empty() => (true, rest),
        set => (false, set),
    };
    let mut rest = set;
    let mut found = false;
    while let [first, after @ ..] = rest {
        rest = match after {
            ['-', last, after @ ..] => {
                found |= (*first..=*last).contains(&c);
                after
            }
            after => {
                found |= *first == c;
                after
            }
        };
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_files_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.conf", "a.conf", ".hidden.conf", "c.txt", "d/e.conf"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let check = |pattern: &str| {
            let found = expand(&folder.path().join(pattern));
            let names =
                found.iter().map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(check("*.conf"), "a.conf b.conf");
        assert_eq!(check("[a-b].conf"), "a.conf b.conf");
        assert_eq!(check("[!a].conf"), "b.conf");
        assert_eq!(check("?.c*"), "a.conf b.conf");
        assert_eq!(check("*/*.conf"), "d/e.conf");
        assert_eq!(check(".h*"), ".hidden.conf");
        assert_eq!(check("none"), "");
        assert_eq!(check("a.conf"), "a.conf");
    }
}
