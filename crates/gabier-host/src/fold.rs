//! Equal results of many hosts put together: `12 identical · 2 differ · 1 failed`.

use std::collections::BTreeMap;

use gabier_tool::Error;
use schemars::JsonSchema;
use serde::Serialize;

use crate::diff::diff;

/// What a command gave on one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; none when a signal ended it.
    pub exit_code: Option<u32>,
    /// What it wrote.
    pub stdout: String,
    /// What it wrote as errors.
    pub stderr: String,
}

/// The results of many hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Folded {
    /// How many hosts.
    pub targets: usize,
    /// How many gave what most gave.
    pub identical: usize,
    /// How many gave something else.
    pub differ: usize,
    /// How many gave nothing: not reached, refused, timed out, not begun.
    pub failed: usize,
    /// Hosts with the same result, the largest group first, failures last.
    pub groups: Vec<Group>,
    /// The task of each host, whose output and result are its own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<String, String>,
}

/// Hosts with the same result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Group {
    /// The hosts.
    pub aliases: Vec<String>,
    /// The exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u32>,
    /// What it wrote.
    pub stdout: String,
    /// What it wrote as errors.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// How it differs from what most gave: `-` only there, `+` only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// The code of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Folded {
    /// The counts in one line.
    pub fn summary(&self) -> String {
        let parts = [(self.identical, "identical"), (self.differ, "differ"), (self.failed, "failed")];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        parts.join(" · ")
    }
}

/// Puts equal results together. Failures are grouped by their code.
pub fn fold(results: Vec<(String, Result<Ran, Error>)>) -> Folded {
    let targets = results.len();
    let (mut ran, mut failed): (Vec<Group>, Vec<Group>) = (Vec::new(), Vec::new());
    for (alias, result) in results {
        let (group, groups) = match result {
            Ok(Ran { exit_code, stdout, stderr }) => {
                (Group { exit_code, stdout, stderr, ..Group::default() }, &mut ran)
            }
            Err(error) => {
                let (code, message) = (error.kind().code().to_owned(), error.message().to_owned());
                (Group { code: Some(code), message: Some(message), ..Group::default() }, &mut failed)
            }
        };
        let is_same = |other: &&mut Group| match &group.code {
            Some(_) => other.code == group.code,
            None => {
                (other.exit_code, &other.stdout, &other.stderr)
                    == (group.exit_code, &group.stdout, &group.stderr)
            }
        };
        match groups.iter_mut().find(is_same) {
            Some(same) => same.aliases.push(alias),
            None => groups.push(Group { aliases: vec![alias], ..group }),
        }
    }
    // Stable: of two groups of a size, the one whose host came first stays first.
    ran.sort_by_key(|group| std::cmp::Reverse(group.aliases.len()));
    if let [majority, others @ ..] = ran.as_mut_slice() {
        for group in others {
            group.diff = Some(difference(majority, group));
        }
    }
    let count = |groups: &[Group]| groups.iter().map(|group| group.aliases.len()).sum::<usize>();
    let (identical, failures) = (count(&ran[..ran.len().min(1)]), count(&failed));
    let differ = count(&ran) - identical;
    ran.append(&mut failed);
    Folded { targets, identical, differ, failed: failures, groups: ran, tasks: BTreeMap::new() }
}

fn difference(majority: &Group, group: &Group) -> String {
    let mut parts = Vec::new();
    if majority.exit_code != group.exit_code {
        let word = |code: Option<u32>| code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        parts.push(format!("exit code {} instead of {}", word(group.exit_code), word(majority.exit_code)));
    }
    for (base, other) in [(&majority.stdout, &group.stdout), (&majority.stderr, &group.stderr)] {
        let lines = diff(base, other);
        if !lines.is_empty() {
            parts.push(lines);
        }
    }
    parts.join("\n")
}

#[cfg(test)]
mod tests {
    use gabier_tool::ErrorKind;

    use super::*;

    fn ran(stdout: &str, code: u32) -> Ran {
        Ran { exit_code: Some(code), stdout: stdout.into(), stderr: String::new() }
    }

    #[test]
    fn equal_results_are_one_group_and_the_others_show_their_difference() {
        let refused = || Err(Error::new(ErrorKind::ConnectionFailed, "connecting"));
        let results = [
            Ok(ran("a\nz\n", 0)),
            Ok(ran("a\nb\n", 0)),
            Ok(ran("a\nb\n", 0)),
            refused(),
            Ok(ran("a\nb\n", 1)),
            refused(),
        ];
        let named =
            results.into_iter().enumerate().map(|(index, result)| (format!("h{index}"), result)).collect();
        let folded = fold(named);
        assert_eq!(folded.summary(), "2 identical · 2 differ · 2 failed");
        let shown: Vec<(String, Option<&str>)> =
            folded.groups.iter().map(|group| (group.aliases.join(","), group.diff.as_deref())).collect();
        let expected = [
            ("h1,h2".to_owned(), None),
            ("h0".to_owned(), Some("-b\n+z")),
            ("h4".to_owned(), Some("exit code 1 instead of 0")),
            ("h3,h5".to_owned(), None),
        ];
        assert_eq!(shown, expected);
        assert_eq!(folded.groups[3].code.as_deref(), Some("CONNECTION_FAILED"));
    }

    #[test]
    fn nothing_and_all_failed_have_no_majority() {
        assert_eq!(fold(Vec::new()), Folded::default());
        let folded = fold(vec![("a".into(), Err(Error::not_found("x")))]);
        assert_eq!((folded.summary().as_str(), folded.identical), ("1 failed", 0));
    }
}
