//! The room on the mounted file systems.

use std::path::{Path, PathBuf};

use gabier_tool::{Context, Effect, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mounts::{Mount, holding, mounts};
use super::sample::percent_of;
use crate::Services;

/// Show the room on mounted file systems, in bytes as `df`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DiskUsage {
    /// Only the one that holds this path.
    #[schemars(length(min = 1, max = 4096), extend("x-complete" = "path", "x-cli" = {"positional": true}))]
    path: Option<String>,
}

/// The mounted file systems.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Partitions {
    /// One a file system.
    pub(super) partitions: Vec<Partition>,
}

/// The room on one file system.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Partition {
    /// What is mounted.
    device: String,
    /// Where.
    mount: String,
    /// The kind of file system.
    fstype: String,
    /// All of it, in bytes.
    total: u64,
    /// Taken, in bytes.
    used: u64,
    /// Left to ordinary users, in bytes.
    free: u64,
    /// Taken, of what ordinary users can have.
    percent: f64,
}

impl Tool<Services> for DiskUsage {
    const NAME: &'static str = "disk_usage";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    const KEYWORDS: &'static str = "df space storage full partition filesystem disque espace stockage plein";
    type Output = Partitions;

    async fn run(self, _: &Context<Services>) -> Result<Partitions> {
        let path = self.path.map(PathBuf::from);
        crate::blocking(move || partitions(path.as_deref())).await
    }
}

/// The room on all file systems, or on the one that holds a path. Blocks.
pub(super) fn partitions(path: Option<&Path>) -> Result<Partitions> {
    let mounts = match path {
        Some(path) => holding(path)?.into_iter().collect(),
        None => mounts()?,
    };
    let partitions = mounts.into_iter().filter_map(Partition::of).collect();
    Ok(Partitions { partitions })
}

impl Partition {
    /// Asks the file system; `None` for one without room of its own.
    fn of(mount: Mount) -> Option<Self> {
        let room = rustix::fs::statvfs(&mount.point).ok().filter(|room| room.f_blocks > 0)?;
        let used = room.f_blocks.saturating_sub(room.f_bfree) * room.f_frsize;
        let free = room.f_bavail * room.f_frsize;
        Some(Self {
            device: mount.device,
            mount: mount.point.to_string_lossy().into_owned(),
            fstype: mount.kind,
            total: room.f_blocks * room.f_frsize,
            used,
            free,
            percent: percent_of(used, used + free),
        })
    }
}
