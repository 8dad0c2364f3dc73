//! Many files to a host or from it, by names and patterns.

use futures::{FutureExt as _, StreamExt as _, stream};
use gabier_host::{Alias, Move, Moved, RemotePath};
use gabier_tool::{
    Context, Effect, Error, ErrorKind, HostsRef, LocalPath, Mode, Outcome, Plan, Profile, Result, Tool,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pace::{Listener, Pace};
use super::transfer::{Direction, LIMIT, is_zero, place, task_of};
use crate::Services;
use crate::hosts::reach;

/// Pairs that are moved at once; each fills the link with many files of its own.
const AT_ONCE: usize = 4;

/// How many failures are listed.
const LISTED: usize = 100;

/// Copy files to a host or from it; equal copies are left alone.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TaskTransferMulti {
    /// Host.
    alias: HostsRef,
    /// Which way.
    direction: Direction,
    /// What goes where; globs here keep their tree.
    #[schemars(length(min = 1, max = 1000))]
    files: Vec<Pair>,
    /// Replace what is there.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["overwrite"]))]
    force: bool,
}

/// One of the files.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
struct Pair {
    /// Path or glob here.
    local: LocalPath,
    /// Path there.
    #[schemars(length(min = 1, max = 4096))]
    remote: String,
}

/// What the transfers did.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Transfers {
    /// The task.
    id: Option<String>,
    /// What sort of task it is.
    r#type: &'static str,
    /// The host.
    alias: String,
    /// `completed`, or `partial` when some failed.
    status: &'static str,
    /// Files in all.
    total: u64,
    /// Files that arrived.
    transferred: u64,
    /// Bytes that arrived.
    bytes: u64,
    /// Bytes of those that an earlier attempt had brought.
    #[serde(skip_serializing_if = "is_zero")]
    resumed: u64,
    /// Files that did not, 100 at most.
    failed_files: Vec<FailedFile>,
    /// What was left out, and why.
    skipped: Vec<String>,
    /// What else there is to know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// How long it took.
    duration_ms: u64,
    #[serde(skip)]
    failed: u64,
}

/// A file that did not arrive.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct FailedFile {
    /// The path here.
    local: String,
    /// The path there.
    remote: String,
    /// The code of the failure.
    code: &'static str,
    /// What failed.
    message: String,
}

impl Tool<Services> for TaskTransferMulti {
    const NAME: &'static str = "task_transfer_multi";
    const EFFECT: Effect = Effect::Write;
    const MODE: Mode = Mode::Hybrid;
    const PROFILE: Profile = Profile::Core;
    const KIND: &'static str = "sftp";
    const LIMIT: std::time::Duration = LIMIT;
    const ENDS_ITSELF: bool = true;
    const OPEN_WORLD: bool = true;
    const KEYWORDS: &'static str =
        "scp sftp rsync copy upload download many files glob wildcard copier envoyer plusieurs fichiers";
    type Output = Transfers;

    async fn prepare(&mut self, ctx: &Context<Services>) -> Result<()> {
        reach::target(ctx, &self.alias).await.map(drop)
    }

    async fn plan(&self, ctx: &Context<Services>) -> Result<Option<Plan>> {
        let alias = reach::target(ctx, &self.alias).await?;
        let steps = self.files.iter().map(|pair| {
            let (local, remote) = (pair.local.as_str(), &pair.remote);
            match self.direction {
                Direction::Upload => format!("upload {local} to {alias}:{remote}"),
                Direction::Download => format!("download {alias}:{remote} to {local}"),
            }
        });
        Ok(Some(Plan { steps: steps.collect(), targets: vec![alias.to_string()] }))
    }

