//! A file to which a command appends a line each time it is started, over SSH: what `task_exec` runs must never start
//! twice.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Home;
use crate::sshd::{Server, Sshd};

/// The name of the host that keeps the file.
const ALIAS: &str = "lines";

/// The file, and the host that keeps it.
pub(crate) struct Lines {
    sshd: Server,
    file: PathBuf,
    next: AtomicU32,
}

impl Lines {
    pub(crate) fn new() -> Self {
        let sshd = Sshd::new().with("MaxSessions 200").with("MaxStartups 200").start();
        let file = sshd.dir.path().join("lines");
        std::fs::write(&file, "").unwrap();
        Self { sshd, file, next: AtomicU32::new(0) }
    }

    /// The home, which may read the key of the host and knows no other.
    pub(crate) fn settings(home: Home) -> Home {
        let keys = std::env::temp_dir();
        home.configure(&format!(
            "[ssh]\nkey_roots = [\"{}\"]\nknown_hosts = [\"/nowhere\"]\n",
            keys.display()
        ));
        home
    }

    /// Makes the host known to a home.
    #[track_caller]
    pub(crate) fn known_to(&self, home: &Home) {
        let host = json!({
            "alias": ALIAS, "host": "127.0.0.1", "port": self.sshd.port, "user": self.sshd.user,
            "key_path": self.sshd.key.to_str().unwrap(),
        });
        let added = home.call("server_add", &host);
        assert_eq!(added["status"], "created", "{added}");
    }

    /// A line that nobody has written.
    pub(crate) fn line(&self) -> u32 {
        self.next.fetch_add(1, Ordering::SeqCst)
    }

    /// What `task_exec` takes to write a line and to go on for a while.
    pub(crate) fn command(&self, line: u32, milliseconds: u64) -> Value {
        let (seconds, file) = (Duration::from_millis(milliseconds).as_secs_f64(), self.file.display());
        json!({"alias": ALIAS, "cmd": format!("echo {line} >> {file}; sleep {seconds}")})
    }

    /// How often each line is there.
    pub(crate) fn starts(&self) -> HashMap<u32, u32> {
        let mut starts = HashMap::new();
        for line in std::fs::read_to_string(&self.file).unwrap().lines() {
            *starts.entry(line.parse().unwrap()).or_default() += 1;
        }
        starts
    }
}
