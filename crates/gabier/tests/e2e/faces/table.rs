//! One sensible call of every tool: what to send, what is right, what may differ from call to call.

use serde_json::{Value, json};

/// A call whose outcome does not depend on the face.
pub(crate) struct Row {
    pub(crate) tool: &'static str,
    /// `$file`, `$web`, `$port`, `$prefix` and `$unique` are filled in at the time.
    pub(crate) arguments: Value,
    /// The status of the envelope, or the code of the failure.
    pub(crate) outcome: &'static str,
    /// Places of the envelope that are compared by their types alone; with `?` not at all, for what only some faces
    /// know of a caller, such as an address.
    pub(crate) volatile: &'static [&'static str],
}

fn row(
    tool: &'static str,
    arguments: Value,
    outcome: &'static str,
    volatile: &'static [&'static str],
) -> Row {
    Row { tool, arguments, outcome, volatile }
}

/// The call of a tool without a row: its own example, or none at all where nothing is required. What it answers is
/// compared by type.
pub(crate) fn row_of_example(tool: &str, schema: &Value) -> Option<Row> {
    let example = schema.pointer("/examples/0").cloned();
    let is_free = schema.get("required").and_then(Value::as_array).is_none_or(Vec::is_empty);
    let arguments = example.or_else(|| is_free.then(|| json!({})))?;
    Some(row(Box::leak(tool.to_owned().into_boxed_str()), arguments, "ok", &["/data"]))
}

/// An id that no task has.
const NO_TASK: &str = "00000000-0000-4000-8000-000000000000";
/// What an unknown name is near to depends on what there is.
const NEAR: &[&str] = &["/details/nearest?", "/next?"];
/// What differs between two handles.
const TASK: &[&str] = &["/data", "/message", "/next"];

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row("read_file", json!({"file_path": "$file"}), "ok", &[]),
        row("system_info", json!({}), "ok", &["/data"]),
        row(
            "disk_usage",
            json!({}),
            "ok",
            &["/data/partitions/*/used", "/data/partitions/*/free", "/data/partitions/*/percent"],
        ),
        row("process_list", json!({"filter": "gabier", "limit": 1}), "ok", &["/data"]),
        row("check_service", json!({"service": "ssh"}), "NOT_AVAILABLE", &[]),
        row("log_analysis", json!({"log_file": "$file", "pattern": "SAILOR"}), "ok", &[]),
        row(
            "ping_host",
            json!({"host": "127.0.0.1", "count": 1}),
            "ok",
            &["/data/rtt_min_ms", "/data/rtt_avg_ms", "/data/rtt_max_ms", "/data/rtt_mdev_ms", "/data/raw"],
        ),
        row("port_scan", json!({"host": "127.0.0.1", "ports": "$port"}), "ok", &["/data/duration_ms"]),
        row("dns_lookup", json!({"name": "known.test", "type": "A"}), "ok", &["/data/records/*/ttl"]),
        row(
            "network_interfaces",
            json!({}),
            "ok",
            &["/data/interfaces/*/rx_bytes", "/data/interfaces/*/tx_bytes"],
        ),
        row("http_request", json!({"url": "$web"}), "ok", &["/data/elapsed_ms"]),
        row("web_search", json!({"query": "gabier"}), "ok", &[]),
        row(
            "synchronousExampleToolEnhanced",
            json!({"data": "abc"}),
            "ok",
            &["/data/ts", "/data/appAuthId", "/data/clientIp?", "/data/frameworkSessionId?"],
        ),
        row("monOutilSync", json!({"donnee_entree": "abc"}), "ok", &["/data/timestamp"]),
        row("correctDebugContextTool", json!({}), "ok", &["/data/client_ip?", "/data/session_id?", "/data"]),
        row("help", json!({"tool": "calculator"}), "ok", &[]),
        row("system_health", json!({}), "ok", &["/data/services/*", "/services/*"]),
        row("system_about", json!({}), "ok", &[]),
        row(
            "admin_create_token",
            json!({"client_name": "walk"}),
            "created",
            &["/data/token", "/data/token_hash_prefix", "/data/expires_at"],
        ),
        row("admin_list_tokens", json!({}), "ok", &["/data"]),
        row(
            "admin_update_token",
            json!({"token_hash_prefix": "$prefix", "set_email": "a@gabier.example"}),
            "ok",
            &["/data/previous", "/data/current"],
        ),
        row(
            "admin_revoke_token",
            json!({"token_hash_prefix": "$prefix"}),
            "deleted",
            &["/data/token_hash_prefix"],
        ),
        // The command line would wait for the end.
        row(
            "asynchronousTaskSimulatorEnhanced",
            json!({"duration_ms": 100, "value1": 1, "value2": 2, "background": true}),
            "ok",
            TASK,
        ),
        row("monOutilAsync", json!({"parametre_essentiel": "abc", "background": true}), "ok", TASK),
        // The log of a process is its own.
        row("task_logs", json!({}), "ok", &["/data?"]),
        row("task_queue", json!({"status": "pending_approval"}), "ok", &[]),
        row("task_status", json!({"id": NO_TASK}), "NOT_FOUND", &[]),
        row("task_wait", json!({"id": NO_TASK}), "NOT_FOUND", &[]),
        row("task_cancel", json!({"id": NO_TASK}), "NOT_FOUND", &[]),
        row("task_output", json!({"id": NO_TASK}), "NOT_FOUND", &[]),
        row("task_history", json!({"status": "pending_approval"}), "ok", &[]),
        row("task_retry", json!({"id": NO_TASK}), "NOT_FOUND", &[]),
        row("queue_stats", json!({}), "ok", &["/data?"]),
        row("dlq_list", json!({}), "ok", &[]),
        row("dlq_get", json!({"id": NO_TASK}), "NOT_FOUND", &[]),
        row("dlq_retry", json!({"id": NO_TASK}), "NOT_FOUND", &[]),
        row("dlq_purge", json!({"id": NO_TASK}), "NOT_FOUND", &[]),
        row(
            "schedule_add",
            json!({"name": "$unique", "tool": "monOutilAsync", "arguments": {"parametre_essentiel": "abc"},
                "every_s": 86_400}),
            "ok",
            &["/data/name", "/data/next_at"],
        ),
        row("schedule_list", json!({}), "ok", &["/data?"]),
        row("schedule_remove", json!({"name": "none"}), "not_found", &[]),
        row("queue_pause", json!({"queue": "spare"}), "ok", &[]),
        row("queue_resume", json!({"queue": "spare"}), "ok", &[]),
        row("webhook_list", json!({}), "ok", &[]),
        row("webhook_replay", json!({"id": NO_TASK}), "NOT_FOUND", &[]),
        // Nothing listens there: the host is kept all the same.
        row(
            "server_add",
            json!({"alias": "$unique", "host": "127.0.0.1", "user": "bob", "agent": true, "port": 1}),
            "warning",
            &["/data/alias", "/message"],
        ),
        row("server_list", json!({}), "ok", &["/data?"]),
        row("server_remove", json!({"alias": "none"}), "not_found", &[]),
        row("hostkey_show", json!({"alias": "none"}), "NOT_FOUND", NEAR),
        row("hostkey_accept", json!({"alias": "none", "fingerprint": "SHA256:none"}), "NOT_FOUND", NEAR),
        row("task_exec", json!({"alias": "none", "cmd": "true"}), "NOT_FOUND", NEAR),
        row("task_exec_interactive", json!({"alias": "none", "cmd": "true"}), "NOT_FOUND", NEAR),
        row("task_exec_sequence", json!({"alias": "none", "commands": ["true"]}), "NOT_FOUND", NEAR),
        row(
            "task_transfer",
            json!({"alias": "none", "direction": "upload", "local": "$file", "remote": "/nowhere"}),
            "NOT_FOUND",
            NEAR,
        ),
        row(
            "task_transfer_multi",
            json!({"alias": "none", "direction": "download", "files": [{"local": "a", "remote": "b"}]}),
            "NOT_FOUND",
            NEAR,
        ),
        row("get_system_resources", json!({"alias": "none"}), "NOT_FOUND", NEAR),
        row("get_services_status", json!({"alias": "none"}), "NOT_FOUND", NEAR),
        row("get_fail2ban_status", json!({"alias": "none", "jail": "sshd"}), "NOT_FOUND", NEAR),
        row("get_pm2_logs", json!({"alias": "none"}), "NOT_FOUND", NEAR),
        row("get_docker_logs", json!({"alias": "none", "container": "db"}), "NOT_FOUND", NEAR),
        row("tail_file", json!({"alias": "none", "filepath": "/x"}), "NOT_FOUND", NEAR),
        row("check_api_health", json!({"alias": "none", "url": "http://127.0.0.1/"}), "NOT_FOUND", NEAR),
        row(
            "api_add",
            json!({"alias": "$unique", "url": "http://127.0.0.1:1/"}),
            "created",
            &["/data/alias"],
        ),
        row("api_list", json!({}), "ok", &["/data?"]),
        row("api_remove", json!({"alias": "none"}), "not_found", &[]),
        row("api_check", json!({"alias": "none"}), "NOT_FOUND", NEAR),
        row("tool_search", json!({"query": "disk"}), "ok", &[]),
        row("tool_describe", json!({"name": "disk_usage"}), "ok", &[]),
        row("tool_call", json!({"name": "calculator", "arguments": {"expression": "1 + 1"}}), "ok", &[]),
    ]
}

