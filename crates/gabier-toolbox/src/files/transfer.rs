//! One file or folder to hosts, or from one.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use gabier_host::{Alias, LocalPlace, Move, Moved, Ran, RemotePath};
use gabier_tool::{
    Context, Effect, Error, ErrorKind, HostsRef, LocalPath, Mode, Outcome, Plan, Profile, Result, Tool,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pace::Pace;
use crate::Services;
use crate::hosts::fleetwide::{Fleetwide, Spreading, on_all};
use crate::hosts::reach;

/// Copy a file or folder to a host or from it; it appears once it is whole and verified.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TaskTransfer {
    /// Host; for an upload also a group or several.
    alias: HostsRef,
    /// Which way.
    direction: Direction,
    /// Path here.
    local: LocalPath,
    /// Path there; a folder gets the source by its own name.
    #[schemars(length(min = 1, max = 4096))]
    remote: String,
    /// Replace what is there.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["overwrite"]))]
    force: bool,
    #[serde(flatten)]
    spreading: Spreading,
}

/// Which way files go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum Direction {
    Upload,
    Download,
}

/// What a transfer did.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Transfer {
    /// The task.
    id: Option<String>,
    /// What sort of task it is.
    r#type: &'static str,
    /// The host.
    alias: String,
    /// How it ended.
    status: &'static str,
    /// Which way.
    direction: Direction,
    /// The path here.
    local: String,
    /// The path there.
    remote: String,
    /// Files that arrived.
    files: u64,
    /// Bytes that arrived.
    bytes: u64,
    /// Bytes of those that an earlier attempt had brought.
    #[serde(skip_serializing_if = "is_zero")]
    resumed: u64,
    /// SHA-256 of a single file, equal on both sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// What was left out, and why.
    skipped: Vec<String>,
    /// What else there is to know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// How long it took.
    duration_ms: u64,
}

impl Tool<Services> for TaskTransfer {
    const NAME: &'static str = "task_transfer";
    const EFFECT: Effect = Effect::Write;
    const MODE: Mode = Mode::Hybrid;
    const PROFILE: Profile = Profile::Lean;
    const KIND: &'static str = "sftp";
    const LIMIT: std::time::Duration = LIMIT;
    const ENDS_ITSELF: bool = true;
    const OPEN_WORLD: bool = true;
    const KEYWORDS: &'static str = "scp sftp rsync copy upload download send fetch file folder copier envoyer télécharger fichier dossier";
    type Output = Fleetwide<Transfer>;

    async fn prepare(&mut self, ctx: &Context<Services>) -> Result<()> {
        let targets = reach::targets(ctx, &self.alias).await?;
        self.direction.admit(&targets)
    }

    async fn plan(&self, ctx: &Context<Services>) -> Result<Option<Plan>> {
        let targets = reach::targets(ctx, &self.alias).await?;
        self.direction.admit(&targets)?;
        let steps = targets.iter().map(|alias| {
            let (local, remote) = (self.local.as_str(), &self.remote);
            match self.direction {
                Direction::Upload => format!("upload {local} to {alias}:{remote}"),
                Direction::Download => format!("download {alias}:{remote} to {local}"),
            }
        });
        let targets = targets.iter().map(ToString::to_string).collect();
        Ok(Some(Plan { steps: steps.collect(), targets }))
    }

    async fn run(self, ctx: &Context<Services>) -> Result<Fleetwide<Transfer>> {
        let targets = reach::targets(ctx, &self.alias).await?;
        self.direction.admit(&targets)?;
        let place = place(ctx, "local", self.local.as_str()).await?;
        let pace = (targets.len() == 1).then(|| Pace::new(ctx, 1));
        let one = |alias: Alias| {
            let job = Move {
                local: place.clone(),
                remote: RemotePath::from(self.remote.as_str()),
                force: self.force,
                skip_unchanged: false,
                progress: pace.as_ref().map(|pace| pace.listener(0)),
                cancel: ctx.cancelled().clone(),
            };
            self.one(ctx, alias, job)
        };
        on_all(ctx, targets, self.spreading, one, compared).await
    }

    fn outcome(output: &Self::Output) -> Outcome {
        output.outcome(|_| Outcome::default())
    }
}

/// The longest a transfer may take unless its call says otherwise.
pub(super) const LIMIT: std::time::Duration = std::time::Duration::from_hours(24);

/// What to do about a transfer that broke off.
pub(super) const GOES_ON: &str = "the same call sends only the rest";

/// True when there was no room: without more of it, the same call helps nothing.
fn is_full(error: &Error) -> bool {
    error.details().get("reason").is_some_and(|reason| reason == "disk_full")
}

/// True for nothing.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
pub(super) fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Direction {
    /// Downloads from several hosts would meet under one name.
    pub(super) fn admit(self, targets: &[Alias]) -> Result<()> {
        if self == Self::Download && targets.len() > 1 {
            let message = format!("downloads take one host, and this means {}", targets.len());
            return Err(Error::invalid("alias", message));
        }
        Ok(())
    }

    /// Moves files this way.
    pub(super) async fn carry(self, ctx: &Context<Services>, alias: &Alias, job: Move) -> Result<Moved> {
        let host = reach::host(ctx, alias).await?;
        let files = host.files().await?;
        match self {
            Self::Upload => files.upload(job).await,
            Self::Download => files.download(job).await,
        }
    }
}

impl TaskTransfer {
    async fn one(&self, ctx: &Context<Services>, alias: Alias, job: Move) -> Result<Transfer> {
        let began = ctx.clock().monotonic();
        let moved = self.direction.carry(ctx, &alias, job).await;
        let moved = moved.map_err(|error| {
            let is_there = error.kind() == ErrorKind::Conflict;
            let error = error.with("alias", alias.as_str());
            match () {
                () if is_there => error.with_next("force=true replaces it"),
                () if error.details().contains_key("resumable") && !is_full(&error) => {
                    error.with_next(GOES_ON)
                }
                () => error,
            }
        })?;
        let took = ctx.clock().monotonic().saturating_sub(began);
        Ok(Transfer {
            id: task_of(ctx),
            r#type: Self::KIND,
            alias: alias.to_string(),
            status: "completed",
            direction: self.direction,
            local: self.local.0.clone(),
            remote: self.remote.clone(),
            files: moved.files,
            bytes: moved.bytes,
            resumed: moved.resumed,
            sha256: moved.sha256,
            skipped: moved.skipped,
            notes: moved.notes,
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// The task that the call runs as.
pub(super) fn task_of(ctx: &Context<Services>) -> Option<String> {
    ctx.attempt().map(|attempt| attempt.task.to_string())
}

/// Where a local path leads, for the caller.
pub(super) async fn place(
    ctx: &Context<Services>,
    parameter: &'static str,
    path: &str,
) -> Result<LocalPlace> {
    let (services, caller, path) = (Arc::clone(&ctx.services), ctx.caller().clone(), path.to_owned());
    crate::blocking(move || services.files.place(&caller, parameter, Path::new(&path))).await
}

/// What is compared of the transfers to several hosts.
fn compared(data: &Value) -> Ran {
    let mut stdout = format!("{} files, {} bytes\n", data["files"], data["bytes"]);
    if let Some(hash) = data["sha256"].as_str() {
        let _ = writeln!(stdout, "sha256 {hash}");
    }
    for list in [&data["skipped"], &data["notes"]] {
        for line in list.as_array().into_iter().flatten().filter_map(Value::as_str) {
            let _ = writeln!(stdout, "{line}");
        }
    }
    Ran { exit_code: Some(0), stdout, stderr: String::new() }
}