    async fn run(self, ctx: &Context<Services>) -> Result<Transfers> {
        let began = ctx.clock().monotonic();
        let alias = reach::target(ctx, &self.alias).await?;
        let pace = Pace::new(ctx, self.files.len());
        let moves = self.files.iter().enumerate().map(|(index, pair)| {
            let listener = pace.listener(index);
            self.one(ctx, &alias, pair, listener).boxed()
        });
        let moves: Vec<_> = moves.collect();
        let results: Vec<Result<Moved>> = stream::iter(moves).buffered(AT_ONCE).collect().await;
        let mut transfers = Transfers {
            id: task_of(ctx),
            r#type: Self::KIND,
            alias: alias.to_string(),
            ..Transfers::default()
        };
        let mut last = None;
        for (pair, result) in self.files.iter().zip(results) {
            match result {
                Ok(moved) => transfers.add(moved),
                Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                Err(error) => {
                    transfers.fail(self.direction, pair, &error);
                    last = Some(error);
                }
            }
        }
        let took = ctx.clock().monotonic().saturating_sub(began);
        transfers.duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        transfers.total = transfers.transferred + transfers.failed + transfers.skipped.len() as u64;
        transfers.status = if transfers.failed > 0 { "partial" } else { "completed" };
        match last {
            Some(error) if transfers.total == transfers.failed => Err(transfers.into_failure(error)),
            _ => Ok(transfers),
        }
    }

    fn outcome(output: &Transfers) -> Outcome {
        if output.failed == 0 {
            return Outcome::default();
        }
        let message = format!("{} of {} files did not arrive", output.failed, output.total);
        Outcome { partial: true, ..Outcome::warning(message) }
    }
}

impl TaskTransferMulti {
    async fn one(
        &self,
        ctx: &Context<Services>,
        alias: &Alias,
        pair: &Pair,
        listener: Listener,
    ) -> Result<Moved> {
        let job = Move {
            local: place(ctx, "files", pair.local.as_str()).await?,
            remote: RemotePath::from(pair.remote.as_str()),
            force: self.force,
            // A retry sends only what is missing.
            skip_unchanged: !self.force,
            progress: Some(listener),
            cancel: ctx.cancelled().clone(),
        };
        let moved = self.direction.carry(ctx, alias, job).await?;
        let source = match self.direction {
            Direction::Upload => pair.local.as_str(),
            Direction::Download => pair.remote.as_str(),
        };
        if moved.files == 0 && moved.skipped.is_empty() && source.contains(['*', '?', '[']) {
            return Err(Error::not_found(format!("no file matches {source}")));
        }
        Ok(moved)
    }
}

impl Transfers {
    fn add(&mut self, moved: Moved) {
        self.transferred += moved.files;
        self.bytes += moved.bytes;
        self.resumed += moved.resumed;
        self.skipped.extend(moved.skipped);
        for note in moved.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Takes a failure apart into its files, where it is that of a folder or a pattern.
    fn fail(&mut self, direction: Direction, pair: &Pair, error: &Error) {
        let number = |key: &str| error.details().get(key).and_then(Value::as_u64).unwrap_or(0);
        self.transferred += number("files");
        self.bytes += number("bytes");
        let parts = error.details().get("failed_files").and_then(Value::as_array);
        let Some(parts) = parts.filter(|parts| !parts.is_empty()) else {
            self.failed += number("failed").max(1);
            return self.list(FailedFile {
                local: pair.local.0.clone(),
                remote: pair.remote.clone(),
                code: error.kind().code(),
                message: error.message().to_owned(),
            });
        };
        self.failed += number("failed").max(parts.len() as u64);
        for part in parts {
            let word = |key: &str| part[key].as_str().unwrap_or_default().to_owned();
            let (local, remote) = match direction {
                Direction::Upload => (word("source"), word("target")),
                Direction::Download => (word("target"), word("source")),
            };
            self.list(FailedFile { local, remote, code: error.kind().code(), message: word("message") });
        }
    }

    fn list(&mut self, file: FailedFile) {
        if self.failed_files.len() < LISTED {
            self.failed_files.push(file);
        }
    }

    /// Nothing arrived: the failure of the last, with all of them.
    fn into_failure(self, last: Error) -> Error {
        if self.failed == 1 {
            return last.with("alias", self.alias);
        }
        let message = format!("none of {} files arrived", self.failed);
        let listed = serde_json::to_value(&self.failed_files).unwrap_or_default();
        Error::new(ErrorKind::TransferFailed, message)
            .with("alias", self.alias)
            .with("failed_files", listed)
            .with_source(last)
    }
}
