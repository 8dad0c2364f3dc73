//! How much may run at once and start per second, over all workers: set in the store by whoever starts to work.

use gabier_store::Expect;
use gabier_store::queue::{Limit, Scope};
use gabier_tool::Result;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::backing::{Backing, store_error};
use crate::settings::Bound;
use crate::tasks::Engine;

/// The kind and key of the record of what was set, so that what is no longer set is lifted.
const RECORD: (&str, &str) = ("tasks", "limits");

impl Engine {
    /// Sets what is to hold, and lifts what held before, once the store takes it.
    pub(crate) async fn set_limits(&self, shutdown: &CancellationToken) {
        let Some(backing) = self.backing_until(shutdown).await else { return };
        while let Err(error) = self.try_set_limits(&backing).await {
            tracing::warn!(?error, "setting the limits of tasks; trying again");
            tokio::select! {
                () = self.clock.sleep(crate::worker::FAILED) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn try_set_limits(&self, backing: &Backing) -> Result<()> {
        let failed = |error| store_error("setting the limits of tasks", error);
        let wanted = self.settings.limits.all();
        let record = backing.records.get(RECORD.0, RECORD.1).await.map_err(failed)?;
        let before: Vec<Scope> = record.iter().flat_map(|record| scopes(&record.value)).collect();
        if before.is_empty() && wanted.is_empty() {
            return Ok(());
        }
        for scope in before.into_iter().filter(|scope| !wanted.iter().any(|(other, _)| other == scope)) {
            backing.queue.limit(scope, None).await.map_err(failed)?;
        }
        for (scope, bound) in &wanted {
            backing.queue.limit(scope.clone(), Some(limit(*bound))).await.map_err(failed)?;
        }
        let names: Vec<Value> = wanted.iter().map(|(scope, _)| named(scope)).collect();
        if record.is_none_or(|record| record.value != json!(names)) {
            backing.records.put(RECORD.0, RECORD.1, json!(names), Expect::Any).await.map_err(failed)?;
        }
        Ok(())
    }
}

fn limit(Bound { running, per_second }: Bound) -> Limit {
    Limit { running, per_second }
}

fn named(scope: &Scope) -> Value {
    match scope {
        Scope::Queue(name) => json!(["queue", name]),
        Scope::Tool(name) => json!(["tool", name]),
        Scope::Alias(name) => json!(["host", name]),
    }
}

fn scopes(names: &Value) -> Vec<Scope> {
    let scope = |pair: &Value| {
        let name = pair[1].as_str()?.to_owned();
        match pair[0].as_str()? {
            "queue" => Some(Scope::Queue(name)),
            "tool" => Some(Scope::Tool(name)),
            "host" => Some(Scope::Alias(name)),
            _ => None,
        }
    };
    names.as_array().into_iter().flatten().filter_map(scope).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_read_as_it_was_written() {
        let all = [
            Scope::Queue("async-tasks".to_owned()),
            Scope::Tool("demo".to_owned()),
            Scope::Alias("web1".to_owned()),
        ];
        let names: Vec<Value> = all.iter().map(named).collect();
        assert_eq!(scopes(&json!(names)), all);
        assert_eq!(scopes(&json!([["planet", "mars"], 7])), []);
    }
}
