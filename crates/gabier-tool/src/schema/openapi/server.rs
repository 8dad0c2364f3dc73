//! The operations that are no tools.

use serde_json::{Map, Value, json};

use super::OpenApi;
use super::answers::add_failures;
use super::components::reference;

/// The routes that are no tools.
pub(super) fn server_paths(server: &OpenApi) -> Map<String, Value> {
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
        add_failures(&mut responses);
        if ["tools", "tools_v1", "openapi"].contains(&id) {
            let same = json!({"description": "Unchanged since the `ETag` that `If-None-Match` names."});
            responses.insert("304".to_owned(), same);
        }
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