/// Replaces what may differ by its type: lists by the type of their first item.
pub(crate) fn blur(envelope: &Value, volatile: &[&str]) -> Value {
    let mut envelope = envelope.clone();
    for place in volatile.iter().chain(&["/timestamp", "/details/request_id", "/details/task_id"]) {
        let steps: Vec<&str> = place.split('/').skip(1).collect();
        blur_at(&mut envelope, &steps);
    }
    envelope
}

fn blur_at(value: &mut Value, steps: &[&str]) {
    match (steps, value) {
        ([], value) => *value = shape(value),
        (["*", rest @ ..], Value::Array(items)) => items.iter_mut().for_each(|item| blur_at(item, rest)),
        (["*", rest @ ..], Value::Object(object)) => object.values_mut().for_each(|item| blur_at(item, rest)),
        ([step, rest @ ..], Value::Object(object)) => match step.strip_suffix('?') {
            Some(step) => {
                object.shift_remove(step);
            }
            None => {
                if let Some(inner) = object.get_mut(*step) {
                    blur_at(inner, rest);
                }
            }
        },
        _ => {}
    }
}

fn shape(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => "a boolean".into(),
        Value::Number(_) => "a number".into(),
        Value::String(_) => "a text".into(),
        Value::Array(items) => items.first().map(shape).into_iter().collect(),
        Value::Object(object) => object.iter().map(|(key, inner)| (key.clone(), shape(inner))).collect(),
    }
}
