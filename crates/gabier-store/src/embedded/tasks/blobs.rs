//! Values too big for a row: files beside the database, written before the row that needs them.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::queue::{Fence, TaskId};
use crate::{Error, Result, private};

/// Longer texts go to a file, in bytes.
const LONGEST_IN_ROW: usize = 64 << 10;

/// Until then a file may be of a task that is just being added.
const YOUNG: Duration = Duration::from_hours(1);

/// The directory of files.
#[derive(Debug, Clone)]
pub(super) struct Blobs(PathBuf);

/// Which value of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Arguments,
    Result,
    Error,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Arguments, Self::Result, Self::Error];

    /// Its column.
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Arguments => "arguments",
            Self::Result => "result",
            Self::Error => "error",
        }
    }

    /// Its bit in the column `files`.
    pub(super) const fn bit(self) -> i64 {
        match self {
            Self::Arguments => 1,
            Self::Result => 2,
            Self::Error => 4,
        }
    }
}

impl Blobs {
    /// The files of the store in a data directory.
    pub(super) fn of(directory: &Path) -> Self {
        Self(directory.join("blobs"))
    }

    /// Whether a text is to be kept in a file.
    pub(super) fn takes(id: &TaskId, text: &str) -> bool {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        text.len() > LONGEST_IN_ROW && id.as_str().len() >= 2 && id.as_str().chars().all(is_name)
    }

    /// Keeps a text; durable when done.
    pub(super) fn write(&self, id: &TaskId, fence: Fence, part: Part, text: &str) -> Result<()> {
        let file = self.file(id, fence, part);
        self.try_write(&file, text).map_err(|source| Error::io(format!("write {}", file.display()), source))
    }

    fn try_write(&self, file: &Path, text: &str) -> io::Result<()> {
        let folder = file.parent().unwrap_or(&self.0);
        let is_new = !folder.exists();
        if is_new {
            private::make_directory(folder).map_err(io::Error::other)?;
        }
        let draft = file.with_added_extension("draft");
        let _ = fs::remove_file(&draft);
        let mut opened = private::create_file(&draft)?;
        let written = opened.write_all(text.as_bytes()).and_then(|()| opened.sync_all());
        if let Err(error) = written.and_then(|()| fs::rename(&draft, file)) {
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        File::open(folder)?.sync_all()?;
        if is_new {
            File::open(&self.0)?.sync_all()?;
            File::open(self.0.parent().unwrap_or(&self.0))?.sync_all()?;
        }
        Ok(())
    }

    pub(super) fn read(&self, id: &TaskId, fence: Fence, part: Part) -> Result<String> {
        let file = self.file(id, fence, part);
        fs::read_to_string(&file).map_err(|source| Error::io(format!("read {}", file.display()), source))
    }

    pub(super) fn exists(&self, id: &TaskId, fence: Fence, part: Part) -> bool {
        self.file(id, fence, part).is_file()
    }

    /// Removes the files that a row named.
    pub(super) fn remove(&self, id: &TaskId, fence: Fence, files: i64) {
        for part in Part::ALL.into_iter().filter(|part| files & part.bit() != 0) {
            let _ = fs::remove_file(self.file(id, fence, part));
        }
    }

    /// Removes what is of no task and older than an hour.
    pub(super) fn sweep(&self, ids: &HashSet<String>) {
        let folders = fs::read_dir(&self.0).into_iter().flatten().flatten();
        for file in folders.filter_map(|folder| fs::read_dir(folder.path()).ok()).flatten().flatten() {
            let name = file.file_name();
            let id = name.to_str().and_then(|name| name.split_once('.')).map(|(id, _)| id);
            let age = file.metadata().and_then(|metadata| metadata.modified()).map(|at| at.elapsed());
            let is_old = age.is_ok_and(|age| age.is_ok_and(|age| age > YOUNG));
            if is_old && id.is_some_and(|id| !ids.contains(id)) {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    fn file(&self, id: &TaskId, fence: Fence, part: Part) -> PathBuf {
        let name = match part {
            Part::Arguments => format!("{id}.arguments"),
            Part::Result => format!("{id}.{}.result", fence.0),
            Part::Error => format!("{id}.{}.error", fence.0),
        };
        self.0.join(id.as_str().get(..2).unwrap_or("xx")).join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_lead_elsewhere_keeps_its_text_in_the_row() {
        let long = "x".repeat(LONGEST_IN_ROW + 1);
        assert!(Blobs::takes(&TaskId::new("5f3c2a10-0000"), &long));
        assert!(!Blobs::takes(&TaskId::new("5f3c2a10-0000"), "short"));
        assert!(!Blobs::takes(&TaskId::new("../../etc/passwd"), &long));
    }

    #[test]
    fn what_was_written_is_read_until_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::of(directory.path());
        let (id, fence) = (TaskId::new("5f3c2a10-0000"), Fence(3));
        blobs.write(&id, fence, Part::Result, "old").unwrap();
        blobs.write(&id, fence, Part::Result, "new").unwrap();
        assert_eq!(blobs.read(&id, fence, Part::Result).unwrap(), "new");
        blobs.remove(&id, fence, Part::Result.bit());
        assert!(!blobs.exists(&id, fence, Part::Result));
    }
}
