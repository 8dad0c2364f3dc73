//! The mounted file systems, chosen as `df` chooses them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gabier_tool::{Error, Result};

/// File systems without room of their own, as coreutils names them.
const DUMMIES: [&str; 13] = [
    "autofs",
    "debugfs",
    "devfs",
    "devpts",
    "fuse.portal",
    "fusectl",
    "ignore",
    "kernfs",
    "mqueue",
    "proc",
    "rpc_pipefs",
    "subfs",
    "sysfs",
];

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// What is mounted, such as `/dev/vda`.
    pub(super) device: String,
    /// Where.
    pub(super) point: PathBuf,
    /// The kind of file system.
    pub(super) kind: String,
    /// The folder of the file system that is mounted; `/` unless it is a bind mount.
    root: PathBuf,
}

/// The mounts that `df` shows, in the order of the kernel's list. Blocks.
pub(super) fn mounts() -> Result<Vec<Mount>> {
    let path = "/proc/self/mountinfo";
    let list =
        std::fs::read(path).map_err(|error| Error::internal("reading the mounts").with_source(error))?;
    let mounts = list.split(|byte| *byte == b'\n').filter_map(Mount::parse);
    let real = mounts.filter(|mount| !DUMMIES.contains(&mount.kind.as_str()));
    let on_device = real.filter_map(|mount| {
        let device = std::fs::metadata(&mount.point).ok()?.dev();
        Some((device, mount))
    });
    Ok(one_a_device(on_device))
}

/// The mount that holds a path, or its nearest parent that exists. Blocks.
pub(super) fn holding(path: &Path) -> Result<Option<Mount>> {
    let Some(place) = path.ancestors().find_map(|parent| parent.canonicalize().ok()) else { return Ok(None) };
    let Ok(device) = std::fs::metadata(&place).map(|metadata| metadata.dev()) else { return Ok(None) };
    let is_there = |mount: &Mount| std::fs::metadata(&mount.point).is_ok_and(|found| found.dev() == device);
    Ok(mounts()?.into_iter().find(is_there))
}

impl Mount {
    /// Reads a line of `mountinfo` (`proc_pid_mountinfo(5)`).
    fn parse(line: &[u8]) -> Option<Self> {
        let mut words = line.split(|byte| *byte == b' ');
        let root = path_of(words.nth(3)?);
        let point = path_of(words.next()?);
        let mut words = words.skip_while(|word| *word != b"-").skip(1);
        let kind = String::from_utf8_lossy(words.next()?).into_owned();
        let device = path_of(words.next()?).to_string_lossy().into_owned();
        Some(Self { device, point, kind, root })
    }

    /// True when it speaks for their common device better than the one seen before.
    fn beats(&self, seen: &Self) -> bool {
        let length = |path: &Path| path.as_os_str().len();
        let is_nearer = length(&seen.point) > length(&self.point);
        let is_deeper_inside = length(&seen.root) < length(&self.root);
        (self.device.contains('/') && !seen.device.contains('/'))
            || (is_nearer && !is_deeper_inside)
            || (seen.device != self.device && seen.point == self.point)
    }
}

fn one_a_device(mounts: impl Iterator<Item = (u64, Mount)>) -> Vec<Mount> {
    let mut kept: Vec<Mount> = Vec::new();
    let mut seen: HashMap<u64, usize> = HashMap::new();
    for (device, mount) in mounts {
        match seen.get(&device) {
            None => {
                seen.insert(device, kept.len());
                kept.push(mount);
            }
            Some(&index) if mount.beats(&kept[index]) => kept[index] = mount,
            Some(_) => {}
        }
    }
    kept
}

/// A word with the kernel's octal escapes (`\040` = space) undone.
fn path_of(word: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let [first, after @ ..] = rest {
        if let [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] = rest {
            bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            rest = after;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(line: &str) -> Mount {
        Mount::parse(line.as_bytes()).expect("the line is whole")
    }

    #[test]
    fn a_line_with_optional_fields_and_escapes_is_read() {
        let read = mount(r"36 35 98:0 /mnt1 /my\040disk rw,noatime shared:1 master:2 - ext4 /dev/sda1 rw");
        let expected = Mount {
            device: "/dev/sda1".to_owned(),
            point: "/my disk".into(),
            kind: "ext4".to_owned(),
            root: "/mnt1".into(),
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_bind_mount_does_not_count_twice() {
        let root = || mount("1 0 8:1 / / rw - ext4 /dev/sda1 rw");
        let bind = || mount("2 1 8:1 /srv /b rw - ext4 /dev/sda1 rw");
        assert_eq!(one_a_device([(1, root()), (1, bind())].into_iter()), [root()]);
        assert_eq!(one_a_device([(1, bind()), (1, root())].into_iter()), [root()]);
    }

    #[test]
    fn a_torn_line_is_no_mount() {
        assert_eq!(Mount::parse(b"36 35 98:0 /mnt1"), None);
        assert_eq!(Mount::parse(b""), None);
    }
}
