//! The lines of a log that match a pattern.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gabier_host::{Alias, Command, quote};
use gabier_tool::{Context, Effect, Error, ErrorKind, HostsRef, Mode, Outcome, Result, Tool};
use regex::bytes::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::newest::{host_path, text_of};
use super::tail::{MOST, Tail};
use crate::Services;
use crate::hosts::fleetwide::{Fleetwide, Spreading, on_all};
use crate::hosts::reach;
use crate::monitor::fixed::{TOOL_LIMIT, ask, comparable, refusal, script};

/// How many matches are shown: the newest.
const SHOWN: usize = 50;

/// How much of a line is searched, in bytes.
const SEARCHED: usize = 64 * 1024;

/// How much of a match is shown, in bytes.
const TEXT: usize = 600;

/// The exit code of [`SNIFF`] on a compressed file.
const COMPRESSED: u32 = 65;

/// Looks at the first bytes as [`is_compressed`] does; a host without `od` searches the file as it is.
const SNIFF: &str = "case $(head -c 4 -- FILE 2>/dev/null | od -An -tx1 2>/dev/null | tr -d ' ') in \
    1f8b*|fd377a58*|28b52ffd*) exit 65;; esac;";

/// Find a pattern in the last lines of a log file, here or on hosts.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct LogAnalysis {
    /// Path.
    // No resource of its own: what `root:` allows is checked where a local file is opened.
    #[schemars(length(min = 1, max = 4096), extend("x-complete" = "path"))]
    log_file: String,
    /// Regular expression; case is ignored.
    #[schemars(length(min = 1, max = 1024))]
    pattern: String,
    /// Lines to search, from the end.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1_000_000))]
    lines: u32,
    /// Hosts; this machine when absent.
    alias: Option<HostsRef>,
    #[serde(flatten)]
    spreading: Spreading,
}

/// What was found.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Found {
    /// The file, as it was given.
    file: String,
    /// How many lines were searched.
    scanned: usize,
    /// The newest matches, oldest first, 50 at most.
    matches: Vec<Match>,
    /// How many lines match.
    total: usize,
    #[serde(skip)]
    is_cut: bool,
}

/// A line that matches.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Match {
    /// The line, counted from 1 at the first searched one.
    line_no: usize,
    /// What it says.
    text: String,
}

impl Tool<Services> for LogAnalysis {
    const NAME: &'static str = "log_analysis";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Hybrid;
    const KEYWORDS: &'static str = "grep search tail errors syslog regex journal journaux erreurs chercher";
    const LIMIT: Duration = TOOL_LIMIT;
    type Output = Fleetwide<Found>;

    async fn prepare(&mut self, ctx: &Context<Services>) -> Result<()> {
        match &self.alias {
            Some(alias) => reach::targets(ctx, alias).await.map(drop),
            None => Ok(()),
        }
    }

    async fn run(self, ctx: &Context<Services>) -> Result<Self::Output> {
        let regex = regex_of(&self.pattern)?;
        match &self.alias {
            None => self.here(ctx, regex).await.map(Fleetwide::One),
            Some(alias) => {
                let targets = reach::targets(ctx, alias).await?;
                let one = |alias: Alias| self.there(ctx, alias, regex.clone());
                on_all(ctx, targets, self.spreading, one, comparable).await
            }
        }
    }

    fn outcome(output: &Self::Output) -> Outcome {
        output.outcome(|found| {
            if !found.is_cut {
                return Outcome::default();
            }
            let (file, scanned) = (&found.file, found.scanned);
            Outcome::warning(format!(
                "the lines of {file} are so long that only the last {scanned} were searched"
            ))
        })
    }
}

impl LogAnalysis {
    async fn here(&self, ctx: &Context<Services>, regex: Regex) -> Result<Found> {
        let (services, caller) = (Arc::clone(&ctx.services), ctx.caller().clone());
        let (file, lines) = (self.log_file.clone(), self.lines as usize);
        let stop = CancellationToken::new();
        let given_up = stop.clone();
        // The search ends with the call, also when the call is dropped at its limit.
        let _end = stop.drop_guard();
        crate::blocking(move || {
            let opened = services.files.open_file(&caller, "log_file", Path::new(&file))?;
            let tail = Tail::read(&opened.file, opened.size, lines).map_err(|error| {
                Error::new(ErrorKind::Unavailable, format!("reading {file}")).with_source(error)
            })?;
            if is_compressed(&opened.file) {
                return Err(compressed(&file));
            }
            search(file, &tail, &regex, &given_up)
        })
        .await
    }

