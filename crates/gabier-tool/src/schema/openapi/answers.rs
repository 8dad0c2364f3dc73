//! What operations answer: a success in every form, and the failures by status.

use serde_json::{Map, Value, json};

use super::components::{reference, type_name};
use crate::catalog::Entry;
use crate::effect::Mode;
use crate::error::ErrorKind;

/// The answers of a tool.
pub(super) fn tool_responses(entry: &Entry) -> Value {
    let success = success(entry);
    let mut responses = Map::new();
    responses.insert("200".to_owned(), success.clone());
    if !entry.facts.effect.is_read() {
        let mut created = success;
        created["description"] = "Carried out; something new exists.".into();
        responses.insert("201".to_owned(), created);
    }
    if entry.facts.mode != Mode::Inline {
        responses.insert("202".to_owned(), accepted());
    }
    add_failures(&mut responses);
    Value::Object(responses)
}

/// The answer of work that goes on as a task.
fn accepted() -> Value {
    let text = json!({"schema": {"type": "string"}});
    json!({
        "description": "The work goes on as a task; `data.id` is its id.",
        "headers": {"Location": {
            "description": "The task.", "required": true, "schema": {"type": "string"},
        }},
        "content": {
            "application/json": {"schema": reference("TaskHandle")},
            "text/markdown": text,
            "text/html": text,
            "application/x-ndjson": text,
            "application/vnd.gabier.view+json": {"schema": reference("FullResult")},
        },
    })
}

fn success(entry: &Entry) -> Value {
    let name = type_name(entry.facts.name);
    let text = json!({"schema": {"type": "string"}});
    json!({
        "description": "Carried out.",
        "content": {
            "application/json": {"schema": reference(&format!("{name}Result"))},
            "text/markdown": text,
            "text/html": text,
            "application/x-ndjson": text,
            "application/vnd.gabier.view+json": {"schema": reference("FullResult")},
            "text/event-stream": text,
        },
    })
}

/// Answered before the request is read, and so without a body.
const HEAD_TOO_LONG: u16 = 431;

/// The statuses of failures, as component names.
const FAILURES: [(u16, &str, &str); 17] = [
    (400, "BadRequest", "The request is no JSON, or contradicts itself."),
    (401, "Unauthenticated", "No token, or one that is wrong, expired or revoked."),
    (403, "Forbidden", "The caller lacks a right, or the request came from a foreign page."),
    (404, "NotFound", "Something that must exist does not."),
    (405, "MethodNotAllowed", "The path takes other methods."),
    (409, "Conflict", "The present state does not allow it."),
    (413, "TooLarge", "The body is too long."),
    (415, "UnsupportedMediaType", "The body is not JSON."),
    (421, "Misdirected", "The server does not answer to that Host."),
    (422, "Invalid", "Arguments are wrong; `details.errors` names each."),
    (429, "RateLimited", "Too many at once, or in too short a time."),
    (HEAD_TOO_LONG, "HeadTooLong", "The head of the request, its path included, is too long."),
    (500, "Internal", "A bug of the server."),
    (501, "NotAvailable", "The machine lacks what the tool needs."),
    (502, "BadGateway", "Another host failed."),
    (503, "Unavailable", "A part of the server is down."),
    (504, "Timeout", "It took longer than allowed."),
];

/// Adds the failures that any request can meet.
pub(super) fn add_failures(responses: &mut Map<String, Value>) {
    for (status, name, _) in FAILURES {
        let reference = json!({"$ref": format!("#/components/responses/{name}")});
        responses.insert(status.to_string(), reference);
    }
}

/// The failures as components.
pub(super) fn responses() -> Value {
    let header = |description: &str, schema: Value| json!({"description": description, "schema": schema});
    let mut all = Map::new();
    for (status, name, description) in FAILURES {
        if status == HEAD_TOO_LONG {
            all.insert(name.to_owned(), json!({"description": description}));
            continue;
        }
        let codes: Vec<&str> = ErrorKind::ALL
            .iter()
            .map(|kind| kind.row())
            .filter(|row| row.http == status)
            .map(|row| row.code)
            .collect();
        let codes = if codes.is_empty() { vec![ErrorKind::Forbidden.code()] } else { codes };
        let mut response = json!({
            "description": format!("{description} Codes: {}.", codes.join(", ")),
            "content": {"application/json": {"schema": reference("Failure")}},
        });
        let extra = match status {
            401 => Some(("WWW-Authenticate", header("`Bearer`.", json!({"type": "string"})))),
            405 => Some(("Allow", header("The methods that the path takes.", json!({"type": "string"})))),
            429 => {
                Some(("Retry-After", header("Seconds to wait.", json!({"type": "integer", "minimum": 1}))))
            }
            _ => None,
        };
        if let Some((name, header)) = extra {
            response["headers"] = json!({ name: header });
        }
        all.insert(name.to_owned(), response);
    }
    Value::Object(all)
}
