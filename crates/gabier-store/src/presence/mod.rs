//! Which processes share a directory, and how they wake one another.
//!
//! Each holds a file under an exclusive lock and a socket of the same name. The kernel frees the lock when its
//! process dies, however it dies: a free lock means a dead process, at once and without any waiting.

mod directory;
mod wakes;

use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use self::directory::Directory;
use self::wakes::Wakes;
use crate::{Error, Result};

/// This process among those that share a runtime directory. Dropping it ends the presence.
pub struct Presence {
    directory: Directory,
    id: String,
    /// Locked while it is open; the lock is the presence.
    _locked: File,
    socket: Arc<UnixDatagram>,
    wakes: Arc<Wakes>,
    listener: Option<JoinHandle<()>>,
    /// Who was here when the directory last changed.
    listed: Mutex<Listed>,
}

/// The other presences as they were listed.
#[derive(Default)]
struct Listed {
    others: Vec<String>,
    /// The time of the directory's last change, and since when it is known.
    changed: Option<(SystemTime, Instant)>,
    /// True once a later change cannot bear the same time.
    is_settled: bool,
}

/// File systems tell the time of a change by the machine's tick: two within this may look like one.
const TICK: Duration = Duration::from_millis(100);

/// A process that was met in the runtime directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its presence's name, never used twice.
    pub id: String,
    /// Its number, in its own process namespace.
    pub pid: u32,
    /// What it said it is: `serve`, `worker`, `mcp`, `cli` …
    pub role: String,
    /// When its presence began, by the machine's clock.
    pub started: SystemTime,
    /// Whether it lives. A dead one shows once: whoever sees it has removed its files.
    pub alive: bool,
}

/// What the locked file says.
#[derive(Serialize, Deserialize)]
struct Entry {
    pid: u32,
    role: String,
}

impl Presence {
    /// Takes a place in a runtime directory, which is made (0700) when it is not there.
    ///
    /// The role is a short word such as `serve` or `worker`. Fails with `Exposed` when others can write to the
    /// directory, and with `Io` or `Full`.
    pub fn hold(directory: &Path, role: &str) -> Result<Self> {
        let directory = Directory::open(directory)?;
        let doing = || format!("take a place in {}", directory.path().display());
        let (id, mut locked) = directory.take_place().map_err(|source| Error::io(doing(), source))?;
        let entry = serde_json::json!(Entry { pid: std::process::id(), role: role.to_owned() });
        locked.write_all(entry.to_string().as_bytes()).map_err(|source| Error::io(doing(), source))?;
        let socket = directory.bind(&id).map_err(|source| Error::io(doing(), source))?;
        let (socket, wakes) = (Arc::new(socket), Arc::new(Wakes::default()));
        let (ear, heard) = (Arc::clone(&socket), Arc::clone(&wakes));
        let listener = thread::Builder::new()
            .name("store-presence".to_owned())
            .spawn(move || heard.listen(&ear))
            .map_err(|source| Error::io(doing(), source))?;
        let (listener, listed) = (Some(listener), Mutex::default());
        Ok(Self { directory, id, _locked: locked, socket, wakes, listener, listed })
    }

    /// Its name, never used twice.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The other processes that are here, and those that died since somebody last looked.
    ///
    /// The files of a dead one are removed before it is shown.
    pub fn others(&self) -> Result<Vec<Seen>> {
        let doing = |source| Error::io(format!("look who is in {}", self.directory.path().display()), source);
        let mut seen = Vec::new();
        for id in self.directory.places().map_err(doing)?.iter().filter(|id| **id != self.id) {
            seen.extend(self.directory.look(id).map_err(doing)?);
        }
        Ok(seen)
    }

    /// Wakes all others. Cheap, and never waits: who cannot be reached looks for changes by itself.
    pub fn wake_others(&self) {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if self.list_anew(&mut listed).is_err() || listed.others.is_empty() {
            return;
        }
        let Ok(mouth) = UnixDatagram::unbound() else { return };
        if mouth.set_nonblocking(true).is_err() {
            return;
        }
        for id in &listed.others {
            // A full socket has been woken already; one that refuses is dead.
            let _ = mouth.send_to(b"w", self.directory.address(id));
        }
    }

