//! A call as a task: which queue it goes to and what is written of it.

use std::collections::HashMap;

use gabier_store::queue::{NewTask, TaskId, Then, ThenOn};
use gabier_tool::guard::Work;
use gabier_tool::{Entry, Error, Mode, Result, Retry, Terms, Timestamp, without_secrets};
use serde_json::{Map, Value};

use crate::context::Context;
use crate::id::task_id;
use crate::retry;
use crate::tasks::{BACKGROUND, CALLS, Engine};

/// The urgency of tasks that say nothing.
pub(crate) const PRIORITY: u32 = 10;

/// The longest label.
const LABEL: usize = 300;

/// Arguments that say in one line what a call does, the most telling first.
const TELLING: &[&str] = &["cmd", "command", "commands", "local", "remote", "files", "path", "url"];

/// Whether the caller does not wait for the work.
pub(crate) fn is_background(work: &Work, now: Timestamp) -> bool {
    let terms = &work.running.terms;
    work.entry.facts.mode == Mode::Background
        || terms.background
        || terms.run_at.is_some_and(|run_at| run_at > now)
}

impl Engine {
    /// What is to be written of a call.
    pub(crate) fn plan(&self, work: &Work, is_background: bool) -> Result<NewTask> {
        let Work { entry, arguments, kept, running, .. } = work;
        let terms = &running.terms;
        let is_secret = arguments != kept;
        if is_secret && is_background {
            return Err(Error::invalid(
                "background",
                "arguments with secrets are not kept, so this call must run while its caller waits",
            ));
        }
        let dispatch = self.dispatch()?;
        for next in &terms.then {
            let entry = dispatch.catalog().find(&next.tool)?;
            refuse_secrets(entry, &Value::Object(next.arguments.clone()), "then")?;
        }
        let retry = if is_secret { Retry::Never } else { entry.facts.retry };
        Ok(NewTask {
            id: task_id()?,
            queue: if is_background { BACKGROUND } else { CALLS }.to_owned(),
            tool: entry.facts.name.to_owned(),
            kind: entry.facts.kind.to_owned(),
            alias: alias(entry, kept),
            label: label(kept),
            owner: running.caller.subject.to_string(),
            idempotency_key: terms.idempotency_key.clone(),
            priority: terms.priority.unwrap_or(PRIORITY),
            run_at: terms.run_at.map(|at| at.timestamp_millis()),
            deadline: terms.deadline.map(|at| at.timestamp_millis()),
            ttl: Some(self.settings.ttl_ms()),
            max_attempts: retry::attempts(retry),
            retry_safe: retry != Retry::Never,
            arguments: (**kept).clone(),
            context: Context { is_secret, terms: bare(terms), ..Context::of(running) }.to_value(),
            callback: terms.callback_url.clone(),
            then: followers(terms),
            retried_from: None,
            retry_count: 0,
            parent: None,
            claim: None,
        })
    }
}

/// A task that no call made: one that follows another, or is scheduled.
pub(crate) struct Origin<'a> {
    pub(crate) tool: &'a str,
    pub(crate) arguments: Map<String, Value>,
    pub(crate) owner: &'a str,
    /// What makes it one, however often it is tried to start it.
    pub(crate) key: String,
    pub(crate) parent: Option<TaskId>,
    pub(crate) context: Context,
}

impl Engine {
    /// What is to be written of a task that no call made. Whether its tool exists, and takes the arguments, and its
    /// owner may call it, shows when it starts.
    pub(crate) fn made(&self, origin: Origin<'_>) -> Result<NewTask> {
        let Origin { tool, mut arguments, owner, key, parent, context } = origin;
        let dispatch = self.dispatch()?;
        let entry = dispatch.catalog().get(tool);
        let terms = entry.map(|entry| take_terms(entry, &mut arguments)).unwrap_or_default();
        let retry = entry.map_or(Retry::Never, |entry| entry.facts.retry);
        let arguments = Value::Object(arguments);
        Ok(NewTask {
            id: task_id()?,
            queue: BACKGROUND.to_owned(),
            tool: entry.map_or(tool, |entry| entry.facts.name).to_owned(),
            kind: entry.map_or("tool", |entry| entry.facts.kind).to_owned(),
            alias: entry.and_then(|entry| alias(entry, &arguments)),
            label: label(&arguments),
            owner: owner.to_owned(),
            idempotency_key: Some(key),
            priority: terms.priority.unwrap_or(PRIORITY),
            run_at: None,
            deadline: terms.deadline.map(|at| at.timestamp_millis()),
            ttl: Some(self.settings.ttl_ms()),
            max_attempts: retry::attempts(retry),
            retry_safe: retry != Retry::Never,
            callback: terms.callback_url.clone(),
            then: followers(&terms),
            context: Context { terms: bare(&terms), given: HashMap::default(), ..context }.to_value(),
            arguments,
            retried_from: None,
            retry_count: 0,
            parent,
            claim: None,
        })
    }
}

