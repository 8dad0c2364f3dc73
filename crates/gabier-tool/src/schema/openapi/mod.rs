//! The OpenAPI 3.1 document of a catalog, written by hand so that it says what is truly sent.
//!
//! `jsonSchemaDialect` is left out: Swagger UI warns of every value but the default.

use serde_json::{Map, Value, json};

use super::param::{Kind, Param};
use crate::catalog::{Catalog, Entry};
use crate::effect::{Effect, Permission};

mod answers;
mod components;
mod server;

use answers::{responses, tool_responses};
use components::{add_schemas, common_schemas, reference, tidy, type_name};
use server::server_paths;

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

/// A path of its own for a tool; `{name}` in it stands for a parameter.
#[derive(Clone, Debug)]
pub struct ShortPath {
    /// `get`, `post` or `delete`.
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
            path.insert("get".to_owned(), get_operation(entry, server, "get", ""));
        }
        path.insert("post".to_owned(), post_operation(entry, server, "post"));
        paths.insert(format!("/api/v1/tools/{}", entry.facts.name), Value::Object(path));
    }
    for short in &server.short_paths {
        let Some(entry) = catalog.get(&short.tool) else { continue };
        let operation = match short.method.as_str() {
            "get" => get_operation(entry, server, "short_get", &short.path),
            "delete" => delete_operation(entry, server, &short.path),
            _ => post_operation(entry, server, "short_post"),
        };
        let path = paths.entry(short.path.clone()).or_insert_with(|| json!({}));
        path[short.method.as_str()] = operation;
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

fn get_operation(entry: &Entry, server: &OpenApi, prefix: &str, path: &str) -> Value {
    let mut operation = operation(entry, server, prefix);
    let parameters: Vec<Value> =
        entry.params().iter().filter_map(|param| parameter(entry, param, path)).collect();
    if !parameters.is_empty() {
        insert_before_responses(&mut operation, "parameters", parameters.into());
    }
    Value::Object(operation)
}

/// What a path names is all that a `DELETE` says.
fn delete_operation(entry: &Entry, server: &OpenApi, path: &str) -> Value {
    let mut operation = operation(entry, server, "delete");
    let named = entry.params().iter().filter(|param| is_named(path, param));
    let parameters: Vec<Value> = named.filter_map(|param| parameter(entry, param, path)).collect();
    insert_before_responses(&mut operation, "parameters", parameters.into());
    Value::Object(operation)
}

/// A parameter outside the body: in the path where that names it, else in the query.
fn parameter(entry: &Entry, param: &Param, path: &str) -> Option<Value> {
    let name = param.path.first()?;
    let mut schema = entry.schemas().input.get("properties")?.get(name)?.clone();
    tidy(&mut schema, "");
    let description = schema.as_object_mut()?.shift_remove("description").unwrap_or_default();
    let (place, required) = if is_named(path, param) { ("path", true) } else { ("query", param.required) };
    Some(json!({
        "name": name, "in": place, "required": required, "description": description, "schema": schema,
    }))
}

fn is_named(path: &str, param: &Param) -> bool {
    param.path.len() == 1 && path.contains(&format!("{{{}}}", param.path[0]))
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
