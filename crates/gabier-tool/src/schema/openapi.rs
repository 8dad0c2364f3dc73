//! The OpenAPI 3.1 document of a catalog, written by hand so that it says what is truly sent.
//!
//! `jsonSchemaDialect` is left out: Swagger UI warns of every value but the default.

use serde_json::{Map, Value, json};

use super::param::{Kind, Param};
use crate::catalog::{Catalog, Entry};
use crate::effect::{Effect, Permission};
use crate::envelope::Status;
use crate::error::ErrorKind;

/// What a server is, for its document.
#[derive(Clone, Debug)]
pub struct OpenApi {
    /// The service's name.
    pub service: String,
    /// The service's version.
    pub version: String,
    /// True when calls need a token.
    pub needs_token: bool,
    /// The path of the health check.
    pub health_path: String,
    /// Paths of their own that tools have.
    pub short_paths: Vec<ShortPath>,
}

/// A path of its own for a tool.
#[derive(Clone, Debug)]
pub struct ShortPath {
    /// `get` or `post`.
    pub method: String,
    /// The path.
    pub path: String,
    /// The tool.
    pub tool: String,
}

/// True when a link may call the tool: it changes nothing, carries nothing out, and its parameters are plain words
/// that may stand in a URL.
pub fn is_linkable(entry: &Entry) -> bool {
    entry.facts.effect == Effect::Read
        && !entry.facts.needs.contains(&Permission::Net)
        && entry.params().iter().all(|param| !param.secret && param.path.len() == 1 && is_flat(&param.kind))
}

fn is_flat(kind: &Kind) -> bool {
    match kind {
        Kind::Bool | Kind::Int { .. } | Kind::Num | Kind::Str { .. } | Kind::Enum(_) => true,
        Kind::List(item) => !matches!(**item, Kind::List(_)) && is_flat(item),
        Kind::Map(_) | Kind::Record(_) | Kind::Json => false,
    }
}

/// The document. The same catalog and server give the same bytes.
pub fn openapi(catalog: &Catalog, server: &OpenApi) -> Value {
    let mut paths = server_paths(server);
    let mut schemas = common_schemas();
    let mut tags: Vec<&str> = vec!["server"];
    for entry in catalog.iter() {
        if !tags.contains(&entry.toolset) {
            tags.push(entry.toolset);
        }
        add_schemas(&mut schemas, entry);
        let mut path = Map::new();
        if is_linkable(entry) {
            path.insert("get".to_owned(), get_operation(entry, server, "get"));
        }
        path.insert("post".to_owned(), post_operation(entry, server, "post"));
        paths.insert(format!("/api/v1/tools/{}", entry.facts.name), Value::Object(path));
    }
    for short in &server.short_paths {
        let Some(entry) = catalog.get(&short.tool) else { continue };
        let operation = match short.method.as_str() {
            "get" => get_operation(entry, server, "short"),
            _ => post_operation(entry, server, "short"),
        };
        paths.insert(short.path.clone(), json!({ short.method.as_str(): operation }));
    }
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": server.service,
            "version": server.version,
            "summary": "The tools of this server over HTTP",
            "description": "Every tool is called with `POST /api/v1/tools/NAME` and a JSON object; \
                `POST /call/NAME` is the same. Tools that change nothing and take plain words also answer `GET`. \
                The answer is always one envelope: `{status, data}`, or `{status: \"error\", code, message, …}`.\n\n\
                `Accept` chooses the form: JSON, `text/markdown`, `text/html`, `application/x-ndjson`, \
                `application/vnd.gabier.view+json`, or `text/event-stream` for progress and then the result.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server"}],
        "tags": tags.iter().map(|tag| json!({"name": tag})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses(),
            "securitySchemes": {"bearer": {
                "type": "http", "scheme": "bearer",
                "description": "A token, in the `Authorization` header and nowhere else.",
            }},
        },
    })
}

/// `ping_host` = `PingHost`.
fn type_name(tool: &str) -> String {
    tool.split(['_', '-', '.']).fold(String::new(), |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn post_operation(entry: &Entry, server: &OpenApi, prefix: &str) -> Value {
    let mut operation = operation(entry, server, prefix);
    let is_required =
        entry.schemas().input.get("required").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    let mut content = json!({"schema": reference(&format!("{}Input", type_name(entry.facts.name)))});
    if let Some(example) = example(entry) {
        content["example"] = example;
    }
    let body = json!({"required": is_required, "content": {"application/json": content}});
    insert_before_responses(&mut operation, "requestBody", body);
    Value::Object(operation)
}

fn get_operation(entry: &Entry, server: &OpenApi, prefix: &str) -> Value {
    let mut operation = operation(entry, server, prefix);
    let properties = entry.schemas().input.get("properties").and_then(Value::as_object);
    let parameters = entry.params().iter().filter_map(|param| {
        let mut schema = properties?.get(param.path.first()?)?.clone();
        tidy(&mut schema, "");
        let description = schema.as_object_mut()?.shift_remove("description").unwrap_or_default();
        Some(json!({
            "name": param.path.first()?, "in": "query", "required": param.required,
            "description": description, "schema": schema,
        }))
    });
    let parameters: Vec<Value> = parameters.collect();
    if !parameters.is_empty() {
        insert_before_responses(&mut operation, "parameters", parameters.into());
    }
    Value::Object(operation)
}

fn insert_before_responses(operation: &mut Map<String, Value>, key: &str, value: Value) {
    let responses = operation.shift_remove("responses").unwrap_or_default();
    operation.insert(key.to_owned(), value);
    operation.insert("responses".to_owned(), responses);
}

fn operation(entry: &Entry, server: &OpenApi, prefix: &str) -> Map<String, Value> {
    let schemas = entry.schemas();
    let rights: Vec<&str> = entry.facts.needs.iter().map(|right| right.name()).collect();
    let description = format!(
        "{}\n\nEffect: {}. Needs: {}.",
        schemas.description,
        entry.facts.effect.name(),
        rights.join(" or "),
    );
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), format!("{prefix}_{}", entry.facts.name).into());
    operation.insert("tags".to_owned(), json!([entry.toolset]));
    operation.insert("summary".to_owned(), entry.title().into());
    operation.insert("description".to_owned(), description.into());
    if server.needs_token && !entry.facts.needs.contains(&Permission::Public) {
        operation.insert("security".to_owned(), json!([{"bearer": []}]));
    }
    operation.insert("responses".to_owned(), tool_responses(entry));
    operation
}

