//! The stored output of a task, by lines.

use gabier_store::queue::{Output, OutputRange, Queue, Stream, TaskId};
use gabier_tool::{Caller, Error, Result};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backing::store_error;
use crate::tasks::Tasks;

/// The most lines of one answer.
const MOST: usize = 10_000;

/// How many bytes are read at once.
const CHUNK: usize = 1024 * 1024;

/// Which lines are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputQuery {
    /// `stdout`, `stderr` or `log`.
    pub stream: String,
    /// The first line, counted from 0.
    pub offset: Option<u64>,
    /// The last so many lines instead.
    pub tail: Option<usize>,
    /// How many lines at most.
    pub limit: Option<usize>,
    /// Only lines that this regular expression matches.
    pub grep: Option<String>,
}

/// Lines of a task's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutputLines {
    /// The task.
    pub id: String,
    /// What it wrote to.
    pub stream: String,
    /// The number of the first line, counted from 0.
    pub from: u64,
    /// The lines.
    pub lines: Vec<String>,
    /// How many lines were written in all.
    pub total_lines: u64,
    /// How many bytes were written in all.
    pub total_bytes: u64,
    /// How many bytes are kept: head and tail.
    pub stored_bytes: u64,
    /// Where the next lines begin, when there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<u64>,
}

impl Tasks {
    /// Lines that a task of the caller's wrote.
    pub async fn output(&self, caller: &Caller, id: &str, query: &OutputQuery) -> Result<OutputLines> {
        let stream = match query.stream.as_str() {
            "stdout" | "" => Stream::Stdout,
            "stderr" => Stream::Stderr,
            "log" => Stream::Log,
            _ => return Err(Error::invalid("stream", "must be stdout, stderr or log")),
        };
        let grep = query.grep.as_deref().map(Regex::new).transpose();
        let grep =
            grep.map_err(|error| Error::invalid("grep", format!("is no regular expression: {error}")))?;
        let task = self.find(caller, id).await?;
        let queue = self.0.queue()?;
        let kept = Kept::read(&*queue, &task.asked.id, stream).await?;
        let page = select(kept.lines(), kept.total_lines(), query, grep.as_ref());
        Ok(OutputLines {
            id: task.asked.id.to_string(),
            stream: word(stream).to_owned(),
            from: page.from,
            lines: page.lines,
            total_lines: kept.total_lines(),
            total_bytes: kept.told.total_bytes,
            stored_bytes: kept.told.stored_bytes,
            next_offset: page.next,
        })
    }
}

const fn word(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
        Stream::Log => "log",
    }
}

/// A stream as it is kept.
struct Kept {
    told: Output,
    head: Vec<u8>,
    /// What is kept behind the gap.
    tail: Vec<u8>,
}

impl Kept {
    async fn read(queue: &dyn Queue, id: &TaskId, stream: Stream) -> Result<Self> {
        let mut kept = Self { told: Output::default(), head: Vec::new(), tail: Vec::new() };
        let mut from = 0;
        loop {
            let part = queue
                .output(id, stream, OutputRange { from, length: CHUNK })
                .await
                .map_err(|error| store_error("reading a task's output", error))?;
            if part.bytes.is_empty() {
                kept.told = Output { bytes: Vec::new(), ..part };
                return Ok(kept);
            }
            from = part.from + part.bytes.len() as u64;
            let is_tail = part.gap.is_some_and(|(_, begin)| part.from >= begin);
            if is_tail { &mut kept.tail } else { &mut kept.head }.extend_from_slice(&part.bytes);
        }
    }

    /// How many lines were written, one without an end included.
    fn total_lines(&self) -> u64 {
        let last = self.tail.last().or(self.head.last());
        self.told.total_lines + u64::from(last.is_some_and(|byte| *byte != b'\n'))
    }

    /// The kept lines with their numbers.
    fn lines(&self) -> Vec<(u64, String)> {
        let numbered = |bytes: &[u8], first: u64| -> Vec<(u64, String)> {
            let text = String::from_utf8_lossy(bytes);
            (first..).zip(text.lines().map(str::to_owned)).collect()
        };
        let mut lines = numbered(&self.head, 0);
        if !self.tail.is_empty() {
            let count = String::from_utf8_lossy(&self.tail).lines().count() as u64;
            lines.extend(numbered(&self.tail, self.total_lines().saturating_sub(count)));
        }
        lines
    }
}

struct Selected {
    from: u64,
    lines: Vec<String>,
    next: Option<u64>,
}

fn select(lines: Vec<(u64, String)>, total: u64, query: &OutputQuery, grep: Option<&Regex>) -> Selected {
    let limit = query.limit.unwrap_or(MOST).clamp(1, MOST);
    let first = query.offset.unwrap_or(0);
    let mut fitting: Vec<(u64, String)> = lines
        .into_iter()
        .filter(|(number, line)| *number >= first && grep.is_none_or(|grep| grep.is_match(line)))
        .collect();
    if let Some(tail) = query.tail.filter(|_| query.offset.is_none()) {
        fitting.drain(..fitting.len().saturating_sub(tail.min(limit)));
    }
    let next = fitting.get(limit).map(|(number, _)| *number);
    fitting.truncate(limit);
    let from = fitting.first().map_or(first.min(total), |(number, _)| *number);
    Selected { from, lines: fitting.into_iter().map(|(_, line)| line).collect(), next }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &OutputQuery) -> String {
        let kept = Kept {
            told: Output { total_lines: 10, ..Output::default() },
            head: b"zero\none\ntwo\n".to_vec(),
            tail: b"eight\nnine\n".to_vec(),
        };
        let grep = query.grep.as_deref().map(|grep| Regex::new(grep).unwrap());
        let Selected { from, lines, next } = select(kept.lines(), kept.total_lines(), query, grep.as_ref());
        format!("{from} {} {next:?}", lines.join(","))
    }

    #[test]
    fn lines_keep_their_numbers_across_a_gap() {
        assert_eq!(check(&OutputQuery::default()), "0 zero,one,two,eight,nine None");
        let from_two = OutputQuery { offset: Some(2), limit: Some(2), ..OutputQuery::default() };
        assert_eq!(check(&from_two), "2 two,eight Some(9)");
        assert_eq!(check(&OutputQuery { tail: Some(1), ..OutputQuery::default() }), "9 nine None");
        let grep = OutputQuery { grep: Some("^[nz]".to_owned()), ..OutputQuery::default() };
        assert_eq!(check(&grep), "0 zero,nine None");
    }
}
