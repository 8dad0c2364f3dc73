//! How the parts of this server are.

use std::sync::Arc;

use futures::future::BoxFuture;
use gabier_store::{ErrorKind, Records as _};
use gabier_tool::{Health, PartState};

use crate::store::LazyStore;

/// The parts that every server has, the program itself and its store, and those of the app.
pub(crate) struct Parts {
    pub(crate) store: Arc<LazyStore>,
    pub(crate) others: Vec<Arc<dyn Health>>,
}

impl Health for Parts {
    fn states(&self) -> BoxFuture<'_, Vec<PartState>> {
        Box::pin(async {
            let store = Arc::clone(&self.store);
            let asked = move || store.generation().and_then(|_| store.failed());
            let (ready, message) = match tokio::task::spawn_blocking(asked).await {
                Ok(Ok(Some(_))) => {
                    (false, "writes no more after a failure of its disk; start anew".to_owned())
                }
                Ok(Ok(None)) => (true, "open".to_owned()),
                Ok(Err(error)) if error.kind() == ErrorKind::Unreachable => {
                    tracing::warn!(%error, "the store does not answer");
                    (false, "does not answer; it is tried again by itself".to_owned())
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the store does not open");
                    (false, format!("does not open ({:?})", error.kind()).to_lowercase())
                }
                Err(_) => (false, "does not answer".to_owned()),
            };
            let mut states = vec![
                PartState { name: "dispatch".to_owned(), ready: true, message: "running".to_owned() },
                PartState { name: "store".to_owned(), ready, message },
            ];
            for other in &self.others {
                states.extend(other.states().await);
            }
            states
        })
    }
}