/// A call that can be sent as it stands, when the schema gives one for every required parameter.
fn example(entry: &Entry) -> Option<Value> {
    let input = &entry.schemas().input;
    if let Some(whole) = input.get("examples").and_then(|examples| examples.get(0)) {
        return Some(whole.clone());
    }
    let properties = input.get("properties")?.as_object()?;
    let required: Vec<&Param> = entry.params().iter().filter(|param| param.required).collect();
    let given = required.iter().map(|param| {
        let name = param.path.first()?;
        let schema = properties.get(name)?;
        let value = schema.get("examples").and_then(|all| all.get(0)).or_else(|| schema.get("default"));
        Some((name.clone(), value?.clone()))
    });
    given.collect::<Option<Map<_, _>>>().map(Value::Object)
}

fn tool_responses(entry: &Entry) -> Value {
    let success = success(entry);
    let mut responses = Map::new();
    responses.insert("200".to_owned(), success.clone());
    if !entry.facts.effect.is_read() {
        let mut created = success;
        created["description"] = "Carried out; something new exists.".into();
        responses.insert("201".to_owned(), created);
    }
    add_failures(&mut responses, &FAILURES);
    Value::Object(responses)
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

/// The statuses of failures, as component names.
const FAILURES: [(u16, &str, &str); 15] = [
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
    (500, "Internal", "A bug of the server."),
    (501, "NotAvailable", "The machine lacks what the tool needs."),
    (502, "BadGateway", "Another host failed."),
    (503, "Unavailable", "A part of the server is down."),
];

const TIMEOUT: (u16, &str, &str) = (504, "Timeout", "It took longer than allowed.");

fn add_failures(responses: &mut Map<String, Value>, failures: &[(u16, &str, &str)]) {
    for (status, name, _) in failures.iter().chain([&TIMEOUT]) {
        let reference = json!({"$ref": format!("#/components/responses/{name}")});
        responses.insert(status.to_string(), reference);
    }
}

fn responses() -> Value {
    let header = |description: &str, schema: Value| json!({"description": description, "schema": schema});
    let mut all = Map::new();
    for (status, name, description) in FAILURES.iter().chain([&TIMEOUT]) {
        let codes: Vec<&str> = ErrorKind::ALL
            .iter()
            .map(|kind| kind.row())
            .filter(|row| row.http == *status)
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
        all.insert((*name).to_owned(), response);
    }
    Value::Object(all)
}

fn add_schemas(all: &mut Map<String, Value>, entry: &Entry) {
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
fn tidy(schema: &mut Value, owner: &str) {
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

fn common_schemas() -> Map<String, Value> {
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

/// The routes that are no tools.
fn server_paths(server: &OpenApi) -> Map<String, Value> {
    let text = json!({"schema": {"type": "string"}});
    let own = |name: &str| json!({"schema": reference(name)});
    let health = || json!({"application/json": own("Health"), "text/plain": text});
    let list = || json!({"application/json": own("ToolList")});
    let html = || json!({"text/html": text});
    let ready = json!({"application/json": own("Ready")});
    let rows = [
        (
            "/",
            "server",
            "What this server is",
            json!({"application/json": own("Server"), "text/html": text}),
            false,
        ),
        (server.health_path.as_str(), "health", "Whether it is alive", health(), false),
        ("/healthz", "healthz", "Whether it is alive", health(), false),
        ("/ready", "ready", "Whether every part of it works", ready.clone(), false),
        ("/metrics", "metrics", "What it counted", json!({"application/openmetrics-text": text}), true),
        ("/tools", "tools", "The tools that the caller may use", list(), true),
        ("/api/v1/tools", "tools_v1", "The tools that the caller may use", list(), true),
        (
            "/openapi.json",
            "openapi",
            "This document",
            json!({"application/json": {"schema": {"type": "object"}}}),
            false,
        ),
        ("/docs", "docs", "Swagger UI", html(), false),
        ("/redoc", "redoc", "The reference for reading", html(), false),
    ];
    let mut paths = Map::new();
    for (path, id, summary, content, is_private) in rows {
        let mut responses = Map::new();
        responses.insert("200".to_owned(), json!({"description": "As asked.", "content": content}));
        add_failures(&mut responses, &FAILURES);
        if id == "ready" {
            let down = json!({"description": "A part is not up.", "content": ready});
            responses.insert("503".to_owned(), down);
        }
        let mut operation = json!({"operationId": id, "tags": ["server"], "summary": summary});
        if server.needs_token && is_private {
            operation["security"] = json!([{"bearer": []}]);
        }
        operation["responses"] = Value::Object(responses);
        paths.insert(path.to_owned(), json!({"get": operation}));
    }
    paths
}
