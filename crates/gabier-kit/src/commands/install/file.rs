//! A file changed as a whole or not at all, with a copy of what it was.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use gabier_tool::{Error, ErrorKind, Result};

/// What a file holds; nothing when there is none.
pub(super) fn read(file: &Path) -> Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("reading", file, error)),
    }
}

/// Writes a file and gives the copy of what it was, if there was one. A link is followed, not replaced.
pub(super) fn replace(file: &Path, text: &str) -> Result<Option<PathBuf>> {
    let file = &fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> io::Result<Option<PathBuf>> {
        fs::create_dir_all(folder)?;
        let before = match fs::metadata(file) {
            Ok(before) => Some(before.permissions().mode() & 0o777),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let copy = before.is_some().then(|| beside(file, "before-install"));
        if let Some(copy) = &copy {
            fs::copy(file, copy)?;
            fs::set_permissions(copy, fs::Permissions::from_mode(0o600))?;
        }
        let temporary = beside(file, "new");
        let _ = fs::remove_file(&temporary);
        let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        new.write_all(text.as_bytes())?;
        if let Some(mode) = before {
            new.set_permissions(fs::Permissions::from_mode(mode))?;
        }
        new.sync_all()?;
        fs::rename(&temporary, file)?;
        fs::File::open(folder)?.sync_all()?;
        Ok(copy)
    };
    write().map_err(|error| failed("writing", file, error))
}

/// The file's name with one more ending.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn failed(doing: &str, file: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{doing} {}: {error}", file.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_with_its_mode_and_a_copy_of_what_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b.json");
        assert_eq!((read(&file).unwrap(), replace(&file, "1").unwrap()), (None, None));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let copy = replace(&file, "2").unwrap().unwrap();
        assert_eq!(
            (read(&file).unwrap().as_deref(), read(&copy).unwrap().as_deref()),
            (Some("2"), Some("1"))
        );
        assert_eq!((mode(&file), mode(&copy)), (0o644, 0o600));
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 2);
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.json"), folder.path().join("link.json"));
        fs::write(&real, "1").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        replace(&link, "2").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "2");
    }
}
