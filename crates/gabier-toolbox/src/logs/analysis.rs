//! The lines of a log that match a pattern.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use gabier_tool::{Context, Effect, Error, ErrorKind, LocalPath, Mode, Outcome, Result, Tool};
use regex::bytes::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::tail::Tail;
use crate::Services;

/// How many matches are shown: the newest.
const SHOWN: usize = 50;

/// How much of a line is searched, in bytes.
const SEARCHED: usize = 64 * 1024;

/// How much of a match is shown, in bytes.
const TEXT: usize = 600;

/// Find a pattern in the last lines of a local log file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct LogAnalysis {
    /// Path.
    log_file: LocalPath,
    /// Regular expression; case is ignored.
    #[schemars(length(min = 1, max = 1024))]
    pattern: String,
    /// Lines to search, from the end.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1_000_000))]
    lines: u32,
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
    type Output = Found;

    async fn run(self, ctx: &Context<Services>) -> Result<Found> {
        let regex = regex_of(&self.pattern)?;
        let (services, caller) = (Arc::clone(&ctx.services), ctx.caller().clone());
        let stop = CancellationToken::new();
        let given_up = stop.clone();
        // The search ends with the call, also when the call is dropped at its limit.
        let _end = stop.drop_guard();
        crate::blocking(move || {
            let file = self.log_file.0;
            let opened = services.files.open_file(&caller, "log_file", Path::new(&file))?;
            let tail = Tail::read(&opened.file, opened.size, self.lines as usize).map_err(|error| {
                Error::new(ErrorKind::Unavailable, format!("reading {file}")).with_source(error)
            })?;
            if is_compressed(&opened.file) {
                return Err(Error::invalid("log_file", format!("{file} is compressed; name a plain file")));
            }
            search(file, &tail, &regex, &given_up)
        })
        .await
    }

    fn outcome(output: &Found) -> Outcome {
        if output.is_cut {
            return Outcome::warning(format!(
                "the lines of {} are so long that only the last {} were searched",
                output.file, output.scanned
            ));
        }
        Outcome::default()
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
        newest.into_iter().map(|(line_no, line)| Match { line_no, text: text_of(line) }).collect();
    Ok(found)
}

/// A line as text, bytes that are none as `\xNN`, and cut when long.
fn text_of(line: &[u8]) -> String {
    let shown = &line[..line.len().min(TEXT)];
    let mut text = String::with_capacity(shown.len());
    for chunk in shown.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    if shown.len() < line.len() {
        text.push_str(" … (");
        text.push_str(&line.len().to_string());
        text.push_str(" bytes)");
    }
    text
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

    #[test]
    fn foreign_bytes_are_shown_and_long_lines_cut() {
        assert_eq!(text_of(b"caf\xe9!"), "caf\\xe9!");
        assert_eq!(text_of(&[b'a'; 700]), format!("{} … (700 bytes)", "a".repeat(600)));
    }
}
