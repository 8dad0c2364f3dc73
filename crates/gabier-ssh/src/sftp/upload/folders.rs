//! The folders of a tree on the server, made level by level, and what was there before.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use futures::{StreamExt, TryStreamExt, stream};

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

/// Makes the folder of the tree and those below it. Those that are there are listed instead.
pub(super) async fn make_folders(
    job: &Job,
    base: &RemotePath,
    own: Option<Attributes>,
    folders: &[(PathBuf, Attributes)],
) -> Result<Made> {
    let session = &job.session;
    let mut levels: BTreeMap<usize, Vec<(RemotePath, Attributes)>> = BTreeMap::new();
    for (path, attributes) in folders {
        let level = levels.entry(path.components().count()).or_default();
        level.push((base.join(path.as_os_str().as_bytes()), *attributes));
    }
    session.make_directories(&base.parent(), 0o777).await?;
    levels.entry(0).or_default().push((base.clone(), own.unwrap_or_default()));

    let mut made = Made { existing: HashMap::new(), new: Vec::new() };
    for level in levels.into_values() {
        let making = stream::iter(level).map(|(path, attributes)| make(session, path, attributes));
        let outcomes: Vec<_> = making.buffer_unordered(AT_ONCE).try_collect().await?;
        for (path, attributes, found) in outcomes {
            match found {
                Some(found) => made.existing.extend(found),
                None => made.new.push((path, attributes)),
            }
        }
    }
    Ok(made)
}

type Outcome = (RemotePath, Attributes, Option<Vec<(RemotePath, Attributes)>>);

/// Makes a folder, or says what is in the one that is there.
async fn make(session: &Session, path: RemotePath, attributes: Attributes) -> Result<Outcome> {
    let mode = if attributes.mode.is_some() { attributes.permissions() & 0o777 | 0o700 } else { 0o777 };
    let Err(error) = session.make_directory(&path, mode).await else {
        return Ok((path, attributes, None));
    };
    if error.reason().ends_session() {
        return Err(error);
    }
    if !session.is_directory(&path).await {
        let is_there = session.lstat(&path).await.is_ok();
        let not_a_folder = || Error::new(Reason::NotADirectory, "it is not a folder").doing("filling", &path);
        return Err(if is_there { not_a_folder() } else { error });
    }
    let entries = session.list(&path).await?;
    let found = entries.into_iter().map(|entry| (path.join(&entry.name), entry.attributes)).collect();
    Ok((path, attributes, Some(found)))
}

impl Made {
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
