//! The generation beside the database: what tells, without a look into it, that nothing has changed.
//!
//! Every request asks for the generation, and SQLite takes four locks to read it. So whoever commits writes the
//! number here first, *before* the commit and while it holds SQLite's write lock. Then, at any moment:
//!
//! - nothing is committed beyond the mark: commits come one at a time, and each wrote its mark before itself;
//! - whoever read the generation `g` in the database knows that `g` is committed, and generations only grow.
//!
//! A mark that equals what was last read is therefore the generation of this moment. One that differs (a commit under
//! way, undone, cut off by a crash or by a power failure that kept one of the two) decides nothing: the database is
//! asked, every time, until the next commit brings both together. Processes that die can make asking slow, never wrong.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The number and its complement: a read that met half of a write fits neither.
const LENGTH: usize = 16;

/// The file, of which every process of the data directory has one and the same.
pub(super) struct Mark {
    file: File,
    path: PathBuf,
}

impl Mark {
    /// Opens the mark of a database; makes it (0600) when it is not there.
    pub(super) fn open(database: &Path) -> Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push(".generation");
        let path = PathBuf::from(path);
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = opened.map_err(|source| Error::io(format!("open {}", path.display()), source))?;
        Ok(Self { file, path })
    }

    /// The generation beyond which nothing is committed; none when it says nothing.
    pub(super) fn read(&self) -> Option<u64> {
        let mut bytes = [0; LENGTH];
        self.file.read_exact_at(&mut bytes, 0).ok()?;
        let (number, complement) = bytes.split_at(LENGTH / 2);
        let number = u64::from_le_bytes(number.try_into().ok()?);
        (u64::from_le_bytes(complement.try_into().ok()?) == !number).then_some(number)
    }

    /// Says that this generation is about to be committed. Only whoever holds SQLite's write lock may call it.
    pub(super) fn write(&self, generation: u64) -> Result<()> {
        if self.read() == Some(generation) {
            return Ok(());
        }
        let mut bytes = [0; LENGTH];
        bytes[..LENGTH / 2].copy_from_slice(&generation.to_le_bytes());
        bytes[LENGTH / 2..].copy_from_slice(&(!generation).to_le_bytes());
        let written = self.file.write_all_at(&bytes, 0);
        written.map_err(|source| Error::io(format!("write {}", self.path.display()), source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks() -> (Mark, Mark, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let open = || Mark::open(&directory.path().join("gabier.db")).unwrap();
        (open(), open(), directory)
    }

    #[test]
    fn a_mark_is_one_for_all_who_open_it() {
        let (own, other, _directory) = marks();
        assert_eq!(other.read(), None, "a new one says nothing");
        for generation in [0, 1, 255, 256, u64::MAX] {
            own.write(generation).unwrap();
            assert_eq!(other.read(), Some(generation));
        }
    }

    #[test]
    fn half_a_write_says_nothing() {
        let (own, other, _directory) = marks();
        own.write(0x01ff).unwrap();
        for length in 1..8 {
            own.file.write_all_at(&0x0200_u64.to_le_bytes()[..length], 0).unwrap();
            if length > 1 {
                assert_eq!(other.read(), None, "{length} bytes of the next");
            }
        }
    }
}
