//! The parameters that dispatch adds to tools, so that no tool copies them (tools.md §2).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::catalog::Entry;
use crate::clock::Timestamp;
use crate::effect::Mode;
use crate::error::{Error, Result};
use crate::tool::Facts;

/// On which terms a call is made, besides what its tool takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// The longest it may take, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// Whether only its plan is wanted.
    #[serde(skip_serializing_if = "is_default")]
    pub dry_run: bool,
    /// Whether its caller does not wait.
    #[serde(skip_serializing_if = "is_default")]
    pub background: bool,
    /// Where webhooks tell of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
    /// What makes a second call the same as the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Lower starts earlier; 10 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// Not before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Timestamp>,
    /// Not after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// What follows it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Following>,
    /// After how many seconds its task says that it still runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rappel: Option<f64>,
}

/// A call that follows another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Following {
    /// After which outcome: `completed`, `failed` or `any`.
    pub on: String,
    /// The tool.
    pub tool: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Terms {
    /// Takes the terms out of checked arguments, as far as the tool has them by dispatch and not of its own.
    pub(crate) fn take(entry: &Entry, arguments: &mut Value) -> Result<Self> {
        let (Some(properties), Some(given)) =
            (entry.schemas().input.get("properties"), arguments.as_object_mut())
        else {
            return Ok(Self::default());
        };
        let mut taken = Map::new();
        for name in NAMES {
            if given.contains_key(*name) && is_common(properties, name) {
                taken.extend(given.shift_remove(*name).map(|value| ((*name).to_owned(), value)));
            }
        }
        if taken.is_empty() {
            return Ok(Self::default());
        }
        serde_path_to_error::deserialize(Value::Object(taken)).map_err(|error| {
            let path = error.path().to_string();
            Error::invalid(&path, error.into_inner().to_string())
        })
    }

    /// The longest the call may take, when it says so.
    pub fn limit(&self) -> Option<Duration> {
        self.timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }
}

/// All of them.
const NAMES: &[&str] = &[
    "timeout",
    "dry_run",
    "background",
    "callback_url",
    "idempotency_key",
    "priority",
    "run_at",
    "deadline",
    "then",
    "rappel",
];

fn is_common(properties: &Value, name: &str) -> bool {
    properties.get(name).and_then(|property| property.get("x-common")).is_some_and(|mark| mark == true)
}

/// Adds to a tool's parameters those that mean something for it and that it has not itself.
pub(crate) fn publish(facts: &Facts, properties: &mut Map<String, Value>) {
    let mut add = |name: &str, mut schema: Value| {
        if !properties.contains_key(name) {
            schema["x-common"] = true.into();
            properties.insert(name.to_owned(), schema);
        }
    };
    if facts.mode != Mode::Inline {
        add("timeout", seconds("Longest time the work may take, in seconds."));
    }
    if !facts.effect.is_read() {
        add(
            "dry_run",
            json!({"type": "boolean", "default": false, "description": "Shows what would be done, without doing it."}),
        );
    }
    if facts.mode != Mode::Inline {
        add(
            "background",
            json!({"type": "boolean", "default": false,
                "description": "Gives the task at once, without waiting for its end."}),
        );
        add(
            "callback_url",
            json!({"type": "string", "maxLength": 2048, "x-aliases": ["cb_url"],
                "description": "URL that signed webhooks tell when the task starts and ends."}),
        );
        add(
            "idempotency_key",
            json!({"type": "string", "minLength": 1, "maxLength": 200,
                "description": "A repeated call with the same key gives the first one's task instead of a second run."}),
        );
        add(
            "priority",
            json!({"type": "integer", "minimum": 0, "maximum": 2_097_151, "default": 10,
                "description": "Urgency in the queue; 0 starts first."}),
        );
        add("run_at", moment("Does not start before this time (RFC 3339)."));
        add("deadline", moment("Expires when it has not started by this time (RFC 3339)."));
        add("then", following());
        add("rappel", seconds("Seconds after which the task's status reminds that it still runs."));
    }
}

fn seconds(description: &str) -> Value {
    json!({"type": "number", "exclusiveMinimum": 0, "maximum": 86400, "description": description})
}

fn moment(description: &str) -> Value {
    json!({"type": "string", "format": "date-time", "maxLength": 64, "description": description})
}

fn following() -> Value {
    json!({
        "type": "array", "maxItems": 16,
        "description": "Calls that follow when the task ends.",
        "items": {
            "type": "object", "additionalProperties": false, "required": ["on", "tool"],
            "properties": {
                "on": {"type": "string", "enum": ["completed", "failed", "any"],
                    "description": "After which outcome."},
                "tool": {"type": "string", "minLength": 1, "maxLength": 200, "description": "The tool to call."},
                "arguments": {"type": "object", "additionalProperties": true, "description": "Its arguments."},
            },
        },
    })
}