    async fn there(&self, ctx: &Context<Services>, alias: Alias, regex: Regex) -> Result<Found> {
        let (file, lines) = (self.log_file.clone(), self.lines);
        let path = quote(&host_path(&file));
        let command =
            script(format!("{SNIFF} tail -n {lines} -- {path} | tail -c {MOST}").replace("FILE", &path));
        let ran = ask(ctx, &alias, Command { keep: MOST + 1, ..command }).await?;
        if ran.exit_code() == Some(COMPRESSED) {
            return Err(compressed(&file).with("alias", alias.as_str()));
        }
        if ran.stdout.bytes == 0 && ran.stderr.bytes > 0 {
            return Err(refusal(&alias, &format!("reading {file}"), &ran));
        }
        let is_cut = ran.stdout.bytes >= MOST as u64;
        let stop = CancellationToken::new();
        let given_up = stop.clone();
        let _end = stop.drop_guard();
        let tail = Tail::of(ran.stdout.head, is_cut);
        crate::blocking(move || search(file, &tail, &regex, &given_up)).await
    }
}

fn hundred() -> u32 {
    100
}

/// Compiles the pattern with bounds: the engine is linear, and its programs stay small.
fn regex_of(pattern: &str) -> Result<Regex> {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .size_limit(256 * 1024)
        .dfa_size_limit(1024 * 1024)
        .nest_limit(64)
        .build()
        .map_err(|error| {
            let message = match error {
                regex::Error::CompiledTooBig(_) => {
                    "is too large once its repetitions are unfolded".to_owned()
                }
                other => format!("is no regular expression: {}", last_line(&other.to_string())),
            };
            Error::invalid("pattern", message)
        })
}

/// The engine's own messages draw the pattern first and say what is wrong at the end.
fn last_line(message: &str) -> &str {
    message.lines().last().unwrap_or(message).trim().trim_start_matches("error: ")
}

fn compressed(file: &str) -> Error {
    Error::invalid("log_file", format!("{file} is compressed; name a plain file"))
}

fn is_compressed(file: &std::fs::File) -> bool {
    const MAGICS: [&[u8]; 3] = [b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"];
    let mut start = [0; 5];
    let _ = std::os::unix::fs::FileExt::read_at(file, &mut start, 0);
    MAGICS.iter().any(|magic| start.starts_with(magic))
}

fn search(file: String, tail: &Tail, regex: &Regex, given_up: &CancellationToken) -> Result<Found> {
    let mut found = Found { file, scanned: 0, matches: Vec::new(), total: 0, is_cut: tail.is_cut };
    let mut newest: VecDeque<(usize, &[u8])> = VecDeque::with_capacity(SHOWN + 1);
    for line in tail.lines() {
        if given_up.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, format!("searching {} was given up", found.file)));
        }
        found.scanned += 1;
        if regex.is_match(&line[..line.len().min(SEARCHED)]) {
            found.total += 1;
            newest.push_back((found.scanned, line));
            if newest.len() > SHOWN {
                newest.pop_front();
            }
        }
    }
    found.matches =
        newest.into_iter().map(|(line_no, line)| Match { line_no, text: text_of(line, TEXT) }).collect();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::call_on;
    use crate::{Services, Settings};

    async fn check(content: &[u8], arguments: &str, expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        std::fs::write(&path, content).unwrap();
        let path = path.display().to_string();
        let services = Services::open(&Settings::default(), None).unwrap();
        let told = call_on::<LogAnalysis>(services, &arguments.replace("LOG", &path)).await;
        assert_eq!(told.replace(&path, "LOG"), expected);
    }

    #[tokio::test]
    async fn matches_ignore_case_and_are_numbered_within_the_searched_lines() {
        check(
            b"error one\nfine\nERROR two\nfine\n",
            r#"{"log_file": "LOG", "pattern": "error", "lines": 3}"#,
            r#"{"file":"LOG","scanned":3,"matches":[{"line_no":2,"text":"ERROR two"}],"total":1}"#,
        )
        .await;
    }

    #[tokio::test]
    async fn the_newest_fifty_are_shown_and_all_are_counted() {
        let content = "a line\n".repeat(80);
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&path, content).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let tail = Tail::read(&file, file.metadata().unwrap().len(), 100).unwrap();
        let found =
            search("LOG".to_owned(), &tail, &regex_of("line").unwrap(), &CancellationToken::new()).unwrap();
        assert_eq!((found.total, found.matches.len(), found.matches[0].line_no), (80, 50, 31));
    }

    #[tokio::test]
    async fn a_bad_or_exploding_pattern_is_refused() {
        let arguments = r#"{"log_file": "LOG", "pattern": "(a"}"#;
        check(b"a\n", arguments, "INVALID_ARGUMENT pattern: is no regular expression: unclosed group").await;
        let arguments = r#"{"log_file": "LOG", "pattern": "((a{1000}){1000}){1000}"}"#;
        let expected = "INVALID_ARGUMENT pattern: is too large once its repetitions are unfolded";
        check(b"a\n", arguments, expected).await;
    }

    #[tokio::test]
    async fn a_compressed_file_is_refused() {
        let arguments = r#"{"log_file": "LOG", "pattern": "a"}"#;
        let expected = "INVALID_ARGUMENT log_file: LOG is compressed; name a plain file";
        check(b"\x1f\x8b\x08\x00 and so on", arguments, expected).await;
    }
}
