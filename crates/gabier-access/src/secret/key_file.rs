//! The file that holds keys of vaults: the user's alone, written as a whole or not at all.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use gabier_tool::{Error, ErrorKind, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::geteuid;
use zeroize::Zeroizing;

use super::key::Key;

const HEAD: &str = "# Keys of vaults. Whoever has them and the store reads every secret.\n";
/// The vault of a key that stands alone.
const ANY: &str = "*";
/// How long another process that writes the file is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest file that is read, in bytes.
const LARGEST: u64 = 64 << 10;

/// A file of keys, each with the vault it is of.
#[derive(Clone, Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
}

/// The file while no other process writes it.
pub(super) struct Locked {
    file: KeyFile,
    _lock: File,
}

type Lines = Vec<(String, Key)>;

impl KeyFile {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The key of that id for a vault. A file that others can read is refused; one that is not there holds none.
    pub(super) fn key(&self, vault: &str, id: &str) -> Result<Option<Key>> {
        let lines = self.lines()?;
        Ok(lines
            .into_iter()
            .find(|(of, key)| (of == vault || of == ANY) && key.id() == id)
            .map(|(_, key)| key))
    }

    /// Holds the file against other writers, and makes its folder (0700) when it is not there. Waits up to 5 s.
    pub(super) fn lock(&self) -> Result<Locked> {
        let folder = self.folder();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| self.failed("make the folder of", error))?;
        refuse_exposed(folder, &fs::metadata(folder).map_err(|error| self.failed("look at", error))?, 0o022)?;
        let lock = lock(&self.beside("lock")).map_err(|error| self.failed("lock", error))?;
        Ok(Locked { file: self.clone(), _lock: lock })
    }

    fn lines(&self) -> Result<Lines> {
        let Some(bytes) = self.bytes()? else { return Ok(Vec::new()) };
        if let Some(key) = Key::of_bytes(&bytes) {
            return Ok(vec![(ANY.to_owned(), key)]);
        }
        let refuse = || damaged(&self.path);
        let text = std::str::from_utf8(&bytes).map_err(|_| refuse())?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let read = lines.map(|line| {
            let (vault, key) = line.split_once(' ').unwrap_or((ANY, line));
            Key::of_text(key.trim()).map(|key| (vault.to_owned(), key)).ok_or_else(refuse)
        });
        read.collect()
    }

    fn bytes(&self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("open", error)),
        };
        let metadata = file.metadata().map_err(|error| self.failed("look at", error))?;
        refuse_exposed(&self.path, &metadata, 0o077)?;
        let folder =
            fs::metadata(self.folder()).map_err(|error| self.failed("look at the folder of", error))?;
        refuse_exposed(self.folder(), &folder, 0o022)?;
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(LARGEST).read_to_end(&mut bytes).map_err(|error| self.failed("read", error))?;
        Ok(Some(bytes))
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    fn beside(&self, end: &str) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.folder().join(format!(".{name}.{end}"))
    }

    fn failed(&self, doing: &str, error: io::Error) -> Error {
        Error::new(ErrorKind::NotAvailable, format!("{doing} the key file {}: {error}", self.path.display()))
            .with("reason", "vault_key_unreadable")
            .with_source(error)
    }
}

impl Locked {
    /// Adds a key of a vault. Durable when it returns.
    pub(super) fn add(&self, vault: &str, key: &Key) -> Result<()> {
        let mut lines = self.file.lines()?;
        lines.push((vault.to_owned(), key.clone()));
        self.write(&lines)
    }

    /// Drops all keys of a vault but one, and the former one wherever it stands.
    pub(super) fn keep_only(&self, vault: &str, id: &str, former: &str) -> Result<()> {
        let mut lines = self.file.lines()?;
        let before = lines.len();
        lines.retain(|(of, key)| key.id() == id || (of != vault && key.id() != former));
        if lines.len() == before { Ok(()) } else { self.write(&lines) }
    }

    fn write(&self, lines: &Lines) -> Result<()> {
        let mut text = Zeroizing::new(HEAD.to_owned());
        for (vault, key) in lines {
            let _ = writeln!(text, "{vault} {}", *key.text());
        }
        let temporary = self.file.beside("new");
        let written = self.replace(&temporary, &text);
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written.map_err(|error| self.file.failed("write", error))
    }

