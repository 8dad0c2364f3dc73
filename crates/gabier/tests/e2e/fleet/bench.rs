//! A server, a home that knows it, and a folder on each side: where transfers are tried.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::home_with;
use crate::harness::{Home, PATIENCE, Running, program};
use crate::sshd::{Server, Sshd, run};

/// A server, a home that knows it as `web1`, and a folder on each side.
pub(super) struct Bench {
    pub(super) home: Home,
    pub(super) server: Server,
    there: tempfile::TempDir,
}

impl Bench {
    pub(super) fn start() -> Self {
        let server = Sshd::new().start();
        let home = home_with(&[("web1", &server)]);
        std::fs::create_dir(home.path("here")).unwrap();
        Self { home, server, there: tempfile::tempdir().unwrap() }
    }

    pub(super) fn here(&self, name: &str) -> PathBuf {
        self.home.path("here").join(name)
    }

    pub(super) fn there(&self, name: &str) -> PathBuf {
        self.there.path().join(name)
    }

    /// The two ends of a transfer: what is read, and what is written.
    pub(super) fn ends(&self, direction: &str, name: &str) -> (PathBuf, PathBuf) {
        match direction {
            "upload" => (self.here(name), self.there(name)),
            _ => (self.there(name), self.here(name)),
        }
    }

    pub(super) fn arguments(&self, direction: &str, name: &str, force: bool) -> Value {
        json!({
            "alias": "web1", "direction": direction, "force": force,
            "local": self.here(name), "remote": self.there(name),
        })
    }

    /// The call on its way.
    pub(super) fn begin(&self, arguments: &Value) -> Running {
        let words = ["call", "task_transfer", "--input", &arguments.to_string(), "--json", "--yes"];
        Running::start(&mut self.home.command(&words))
    }

    pub(super) fn call(&self, arguments: &Value) -> Value {
        self.home.call("task_transfer", arguments)
    }
}

/// The unfinished copies beside a path, with their length.
pub(super) fn unfinished(path: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap().flatten();
    let copies = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".part"));
    copies.filter_map(|entry| Some(entry.metadata().ok()?.len())).collect()
}

#[track_caller]
pub(super) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A small file system of its own at a path, mounted as root.
pub(super) struct Disk(PathBuf);

impl Disk {
    pub(super) fn mount(at: PathBuf, bytes: usize) -> Self {
        std::fs::create_dir_all(&at).unwrap();
        run(program("mount").args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=755"), "none"]).arg(&at));
        Self(at)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(program("umount").arg("-l").arg(&self.0));
    }
}
