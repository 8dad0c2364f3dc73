//! Which file systems can hold a database that several processes share.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{major, minor, statfs};

use crate::{Error, ErrorKind, Result};

/// Refuses a directory on a file system that other machines reach too: the write-ahead log needs one kernel.
pub(super) fn refuse_network(directory: &Path) -> Result<()> {
    let doing = || format!("find out the file system of {}", directory.display());
    let magic = statfs(directory).map_err(|source| Error::io(doing(), source))?.f_type;
    let device = fs::metadata(directory).map_err(|source| Error::io(doing(), source))?.dev();
    // Without /proc a FUSE file system cannot be told from another, and is taken for a remote one.
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mounted = mounted_type(&mounts, major(device), minor(device));
    match network_name(magic.cast_unsigned(), mounted) {
        None => Ok(()),
        Some(name) => {
            let message = format!(
                "keep data in {}: it is on a network file system ({name}), and SQLite needs a local disk; choose \
                 another data directory",
                directory.display()
            );
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }
}

const FUSE: u64 = 0x6573_5546;

/// What stands for the file systems in `statfs` (`linux/magic.h` and the projects' own sources).
const NETWORK: &[(u64, &str)] = &[
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564c, "NCP"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x2003_0528, "OrangeFS"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
    (0x786f_4256, "a VirtualBox shared folder"),
    (0xbacb_acbc, "a VMware shared folder"),
];

/// FUSE file systems that only show what lies on a disk of this machine.
const LOCAL_FUSE: &[&str] = &[
    "fuseblk",
    "fuse.fuse-overlayfs",
    "fuse.gocryptfs",
    "fuse.encfs",
    "fuse.cryfs",
    "fuse.bindfs",
    "fuse.ntfs-3g",
];

fn network_name(magic: u64, mounted: Option<&str>) -> Option<&str> {
    let magic = magic & 0xffff_ffff; // a signed 32-bit field on some machines
    if magic == FUSE {
        return match mounted {
            Some(name) if LOCAL_FUSE.contains(&name) => None,
            name => Some(name.unwrap_or("FUSE")),
        };
    }
    NETWORK.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
}

/// The file system type that `/proc/self/mountinfo` gives for a device; the topmost mount counts.
fn mounted_type(mountinfo: &str, major: u32, minor: u32) -> Option<&str> {
    let device = format!("{major}:{minor}");
    let line = mountinfo.lines().rfind(|line| line.split(' ').nth(2) == Some(&*device))?;
    line.split_once(" - ")?.1.split(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:52 / /home/u/nas rw,nosuid shared:9 master:1 - fuse.sshfs nas:/ rw,user_id=1000
41 22 0:53 / /home/u/vault rw - fuse.gocryptfs /home/u/cipher rw
";

    #[test]
    fn the_mount_table_tells_what_a_device_is() {
        assert_eq!(mounted_type(MOUNTS, 0, 52), Some("fuse.sshfs"));
        assert_eq!(mounted_type(MOUNTS, 254, 0), Some("ext4"));
        assert_eq!(mounted_type(MOUNTS, 0, 5), None);
    }

    #[test]
    fn network_file_systems_are_known_by_name() {
        assert_eq!(network_name(0x6969, None), Some("NFS"));
        assert_eq!(network_name(0xffff_ffff_ff53_4d42, None), Some("CIFS"));
        assert_eq!(network_name(0x0102_1997, None), Some("9p"));
        assert_eq!(network_name(FUSE, mounted_type(MOUNTS, 0, 52)), Some("fuse.sshfs"));
        assert_eq!(network_name(FUSE, None), Some("FUSE"));
    }

    #[test]
    fn local_disks_are_welcome() {
        for local in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
            assert_eq!(network_name(local, None), None, "{local:x}");
        }
        assert_eq!(network_name(FUSE, mounted_type(MOUNTS, 0, 53)), None);
        refuse_network(tempfile::tempdir().unwrap().path()).unwrap();
    }
}
