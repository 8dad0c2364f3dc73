//! A `known_hosts` file that is written: under a lock, and as a whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use gabier_tool::{Error, ErrorKind, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::line::{Hosts, Line, Mark};
use super::{Decision, HostKey, KnownHosts, Place};

/// How long another writer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a host is named in a new line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Readable.
    #[default]
    Plain,
    /// Hashed with a salt, so that the file does not tell which hosts there are.
    Hashed,
}

/// A file in which accepted keys are recorded.
#[derive(Clone, Debug)]
pub struct KnownHostsFile {
    path: PathBuf,
}

impl KnownHostsFile {
    /// The file at a path; it is made by the first key.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records the key of a host of which this file holds none. The same key again changes nothing; another one,
    /// also one that somebody recorded meanwhile, is a mismatch.
    pub fn add(&self, place: &Place, key: &HostKey, names: Names) -> Result<()> {
        let writer = self.writer()?;
        match writer.known()?.check(place, key) {
            Decision::Known(recorded) if recorded_for(&writer, place, recorded.line) => Ok(()),
            Decision::Known(_) | Decision::Unknown { .. } => {
                let mut text = writer.text.clone();
                push_line(&mut text, &line_of(place, key, names)?);
                writer.write(&text)
            }
            Decision::Changed { recorded } => {
                let fingerprints: Vec<String> = recorded.iter().map(|old| old.key.fingerprint()).collect();
                Err(Error::new(
                    ErrorKind::HostKeyMismatch,
                    format!("record the key of {place}: another one is recorded"),
                )
                .with("recorded", fingerprints)
                .with("fingerprint", key.fingerprint()))
            }
            Decision::Revoked(_) => Err(Error::new(
                ErrorKind::HostKeyMismatch,
                format!("record the key of {place}: it is revoked"),
            )
            .with("fingerprint", key.fingerprint())),
        }
    }

    /// Records the key of a host in place of all that this file holds of it. A revoked key is refused.
    pub fn replace(&self, place: &Place, key: &HostKey, names: Names) -> Result<()> {
        let writer = self.writer()?;
        if let Decision::Revoked(_) = writer.known()?.check(place, key) {
            let message = format!("record the key of {place}: it is revoked");
            return Err(
                Error::new(ErrorKind::HostKeyMismatch, message).with("fingerprint", key.fingerprint())
            );
        }
        let (mut text, _) = writer.without(place)?;
        push_line(&mut text, &line_of(place, key, names)?);
        writer.write(&text)
    }

    /// Forgets the keys of a host and says how many there were; marked lines stay.
    pub fn remove(&self, place: &Place) -> Result<usize> {
        let writer = self.writer()?;
        writer.known()?;
        let (text, removed) = writer.without(place)?;
        if removed > 0 {
            writer.write(&text)?;
        }
        Ok(removed)
    }

    fn writer(&self) -> Result<Writer> {
        // What a link names is written, so that the link stays one.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let doing = |what: &str| format!("{what} {}", path.display());
        let folder = folder_of(&path);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| failed(doing("make the folder of"), error))?;
        let lock = lock(&hidden(&path, "lock")).map_err(|error| failed(doing("lock"), error))?;
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| super::unreadable(&path, "is no text"))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(super::unreadable(&path, "cannot be read").with_source(error)),
        };
        Ok(Writer { path, text, _lock: lock })
    }
}

/// The file while it is locked.
struct Writer {
    path: PathBuf,
    text: String,
    _lock: File,
}

impl Writer {
    fn known(&self) -> Result<KnownHosts> {
        KnownHosts::parse(&self.path, self.text.as_bytes())
    }

    /// The text without the keys of a host, and how many there were.
    fn without(&self, place: &Place) -> Result<(String, usize)> {
        let name = place.name();
        let mut removed = 0;
        let mut text = String::new();
        for (number, line) in (1..).zip(self.text.lines()) {
            match Line::parse(line) {
                Ok(Some((own, key))) if own.mark == Mark::None && own.hosts.matches(&name) => {
                    let rest = own.hosts.without(&name).map_err(|reason| {
                        let file = self.path.display();
                        Error::new(
                            ErrorKind::Conflict,
                            format!("change the keys of {place}: line {number} of {file} {reason}"),
                        )
                    })?;
                    removed += 1;
                    if let Some(rest) = rest {
                        push_line(&mut text, &format!("{} {key}", rest.text()));
                    }
                }
                _ => push_line(&mut text, line),
            }
        }
        Ok((text, removed))
    }

    /// Puts the text in place of the file: whoever reads sees the old or the new one.
    fn write(&self, text: &str) -> Result<()> {
        let temporary = hidden(&self.path, "new");
        let written = self.write_to(&temporary, text);
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written.map_err(|error| failed(format!("write {}", self.path.display()), error))
    }

