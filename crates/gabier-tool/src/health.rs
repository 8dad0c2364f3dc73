//! How the parts of a server are.

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

/// Tells how the parts of a server are: `/ready` and `system_health` ask it.
pub trait Health: Send + Sync + 'static {
    /// The state of every part, in a fixed order. A part that opens lazily is opened by being asked.
    fn states(&self) -> BoxFuture<'_, Vec<PartState>>;
}

/// How one part is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartState {
    /// The part, such as `store` or `http`.
    pub name: String,
    /// True when it works.
    pub ready: bool,
    /// What there is to know, without internals.
    pub message: String,
}
