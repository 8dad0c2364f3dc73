//! The state of the whole server in one answer.

use std::collections::BTreeMap;

use gabier_tool::{Call, Context, Effect, Envelope, Outcome, Permission, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::tools::Services;

/// Show the queue, the connections, what is registered and what crashed.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SystemDiagnostics {
    /// All there is to each part.
    #[serde(default)]
    #[schemars(extend("x-cli" = {"flag": "details"}))]
    verbose: bool,
}

/// How the server is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Diagnostics {
    /// Tasks that crashed and may be started anew.
    crashed: Vec<Value>,
    /// The parts by name: `queue` and those of the program's own tools.
    #[serde(flatten)]
    parts: BTreeMap<&'static str, Value>,
}

impl Tool<Services> for SystemDiagnostics {
    const NAME: &'static str = "system_diagnostics";
    const EFFECT: Effect = Effect::Read;
    const PERMISSION: Permission = Permission::Admin;
    const PROFILE: Profile = Profile::Core;
    const KEYWORDS: &'static str = "debug overview state pool queue crashed diagnostic état général";
    type Output = Diagnostics;

    async fn run(self, ctx: &Context<Services>) -> Result<Diagnostics> {
        let dispatch = ctx.services.dispatch()?;
        let (mut parts, mut crashed) = (BTreeMap::new(), Vec::new());
        let logs = self.verbose.then_some(("logs", "task_logs"));
        for (part, tool) in ctx.services.parts.iter().copied().chain(logs) {
            let call = Call::new(tool, Map::new(), ctx.caller().clone(), ctx.surface());
            let data = match dispatch.call(call).await.envelope {
                Envelope::Success { data, .. } => data,
                // What this caller may not see, or what does not work, is said in its place.
                Envelope::Failure { error, .. } => {
                    parts.insert(
                        part,
                        serde_json::json!({"error": error.kind().code(), "message": error.message()}),
                    );
                    continue;
                }
            };
            if let Some(Value::Array(tasks)) = data.get("can_retry") {
                crashed.clone_from(tasks);
            }
            parts.insert(part, if self.verbose { data } else { brief(&data) });
        }
        Ok(Diagnostics { crashed, parts })
    }

    fn outcome(_: &Diagnostics) -> Outcome {
        Outcome { beside: true, ..Outcome::default() }
    }
}

/// Counts and words stay, things are named alone.
fn brief(data: &Value) -> Value {
    let Value::Object(object) = data else { return data.clone() };
    let is_plain = |value: &Value| !value.is_object() && !value.is_array();
    let short = |value: &Value| match value {
        Value::Object(things) if !things.values().all(is_plain) => {
            Value::from(things.keys().cloned().collect::<Vec<_>>())
        }
        Value::Array(things) if !things.iter().all(is_plain) => Value::from(things.len()),
        other => other.clone(),
    };
    object.iter().map(|(name, value)| (name.clone(), short(value))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_brief_part_keeps_counts_and_names_things() {
        let whole = json!({
            "count": 2, "byStatus": {"running": 1}, "servers": {"a": {"port": 22}, "b": {}}, "can_retry": [{"id": "x"}],
        });
        let expected = json!({"count": 2, "byStatus": {"running": 1}, "servers": ["a", "b"], "can_retry": 1});
        assert_eq!(brief(&whole), expected);
    }
}
