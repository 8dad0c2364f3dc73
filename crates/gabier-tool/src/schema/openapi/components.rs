//! The schemas that operations name.

use serde_json::{Map, Value, json};

use crate::catalog::Entry;
use crate::envelope::Status;
use crate::error::ErrorKind;

/// `ping_host` = `PingHost`.
pub(super) fn type_name(tool: &str) -> String {
    tool.split(['_', '-', '.']).fold(String::new(), |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

/// Points at a component.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Adds what a tool takes and gives.
pub(super) fn add_schemas(all: &mut Map<String, Value>, entry: &Entry) {
    let schemas = entry.schemas();
    let name = type_name(entry.facts.name);
    let mut input = schemas.input.clone();
    accept_null(&mut input);
    put(all, &format!("{name}Input"), input);
    put(all, &format!("{name}Output"), schemas.output.clone());
    let mut data = reference(&format!("{name}Output"));
    if !entry.facts.effect.is_read() {
        data = json!({"anyOf": [data, reference("DryRun")]});
    }
    let result = json!({
        "type": "object",
        "required": ["status", "data"],
        "properties": {
            "status": {"type": "string", "enum": Status::NAMES},
            "message": {"type": "string", "description": "What there is to know beside the data."},
            "data": data,
            "sanitised": reference("Sanitised"),
        },
    });
    all.insert(format!("{name}Result"), result);
}

/// Puts a schema among the components, its own definitions beside it.
fn put(all: &mut Map<String, Value>, name: &str, mut schema: Value) {
    let definitions = schema.as_object_mut().and_then(|object| object.shift_remove("$defs"));
    tidy(&mut schema, name);
    all.insert(name.to_owned(), schema);
    if let Some(Value::Object(definitions)) = definitions {
        for (own, mut definition) in definitions {
            tidy(&mut definition, name);
            all.insert(format!("{name}.{own}"), definition);
        }
    }
}

/// Drops our own marks, and points references at the components.
pub(super) fn tidy(schema: &mut Value, owner: &str) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| tidy(item, owner)),
        Value::Object(object) => {
            object.retain(|key, _| !key.starts_with("x-") && key != "$schema");
            if let Some(Value::String(target)) = object.get_mut("$ref") {
                let moved = match target.strip_prefix("#/$defs/") {
                    Some(own) => Some(format!("#/components/schemas/{owner}.{own}")),
                    None => (target == "#").then(|| format!("#/components/schemas/{owner}")),
                };
                if let Some(moved) = moved {
                    *target = moved;
                }
            }
            for (key, inner) in object.iter_mut() {
                match key.as_str() {
                    "default" | "examples" | "enum" | "const" => {}
                    "properties" | "patternProperties" => {
                        let all = inner.as_object_mut().into_iter().flat_map(Map::values_mut);
                        all.for_each(|schema| tidy(schema, owner));
                    }
                    _ => tidy(inner, owner),
                }
            }
        }
        _ => {}
    }
}

/// A null for an optional parameter is taken as none, at any depth; the document says so.
fn accept_null(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    let required: Vec<String> = match object.get("required") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for (name, inner) in properties.iter_mut() {
            accept_null(inner);
            if !required.contains(name) {
                or_null(inner);
            }
        }
    }
    if let Some(items) = object.get_mut("items") {
        accept_null(items);
    }
}

fn or_null(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(words)) = object.get_mut("enum")
        && !words.contains(&Value::Null)
    {
        words.push(Value::Null);
    }
    match object.get("type").cloned() {
        Some(Value::String(kind)) => {
            object.insert("type".to_owned(), json!([kind, "null"]));
        }
        Some(_) => {}
        None => {
            for key in ["anyOf", "oneOf"] {
                if let Some(Value::Array(branches)) = object.get_mut(key) {
                    branches.push(json!({"type": "null"}));
                }
            }
        }
    }
}

