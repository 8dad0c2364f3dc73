//! Comparing a copy with its source.

use std::sync::Arc;

use super::download::{Receiver, fetch};
use super::error::{Error, Reason, Result};
use super::file::Mode;
use super::job::Job;
use super::options::{Hashed, RemoteHash};
use super::path::RemotePath;

/// A remote file, and what it must hash to.
pub(super) struct Claim {
    pub(super) path: RemotePath,
    pub(super) length: Option<u64>,
    pub(super) hash: [u8; 32],
}

/// Has the server's machine hash the files, and says for each whether it is right.
pub(super) async fn ask(hasher: &dyn RemoteHash, claims: &[Claim]) -> Result<Vec<bool>> {
    let files = claims.iter().map(|claim| Hashed { path: claim.path.clone(), length: claim.length });
    let found = hasher.sha256(files.collect()).await?;
    if found.len() != claims.len() {
        return Err(Error::new(Reason::Mismatch, "the server hashed another number of files"));
    }
    Ok(claims.iter().zip(found).map(|(claim, found)| claim.hash == found).collect())
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
