//! The local side of a transfer: a folder held open, and the only way to files below it.
//!
//! Paths are looked up by the kernel (`openat2`), so no name can be exchanged between a check and its use. Everything
//! here blocks while the kernel works.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, ResolveFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;

use super::attributes::{Attributes, FileKind, Owner};
use super::error::{Error, Reason, Result};

/// How often a lookup that was disturbed by a rename is tried.
const ATTEMPTS: usize = 32;

/// How far paths may lead from a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Wherever the process may go: for the operating system's user alone.
    Anywhere,
    /// Below the folder, through symbolic links that stay there.
    Below,
    /// Below the folder, through no symbolic link.
    BelowWithoutLinks,
}

/// A folder of this machine, held open.
#[derive(Clone)]
pub struct LocalFolder {
    folder: Arc<OwnedFd>,
    reach: Reach,
    is_one_device: bool,
    denies_hardlinks: bool,
    excluded: Option<Arc<PathBuf>>,
}

/// A regular file, open for reading.
#[derive(Debug)]
pub struct LocalFile {
    /// The file.
    pub file: File,
    /// What it was when it was opened.
    pub attributes: Attributes,
}

impl LocalFolder {
    /// Opens a folder that the caller may use.
    pub fn open(path: &Path, reach: Reach) -> Result<Self> {
        let folder = rustix::fs::open(path, folder_flags(), Mode::empty());
        let folder = folder.map_err(|errno| failure(errno, "opening the folder", path))?;
        Ok(Self::new(Arc::new(folder), reach))
    }

    /// Takes a folder that was opened elsewhere, as with `O_PATH`.
    pub fn new(folder: Arc<OwnedFd>, reach: Reach) -> Self {
        Self { folder, reach, is_one_device: false, denies_hardlinks: false, excluded: None }
    }

    /// Lets no path cross into another file system.
    #[must_use]
    pub fn on_one_device(self) -> Self {
        Self { is_one_device: true, ..self }
    }

    /// Refuses to read files with several names that belong to another user.
    #[must_use]
    pub fn without_hardlinks(self) -> Self {
        Self { denies_hardlinks: true, ..self }
    }

    /// Refuses the files of a folder, even where it lies below this one: the server's own data.
    #[must_use]
    pub fn excluding(self, excluded: &Path) -> Self {
        let excluded = excluded.canonicalize().unwrap_or_else(|_| excluded.to_owned());
        Self { excluded: Some(Arc::new(excluded)), ..self }
    }

    /// The same folder with a shorter reach: what a server names stays below it.
    #[must_use]
    pub(super) fn confined(&self) -> Self {
        let reach = if self.reach == Reach::Anywhere { Reach::Below } else { self.reach };
        Self { reach, ..self.clone() }
    }

    /// A folder below.
    pub fn folder(&self, path: &Path) -> Result<Self> {
        let folder = self.look_up(path, folder_flags());
        let folder = folder.map_err(|errno| failure(errno, "opening the folder", path))?;
        self.admit(&folder, path)?;
        Ok(Self { folder: Arc::new(folder), ..self.clone() })
    }

    /// A folder below, made with those above it where missing.
    pub fn make_folder(&self, path: &Path) -> Result<Self> {
        match self.folder(path) {
            Err(error) if error.reason() == Reason::Missing => {}
            settled => return settled,
        }
        let (parent, name) = split(path)?;
        let parent = self.make_folder(parent)?;
        match rustix::fs::mkdirat(&parent.folder, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => self.folder(path),
            Err(errno) => Err(failure(errno, "making the folder", path)),
        }
    }

