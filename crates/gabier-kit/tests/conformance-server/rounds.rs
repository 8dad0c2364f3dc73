//! Tools of 2026-07-28 that end with questions and are called again with the answers.

use gabier_kit::mcp::rmcp::ErrorData;
use gabier_kit::mcp::rmcp::model::{
    CallToolRequestParams, CallToolResponse, InputResponses, RequestStateCodec,
};
use serde_json::{Map, Value, json};

use crate::fixtures::{Request, read, text};

/// One round of such a tool.
pub(crate) fn round(
    codec: &RequestStateCodec,
    call: &CallToolRequestParams,
    request: &Request,
) -> Result<CallToolResponse, ErrorData> {
    let given = call.input_responses.clone().unwrap_or_default();
    let state = match &call.request_state {
        Some(sealed) => {
            Some(codec.open(sealed).map_err(|error| ErrorData::invalid_params(error.to_string(), None))?)
        }
        None => None,
    };
    let name = call.name.trim_start_matches("test_input_required_result_");
    Ok(match name {
        "elicitation" => match content(&given, "user_name", "name") {
            Some(name) => done(format!("Hello, {name}!")),
            None => ask(&json!({"user_name": form("What is your name?", "name", "string")}), None),
        },
        "sampling" => match given.get("capital_question").filter(|answer| answer.get("content").is_some()) {
            Some(answer) => done(answer["content"]["text"].as_str().unwrap_or("no text")),
            None => ask(&json!({"capital_question": sampling("What is the capital of France?", 100)}), None),
        },
        "list_roots" => match given.get("client_roots").filter(|answer| answer["roots"].is_array()) {
            Some(answer) => done(format!("The roots: {}", answer["roots"])),
            None => ask(&json!({"client_roots": roots()}), None),
        },
        "request_state" | "tampered_state" => {
            let question = json!({"confirm": form("Please confirm", "ok", "boolean")});
            match (content(&given, "confirm", "ok"), state) {
                (Some(_), Some(_)) => done("state-ok"),
                _ => ask(&question, Some(codec.seal(b"round 1"))),
            }
        }
        "multiple_inputs" => {
            let keys = ["user_name", "greeting", "client_roots"];
            if keys.iter().all(|key| given.contains_key(*key)) && state.is_some() {
                done("All three answers arrived.")
            } else {
                let questions = json!({
                    "user_name": form("What is your name?", "name", "string"),
                    "greeting": sampling("Generate a greeting", 50),
                    "client_roots": roots(),
                });
                ask(&questions, Some(codec.seal(b"round 1")))
            }
        }
        "multi_round" => match state.as_deref() {
            Some(b"round 1") if given.contains_key("step1") => {
                let question = form("Step 2: What is your favorite color?", "color", "string");
                ask(&json!({"step2": question}), Some(codec.seal(b"round 2")))
            }
            Some(b"round 2") if given.contains_key("step2") => done("Both steps are done."),
            _ => {
                let question = form("Step 1: What is your name?", "name", "string");
                ask(&json!({"step1": question}), Some(codec.seal(b"round 1")))
            }
        },
        "capabilities" => ask(&Value::Object(answerable(request)), None),
        _ => return Err(ErrorData::invalid_params(format!("Unknown tool: {}", call.name), None)),
    })
}

/// Only questions that the client said it can answer.
fn answerable(request: &Request) -> Map<String, Value> {
    let mut questions = Map::new();
    if let Some(client) = request.client_capabilities() {
        if client.sampling.is_some() {
            questions.insert("model".to_owned(), sampling("Say something", 50));
        }
        if client.elicitation.is_some() {
            questions.insert("user".to_owned(), form("Say something", "words", "string"));
        }
        if client.roots.is_some() {
            questions.insert("roots".to_owned(), roots());
        }
    }
    questions
}

/// A field of a form that was accepted.
fn content(given: &InputResponses, key: &str, field: &str) -> Option<String> {
    let answer = given.get(key)?;
    let value = answer.get("content")?.get(field)?;
    (answer["action"] == "accept").then(|| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// A question to the user with one field.
pub(crate) fn form(message: &str, field: &str, kind: &str) -> Value {
    json!({"method": "elicitation/create", "params": {"message": message, "requestedSchema": {
        "type": "object", "properties": {field: {"type": kind}}, "required": [field],
    }}})
}

fn sampling(prompt: &str, tokens: u32) -> Value {
    json!({"method": "sampling/createMessage", "params": {
        "messages": [{"role": "user", "content": {"type": "text", "text": prompt}}], "maxTokens": tokens,
    }})
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}

fn ask(questions: &Value, state: Option<String>) -> CallToolResponse {
    let mut result = json!({"resultType": "input_required", "inputRequests": questions});
    if let Some(state) = state {
        result["requestState"] = state.into();
    }
    CallToolResponse::InputRequired(read(result))
}

fn done(words: impl Into<String>) -> CallToolResponse {
    CallToolResponse::Complete(read(text(words)))
}