/// Adds what all tools and routes share.
#[expect(clippy::too_many_lines, reason = "a flat table of schemas")]
pub(super) fn common_schemas() -> Map<String, Value> {
    let codes: Vec<&str> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
    let schemas = json!({
        "Failure": {
            "type": "object",
            "description": "What went wrong, in the same form everywhere.",
            "required": ["status", "error", "code", "message", "details", "retriable", "timestamp"],
            "properties": {
                "status": {"const": "error"},
                "error": {"const": true},
                "code": {"type": "string", "enum": codes},
                "message": {"type": "string", "description": "What was being done to what."},
                "details": {
                    "type": "object",
                    "properties": {"errors": {"type": "array", "items": reference("Fault")}},
                },
                "next": {"type": "string", "description": "A concrete next step."},
                "retriable": {"type": "boolean", "description": "Whether the same call may succeed later."},
                "timestamp": {"type": "string", "format": "date-time"},
            },
        },
        "Fault": {
            "type": "object",
            "description": "One wrong argument.",
            "required": ["message"],
            "properties": {
                "pointer": {"type": "string", "description": "A JSON pointer into the arguments."},
                "parameter": {"type": "string"},
                "flag": {"type": "string", "description": "The flag on the command line."},
                "message": {"type": "string"},
            },
        },
        "Sanitised": {
            "type": "object",
            "description": "How many control characters in the data were made visible, by kind.",
            "properties": {
                "ansi": {"type": "integer", "minimum": 1},
                "bidi": {"type": "integer", "minimum": 1},
                "invisible": {"type": "integer", "minimum": 1},
                "tag": {"type": "integer", "minimum": 1},
            },
        },
        "DryRun": {
            "type": "object",
            "description": "What the call would have done (`dry_run`).",
            "required": ["dry_run", "tool", "effect", "decision", "arguments", "steps", "targets"],
            "properties": {
                "dry_run": {"const": true},
                "tool": {"type": "string"},
                "effect": {"type": "string", "enum": ["read", "write", "exec", "destroy"]},
                "decision": {"type": "string"},
                "rule": {"type": ["string", "null"]},
                "arguments": {"type": "object"},
                "steps": {"type": "array", "items": {"type": "string"}},
                "targets": {"type": "array", "items": {"type": "string"}},
            },
        },
        "TaskHandle": {
            "type": "object",
            "description": "Work that goes on as a task.",
            "required": ["status", "data", "next"],
            "properties": {
                "status": {"const": "ok"},
                "message": {"type": "string"},
                "next": {"type": "string", "description": "The call that waits for its end."},
                "data": {
                    "type": "object",
                    "required": ["id", "status"],
                    "properties": {"id": {"type": "string"}, "status": {"type": "string"}},
                },
            },
        },
        "FullResult": {
            "type": "object",
            "description": "An envelope, how it looks, and the exit code that agrees with it.",
            "required": ["envelope", "view", "exit_code"],
            "properties": {
                "envelope": {"type": "object", "required": ["status"]},
                "view": {"type": "object", "required": ["blocks"], "properties": {"blocks": {"type": "array"}}},
                "exit_code": {"type": "integer", "minimum": 0, "maximum": 255},
            },
        },
        "ToolList": {
            "type": "object",
            "required": ["status", "data"],
            "properties": {
                "status": {"const": "ok"},
                "data": {
                    "type": "object",
                    "required": ["tools"],
                    "properties": {"tools": {"type": "array", "items": reference("Tool")}},
                },
            },
        },
        "Tool": {
            "type": "object",
            "required": ["name", "title", "toolset", "summary", "description", "effect", "mode", "needs", "input", "output"],
            "properties": {
                "name": {"type": "string"},
                "title": {"type": "string"},
                "toolset": {"type": "string"},
                "summary": {"type": "string"},
                "description": {"type": "string"},
                "effect": {"type": "string", "enum": ["read", "write", "exec", "destroy"]},
                "mode": {"type": "string", "enum": ["inline", "hybrid", "background"]},
                "needs": {"type": "array", "items": {"type": "string"}},
                "profile": {"type": "string"},
                "aliases": {"type": "array", "items": {"type": "string"}},
                "input": {"type": "object", "description": "JSON Schema of the arguments."},
                "output": {"type": "object", "description": "JSON Schema of the result."},
            },
        },
        "Health": {
            "type": "object",
            "required": ["status", "service", "version", "transport", "uptime_s"],
            "properties": {
                "status": {"const": "ok"},
                "service": {"type": "string"},
                "version": {"type": "string"},
                "transport": {"type": "string"},
                "uptime_s": {"type": "integer", "minimum": 0},
            },
        },
        "Ready": {
            "type": "object",
            "required": ["ready", "status", "total"],
            "properties": {
                "ready": {"type": "boolean"},
                "status": {"type": "string"},
                "total": {"type": "integer", "minimum": 0},
            },
        },
        "Server": {
            "type": "object",
            "required": ["service", "version", "tools", "links"],
            "properties": {
                "service": {"type": "string"},
                "version": {"type": "string"},
                "tools": {"type": "integer", "minimum": 0},
                "links": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
    });
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}
