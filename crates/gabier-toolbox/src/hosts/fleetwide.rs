//! One thing done on all hosts of a call, and what came of it put together.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gabier_host::{Alias, Folded, Outcome as HostOutcome, Ran, Spread, fan_out, fold};
use gabier_tool::{Context, Error, ErrorKind, Feedback, Outcome, OutputStream, Result, View};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Services;

/// The result of one host in its own shape, or that of many put together.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("type" = "object"))]
pub(crate) enum Fleetwide<T> {
    /// One host.
    One(T),
    /// Several.
    Many(Folded),
}

impl<T> Fleetwide<T> {
    /// How it ended, given how the result of one host did.
    pub(crate) fn outcome(&self, of_one: impl FnOnce(&T) -> Outcome) -> Outcome {
        match self {
            Self::One(result) => of_one(result),
            Self::Many(folded) => outcome_of(folded),
        }
    }

    /// How it looks, given how the result of one host does.
    pub(crate) fn view(&self, data: &Value, of_one: impl FnOnce(&T) -> View) -> View {
        match self {
            Self::One(result) => of_one(result),
            Self::Many(_) => View::of(data),
        }
    }
}

/// How a call goes to many hosts.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) struct Spreading {
    /// Hosts at once.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 200), extend("x-full" = true))]
    max_parallel: usize,
    /// With more failed hosts than this, no further one is begun.
    #[schemars(range(max = 10_000), extend("x-full" = true))]
    max_failures: Option<usize>,
}

fn ten() -> usize {
    10
}

/// Does something on each host; `ran` says what of a result is compared.
///
/// One host gives its own result or failure. Of several, each gives one or the other in a task of its own, and the call
/// succeeds.
pub(crate) async fn on_all<T, F>(
    ctx: &Context<Services>,
    targets: Vec<Alias>,
    spreading: Spreading,
    begin: impl Fn(Alias) -> F,
    ran: impl Fn(&Value) -> Ran,
) -> Result<Fleetwide<T>>
where
    T: Serialize,
    F: Future<Output = Result<T>>,
{
    let targets = match <[Alias; 1]>::try_from(targets) {
        Ok([alias]) => return begin(alias).await.map(Fleetwide::One),
        Err(targets) => targets,
    };
    let total = f64::from(u32::try_from(targets.len()).unwrap_or(u32::MAX));
    let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
    let (done, tasks) = (AtomicU32::new(0), Mutex::new(BTreeMap::new()));
    let begin = |alias: Alias| {
        let (name, begin, done, tasks) = (alias.to_string(), &begin, &done, &tasks);
        async move {
            let result = match part(ctx, &name, tasks).await {
                Ok(Some(data)) => Ok(data),
                Ok(None) => begin(alias).await.map(|result| serde_json::to_value(result).unwrap_or_default()),
                Err(error) => Err(error),
            };
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            ctx.progress(f64::from(done), Some(total), Some(&name));
            result
        }
    };
    let spread = Spread { max_parallel: spreading.max_parallel, max_failures: spreading.max_failures };
    let outcomes = fan_out(targets, spread, begin, Result::is_err).await;
    let results = names.into_iter().zip(outcomes).map(|(name, outcome)| match outcome {
        HostOutcome::Done(result) => (name, result),
        HostOutcome::Skipped => {
            let message = "not begun: too many others had failed";
            (name, Err(Error::new(ErrorKind::Cancelled, message)))
        }
    });
    let results: Vec<(String, Result<Value>)> = results.collect();
    if ctx.cancelled().is_cancelled() {
        return Err(cancelled(&results));
    }
    let folded =
        fold(results.into_iter().map(|(name, result)| (name, result.map(|data| ran(&data)))).collect());
    let tasks = tasks.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Fleetwide::Many(Folded { tasks, ..folded }))
}

/// Does the work of one host in a task of its own; none where calls are no tasks.
async fn part(
    ctx: &Context<Services>,
    name: &str,
    tasks: &Mutex<BTreeMap<String, String>>,
) -> Result<Option<Value>> {
    let change = Map::from_iter([("alias".to_owned(), name.into())]);
    let feedback = Arc::new(Named::new(name, Arc::clone(ctx.feedback())));
    let Some(part) = ctx.part(change, feedback).await? else { return Ok(None) };
    tasks.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), part.task);
    Ok(Some(part.end.await?.data))
}