    /// The folder that holds the path, and the path's last part.
    pub fn parent_of<'a>(&self, path: &'a Path) -> Result<(Self, &'a OsStr)> {
        let (parent, name) = split(path)?;
        Ok((self.folder(parent)?, name))
    }

    /// Opens a regular file without ever waiting for its content.
    pub fn file(&self, path: &Path) -> Result<LocalFile> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let handle = self.look_up(path, flags).map_err(|errno| match errno {
            Errno::NXIO => Error::new(Reason::Special, format!("{} is not a regular file", path.display())),
            errno => failure(errno, "opening", path),
        })?;
        self.admit(&handle, path)?;
        let stat = rustix::fs::fstat(&handle).map_err(|errno| failure(errno, "looking at", path))?;
        let is_foreign = stat.st_uid != rustix::process::geteuid().as_raw();
        if self.denies_hardlinks && stat.st_nlink > 1 && is_foreign {
            let message = format!("{} has several names and another owner", path.display());
            return Err(Error::new(Reason::Outside, message));
        }
        let attributes = attributes(&stat);
        match attributes.kind() {
            FileKind::Regular => Ok(LocalFile { file: File::from(handle), attributes }),
            FileKind::Directory => {
                Err(Error::new(Reason::IsDirectory, format!("{} is a folder", path.display())).here())
            }
            _ => Err(Error::new(Reason::Special, format!("{} is not a regular file", path.display())).here()),
        }
    }

    /// What the path leads to, through those symbolic links that the reach allows.
    pub fn stat(&self, path: &Path) -> Result<Attributes> {
        let handle = self.look_up(path, OFlags::PATH | OFlags::CLOEXEC);
        let handle = handle.map_err(|errno| failure(errno, "looking at", path))?;
        let stat = rustix::fs::fstat(&handle).map_err(|errno| failure(errno, "looking at", path))?;
        Ok(attributes(&stat))
    }

    /// What a name of this folder itself is; none when there is no such name.
    pub fn find(&self, name: &OsStr) -> Result<Option<Attributes>> {
        match rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(attributes(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failure(errno, "looking at", name.as_ref())),
        }
    }

    /// The names of this folder with what they are, without following links, sorted.
    pub fn entries(&self) -> Result<Vec<(OsString, Attributes)>> {
        let here = Path::new(".");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(&self.folder, here, flags, Mode::empty());
        let handle = handle.map_err(|errno| failure(errno, "listing", here))?;
        let mut listing = rustix::fs::Dir::new(handle).map_err(|errno| failure(errno, "listing", here))?;
        let mut entries = Vec::new();
        while let Some(entry) = listing.read() {
            let entry = entry.map_err(|errno| failure(errno, "listing", here))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            // A name that vanished since is no entry.
            if let Some(attributes) = self.find(name)? {
                entries.push((name.to_owned(), attributes));
            }
        }
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(entries)
    }

    /// Makes a file that nobody else has made, open for reading and writing; `shown` is what it is made for.
    pub(super) fn create(&self, name: &OsStr, mode: u32, shown: &Path) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let created = rustix::fs::openat(&self.folder, name, flags, Mode::from_raw_mode(mode & 0o777));
        created.map(File::from).map_err(|errno| failure(errno, "writing", shown))
    }

    /// Opens a file that an earlier transfer has made.
    pub(super) fn reopen(&self, name: &OsStr) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.folder, name, flags, Mode::empty());
        opened.map(File::from).map_err(|errno| failure(errno, "opening", name.as_ref()))
    }

    /// Renames within this folder; what is there is replaced only if said so.
    pub(super) fn rename(&self, from: &OsStr, to: &OsStr, replaces: bool) -> Result<()> {
        let flags = if replaces { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        let renamed = rustix::fs::renameat_with(&self.folder, from, &self.folder, to, flags);
        renamed.map_err(|errno| failure(errno, "renaming to", to.as_ref()))
    }

    /// Removes a file of this folder.
    pub(super) fn remove(&self, name: &OsStr) -> Result<()> {
        let removed = rustix::fs::unlinkat(&self.folder, name, AtFlags::empty());
        removed.map_err(|errno| failure(errno, "removing", name.as_ref()))
    }

    /// Gives a folder below the mode and the time of change of what it is a copy of.
    pub(super) fn set_folder(&self, path: &Path, source: &Attributes) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = self.look_up(path, flags).map_err(|errno| failure(errno, "opening", path))?;
        let copy = Attributes {
            mode: source.mode.map(|mode| mode & 0o777),
            times: source.times,
            ..Attributes::default()
        };
        let message = || format!("changing the attributes of {}", path.display());
        set_attributes(&File::from(folder), &copy).map_err(|error| Error::local(error, message()))
    }

    /// Where a symbolic link leads, for who may go anywhere.
    pub(super) fn resolve(&self, path: &Path) -> Option<PathBuf> {
        if self.reach != Reach::Anywhere {
            return None;
        }
        let handle = self.look_up(path, OFlags::PATH | OFlags::CLOEXEC).ok()?;
        std::fs::read_link(format!("/proc/self/fd/{}", handle.as_raw_fd())).ok()
    }

    /// Where a path of this folder is on the machine, as far as that can be told.
    pub(super) fn place(&self, path: &Path) -> PathBuf {
        let folder = std::fs::read_link(format!("/proc/self/fd/{}", self.folder.as_raw_fd()));
        folder.unwrap_or_default().join(path)
    }

    /// Bytes that may still be written here.
    pub(super) fn free(&self) -> u64 {
        rustix::fs::fstatvfs(&self.folder).map_or(0, |room| room.f_bavail.saturating_mul(room.f_frsize))
    }

    fn look_up(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match self.reach {
            Reach::Anywhere if path.is_absolute() => {
                return rustix::fs::openat(CWD, path, flags, Mode::empty());
            }
            Reach::Anywhere => return rustix::fs::openat(&self.folder, path, flags, Mode::empty()),
            Reach::Below => {}
            Reach::BelowWithoutLinks => resolve |= ResolveFlags::NO_SYMLINKS,
        }
        if self.is_one_device {
            resolve |= ResolveFlags::NO_XDEV;
        }
        for _ in 1..ATTEMPTS {
            match rustix::fs::openat2(&self.folder, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN) => {}
                settled => return settled,
            }
        }
        rustix::fs::openat2(&self.folder, path, flags, Mode::empty(), resolve)
    }

    /// Asks the kernel where the open file is; one whose place cannot be told counts as excluded.
    fn admit(&self, handle: &impl AsFd, path: &Path) -> Result<()> {
        let Some(excluded) = &self.excluded else { return Ok(()) };
        let place = std::fs::read_link(format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd()));
        if place.map_or(true, |place| place.starts_with(&**excluded)) {
            let message = format!("{} belongs to the server itself", path.display());
            return Err(Error::new(Reason::Outside, message));
        }
        Ok(())
    }
}