    /// Lists the others unless they are those of the last time.
    fn list_anew(&self, listed: &mut Listed) -> io::Result<()> {
        let changed = self.directory.changed()?;
        let known = listed.changed.filter(|(time, _)| *time == changed);
        if known.is_some() && listed.is_settled {
            return Ok(());
        }
        let (_, since) = *listed.changed.insert(known.unwrap_or_else(|| (changed, Instant::now())));
        listed.is_settled = since.elapsed() > TICK;
        listed.others = self.directory.places()?;
        listed.others.retain(|id| *id != self.id);
        Ok(())
    }

    /// How often this process was woken, as it grows.
    pub fn woken(&self) -> watch::Receiver<u64> {
        self.wakes.subscribe()
    }

    /// Calls a function each time this process is woken. It runs on the listening thread and must be quick.
    pub fn on_wake(&self, call: impl Fn() + Send + Sync + 'static) {
        self.wakes.add(Box::new(call));
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.directory.remove(&self.id);
        self.wakes.end();
        // Ends the listener's waiting.
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl fmt::Debug for Presence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Presence").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    fn hold(directory: &Path, role: &str) -> Presence {
        Presence::hold(directory, role).unwrap()
    }

    fn roles(presence: &Presence) -> Vec<String> {
        let mut roles: Vec<_> = presence.others().unwrap().into_iter().map(|seen| seen.role).collect();
        roles.sort();
        roles
    }

    #[test]
    fn processes_see_one_another_come_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let (serve, mcp) = (hold(directory.path(), "serve"), hold(directory.path(), "mcp"));
        let worker = hold(directory.path(), "worker");
        assert_eq!(roles(&serve), ["mcp", "worker"]);
        assert_eq!(roles(&worker), ["mcp", "serve"]);
        let seen = serve.others().unwrap().into_iter().find(|seen| seen.role == "mcp").unwrap();
        assert_eq!((seen.id.as_str(), seen.pid, seen.alive), (mcp.id(), std::process::id(), true));
        drop(mcp);
        assert_eq!(roles(&serve), ["worker"]);
        drop((serve, worker));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_presence_leaves_on_disk_is_the_users_alone() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("run");
        let _presence = hold(&directory, "serve");
        let modes: Vec<_> = fs::read_dir(&directory)
            .unwrap()
            .map(|entry| format!("{:o}", entry.unwrap().metadata().unwrap().mode() & 0o777))
            .collect();
        assert_eq!((modes, fs::metadata(&directory).unwrap().mode() & 0o777), (vec!["600".into(); 2], 0o700));
    }

    #[tokio::test]
    async fn a_wake_up_reaches_all_others_and_not_oneself() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two, three) =
            (hold(directory.path(), "a"), hold(directory.path(), "b"), hold(directory.path(), "c"));
        let (mine, mut second, mut third) = (one.woken(), two.woken(), three.woken());
        one.wake_others();
        second.changed().await.unwrap();
        third.changed().await.unwrap();
        assert!(!mine.has_changed().unwrap());
    }

    #[tokio::test]
    async fn who_comes_after_the_last_look_is_woken_and_who_left_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let one = hold(directory.path(), "a");
        one.wake_others();
        let settle = || {
            let mut listed = one.listed.lock().unwrap();
            let (_, since) = listed.changed.as_mut().unwrap();
            *since = since.checked_sub(2 * TICK).unwrap();
        };
        settle();
        one.wake_others();
        assert!(one.listed.lock().unwrap().is_settled, "an old listing is believed");
        let two = hold(directory.path(), "b");
        let mut woken = two.woken();
        one.wake_others();
        woken.changed().await.unwrap();
        assert!(!one.listed.lock().unwrap().is_settled, "a fresh one is not");
        drop(two);
        one.wake_others();
        assert!(one.listed.lock().unwrap().others.is_empty());
    }

    #[tokio::test]
    async fn a_long_path_does_not_hinder() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("d".repeat(200));
        let (one, two) = (hold(&directory, "a"), hold(&directory, "b"));
        let mut woken = two.woken();
        one.wake_others();
        woken.changed().await.unwrap();
        assert_eq!(roles(&one), ["b"]);
    }

    #[tokio::test]
    async fn a_flood_of_wake_ups_blocks_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (hold(directory.path(), "a"), hold(directory.path(), "b"));
        let (hold_up, held) = std::sync::mpsc::channel::<()>();
        let held = Mutex::new(held);
        two.on_wake(move || {
            let _ = held.lock().unwrap().recv();
        });
        for _ in 0..10_000 {
            one.wake_others();
        }
        drop(hold_up);
        let mut woken = two.woken();
        woken.wait_for(|count| *count > 0).await.unwrap();
    }
}