/// Refuses arguments that could not be kept: a follower or a schedule knows no secrets.
pub(crate) fn refuse_secrets(entry: &Entry, arguments: &Value, parameter: &str) -> Result<()> {
    if without_secrets(arguments, &entry.schemas().input) == *arguments {
        return Ok(());
    }
    let message = format!("holds a secret of {}, and secrets are not kept", entry.facts.name);
    Err(Error::invalid(parameter, message))
}

/// Takes the parameters out that dispatch added, as dispatch does.
fn take_terms(entry: &Entry, arguments: &mut Map<String, Value>) -> Terms {
    let is_common = |name: &str| {
        let mark = entry.schemas().input.get("properties").and_then(|all| all.get(name)?.get("x-common"));
        mark.is_some_and(|mark| mark == true)
    };
    let names: Vec<String> = arguments.keys().filter(|name| is_common(name)).cloned().collect();
    let taken: Map<String, Value> =
        names.into_iter().filter_map(|name| arguments.shift_remove_entry(&name)).collect();
    serde_json::from_value(Value::Object(taken)).unwrap_or_default()
}

/// Terms without what stands in the task itself.
fn bare(terms: &Terms) -> Terms {
    Terms { then: Vec::new(), callback_url: None, idempotency_key: None, background: false, ..terms.clone() }
}

fn followers(terms: &Terms) -> Vec<Then> {
    let on = |word: &str| match word {
        "completed" => ThenOn::Completed,
        "failed" => ThenOn::Failed,
        _ => ThenOn::Any,
    };
    terms
        .then
        .iter()
        .map(|next| Then { on: on(&next.on), tool: next.tool.clone(), arguments: next.arguments.clone() })
        .collect()
}

/// The host, or hosts, that a call names, by the mark of its parameter.
pub(crate) fn alias(entry: &Entry, arguments: &Value) -> Option<String> {
    let properties = entry.schemas().input.get("properties")?.as_object()?;
    properties
        .iter()
        .filter(|(_, schema)| schema.get("x-complete").is_some_and(|mark| mark == "host"))
        .find_map(|(name, _)| arguments.get(name)?.as_str())
        .map(str::to_owned)
}

/// One line that shows what a call does.
pub(crate) fn label(arguments: &Value) -> Option<String> {
    let arguments = arguments.as_object()?;
    let told: Vec<String> = TELLING.iter().filter_map(|name| arguments.get(*name)).filter_map(word).collect();
    let text = if told.is_empty() { pairs(arguments) } else { told.join(" ") };
    (!text.is_empty()).then(|| short(&text))
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => Some(items.iter().filter_map(word).collect::<Vec<_>>().join("; ")),
        Value::Object(object) => object.values().find_map(word),
        other => Some(other.to_string()),
    }
}

fn pairs(arguments: &Map<String, Value>) -> String {
    arguments
        .iter()
        .filter(|(_, value)| !value.is_object() && !value.is_array() && !value.is_null())
        .filter_map(|(name, value)| Some(format!("{name}={}", word(value)?)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn short(text: &str) -> String {
    let line = text.replace(['\n', '\r'], " ");
    if line.chars().count() <= LABEL {
        return line;
    }
    line.chars().take(LABEL - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_label_shows_the_command_or_else_the_arguments() {
        let label = |arguments: Value| label(&arguments).unwrap_or_default();
        assert_eq!(label(json!({"alias": "web1", "cmd": "uptime\n-p"})), "uptime -p");
        assert_eq!(label(json!({"commands": [{"command": "a"}, "b"]})), "a; b");
        assert_eq!(label(json!({"count": 3, "wait": true, "list": [1]})), "count=3 wait=true");
        assert_eq!(label(json!({})), "");
        assert_eq!(label(json!({"cmd": "x".repeat(400)})).chars().count(), LABEL);
    }
}