/// Gives an open file the mode and the time of change of what it is a copy of.
pub(super) fn set_attributes(file: &File, attributes: &Attributes) -> std::io::Result<()> {
    if attributes.mode.is_some() {
        rustix::fs::fchmod(file, Mode::from_raw_mode(attributes.permissions()))?;
    }
    if let Some((accessed, modified)) = attributes.times {
        let at = |seconds: u32| Timespec { tv_sec: i64::from(seconds), tv_nsec: 0 };
        let times = Timestamps { last_access: at(accessed), last_modification: at(modified) };
        rustix::fs::futimens(file, &times)?;
    }
    Ok(())
}

/// What an open file is now.
pub(super) fn attributes_of(file: &File) -> std::io::Result<Attributes> {
    Ok(attributes(&rustix::fs::fstat(file)?))
}

fn attributes(stat: &Stat) -> Attributes {
    let seconds = |time: i64| u32::try_from(time.max(0)).unwrap_or(u32::MAX);
    Attributes {
        size: u64::try_from(stat.st_size).ok(),
        owner: Some(Owner { uid: stat.st_uid, gid: stat.st_gid }),
        mode: Some(stat.st_mode),
        times: Some((seconds(stat.st_atime), seconds(stat.st_mtime))),
    }
}

fn folder_flags() -> OFlags {
    OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC
}

fn split(path: &Path) -> Result<(&Path, &OsStr)> {
    let parts = path.parent().zip(path.file_name());
    parts.ok_or_else(|| Error::new(Reason::BadName, format!("{} names no file", path.display())))
}

fn failure(errno: Errno, verb: &str, path: &Path) -> Error {
    let shown = path.display();
    let why = match errno {
        Errno::NOENT => "there is no such file or folder".to_owned(),
        Errno::ACCESS | Errno::PERM => "the operating system refuses".to_owned(),
        Errno::EXIST => "it is there already".to_owned(),
        Errno::ISDIR => "it is a folder".to_owned(),
        Errno::NOTDIR => "it is not a folder".to_owned(),
        Errno::XDEV => "it is outside the folder that may be used".to_owned(),
        Errno::LOOP => "it goes through a symbolic link".to_owned(),
        Errno::NOSPC | Errno::DQUOT => "the file system is full".to_owned(),
        errno => std::io::Error::from(errno).to_string(),
    };
    Error::local(errno.into(), format!("{verb} {shown}: {why}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn check(reach: Reach, path: &str) -> Result<LocalFile> {
        let base = tempfile::tempdir().unwrap();
        let root = base.path().join("root");
        std::fs::create_dir_all(root.join("own")).unwrap();
        std::fs::write(base.path().join("secret"), "secret").unwrap();
        std::fs::write(root.join("a"), "a").unwrap();
        std::fs::write(root.join("own/key"), "key").unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink("a", root.join("in")).unwrap();
        rustix::fs::mknodat(
            CWD,
            root.join("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        LocalFolder::open(&root, reach)?.excluding(&root.join("own")).file(Path::new(path))
    }

    fn reason(reach: Reach, path: &str) -> Reason {
        check(reach, path).unwrap_err().reason()
    }

    #[test]
    fn no_path_leaves_the_folder() {
        for path in ["../secret", "out", "/etc/passwd", "own/../../secret"] {
            assert_eq!(reason(Reach::Below, path), Reason::Outside, "{path}");
        }
        assert_eq!(reason(Reach::BelowWithoutLinks, "in"), Reason::SymbolicLink);
        assert_eq!(check(Reach::Below, "in").unwrap().attributes.size, Some(1));
        assert_eq!(check(Reach::Anywhere, "out").unwrap().attributes.size, Some(6));
    }

    #[test]
    fn what_has_no_content_to_copy_is_refused_at_once() {
        assert_eq!(reason(Reach::Anywhere, "pipe"), Reason::Special);
        assert_eq!(reason(Reach::Anywhere, "."), Reason::IsDirectory);
        assert_eq!(reason(Reach::Anywhere, "none"), Reason::Missing);
        assert_eq!(reason(Reach::Anywhere, "/dev/null"), Reason::Special);
    }

    #[test]
    fn the_servers_own_data_is_refused_by_every_path() {
        for reach in [Reach::Anywhere, Reach::Below, Reach::BelowWithoutLinks] {
            assert_eq!(reason(reach, "own/key"), Reason::Outside);
            assert_eq!(reason(reach, "own/../own/key"), Reason::Outside);
        }
    }
}