    fn replace(&self, temporary: &Path, text: &str) -> io::Result<()> {
        // What a killed process left: the lock says that nobody writes it now.
        match fs::remove_file(temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(temporary, &self.file.path)?;
        File::open(self.file.folder())?.sync_all()
    }
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

fn refuse_exposed(path: &Path, metadata: &Metadata, forbidden: u32) -> Result<()> {
    let mode = metadata.mode() & 0o7777;
    let user = geteuid();
    let is_foreign = metadata.uid() != user.as_raw() && metadata.uid() != 0 && !user.is_root();
    if mode & forbidden == 0 && !is_foreign {
        return Ok(());
    }
    let path = path.display();
    let cure = if forbidden == 0o077 { "600" } else { "700" };
    let message = format!("use the vault's key: others have access to {path} (mode {mode:o})");
    Err(Error::new(ErrorKind::NotAvailable, message)
        .with("reason", "vault_key_exposed")
        .with_next(format!("chmod {cure} '{path}'")))
}

fn damaged(path: &Path) -> Error {
    Error::new(ErrorKind::NotAvailable, format!("read the key file {}: it holds no keys", path.display()))
        .with("reason", "vault_key_damaged")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn file() -> (tempfile::TempDir, KeyFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::new(&folder.path().join("vault/key"));
        (folder, file)
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_key_is_found_by_its_vault_and_its_id() {
        let (_folder, file) = file();
        let (a, b) = (Key::random().unwrap(), Key::random().unwrap());
        assert_eq!(file.key("one", &a.id()).unwrap(), None, "there is no file yet");
        let locked = file.lock().unwrap();
        locked.add("one", &a).unwrap();
        locked.add("two", &b).unwrap();
        assert_eq!(file.key("one", &a.id()).unwrap(), Some(a.clone()));
        assert_eq!(file.key("two", &a.id()).unwrap(), None);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&file.path), mode(file.folder())), (0o600, 0o700));

        let c = Key::random().unwrap();
        locked.add("one", &c).unwrap();
        locked.keep_only("one", &c.id(), &a.id()).unwrap();
        assert_eq!(file.key("one", &a.id()).unwrap(), None);
        assert_eq!(file.key("one", &c.id()).unwrap(), Some(c));
        assert_eq!(file.key("two", &b.id()).unwrap(), Some(b), "another vault's key stays");
    }

    #[test]
    fn a_file_of_one_key_is_of_every_vault() {
        let (_folder, file) = file();
        drop(file.lock().unwrap());
        let key = Key::random().unwrap();
        for content in [key.bytes().to_vec(), key.text().as_bytes().to_vec()] {
            fs::write(&file.path, content).unwrap();
            set_mode(&file.path, 0o600);
            assert_eq!(file.key("any", &key.id()).unwrap(), Some(key.clone()));
        }
    }

    #[test]
    fn a_file_or_folder_that_others_reach_is_refused_with_its_cure() {
        let (_folder, file) = file();
        let key = Key::random().unwrap();
        file.lock().unwrap().add("one", &key).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o666, 0o644] {
            set_mode(&file.path, mode);
            let error = file.key("one", &key.id()).unwrap_err();
            assert_eq!(error.details()["reason"], "vault_key_exposed", "{mode:o}");
            assert!(error.next().unwrap().starts_with("chmod 600"), "{error:?}");
        }
        set_mode(&file.path, 0o400);
        file.key("one", &key.id()).unwrap().unwrap();
        for mode in [0o770, 0o702, 0o777] {
            set_mode(file.folder(), mode);
            assert!(file.key("one", &key.id()).is_err(), "{mode:o}");
            assert!(file.lock().is_err(), "{mode:o}");
        }
    }

    #[test]
    fn a_damaged_file_is_refused_and_nothing_of_it_shown() {
        let (_folder, file) = file();
        drop(file.lock().unwrap());
        fs::write(&file.path, "one hunter2hunter2\n").unwrap();
        set_mode(&file.path, 0o600);
        let error = file.key("one", "x").unwrap_err();
        assert_eq!(error.details()["reason"], "vault_key_damaged");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
