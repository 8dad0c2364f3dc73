//! Short questions, asked without waiting for a runtime.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{Client, Connection, RedisResult};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long nobody asks again after it did not.
const RESPITE: Duration = Duration::from_millis(500);

/// Asks over blocking connections of its own. When the server does not answer, one caller waits `PATIENCE`; the others
/// get the failure at once until `RESPITE` is over.
pub(crate) struct Prompt {
    client: Client,
    idle: Mutex<Vec<Connection>>,
    failed: Mutex<Option<Instant>>,
}

impl Prompt {
    /// Connects at the first question.
    pub(crate) fn new(client: Client) -> Self {
        Self { client, idle: Mutex::default(), failed: Mutex::default() }
    }

    /// The answer; `None` while nobody asks because the server did not answer just now. The question may be asked twice.
    pub(crate) fn ask<T>(
        &self,
        question: impl Fn(&mut Connection) -> RedisResult<T>,
    ) -> RedisResult<Option<T>> {
        if lock(&self.failed).is_some_and(|failed| failed.elapsed() < RESPITE) {
            return Ok(None);
        }
        let anew = || self.connect().and_then(|connection| self.put(connection, &question));
        let idle = lock(&self.idle).pop();
        let answer = match idle {
            // A connection that was lost while it was idle says nothing about the server; silence does.
            Some(connection) => self
                .put(connection, &question)
                .or_else(|error| if error.is_timeout() { Err(error) } else { anew() }),
            None => anew(),
        };
        if answer.is_err() {
            *lock(&self.failed) = Some(Instant::now());
        }
        answer.map(Some)
    }

    fn connect(&self) -> RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(connection)
    }

    fn put<T>(
        &self,
        mut connection: Connection,
        question: impl Fn(&mut Connection) -> RedisResult<T>,
    ) -> RedisResult<T> {
        let answer = question(&mut connection)?;
        let mut idle = lock(&self.idle);
        if idle.len() < 4 {
            idle.push(connection);
        }
        Ok(answer)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
