//! A local copy until it is whole: under a name of its own beside the target, gone unless it is published.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sftp::attributes::{Attributes, FileKind};
use crate::sftp::error::{Error, Reason, Result};
use crate::sftp::job::Job;
use crate::sftp::local::{LocalFolder, set_attributes};
use crate::sftp::options::TargetLinks;
use crate::sftp::upload::is_unchanged;

/// Where a file goes, and what is there now.
pub(super) struct Target {
    folder: LocalFolder,
    name: OsString,
    path: PathBuf,
    existing: Option<Attributes>,
}

impl Target {
    /// Its name.
    pub(super) fn name(&self) -> &[u8] {
        self.name.as_bytes()
    }

    /// Where it is on this machine.
    pub(super) fn place(&self) -> PathBuf {
        self.folder.place(self.name.as_ref())
    }
}

/// A file may come, or is there as it should be.
pub(super) enum Admission {
    Welcome(Target),
    Unchanged,
}

/// Where something of this name goes when it is fetched to the path: into a folder that is there, else to the path
/// itself. Blocks.
pub(super) fn place(folder: &LocalFolder, path: &Path, name: &[u8]) -> PathBuf {
    let is_folder = folder.stat(path).is_ok_and(|found| found.kind() == FileKind::Directory);
    let is_spelt_as_folder = path.as_os_str().as_bytes().ends_with(b"/");
    if is_folder || is_spelt_as_folder { path.join(OsStr::from_bytes(name)) } else { path.to_owned() }
}

/// Lets a file of these attributes come to the path. Blocks.
pub(super) fn admit(job: &Job, folder: &LocalFolder, path: &Path, source: &Attributes) -> Result<Admission> {
    let parent = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name();
    let name =
        name.ok_or_else(|| Error::new(Reason::BadName, format!("{} names no file", path.display())))?;
    let parent = folder.make_folder(parent)?;
    let existing = parent.find(name)?;
    if job.skips_unchanged() && is_unchanged(existing.as_ref(), source) {
        return Ok(Admission::Unchanged);
    }
    let refuse =
        |reason, why: &str| Err(Error::new(reason, format!("writing {}: {why}", path.display())).here());
    match existing.map(|existing| existing.kind()) {
        Some(FileKind::Directory) => return refuse(Reason::IsDirectory, "it is a folder"),
        Some(FileKind::Special) => return refuse(Reason::Special, "it is not a regular file"),
        Some(_) if !job.options.force => return refuse(Reason::Exists, "it is there already"),
        Some(FileKind::Link) => {
            // Only the system's own user may name files elsewhere, and that is what a link does.
            let real = folder.resolve(path).filter(|_| job.options.target_links == TargetLinks::WriteThrough);
            let Some(real) = real else { return refuse(Reason::SymbolicLink, "it is a symbolic link") };
            return admit(job, folder, &real, source);
        }
        None | Some(FileKind::Regular | FileKind::Unknown) => {}
    }
    let target = Target { folder: parent, name: name.to_owned(), path: path.to_owned(), existing };
    Ok(Admission::Welcome(target))
}

/// An unfinished copy. Dropped before it is published, it is removed.
pub(super) struct Stage {
    job: Arc<Job>,
    target: Target,
    temporary: Option<OsString>,
    pub(super) file: Arc<File>,
    is_resumable: bool,
}

impl Stage {
    /// Makes a new copy of that name. Blocks.
    pub(super) fn open(job: &Arc<Job>, target: Target, name: Vec<u8>, source: &Attributes) -> Result<Self> {
        let temporary = OsString::from_vec(name);
        let mode = target.existing.or(Some(*source)).filter(|known| known.mode.is_some());
        let mode = mode.map_or(0o666, |known| known.permissions() | 0o600);
        let file = target.folder.create(&temporary, mode, &target.path)?;
        Ok(Self::new(job, target, temporary, file))
    }

    /// Opens the copy that an earlier attempt has left. Blocks.
    pub(super) fn reopen(job: &Arc<Job>, target: Target, name: &[u8]) -> Result<Self, Target> {
        let temporary = OsStr::from_bytes(name).to_owned();
        match target.folder.reopen(&temporary) {
            Ok(file) => Ok(Self::new(job, target, temporary, file)),
            Err(_) => Err(target),
        }
    }

    fn new(job: &Arc<Job>, target: Target, temporary: OsString, file: File) -> Self {
        let temporary = Some(temporary);
        Self { job: job.clone(), target, temporary, file: Arc::new(file), is_resumable: false }
    }

    pub(super) fn keep_for_later(&mut self) {
        self.is_resumable = true;
    }

    /// Lets nothing of the copy be used again.
    pub(super) fn give_up(&mut self) {
        self.is_resumable = false;
    }

    /// Gives the target back, for another copy.
    pub(super) fn into_target(mut self) -> Target {
        self.discard();
        self.is_resumable = true;
        let empty = Target {
            folder: self.target.folder.clone(),
            name: OsString::new(),
            path: PathBuf::new(),
            existing: None,
        };
        std::mem::replace(&mut self.target, empty)
    }

    /// Adds the free bytes to a failure for which the disk is full. Blocks.
    pub(super) fn explain(&mut self, error: Error) -> Error {
        if !matches!(error.reason(), Reason::DiskFull { .. }) {
            return error;
        }
        // The open handle keeps what the name no longer shows.
        let _ = self.file.set_len(0);
        self.discard();
        let free = self.target.folder.free();
        let path = self.target.path.display();
        error.because(
            Reason::DiskFull { free },
            format!("writing {path}: the file system is full, {free} bytes are free"),
        )
    }

    /// Gives the copy its attributes and its name. Blocks.
    pub(super) fn publish(mut self, length: u64, source: &Attributes) -> Result<()> {
        let path = self.target.path.clone();
        let finishing = |error| Error::local(error, format!("finishing {}", path.display()));
        self.file.set_len(length).map_err(finishing)?;
        if let Some(owner) = self.target.existing.and_then(|existing| existing.owner) {
            let user = rustix::fs::Uid::from_raw(owner.uid);
            let group = rustix::fs::Gid::from_raw(owner.gid);
            // Who may not give files away keeps them.
            let _ = rustix::fs::fchown(&self.file, Some(user), Some(group));
        }
        let mode = match self.target.existing {
            Some(existing) => existing.mode,
            None => source.mode.map(|mode| mode & 0o777),
        };
        set_attributes(&self.file, &Attributes { mode, times: source.times, ..Attributes::default() })
            .map_err(finishing)?;
        if self.job.options.durable {
            self.file.sync_all().map_err(finishing)?;
        }
        if let Some(temporary) = &self.temporary {
            self.target.folder.rename(temporary, &self.target.name, self.job.options.force)?;
        }
        self.temporary = None;
        Ok(())
    }

    fn discard(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            // What is gone already need not be removed.
            let _ = self.target.folder.remove(&temporary);
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