fn outcome_of(folded: &Folded) -> Outcome {
    let codes = folded.groups.iter().filter(|group| group.code.is_none());
    let worst = codes.map(|group| group.exit_code.unwrap_or(255)).max().unwrap_or(0);
    if folded.failed == 0 && worst == 0 {
        return Outcome { message: Some(folded.summary()), ..Outcome::default() };
    }
    Outcome {
        partial: folded.failed > 0,
        exit_code: (folded.failed == 0).then(|| u8::try_from(worst).unwrap_or(255)),
        ..Outcome::warning(folded.summary())
    }
}

/// The failure of a call that was given up: what is known of the processes that ran.
fn cancelled<T>(results: &[(String, Result<T>)]) -> Error {
    let stopped = results.iter().filter_map(|(_, result)| {
        let word = result.as_ref().err()?.details().get("stopped")?;
        word.as_str()
    });
    let rank = |word: &str| ["verified", "unverified", "unreachable"].iter().position(|known| *known == word);
    let worst = stopped.max_by_key(|word| rank(word)).unwrap_or("verified").to_owned();
    let ended = results.iter().filter(|(_, result)| result.is_ok()).map(|(name, _)| name.clone());
    Error::new(ErrorKind::Cancelled, "running on several hosts: cancelled")
        .with("stopped", worst)
        .with("ended", ended.collect::<Vec<_>>())
}

/// Puts the name of a host before each line of each stream.
struct Named {
    name: Vec<u8>,
    heard: Arc<dyn Feedback>,
    lines: Mutex<[Vec<u8>; 2]>,
}

/// The longest line that is held back until it ends.
const LONGEST_LINE: usize = 64 * 1024;

impl Feedback for Named {
    fn output(&self, stream: OutputStream, bytes: &[u8]) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let held = &mut lines[usize::from(stream == OutputStream::Stderr)];
        held.extend_from_slice(bytes);
        let end = match held.iter().rposition(|byte| *byte == b'\n') {
            Some(newline) => newline + 1,
            None if held.len() > LONGEST_LINE => held.len(),
            None => return,
        };
        self.pass(stream, &held.drain(..end).collect::<Vec<u8>>());
    }
}

impl Named {
    fn new(name: &str, heard: Arc<dyn Feedback>) -> Self {
        Self { name: format!("{name}: ").into_bytes(), heard, lines: Mutex::default() }
    }

    fn pass(&self, stream: OutputStream, lines: &[u8]) {
        let named: Vec<u8> = lines
            .split_inclusive(|byte| *byte == b'\n')
            .flat_map(|line| self.name.iter().chain(line).copied())
            .collect();
        self.heard.output(stream, &named);
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let lines = std::mem::take(self.lines.get_mut().unwrap_or_else(PoisonError::into_inner));
        for (stream, mut rest) in [OutputStream::Stdout, OutputStream::Stderr].into_iter().zip(lines) {
            if !rest.is_empty() {
                rest.push(b'\n');
                self.pass(stream, &rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<String>);

    impl Feedback for Heard {
        fn output(&self, _: OutputStream, bytes: &[u8]) {
            self.0.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
        }
    }

    #[test]
    fn every_line_stands_behind_the_name_of_its_host() {
        let heard = Arc::new(Heard::default());
        let named = Named::new("web1", Arc::clone(&heard) as Arc<dyn Feedback>);
        for part in ["a\nb", "c\nrest"] {
            named.output(OutputStream::Stdout, part.as_bytes());
        }
        assert_eq!(*heard.0.lock().unwrap(), "web1: a\nweb1: bc\n");
        drop(named);
        assert_eq!(*heard.0.lock().unwrap(), "web1: a\nweb1: bc\nweb1: rest\n");
    }

    #[test]
    fn the_worst_exit_code_of_all_is_that_of_the_call() {
        let ran = |code| Ok(Ran { exit_code: Some(code), stdout: String::new(), stderr: String::new() });
        let of = |results: Vec<Result<Ran>>| {
            let named = results.into_iter().map(|result| ("h".to_owned(), result)).collect();
            let outcome = outcome_of(&fold(named));
            (outcome.status.name(), outcome.partial, outcome.exit_code)
        };
        assert_eq!(of(vec![ran(0), ran(0)]), ("ok", false, None));
        assert_eq!(of(vec![ran(0), ran(3), ran(2)]), ("warning", false, Some(3)));
        assert_eq!(of(vec![ran(3), Err(Error::not_found("x"))]), ("warning", true, None));
    }
}
