//! Files to move, and the proof that they arrived as they were.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use sha2::{Digest as _, Sha256};

use super::program::waiting;

/// Which way files go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

/// A file or a tree to move.
pub(super) struct Content {
    pub(super) path: PathBuf,
    digest: Vec<u8>,
}

impl Content {
    /// One file of so many MiB that cannot be compressed.
    pub(super) fn file(folder: &Path, mebibytes: u64) -> Result<Self> {
        let path = folder.join(format!("file-{mebibytes}"));
        let mut file = File::create(&path)?;
        let mut noise = Noise(0x9e37_79b9_7f4a_7c15 ^ mebibytes);
        for _ in 0..mebibytes {
            file.write_all(&noise.bytes(1 << 20))?;
        }
        file.sync_all()?;
        Self::of(path)
    }

    /// So many files of 4 KiB, a hundred in each folder.
    pub(super) fn tree(folder: &Path, files: u32) -> Result<Self> {
        let path = folder.join(format!("tree-{files}"));
        let mut noise = Noise(u64::from(files) | 1 << 40);
        for number in 0..files {
            let folder = path.join(format!("folder-{}", number / 100));
            fs::create_dir_all(&folder)?;
            fs::write(folder.join(format!("file-{number}")), noise.bytes(4 << 10))?;
        }
        Self::of(path)
    }

    fn of(path: PathBuf) -> Result<Self> {
        let digest = digest(&path)?;
        Ok(Self { path, digest })
    }

    /// Makes sure that a copy equals it, and removes a copy that is one file. Trees stay until the run ends: ext4 gives
    /// nobody an inode that was removed in the last minutes and looks at each of them again for every new file, which
    /// takes longer than the transfer. Whoever came after a removal would pay for it.
    pub(super) fn check(&self, copy: &Path) -> Result<()> {
        ensure!(digest(copy)? == self.digest, "{} differs from {}", copy.display(), self.path.display());
        if !copy.is_dir() {
            fs::remove_file(copy)?;
        }
        Ok(())
    }
}

/// SHA-256 of a file, or of all names and files of a tree.
fn digest(path: &Path) -> Result<Vec<u8>> {
    waiting(|| {
        let mut hash = Sha256::new();
        feed(&mut hash, path)?;
        Ok(hash.finalize().to_vec())
    })
}

fn feed(hash: &mut Sha256, path: &Path) -> Result<()> {
    if path.is_dir() {
        let mut names: Vec<_> =
            fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<Result<_>>()?;
        names.sort();
        for name in names {
            hash.update(name.as_encoded_bytes());
            hash.update([0]);
            feed(hash, &path.join(name))?;
        }
        return Ok(());
    }
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    while let length @ 1.. = file.read(&mut buffer)? {
        hash.update(&buffer[..length]);
    }
    Ok(())
}

/// Bytes without a pattern, the same in every run.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, number: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.to_le_bytes()
        });
        words.take(number / 8).flatten().collect()
    }
}
