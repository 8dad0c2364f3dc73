//! The one way through.

use gabier_tool::{Permission, Permissions, Surface};
use serde_json::{Value, json};

use crate::fixture::{Bench, Gate, Journal};

async fn check(bench: &Bench, tool: &str, arguments: Value, code: &str) -> Value {
    let reply = bench.ask(tool, &arguments).await;
    let envelope = reply.envelope.to_value();
    let said = envelope.get("code").or_else(|| envelope.get("status")).and_then(Value::as_str);
    assert_eq!(said, Some(code), "{envelope}");
    envelope
}

#[tokio::test]
async fn a_call_is_answered_by_the_envelope() {
    let bench = Bench::new();
    let envelope = check(&bench, "echo", json!({"text": "ab", "howOften": 2.0}), "ok").await;
    assert_eq!(envelope, json!({"status": "ok", "data": {"said": "abab"}}));
}

#[tokio::test]
async fn a_failure_names_code_message_details_and_time() {
    let bench = Bench::new();
    let envelope = check(&bench, "echo", json!({"text": ""}), "INVALID_ARGUMENT").await;
    assert_eq!(
        envelope,
        json!({
            "status": "error", "error": true, "code": "INVALID_ARGUMENT", "message": "text: must not be empty",
            "details": {"errors": [
                {"pointer": "/text", "parameter": "text", "flag": "--text", "message": "must not be empty"},
            ]},
            "retriable": false, "timestamp": "2026-01-02T03:04:05.678Z",
        }),
    );
}

#[tokio::test]
async fn an_unknown_tool_is_not_found_with_the_nearest_name() {
    let envelope = check(&Bench::new(), "ecko", json!({}), "NOT_FOUND").await;
    assert_eq!(envelope["details"]["nearest"], json!(["echo"]));
}

#[tokio::test]
async fn an_alias_calls_its_tool() {
    check(&Bench::new(), "say", json!({"text": "x"}), "ok").await;
}

#[tokio::test]
async fn a_missing_right_is_refused_before_anything_runs() {
    let mut bench = Bench::new();
    bench.permissions = Permissions::NONE.with(Permission::Read);
    check(&bench, "remove", json!({"name": "panics"}), "FORBIDDEN").await;
    assert_eq!(*bench.journal.lines.lock().unwrap(), ["outcome remove FORBIDDEN"]);
}

#[tokio::test]
async fn rights_are_those_of_the_moment_of_the_call() {
    let bench = Bench::with(false, Journal::default(), Gate { revoked: true });
    check(&bench, "echo", json!({"text": "x"}), "UNAUTHENTICATED").await;
}

