//! Webhooks: receivers are told of a task's start and end, signed, in order, until they have taken it.

mod body;
mod deliver;
mod sign;

use gabier_egress::Reach;
use gabier_store::queue::NewTask;
use gabier_tool::{Error, ErrorKind, Result};

pub use sign::{verify, verify_legacy};

use crate::tasks::Engine;

/// The name under which `egress.allow` opens addresses for webhooks.
pub(crate) const EGRESS: &str = "webhook";

impl Engine {
    /// Refuses a task whose webhooks could not be delivered.
    pub(crate) async fn vet_callback(&self, task: &NewTask) -> Result<()> {
        let Some(url) = &task.callback else { return Ok(()) };
        let Some(egress) = &self.egress else {
            let message = "this server sends no webhooks, so callback_url has no use here";
            return Err(Error::new(ErrorKind::NotAvailable, message));
        };
        egress.vet(EGRESS, Reach::Public, url).await.map_err(|error| match error.kind() {
            ErrorKind::InvalidArgument => Error::invalid("callback_url", error.message()),
            _ => error.with("parameter", "callback_url"),
        })
    }
}
