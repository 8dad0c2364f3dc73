//! The end of a process that runs tasks only for itself.

use std::time::Duration;

use crate::lease::Stop;
use crate::tasks::Tasks;

/// How long stopped work may take to end: the grace of its tool and the word to the store.
const STOPPING: Duration = Duration::from_secs(13);

impl Tasks {
    /// Stops at once what this process runs, for one whose client is gone: retry-safe tasks go back to their queue,
    /// all others have crashed.
    pub async fn end(&self) {
        let engine = &self.0;
        engine.running.close();
        engine.leases.stop_all(&Stop::Ending);
        tokio::select! {
            () = engine.running.wait() => {}
            () = engine.clock.sleep(STOPPING) => tracing::warn!("some tasks did not end in time"),
        }
    }
}
