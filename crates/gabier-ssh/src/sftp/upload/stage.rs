//! A copy until it is whole: under a name of its own beside the target, gone unless it is published.

use std::sync::Arc;

use crate::sftp::attributes::{Attributes, FileKind};
use crate::sftp::error::{Error, Reason, Result};
use crate::sftp::file::{Mode, RemoteFile};
use crate::sftp::job::Job;
use crate::sftp::path::{RemotePath, temporary_name};
use crate::sftp::session::Pending;

use super::target::Target;

/// An unfinished copy. Dropped before it is published, it is removed.
pub(in crate::sftp) struct Stage {
    job: Arc<Job>,
    target: Target,
    file: Option<RemoteFile>,
    /// None when the copy is written into the target itself.
    temporary: Option<RemotePath>,
    /// Outlives a failure, since a journal knows it.
    is_resumable: bool,
    notes: Vec<String>,
}

/// The last requests on a copy, sent together.
struct Sealing {
    cut: Option<Pending>,
    set: Pending,
    look: Option<Pending>,
    close: Pending,
}

impl Stage {
    /// Opens a new copy of that name for the target; the permissions count where the target is new.
    pub(in crate::sftp) async fn open(
        job: &Arc<Job>,
        target: Target,
        name: &[u8],
        permissions: u32,
    ) -> Result<Self> {
        let folder = target.path.parent();
        let temporary = folder.join(name);
        let mut stage = Self::unopened(job, target, temporary.clone());
        let mode = stage.mode(permissions);
        let mut opened = job.session.open_file(&temporary, Mode::CreateNew, mode).await;
        if opened.as_ref().is_err_and(|error| error.reason() == Reason::Missing) {
            job.session.make_directories(&folder, 0o777).await?;
            opened = job.session.open_file(&temporary, Mode::CreateNew, mode).await;
        }
        match opened {
            Ok(file) => stage.file = Some(file),
            Err(error) if error.reason() == Reason::Permission && stage.target.existing.is_some() => {
                stage.temporary = None;
                return stage.within("its folder is not writable").await;
            }
            Err(error) => {
                stage.temporary = None;
                let error = stage.explain(error).await;
                return Err(error.about(&stage.target.path, &temporary));
            }
        }
        if stage.keeps_owner().await? { Ok(stage) } else { stage.within("its owner cannot be kept").await }
    }

    /// Opens the copy that an earlier attempt has left.
    pub(in crate::sftp) async fn reopen(job: &Arc<Job>, target: Target, name: &[u8]) -> Result<Self> {
        let temporary = target.path.parent().join(name);
        let file = job.session.open_file(&temporary, Mode::Write, 0).await?;
        let mut stage = Self::unopened(job, target, temporary);
        stage.file = Some(file);
        Ok(stage)
    }

    fn unopened(job: &Arc<Job>, target: Target, temporary: RemotePath) -> Self {
        let job = job.clone();
        Self { job, target, file: None, temporary: Some(temporary), is_resumable: false, notes: Vec::new() }
    }

    /// The open copy.
    pub(in crate::sftp) fn file(&self) -> &RemoteFile {
        self.file.as_ref().expect("a stage is open until it is sealed")
    }

    /// Where the copy is now.
    pub(in crate::sftp) fn path(&self) -> &RemotePath {
        self.temporary.as_ref().unwrap_or(&self.target.path)
    }

    /// Where the copy goes.
    pub(in crate::sftp) fn target(&self) -> &RemotePath {
        &self.target.path
    }

    /// Lets the copy outlive a failure.
    pub(in crate::sftp) fn keep_for_later(&mut self) {
        self.is_resumable = true;
    }

    /// Lets nothing of the copy be used again.
    pub(in crate::sftp) fn give_up(&mut self) {
        self.is_resumable = false;
    }

    pub(in crate::sftp) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    fn mode(&self, permissions: u32) -> u32 {
        self.target.existing.map_or(permissions & 0o777, |existing| existing.permissions())
    }

