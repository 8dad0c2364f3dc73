//! Directories and files that belong to one user alone.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::{Error, ErrorKind, Result};

/// Makes the directory (0700, parents too) unless it is there, and refuses one that others can write to.
pub(crate) fn make_directory(directory: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| Error::io(format!("create the directory {}", directory.display()), source))?;
    let metadata = fs::metadata(directory)
        .map_err(|source| Error::io(format!("look at the directory {}", directory.display()), source))?;
    refuse_exposed(directory, &metadata, 0o022, "700")
}

/// Makes an empty file that only the user can read (0600); [`io::ErrorKind::AlreadyExists`] when it is there.
pub(crate) fn create_file(file: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(file)
}

/// Holds a lock among processes until the file is dropped; makes the file (0600) when it is not there. Waits up to
/// 5 s, then fails with [`ErrorKind::Busy`].
pub(crate) fn lock(file: &Path) -> Result<File> {
    let opened =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(file);
    let opened = opened.map_err(|source| Error::io(format!("open the lock {}", file.display()), source))?;
    let begun = Instant::now();
    loop {
        match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(opened),
            Err(Errno::WOULDBLOCK) if begun.elapsed() < LOCK_PATIENCE => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(Errno::WOULDBLOCK) => {
                let message = format!("take the lock {}: another process holds it", file.display());
                return Err(Error::new(ErrorKind::Busy, message));
            }
            Err(Errno::INTR) => {}
            Err(source) => return Err(Error::io(format!("take the lock {}", file.display()), source)),
        }
    }
}

const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Refuses a file that others can read or write; one that is not there is no fault.
///
/// Looks at it without opening it: closing a second descriptor would drop SQLite's locks in this process.
pub(crate) fn refuse_exposed_file(file: &Path) -> Result<()> {
    match fs::metadata(file) {
        Ok(metadata) => refuse_exposed(file, &metadata, 0o077, "600"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::io(format!("look at the file {}", file.display()), source)),
    }
}

fn refuse_exposed(path: &Path, metadata: &Metadata, forbidden: u32, cure: &str) -> Result<()> {
    let path = path.display();
    let mode = metadata.mode() & 0o7777;
    if mode & forbidden != 0 {
        let message =
            format!("use {path}: others have access to it (mode {mode:o}); run: chmod {cure} '{path}'");
        return Err(Error::new(ErrorKind::Exposed, message));
    }
    let user = geteuid();
    if metadata.uid() != user.as_raw() && !user.is_root() {
        let message = format!("use {path}: it belongs to another user (id {})", metadata.uid());
        return Err(Error::new(ErrorKind::Exposed, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn check_directory(mode: u32) -> String {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("data");
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).unwrap();
        match make_directory(&directory) {
            Ok(()) => "ok".into(),
            Err(error) => {
                format!("{:?}: {error}", error.kind()).replace(&directory.display().to_string(), "DIR")
            }
        }
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused_with_its_cure() {
        assert_eq!(check_directory(0o700), "ok");
        assert_eq!(check_directory(0o755), "ok");
        for mode in [0o720, 0o702, 0o777, 0o1777] {
            let expected =
                format!("Exposed: use DIR: others have access to it (mode {mode:o}); run: chmod 700 'DIR'");
            assert_eq!(check_directory(mode), expected);
        }
    }

    #[test]
    fn a_new_directory_and_a_new_file_are_the_users_alone() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("a/b");
        make_directory(&directory).unwrap();
        create_file(&directory.join("file")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&directory.join("file"))), (0o700, 0o600));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        refuse_exposed_file(&file).unwrap();
        create_file(&file).unwrap();
        refuse_exposed_file(&file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(refuse_exposed_file(&file).unwrap_err().kind(), ErrorKind::Exposed);
    }
}
