//! The folders of a tree on the server, and what was there before.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use futures::{StreamExt, stream};

use crate::sftp::attributes::Attributes;
use crate::sftp::error::{Error, Reason, Result};
use crate::sftp::job::Job;
use crate::sftp::path::RemotePath;
use crate::sftp::session::Session;

/// Folders that are made at once.
const AT_ONCE: usize = 64;

/// The folders of a tree.
pub(super) struct Made {
    /// What the folders that were there already contain.
    pub(super) existing: HashMap<RemotePath, Attributes>,
    /// New folders, and what they are to be once they are filled.
    new: Vec<(RemotePath, Attributes)>,
}

/// A folder that is to be made, and how deep in the tree it lies.
struct Wanted {
    level: usize,
    path: RemotePath,
    attributes: Attributes,
}

/// What came of making a folder.
enum Outcome {
    New,
    /// It is there, with this in it.
    There(Vec<(RemotePath, Attributes)>),
    /// The folder above it is not there.
    Nowhere(Error),
}

/// Makes the folder of the tree and those below it. Those that are there are listed instead.
pub(super) async fn make_folders(
    job: &Job,
    base: &RemotePath,
    own: Option<Attributes>,
    folders: &[(PathBuf, Attributes)],
) -> Result<Made> {
    let session = &job.session;
    let below = folders.iter().map(|(path, attributes)| Wanted {
        level: path.components().count(),
        path: base.join(path.as_os_str().as_bytes()),
        attributes: *attributes,
    });
    let own = Wanted { level: 0, path: base.clone(), attributes: own.unwrap_or_default() };
    let mut wanted: Vec<Wanted> = std::iter::once(own).chain(below).collect();
    wanted.sort_by_key(|folder| folder.level);

    let mut made = Made { existing: HashMap::new(), new: Vec::new() };
    // Most servers work in the order of asking: a folder is there when those in it are asked for.
    let nowhere = made.fill(session, wanted).await?;
    if nowhere.is_empty() {
        return Ok(made);
    }
    session.make_directories(&base.parent(), 0o777).await?;
    let mut nowhere = nowhere.into_iter().map(|(folder, _)| folder).peekable();
    while let Some(first) = nowhere.next() {
        let mut level = vec![first];
        while let Some(next) = nowhere.next_if(|next| next.level == level[0].level) {
            level.push(next);
        }
        if let Some((_, error)) = made.fill(session, level).await?.into_iter().next() {
            return Err(error);
        }
    }
    Ok(made)
}

/// Makes a folder, or says what is in the one that is there.
async fn make(session: &Session, path: &RemotePath, attributes: &Attributes) -> Result<Outcome> {
    let mode = if attributes.mode.is_some() { attributes.permissions() & 0o777 | 0o700 } else { 0o777 };
    let Err(error) = session.make_directory(path, mode).await else { return Ok(Outcome::New) };
    if error.reason().ends_session() {
        return Err(error);
    }
    if error.reason() == Reason::Missing {
        return Ok(Outcome::Nowhere(error));
    }
    if !session.is_directory(path).await {
        let is_there = session.lstat(path).await.is_ok();
        let not_a_folder = || Error::new(Reason::NotADirectory, "it is not a folder").doing("filling", path);
        return Err(if is_there { not_a_folder() } else { error });
    }
    let entries = session.list(path).await?;
    Ok(Outcome::There(entries.into_iter().map(|entry| (path.join(&entry.name), entry.attributes)).collect()))
}

impl Made {
    /// Makes folders, asked for in this order, and gives back those that have nothing to lie in.
    async fn fill(&mut self, session: &Session, wanted: Vec<Wanted>) -> Result<Vec<(Wanted, Error)>> {
        let making = stream::iter(wanted).map(|folder| async move {
            let outcome = make(session, &folder.path, &folder.attributes).await;
            (folder, outcome)
        });
        let mut making = std::pin::pin!(making.buffered(AT_ONCE));
        let mut nowhere = Vec::new();
        while let Some((folder, outcome)) = making.next().await {
            match outcome? {
                Outcome::New => self.new.push((folder.path, folder.attributes)),
                Outcome::There(found) => self.existing.extend(found),
                Outcome::Nowhere(error) => nowhere.push((folder, error)),
            }
        }
        Ok(nowhere)
    }

    /// Removes what an earlier attempt has left unfinished; what stays is in nobody's way.
    pub(super) fn tidy(&self, job: &Job) {
        for (path, found) in &self.existing {
            if job.is_left(path.name(), found) {
                drop(job.session.start_remove(path));
            }
        }
    }

    /// Gives the new folders their mode and time, now that filling them changes neither. A server that refuses this
    /// has all the content nevertheless.
    pub(super) async fn finish(self, job: &Job) {
        let known = self.new.into_iter().filter(|(_, attributes)| attributes.mode.is_some());
        let setting = stream::iter(known).map(|(path, attributes)| async move {
            let modified = attributes.modified().unwrap_or(0);
            let copy = Attributes::of_copy(attributes.permissions() & 0o777, modified);
            let _ = job.session.set_attributes(&path, &copy).await;
        });
        setting.buffer_unordered(AT_ONCE).collect::<()>().await;
    }
}
