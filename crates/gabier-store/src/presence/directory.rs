//! The files behind presences: names, locks and sockets in one directory.

use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{Entry, Seen};
use crate::{Error, Result, private};

const LOCK: &str = "presence";
const SOCKET: &str = "wake";

/// The longest address that a socket can be bound to, in bytes without the final NUL.
const LONGEST_ADDRESS: usize = 107;

/// A directory of presences, kept open.
pub(super) struct Directory {
    path: PathBuf,
    opened: File,
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self> {
        private::make_directory(path)?;
        let opened = File::open(path)
            .map_err(|source| Error::io(format!("open the directory {}", path.display()), source))?;
        Ok(Self { path: path.to_owned(), opened })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes and locks a file under a new name.
    pub(super) fn take_place(&self) -> io::Result<(String, File)> {
        loop {
            let id = format!("{}-{:016x}", std::process::id(), RandomState::new().hash_one(()));
            let file = private::create_file(&self.file(&id))?;
            lock_patiently(&file)?;
            // Between making and locking it looked dead, and another process may have swept it.
            if file.metadata()?.nlink() > 0 {
                return Ok((id, file));
            }
        }
    }

    /// Binds the socket on which the named presence is woken.
    pub(super) fn bind(&self, id: &str) -> io::Result<UnixDatagram> {
        let address = self.address(id);
        let socket = UnixDatagram::bind(&address)?;
        fs::set_permissions(&address, Permissions::from_mode(0o600))?;
        Ok(socket)
    }

    /// Where the named presence is woken. A path too long for a socket is reached through the open directory.
    pub(super) fn address(&self, id: &str) -> PathBuf {
        let address = self.path.join(format!("{id}.{SOCKET}"));
        if address.as_os_str().as_bytes().len() <= LONGEST_ADDRESS {
            return address;
        }
        format!("/proc/self/fd/{}/{id}.{SOCKET}", self.opened.as_raw_fd()).into()
    }

    /// When a presence last came or went.
    pub(super) fn changed(&self) -> io::Result<SystemTime> {
        fs::metadata(&self.path)?.modified()
    }

    /// The names of all presences, dead ones too.
    pub(super) fn places(&self) -> io::Result<Vec<String>> {
        let mut places = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let place = name.to_str().and_then(|name| name.strip_suffix(LOCK)?.strip_suffix('.'));
            places.extend(place.map(str::to_owned));
        }
        Ok(places)
    }

    /// Looks at a presence and removes it if it is dead; nothing when it just came or went.
    pub(super) fn look(&self, id: &str) -> io::Result<Option<Seen>> {
        let mut file = match OpenOptions::new().read(true).write(true).open(self.file(id)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let alive = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => false,
            Err(Errno::WOULDBLOCK) => true,
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        if metadata.nlink() == 0 {
            return Ok(None);
        }
        if !alive {
            self.remove(id);
        }
        let mut text = String::new();
        file.by_ref().take(4_096).read_to_string(&mut text)?;
        let Ok(entry) = serde_json::from_str::<Entry>(&text) else { return Ok(None) };
        Ok(Some(Seen {
            id: id.to_owned(),
            pid: entry.pid,
            role: entry.role,
            started: metadata.modified()?,
            alive,
        }))
    }

    /// Removes the files of a presence whose lock the caller holds: the socket first, so that none is ever alone.
    pub(super) fn remove(&self, id: &str) {
        let _ = fs::remove_file(self.path.join(format!("{id}.{SOCKET}")));
        let _ = fs::remove_file(self.file(id));
    }

    fn file(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}.{LOCK}"))
    }
}

fn lock_patiently(file: &File) -> io::Result<()> {
    loop {
        match flock(file, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
