//! What runs on which host at this moment, in this process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use gabier_tool::Attempt;

/// The tasks that use a host, by alias; a host is removed only when there are none.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<BTreeMap<String, Vec<String>>>>);

impl Running {
    /// Notes that a task uses a host until the value is dropped.
    pub(crate) fn begin(&self, alias: &str, attempt: Option<&Attempt>) -> Use {
        let task = attempt.map_or_else(|| "a call".to_owned(), |attempt| attempt.task.to_string());
        self.change(|uses| uses.entry(alias.to_owned()).or_default().push(task.clone()));
        Use { running: self.clone(), alias: alias.to_owned(), task }
    }

    /// The tasks that use a host.
    pub(crate) fn on(&self, alias: &str) -> Vec<String> {
        self.change(|uses| uses.get(alias).cloned().unwrap_or_default())
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Vec<String>>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The use of a host by a task.
pub(crate) struct Use {
    running: Running,
    alias: String,
    task: String,
}

impl Drop for Use {
    fn drop(&mut self) {
        self.running.change(|uses| {
            let Some(tasks) = uses.get_mut(&self.alias) else { return };
            if let Some(index) = tasks.iter().position(|task| *task == self.task) {
                tasks.swap_remove(index);
            }
            if tasks.is_empty() {
                uses.remove(&self.alias);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_in_use_until_the_last_use_ends() {
        let running = Running::default();
        let first = running.begin("web1", None);
        let second = running.begin("web1", None);
        drop(first);
        assert_eq!(running.on("web1"), ["a call"]);
        drop(second);
        assert!(running.on("web1").is_empty());
    }
}
