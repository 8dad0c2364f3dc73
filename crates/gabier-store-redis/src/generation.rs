//! The generation, asked for without waiting for a runtime.

use gabier_store::{Error, ErrorKind, Result};
use redis::Client;

use crate::prompt::Prompt;

/// The key of the generation; the last version that was given is the same number.
pub(crate) const KEY: &str = "gabier:{r}:generation";

/// Asks the server for the generation.
///
/// That it is current at once leaves no choice but to ask: what a subscription or client tracking tells arrives after
/// the writer's call has resolved. It costs one round trip (about 40 µs on one machine, the network's time
/// otherwise) in which the caller's thread waits.
pub(crate) struct Generation(Prompt);

impl Generation {
    /// Connects at the first question.
    pub(crate) fn new(client: Client) -> Self {
        Self(Prompt::new(client))
    }

    /// The generation as of the last commit.
    pub(crate) fn get(&self) -> Result<u64> {
        let asked = self.0.ask(|connection| redis::cmd("GET").arg(KEY).query::<Option<u64>>(connection));
        match asked {
            Ok(Some(generation)) => Ok(generation.unwrap_or(0)),
            Ok(None) => Err(silent()),
            Err(source) => Err(silent().because(source)),
        }
    }
}

fn silent() -> Error {
    Error::new(ErrorKind::Unreachable, "ask whether records changed: Redis does not answer")
}
