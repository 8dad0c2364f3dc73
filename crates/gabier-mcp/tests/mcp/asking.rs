//! Questions to the person behind a client, in both eras.

use serde_json::{Value, json};

use crate::fixture::{Bench, caller, modern};

fn remove(extra: &Value) -> Value {
    let mut params = json!({"name": "remove", "arguments": {"name": "x"}});
    params.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    params
}

async fn asked(bench: &Bench) -> String {
    let (_, answer) = bench.modern("tools/call", remove(&json!({}))).await;
    let result = &answer["result"];
    assert_eq!(result["resultType"], "input_required", "{answer}");
    assert_eq!(result["inputRequests"]["sure"]["method"], "elicitation/create");
    assert_eq!(result["inputRequests"]["sure"]["params"]["message"], "Remove x?");
    result["requestState"].as_str().unwrap().to_owned()
}

fn reply(state: &str, action: &str) -> Value {
    json!({
        "requestState": state,
        "inputResponses": {"sure": {"action": action, "content": {"yes": true}}},
    })
}

#[tokio::test]
async fn a_modern_call_ends_with_the_question_and_runs_anew_with_the_answer() {
    let bench = Bench::new();
    let state = asked(&bench).await;
    let (_, answer) = bench.modern("tools/call", remove(&reply(&state, "accept"))).await;
    assert_eq!(answer["result"]["structuredContent"]["data"]["name"], "x", "{answer}");
    let declined = asked(&bench).await;
    let (_, answer) = bench.modern("tools/call", remove(&reply(&declined, "decline"))).await;
    assert_eq!(answer["result"]["structuredContent"]["code"], "CANCELLED");
}

#[tokio::test]
async fn a_state_is_good_once_and_for_its_caller_and_arguments_alone() {
    let bench = Bench::new();
    let state = asked(&bench).await;
    let mut other = remove(&reply(&state, "accept"));
    other["arguments"]["name"] = json!("y");
    assert_eq!(bench.modern("tools/call", other).await.1["error"]["code"], -32602);
    let forged = format!("{state}A");
    let (_, answer) = bench.modern("tools/call", remove(&reply(&forged, "accept"))).await;
    assert_eq!(answer["error"]["code"], -32602);
    let body = modern("tools/call", remove(&reply(&state, "accept"))).to_string();
    let headers = [
        "content-type: application/json",
        "accept: application/json, text/event-stream",
        "mcp-protocol-version: 2026-07-28",
        "mcp-method: tools/call",
        "mcp-name: remove",
    ];
    let response = bench.send_as(caller("bob"), http::Method::POST, "/mcp", &headers, &body).await;
    assert!(crate::fixture::text(response).await.contains("-32602"));
    let (_, answer) = bench.modern("tools/call", remove(&reply(&state, "accept"))).await;
    assert_eq!(answer["result"]["isError"], false);
    let (_, answer) = bench.modern("tools/call", remove(&reply(&state, "accept"))).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}

#[tokio::test]
async fn a_client_that_cannot_be_asked_is_refused_with_the_question() {
    let bench = Bench::new();
    let (_, answer) = bench.post(&crate::fixture::call(1, "remove", json!({"name": "x"}))).await;
    let envelope = &answer["result"]["structuredContent"];
    assert_eq!(
        (&answer["result"]["isError"], &envelope["code"]),
        (&json!(true), &json!("CONFIRMATION_REQUIRED"))
    );
    assert_eq!(envelope["details"]["question"], "sure");
}
