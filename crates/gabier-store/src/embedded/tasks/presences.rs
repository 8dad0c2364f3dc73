//! Which workers are dead: their process held a presence, and holds it no more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::super::sqlite::Context as _;
use super::claim::process_of;
use crate::{Presence, Result};

/// How often a claim looks who died.
const PACE: Duration = Duration::from_millis(250);

/// The presences around this one.
#[derive(Clone)]
pub(super) struct Presences {
    own: Option<Arc<Presence>>,
    looked: Arc<Mutex<Option<Instant>>>,
}

impl Presences {
    pub(super) fn of(own: Option<Arc<Presence>>) -> Self {
        Self { own, looked: Arc::default() }
    }

    /// Whether it is time to look again.
    pub(super) fn is_due(&self) -> bool {
        if self.own.is_none() {
            return false;
        }
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = looked.is_none_or(|looked| looked.elapsed() >= PACE);
        if is_due {
            *looked = Some(Instant::now());
        }
        is_due
    }

    /// The processes that hold tasks and are dead.
    ///
    /// Who holds tasks is read before who lives: a process takes its presence before its first task, so one that
    /// came meanwhile is not taken for dead.
    pub(super) fn dead(&self, connection: &Connection) -> Result<Vec<String>> {
        let Some(own) = &self.own else { return Ok(Vec::new()) };
        let mut holders = holders(connection)?;
        holders.retain(|holder| is_presence(holder) && holder != own.id());
        if holders.is_empty() {
            return Ok(holders);
        }
        let others = own.others()?;
        holders.retain(|holder| !others.iter().any(|seen| seen.alive && seen.id == *holder));
        Ok(holders)
    }
}

fn holders(connection: &Connection) -> Result<Vec<String>> {
    let workers: rusqlite::Result<Vec<String>> = connection
        .prepare_cached("SELECT DISTINCT worker FROM task WHERE state = 4 AND lease_until IS NOT NULL")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect());
    let workers = workers.while_doing(|| "look who holds tasks".to_owned())?;
    let mut holders: Vec<_> = workers.iter().map(|worker| process_of(worker).to_owned()).collect();
    holders.sort();
    holders.dedup();
    Ok(holders)
}

/// Whether a name has the form of a presence's: a process number and 16 digits.
fn is_presence(name: &str) -> bool {
    name.split_once('-').is_some_and(|(process, number)| {
        process.parse::<u32>().is_ok()
            && number.len() == 16
            && number.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_named_after_its_process() {
        let directory = tempfile::tempdir().unwrap();
        let presence = Presence::hold(directory.path(), "worker").unwrap();
        assert!(is_presence(presence.id()));
        assert_eq!(process_of(&format!("{}:3", presence.id())), presence.id());
        assert!(!is_presence("w1") && !is_presence("12-ab") && !is_presence("elsewhere"));
    }
}
