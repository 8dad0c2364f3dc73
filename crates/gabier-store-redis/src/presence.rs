//! Who shares the server: each process tells again and again that it is there.
//!
//! Nobody hears at once that a process was killed or that its machine is gone: its last word holds for some seconds
//! more. What it held is not lost by that, as leases end by themselves.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, UNIX_EPOCH};

use gabier_store::{Error, ErrorKind, Neighbours, Result, Seen};
use redis::{Client, RedisResult, Script};
use serde::{Deserialize, Serialize};

use crate::prompt::Prompt;
use crate::records::nonce;

/// How long a word holds, in ms.
const HOLDS: u64 = 5_000;
/// How often it is given.
const AGAIN: Duration = Duration::from_secs(2);
/// How soon it is given again when the server did not take it.
const SOON: Duration = Duration::from_millis(500);

/// This process among those that share a server. Dropping it ends the presence.
pub(crate) struct Presence {
    id: String,
    asking: Arc<Asking>,
    teller: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

/// What a process says of itself.
#[derive(Serialize, Deserialize)]
struct Entry {
    id: String,
    pid: u32,
    role: String,
    /// By the server's clock, in ms.
    started: u64,
}

struct Asking {
    prompt: Prompt,
    script: Script,
}

impl Presence {
    /// Starts the thread that tells; it connects by itself.
    pub(crate) fn start(client: Client, role: &str) -> Result<Self> {
        let id = String::from_utf8_lossy(&nonce()?).into_owned();
        let script = Script::new(include_str!("lua/presence.lua"));
        let asking = Arc::new(Asking { prompt: Prompt::new(client), script });
        let (end, ended) = channel();
        let (own, entry) = (
            Arc::clone(&asking),
            Entry { id: id.clone(), pid: std::process::id(), role: role.to_owned(), started: 0 },
        );
        let tell = move || {
            let (mut entry, mut text) = (entry, None);
            loop {
                let told = own.here(&mut entry, &mut text);
                if let Err(error) = &told {
                    tracing::debug!(%error, "Redis was not told that this process is there");
                }
                let wait = if matches!(told, Ok(true)) { AGAIN } else { SOON };
                if ended.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            if let Some(text) = text {
                let _ = own.say("gone", &text);
            }
        };
        let teller =
            thread::Builder::new().name("redis-presence".to_owned()).spawn(tell).map_err(|source| {
                Error::new(ErrorKind::Io, "start the thread that tells Redis of this process").because(source)
            })?;
        Ok(Self { id, asking, teller: Mutex::new(Some((end, teller))) })
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Neighbours for Presence {
    fn id(&self) -> &str {
        &self.id
    }

    fn others(&self) -> Result<Vec<Seen>> {
        let silent = || Error::new(ErrorKind::Unreachable, "ask who shares the store: Redis does not answer");
        let entries =
            self.asking.say("who", "").map_err(|source| silent().because(source))?.ok_or_else(silent)?;
        let entries = entries.iter().filter_map(|text| serde_json::from_str::<Entry>(text).ok());
        Ok(entries.filter(|entry| entry.id != self.id).map(seen).collect())
    }

    fn leave(&self) {
        let teller = self.teller.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((end, teller)) = teller {
            drop(end);
            let _ = teller.join();
        }
    }
}

fn seen(entry: Entry) -> Seen {
    let started = UNIX_EPOCH + Duration::from_millis(entry.started);
    Seen { id: entry.id, pid: entry.pid, role: entry.role, started, alive: true }
}

impl Asking {
    /// Tells that the process is there; false when nobody could be told just now.
    fn here(&self, entry: &mut Entry, text: &mut Option<String>) -> RedisResult<bool> {
        if text.is_none() {
            let asked = self.prompt.ask(|connection| redis::cmd("TIME").query::<(u64, u64)>(connection))?;
            let Some((seconds, micros)) = asked else { return Ok(false) };
            entry.started = seconds * 1_000 + micros / 1_000;
            *text = serde_json::to_string(entry).ok();
        }
        Ok(self.say("here", text.as_deref().unwrap_or_default())?.is_some())
    }

    fn say(&self, word: &str, entry: &str) -> RedisResult<Option<Vec<String>>> {
        self.prompt
            .ask(|connection| self.script.prepare_invoke().arg(word).arg(entry).arg(HOLDS).invoke(connection))
    }
}
