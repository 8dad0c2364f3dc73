//! The generation, asked for without waiting for a runtime.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use gabier_store::{Error, ErrorKind, Result};
use redis::{Client, Connection};

/// How long the server may take to tell a number.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long nobody asks again after it did not.
const RESPITE: Duration = Duration::from_millis(500);

/// The key of the generation; the last version that was given is the same number.
pub(crate) const KEY: &str = "gabier:{r}:generation";

/// Asks the server for the generation, over blocking connections of its own.
///
/// That it is current at once leaves no choice but to ask: what a subscription or client tracking tells arrives after
/// the writer's call has resolved. It costs one round trip (about 40 µs on one machine, the network's time
/// otherwise) in which the caller's thread waits. When the server does not answer, one caller waits `PATIENCE`; the
/// others get the failure at once until `RESPITE` is over.
pub(crate) struct Generation {
    client: Client,
    idle: Mutex<Vec<Connection>>,
    failed: Mutex<Option<Instant>>,
}

impl Generation {
    /// Connects at the first question.
    pub(crate) fn new(client: Client) -> Self {
        Self { client, idle: Mutex::default(), failed: Mutex::default() }
    }

    /// The generation as of the last commit.
    pub(crate) fn get(&self) -> Result<u64> {
        let is_fresh = |failed: Instant| failed.elapsed() < RESPITE;
        if lock(&self.failed).is_some_and(is_fresh) {
            return Err(silent());
        }
        let anew = || self.connect().and_then(|connection| self.ask(connection));
        let answer = match self.idle() {
            // A connection that was lost while it was idle says nothing about the server; silence does.
            Some(connection) => {
                self.ask(connection).or_else(|error| if error.is_timeout() { Err(error) } else { anew() })
            }
            None => anew(),
        };
        answer.map_err(|source| {
            *lock(&self.failed) = Some(Instant::now());
            silent().because(source)
        })
    }

    fn idle(&self) -> Option<Connection> {
        lock(&self.idle).pop()
    }

    fn connect(&self) -> redis::RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(connection)
    }

    fn ask(&self, mut connection: Connection) -> redis::RedisResult<u64> {
        let generation: Option<u64> = redis::cmd("GET").arg(KEY).query(&mut connection)?;
        let mut idle = lock(&self.idle);
        if idle.len() < 4 {
            idle.push(connection);
        }
        Ok(generation.unwrap_or(0))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn silent() -> Error {
    Error::new(ErrorKind::Unreachable, "ask whether records changed: Redis does not answer")
}