    fn write_to(&self, temporary: &Path, text: &str) -> io::Result<()> {
        // What a killed process left: the lock says that nobody writes it now.
        match fs::remove_file(temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mode = fs::metadata(&self.path).map_or(0o600, |metadata| metadata.mode() & 0o644);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(temporary, &self.path)?;
        File::open(folder_of(&self.path))?.sync_all()
    }
}

/// True when a line is about the host on exactly this port.
fn recorded_for(writer: &Writer, place: &Place, line: usize) -> bool {
    let line = writer.text.lines().nth(line - 1).map(Line::parse);
    matches!(line, Some(Ok(Some((line, _)))) if line.hosts.matches(&place.name()))
}

fn line_of(place: &Place, key: &HostKey, names: Names) -> Result<String> {
    let name = place.name();
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-:[]%".contains(&byte));
    if !is_plain || name.is_empty() {
        return Err(Error::new(ErrorKind::InvalidArgument, "record a host's key: its name is none"));
    }
    let hosts = match names {
        Names::Plain => Hosts::Patterns(name),
        Names::Hashed => {
            let mut salt = [0; 20];
            getrandom::fill(&mut salt)
                .map_err(|error| Error::internal("asking for random bytes").with_source(error))?;
            Hosts::hashed(&name, salt)
        }
    };
    Ok(format!("{} {key}", hosts.text()))
}

fn push_line(text: &mut String, line: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn hidden(path: &Path, end: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder_of(path).join(format!(".{name}.{end}"))
}

fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let begun = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) if begun.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(2)),
            Err(error) => return Err(error.into()),
        }
    }
}

fn failed(doing: String, error: io::Error) -> Error {
    Error::new(ErrorKind::NotAvailable, doing).with("reason", error.kind().to_string()).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Zk0wzXnGKfYQh3y0TTtqGsbQxGxq0Nq9bRk4tFZ5o";

    fn key(text: &str) -> HostKey {
        HostKey::parse(text).unwrap()
    }

    fn file(text: &str) -> (tempfile::TempDir, KnownHostsFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = KnownHostsFile::new(folder.path().join("ssh/known_hosts"));
        if !text.is_empty() {
            fs::create_dir(folder.path().join("ssh")).unwrap();
            fs::write(file.path(), text).unwrap();
        }
        (folder, file)
    }

    fn read(file: &KnownHostsFile) -> String {
        fs::read_to_string(file.path()).unwrap()
    }

    #[test]
    fn a_new_key_is_added_once_and_another_one_is_a_mismatch() {
        let (_folder, file) = file("");
        let place = Place::new("Web1", 2222);
        file.add(&place, &key(A), Names::Plain).unwrap();
        file.add(&place, &key(A), Names::Plain).unwrap();
        assert_eq!(read(&file), format!("[web1]:2222 {A}\n"));
        assert_eq!(fs::metadata(file.path()).unwrap().mode() & 0o777, 0o600);
        let error = file.add(&place, &key(B), Names::Plain).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HostKeyMismatch);
        assert_eq!(error.details()["fingerprint"], key(B).fingerprint());
        assert_eq!(read(&file), format!("[web1]:2222 {A}\n"));
    }

    #[test]
    fn a_hashed_name_is_found_again_and_not_read() {
        let (_folder, file) = file("");
        let place = Place::new("web1", 22);
        file.add(&place, &key(A), Names::Hashed).unwrap();
        assert!(!read(&file).contains("web1"), "{}", read(&file));
        let known = KnownHosts::read(&[file.path()]).unwrap();
        assert!(matches!(known.check(&place, &key(A)), Decision::Known(_)));
    }

    #[test]
    fn replacing_leaves_other_hosts_comments_and_marks_alone() {
        let (_folder, file) =
            file(&format!("# mine\nweb1,web2 {B} note\n@revoked web1 {B}\nold {B}\nweb1 {B}"));
        file.replace(&Place::new("web1", 22), &key(A), Names::Plain).unwrap();
        assert_eq!(read(&file), format!("# mine\nweb2 {B}\n@revoked web1 {B}\nold {B}\nweb1 {A}\n"));
        let error = file.replace(&Place::new("web1", 22), &key(B), Names::Plain).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HostKeyMismatch, "a revoked key is not recorded again");
    }

    #[test]
    fn a_host_that_a_pattern_names_is_not_removed_behind_its_back() {
        let (_folder, file) = file(&format!("web* {B}\n"));
        let error = file.remove(&Place::new("web1", 22)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(read(&file), format!("web* {B}\n"));
    }

    #[test]
    fn writers_at_the_same_time_lose_nothing() {
        let (_folder, file) = file("");
        thread::scope(|scope| {
            for number in 0..16 {
                let file = &file;
                scope.spawn(move || {
                    file.add(&Place::new(&format!("web{number}"), 22), &key(A), Names::Plain).unwrap();
                });
            }
        });
        assert_eq!(read(&file).lines().count(), 16);
    }

    #[test]
    fn a_link_stays_a_link() {
        let (folder, file) = file(&format!("old {A}\n"));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(file.path(), &link).unwrap();
        KnownHostsFile::new(&link).add(&Place::new("web1", 22), &key(A), Names::Plain).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(read(&file).lines().count(), 2);
    }

    #[test]
    fn what_is_no_host_name_is_not_written() {
        let (_folder, file) = file("");
        for host in ["web*", "a,b", "a b", "", "x\ny", "#a", "|1|", "@revoked"] {
            let error = file.add(&Place::new(host, 22), &key(A), Names::Plain).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{host:?}");
        }
    }
}