    /// Gives the copy the owner that the target has. False where the account may not.
    async fn keeps_owner(&self) -> Result<bool> {
        let Some(wanted) = self.target.existing.and_then(|existing| existing.owner) else { return Ok(true) };
        if self.file().attributes().await?.owner == Some(wanted) {
            return Ok(true);
        }
        let owner = Attributes { owner: Some(wanted), ..Attributes::default() };
        match self.file().set_attributes(&owner).await {
            Ok(()) => Ok(true),
            Err(error) if error.reason().ends_session() => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Writes into the target itself, where nothing else keeps what must be kept.
    async fn within(mut self, why: &str) -> Result<Self> {
        let path = self.target.path.clone();
        let file = self.job.session.open_file(&path, Mode::Write, 0).await?;
        self.discard();
        self.file = Some(file);
        self.note(format!("{path} was written in place (atomic: false): {why}"));
        Ok(self)
    }

    /// Ends the writing: attributes, size, and the close that a full disk may fail. Sent behind the content, which
    /// need not have been acknowledged. Says false where mode and time could not be set. The size is asked for unless
    /// the content is compared.
    pub(in crate::sftp) fn seal(
        &mut self,
        size: u64,
        source: &Attributes,
        is_compared: bool,
    ) -> impl Future<Output = Result<bool>> + use<> {
        let mut file = self.file.take().expect("a stage is sealed once");
        let mode = source.mode.or(self.target.existing.and_then(|existing| existing.mode));
        let mode = mode.map(|_| self.mode(source.permissions()));
        let mut attributes = Attributes { mode, times: source.times, ..Attributes::default() };
        let mut cut = None;
        if self.temporary.is_none() {
            attributes.mode = None;
            let length = Attributes { size: Some(size), ..Attributes::default() };
            cut = Some(file.start_set_attributes(&length));
        }
        let set = file.start_set_attributes(&attributes);
        let look = (!is_compared).then(|| file.start_attributes());
        let durable = self.job.options.durable;
        let early = if durable { None } else { Some(file.start_close()) };
        async move {
            if durable {
                file.sync().await?;
            }
            let close = early.unwrap_or_else(|| file.start_close());
            let sealing = Sealing { cut, set, look, close };
            sealing.check(size).await.map_err(|error| error.doing("finishing", file.path()))
        }
    }

    /// Gives the copy its final name and tells what is worth knowing.
    pub(in crate::sftp) async fn publish(mut self) -> Result<Vec<String>> {
        if let Some(temporary) = self.temporary.clone()
            && let Err(error) = self.rename(&temporary).await
        {
            return Err(self.explain_rename(error).await);
        }
        self.temporary = None;
        Ok(std::mem::take(&mut self.notes))
    }

    async fn rename(&mut self, temporary: &RemotePath) -> Result<()> {
        let session = &self.job.session;
        let target = &self.target.path;
        if self.job.options.force && session.can_replace() {
            return session.replace(temporary, target).await;
        }
        match session.rename(temporary, target).await {
            Err(error) if self.job.options.force && matches!(error.reason(), Reason::Refused(_)) => {}
            settled => return settled,
        }
        // The server only renames onto nothing, so the old content steps aside, and back if that is not enough.
        let aside = target.parent().join(&temporary_name(target.name(), None)?);
        session.rename(target, &aside).await?;
        if let Err(error) = session.rename(temporary, target).await {
            let _ = session.rename(&aside, target).await;
            return Err(error);
        }
        let _ = session.remove(&aside).await;
        let note = format!("{target} was missing for a moment while it was replaced (atomic: false)");
        self.note(note);
        Ok(())
    }

    async fn explain_rename(&self, error: Error) -> Error {
        if !matches!(error.reason(), Reason::Refused(_) | Reason::Exists) {
            return error;
        }
        let (path, found) = (&self.target.path, self.job.session.lstat(&self.target.path).await);
        let (reason, why) = match found.map(|found| found.kind()) {
            Ok(FileKind::Directory) => (Reason::IsDirectory, "it is a folder"),
            Ok(_) if !self.job.options.force => (Reason::Exists, "it was made by somebody else meanwhile"),
            _ => return error,
        };
        error.because(reason, format!("writing {path}: {why}"))
    }

    /// Finds the reason of a failure that the server did not give, and speaks of the target.
    pub(in crate::sftp) async fn explain(&mut self, error: Error) -> Error {
        let (path, temporary) = (self.target.path.clone(), self.temporary.clone());
        let error = self.full(error).await;
        match temporary {
            Some(temporary) => error.about(&path, &temporary),
            None => error,
        }
    }

    /// A full disk looks like any other failure. The copy is removed first, so that the free bytes are those the next
    /// attempt finds.
    async fn full(&mut self, error: Error) -> Error {
        let is_full = matches!(error.reason(), Reason::DiskFull { .. });
        if !is_full && error.reason() != Reason::Refused(4) {
            return error;
        }
        let folder = self.target.path.parent();
        let Ok(before) = self.job.session.file_system(&folder).await else { return error };
        if !is_full && before.free >= self.job.session.limits().chunk() as u64 {
            return error;
        }
        self.discard();
        let after = self.job.session.file_system(&folder).await.unwrap_or(before);
        let path = &self.target.path;
        let message = format!("writing {path}: the file system is full, {} bytes are free", after.free);
        error.because(Reason::DiskFull { free: after.free }, message)
    }

    /// Closes and removes the copy.
    fn discard(&mut self) {
        drop(self.file.take());
        if let Some(temporary) = self.temporary.take() {
            drop(self.job.session.start_remove(&temporary));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.is_resumable {
            self.discard();
        } else if self.temporary.is_some() {
            self.job.keep();
        }
    }
}

impl Sealing {
    async fn check(self, size: u64) -> Result<bool> {
        if let Some(cut) = self.cut {
            cut.done().await?; // without it the end of longer old content would stay
        }
        let set = self.set.done().await;
        let found = match self.look {
            Some(look) => Some(look.attributes().await),
            None => None,
        };
        self.close.done().await?;
        let is_set = match set {
            Err(error) if error.reason().ends_session() => return Err(error),
            settled => settled.is_ok(),
        };
        match found.transpose()?.and_then(|found| found.size) {
            Some(found) if found != size => {
                let message = format!("{found} bytes arrived, {size} were sent");
                Err(Error::new(Reason::Mismatch, message))
            }
            _ => Ok(is_set),
        }
    }
}