#[tokio::test]
async fn a_changing_call_is_recorded_before_it_runs_and_without_secrets() {
    let bench = Bench::new();
    check(&bench, "remove", json!({"name": "x", "password": "hunter22"}), "deleted").await;
    assert_eq!(
        *bench.journal.lines.lock().unwrap(),
        [r#"intent remove {"name":"x","password":"[REDACTED]"}"#, "outcome remove ok"],
    );
}

#[tokio::test]
async fn a_changing_call_that_cannot_be_recorded_is_refused() {
    let bench = Bench::with(false, Journal { full: true, ..Journal::default() }, Gate { revoked: false });
    check(&bench, "remove", json!({"name": "panics"}), "AUDIT_UNAVAILABLE").await;
    check(&bench, "echo", json!({"text": "reading goes on"}), "ok").await;
}

#[tokio::test]
async fn a_tool_refuses_early_in_prepare() {
    let bench = Bench::new();
    check(&bench, "remove", json!({"name": "unprepared"}), "INVALID_ARGUMENT").await;
    assert_eq!(bench.journal.lines.lock().unwrap().len(), 1, "no intent was recorded");
}

#[tokio::test]
async fn a_dry_run_plans_and_does_nothing() {
    let bench = Bench::new();
    let envelope = check(&bench, "remove", json!({"name": "panics", "dry_run": true}), "ok").await;
    assert_eq!(envelope["data"]["steps"], json!(["remove panics"]));
    assert_eq!(envelope["data"]["decision"], "allow");
    assert_eq!(*bench.journal.lines.lock().unwrap(), ["outcome remove ok"]);
}

#[tokio::test]
async fn a_panic_is_one_failed_call_and_keeps_its_words_to_the_log() {
    let bench = Bench::new();
    let envelope = check(&bench, "remove", json!({"name": "panics"}), "INTERNAL").await;
    assert_eq!(envelope["details"], json!({"request_id": "r1"}));
    let envelope = check(&bench, "remove", json!({"name": "fails"}), "INTERNAL").await;
    assert!(!envelope.to_string().contains("/etc/x"));
}

#[tokio::test]
async fn a_call_ends_at_its_limit() {
    let bench = Bench::with(true, Journal::default(), Gate { revoked: false });
    let envelope = check(&bench, "remove", json!({"name": "hangs"}), "TIMEOUT").await;
    assert_eq!(envelope["details"]["limit_s"], 30.0);
}

#[tokio::test]
async fn a_caller_who_gives_up_ends_the_call() {
    let bench = Bench::new();
    let call = bench.call("remove", &json!({"name": "hangs"}));
    let cancel = call.cancel.clone();
    let (reply, ()) = futures::join!(bench.dispatch.call(call), async { cancel.cancel() });
    assert_eq!(reply.envelope.to_value()["code"], "CANCELLED");
}

#[tokio::test]
async fn a_forwarded_call_has_the_rights_of_its_target() {
    let mut bench = Bench::new();
    let envelope = check(&bench, "relay", json!({"name": "echo", "arguments": {"text": "x"}}), "ok").await;
    assert_eq!(envelope["data"]["said"], "x");
    let envelope = check(&bench, "relay", json!({"name": "echo"}), "INVALID_ARGUMENT").await;
    assert_eq!(envelope["details"]["schema"]["required"], json!(["text"]));
    check(&bench, "relay", json!({"name": "relay"}), "INVALID_ARGUMENT").await;
    bench.permissions = Permissions::NONE;
    check(&bench, "relay", json!({"name": "remove", "arguments": {"name": "panics"}}), "FORBIDDEN").await;
}

#[tokio::test]
async fn control_sequences_of_a_result_are_shown_and_counted() {
    let envelope = check(&Bench::new(), "echo", json!({"text": "a\u{1b}[31mb"}), "ok").await;
    assert_eq!(envelope["data"]["said"], "a␛[31mb");
    assert_eq!(envelope["sanitised"], json!({"ansi": 1}));
}

#[tokio::test]
async fn long_text_is_cut_over_mcp_alone() {
    let bench = Bench::new();
    let arguments = json!({"text": "x".repeat(20_000), "how_often": 5});
    let said =
        |reply: gabier_tool::Reply| reply.envelope.to_value()["data"]["said"].as_str().unwrap().to_owned();
    assert_eq!(said(bench.ask("echo", &arguments).await).len(), 100_000);
    let mut call = bench.call("echo", &arguments);
    call.surface = Surface::McpHttp;
    let cut = said(bench.dispatch.call(call).await);
    assert!(cut.len() < 41_000 && cut.contains("60000 of 100000 bytes left out"), "{}", cut.len());
}

#[tokio::test]
async fn status_http_status_and_exit_code_agree() {
    let bench = Bench::new();
    for (tool, arguments, http, exit, is_error) in [
        ("echo", json!({"text": "x"}), 200, 0, false),
        ("echo", json!({}), 422, 2, true),
        ("nothing", json!({}), 404, 4, true),
        ("remove", json!({"name": "fails"}), 500, 70, true),
    ] {
        let envelope = bench.ask(tool, &arguments).await.envelope;
        assert_eq!(
            (envelope.http_status(), envelope.exit_code(), envelope.is_error()),
            (http, exit, is_error)
        );
    }
}
