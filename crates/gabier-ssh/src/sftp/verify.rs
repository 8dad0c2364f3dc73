//! Comparing a copy with its source.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use super::download::{Receiver, fetch};
use super::error::{Error, Reason, Result};
use super::file::Mode;
use super::job::Job;
use super::options::{Hashed, RemoteHash, Verify};
use super::path::RemotePath;

/// From this round trip on, asking ahead saves more than a command that waits costs the server.
const FAR: Duration = Duration::from_millis(10);

/// A remote file, and what it must hash to.
pub(super) struct Claim {
    pub(super) path: RemotePath,
    pub(super) length: Option<u64>,
    pub(super) hash: [u8; 32],
}

/// The server's machine, ready to hash copies that are still on their way.
pub(super) struct Ready {
    files: oneshot::Sender<Vec<Hashed>>,
    hashes: AbortOnDropHandle<Result<Vec<[u8; 32]>>>,
}

impl Ready {
    /// Lets the server's machine get ready, where the way to it is so long that this pays.
    pub(super) fn get(job: &Job) -> Option<Self> {
        let Verify::Remote(hasher) = &job.options.verify else { return None };
        if job.session.round_trip() < FAR {
            return None;
        }
        let (files, named) = oneshot::channel();
        let (hasher, named) = (hasher.clone(), named.map(Result::unwrap_or_default).boxed());
        let hashes = tokio::spawn(async move { hasher.sha256_later(named).await });
        Some(Self { files, hashes: AbortOnDropHandle::new(hashes) })
    }

    /// Names the files, and says for each whether it is right.
    pub(super) async fn ask(self, claims: &[Claim]) -> Result<Vec<bool>> {
        // Nobody listens only when the hashing has ended, and then its outcome tells why.
        let _ = self.files.send(files(claims));
        let given_up = |_| Error::new(Reason::Lost, "the hashing on the host was given up");
        judge(claims, &self.hashes.await.map_err(given_up)??)
    }
}

/// Has the server's machine hash the files, and says for each whether it is right.
pub(super) async fn ask(hasher: &dyn RemoteHash, claims: &[Claim]) -> Result<Vec<bool>> {
    judge(claims, &hasher.sha256(files(claims)).await?)
}

fn files(claims: &[Claim]) -> Vec<Hashed> {
    claims.iter().map(|claim| Hashed { path: claim.path.clone(), length: claim.length }).collect()
}

fn judge(claims: &[Claim], found: &[[u8; 32]]) -> Result<Vec<bool>> {
    if found.len() != claims.len() {
        return Err(Error::new(Reason::Mismatch, "the server hashed another number of files"));
    }
    Ok(claims.iter().zip(found).map(|(claim, found)| claim.hash == *found).collect())
}

/// Reads a copy back and says whether it is right.
pub(super) async fn read_back(job: &Arc<Job>, claim: &Claim) -> Result<bool> {
    let file = job.session.open_file(&claim.path, Mode::Read, 0).await?;
    let size = file.attributes().await?.size.unwrap_or(0);
    let receiver = Receiver::hashing();
    fetch(job, &file, 0..size, &receiver).await?;
    Ok(receiver.finish().await?.hash == Some(claim.hash))
}

pub(super) fn mismatch(path: &RemotePath) -> Error {
    Error::new(Reason::Mismatch, "what arrived is not what was sent").doing("verifying", path)
}
