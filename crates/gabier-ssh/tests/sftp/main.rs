//! The SFTP client against a real server, and against one that breaks every rule.

#![expect(clippy::unwrap_used, reason = "the helpers fail as the tests that call them do")]

mod bench;
mod download;
mod far;
mod faults;
#[allow(dead_code, reason = "this crate uses its part")]
#[path = "../ssh/fleet.rs"]
mod fleet;
mod host_files;
mod operations;
mod over_ssh;
mod resume;
mod server;
mod slow;
#[path = "../ssh/sshd.rs"]
mod sshd;
mod stub;
mod trees;
mod upload;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use gabier_ssh::sftp::RemotePath;

/// The path as the server sees it.
fn remote(path: impl AsRef<Path>) -> RemotePath {
    RemotePath::new(path.as_ref().as_os_str().as_bytes())
}
