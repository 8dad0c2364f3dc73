//! What a server does with paths.

use super::attributes::Attributes;
use super::error::{Error, Reason, Result};
use super::packet::Ask;
use super::path::RemotePath;
use super::session::{Pending, Session};

impl Session {
    /// What the path leads to, through symbolic links.
    pub async fn stat(&self, path: &RemotePath) -> Result<Attributes> {
        let pending = self.on_path(Ask::Stat, path);
        pending.attributes().await.map_err(|error| error.doing("looking at", path))
    }

    /// What is at the path itself.
    pub async fn lstat(&self, path: &RemotePath) -> Result<Attributes> {
        let pending = self.on_path(Ask::Lstat, path);
        pending.attributes().await.map_err(|error| error.doing("looking at", path))
    }

    /// Changes attributes of what the path leads to.
    pub async fn set_attributes(&self, path: &RemotePath, attributes: &Attributes) -> Result<()> {
        let pending =
            self.send(Ask::Setstat, |request| request.string(path.as_bytes()).attributes(attributes));
        pending.done().await.map_err(|error| error.doing("changing the attributes of", path))
    }

    /// Makes a folder.
    pub async fn make_directory(&self, path: &RemotePath, mode: u32) -> Result<()> {
        let attributes = Attributes { mode: Some(mode & 0o7777), ..Attributes::default() };
        let pending =
            self.send(Ask::Mkdir, |request| request.string(path.as_bytes()).attributes(&attributes));
        pending.done().await.map_err(|error| error.doing("making the folder", path))
    }

    /// Makes a folder and those above it that are missing.
    pub async fn make_directories(&self, path: &RemotePath, mode: u32) -> Result<()> {
        let mut missing = Vec::new();
        let mut lowest = path.clone();
        loop {
            match self.stat(&lowest).await {
                Ok(attributes) if attributes.kind() == super::FileKind::Directory => break,
                Ok(_) => {
                    let error = Error::new(Reason::NotADirectory, "it is not a folder");
                    return Err(error.doing("making the folder", &lowest));
                }
                Err(error) if error.reason() == Reason::Missing => {}
                Err(error) => return Err(error),
            }
            let parent = lowest.parent();
            if parent == lowest {
                break;
            }
            missing.push(lowest);
            lowest = parent;
        }
        while let Some(folder) = missing.pop() {
            let made = self.make_directory(&folder, mode).await;
            if let Err(error) = made
                && !self.is_directory(&folder).await
            {
                return Err(error);
            }
        }
        Ok(())
    }

    /// True when the path leads to a folder.
    pub(super) async fn is_directory(&self, path: &RemotePath) -> bool {
        self.stat(path).await.is_ok_and(|found| found.kind() == super::FileKind::Directory)
    }

    /// Removes an empty folder.
    pub async fn remove_directory(&self, path: &RemotePath) -> Result<()> {
        let pending = self.on_path(Ask::Rmdir, path);
        pending.done().await.map_err(|error| error.doing("removing the folder", path))
    }

    /// Removes a file.
    pub async fn remove(&self, path: &RemotePath) -> Result<()> {
        self.start_remove(path).done().await.map_err(|error| error.doing("removing", path))
    }

    pub(super) fn start_remove(&self, path: &RemotePath) -> Pending {
        self.on_path(Ask::Remove, path)
    }

    /// Renames; what is there already is not replaced.
    pub async fn rename(&self, from: &RemotePath, to: &RemotePath) -> Result<()> {
        let pending = self.send(Ask::Rename, |request| request.string(from.as_bytes()).string(to.as_bytes()));
        pending.done().await.map_err(|error| error.doing("renaming to", to))
    }

    /// The absolute path, with links and `..` resolved.
    pub async fn real_path(&self, path: &RemotePath) -> Result<RemotePath> {
        self.one_name(Ask::Realpath, path).await.map_err(|error| error.doing("resolving", path))
    }

    /// Where a symbolic link points to, as it is written in it.
    pub async fn read_link(&self, path: &RemotePath) -> Result<RemotePath> {
        self.one_name(Ask::Readlink, path).await.map_err(|error| error.doing("reading the link", path))
    }

    /// Makes a symbolic link at the path. The two names stand in the order of `OpenSSH`, which all follow, and not
    /// in that of the draft.
    pub async fn make_link(&self, path: &RemotePath, points_to: &RemotePath) -> Result<()> {
        let pending =
            self.send(Ask::Symlink, |request| request.string(points_to.as_bytes()).string(path.as_bytes()));
        pending.done().await.map_err(|error| error.doing("making the link", path))
    }

    /// Waits until the server has answered everything that was sent before.
    pub(super) async fn settle(&self) {
        // Answers come in the order of the requests; what this one says does not matter.
        let _ = self.on_path(Ask::Lstat, &RemotePath::from(".")).attributes().await;
    }

    async fn one_name(&self, ask: Ask, path: &RemotePath) -> Result<RemotePath> {
        let names = self.on_path(ask, path).names().await?;
        match names.as_deref() {
            Some([entry, ..]) => Ok(RemotePath::new(&entry.name[..])),
            _ => Err(Error::new(Reason::Refused(5), "the server gave no name")),
        }
    }

    fn on_path(&self, ask: Ask, path: &RemotePath) -> Pending {
        self.send(ask, |request| request.string(path.as_bytes()))
    }
}
