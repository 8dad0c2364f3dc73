//! The toolsets every server needs, whatever its own list is.

pub(crate) mod access;
pub(crate) mod meta;
pub(crate) mod system;
pub(crate) mod tasks;

use std::sync::{Arc, OnceLock, Weak};

use gabier_tool::{Dispatch, Error, Health, Result};

/// What the toolsets of the kit may reach.
pub(crate) struct Services {
    /// The server's name.
    pub(crate) name: String,
    /// The server's version.
    pub(crate) version: String,
    /// How the parts of the server are.
    pub(crate) health: Arc<dyn Health>,
    /// What `system_diagnostics` shows: parts, each with the tool that tells its state.
    pub(crate) parts: Vec<(&'static str, &'static str)>,
    dispatch: OnceLock<Weak<Dispatch>>,
}

impl Services {
    /// Services that know no dispatch yet: it is made of the catalog that these are bound in.
    pub(crate) fn new(name: &str, version: &str, health: Arc<dyn Health>) -> Self {
        let (name, version) = (name.to_owned(), version.to_owned());
        Self { name, version, health, parts: vec![("queue", "queue_stats")], dispatch: OnceLock::new() }
    }

    /// The same with further parts in `system_diagnostics`.
    pub(crate) fn diagnosing(mut self, parts: &[(&'static str, &'static str)]) -> Self {
        self.parts.extend_from_slice(parts);
        self
    }

    /// Closes the circle.
    pub(crate) fn set_dispatch(&self, dispatch: &Arc<Dispatch>) {
        let _ = self.dispatch.set(Arc::downgrade(dispatch));
    }

    /// The dispatch that the running call came through.
    pub(crate) fn dispatch(&self) -> Result<Arc<Dispatch>> {
        self.dispatch.get().and_then(Weak::upgrade).ok_or_else(|| Error::internal("reaching the catalog"))
    }
}
