//! Tools that speak to the client or ask it while they run.

#![expect(deprecated, reason = "the suites test the older revisions' sampling and log lines")]

use std::time::Duration;

use gabier_kit::mcp::rmcp::ErrorData;
use gabier_kit::mcp::rmcp::model::{CallToolRequestParams, LoggingLevel, ProgressToken};
use serde_json::{Value, json};

use crate::fixtures::{Change, Fixtures, Request, read, text};

/// Runs such a tool.
pub(crate) async fn talk(
    fixtures: &Fixtures,
    call: &CallToolRequestParams,
    request: &Request,
) -> Result<Value, ErrorData> {
    let argument = |name: &str| {
        call.arguments
            .as_ref()
            .and_then(|arguments| arguments.get(name)?.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    match &*call.name {
        "test_tool_with_logging" => {
            for line in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                log(request, line).await;
                pause().await;
            }
            Ok(text("Three lines were written."))
        }
        "test_logging_tool" => {
            if request.meta.log_level().is_some() {
                log(request, "a line").await;
            }
            Ok(text("Written where it was asked for."))
        }
        "test_tool_with_progress" => {
            show_progress(request).await;
            Ok(text("Done in three steps."))
        }
        "test_streaming_elicitation" => {
            show_progress(request).await;
            Ok(text("Nothing had to be asked."))
        }
        "test_reconnection" => {
            pause().await;
            Ok(text("Reconnection test completed"))
        }
        "test_trigger_tool_change" => {
            fixtures.change(Change::Tools);
            Ok(text("The tools changed."))
        }
        "test_trigger_prompt_change" => {
            fixtures.change(Change::Prompts);
            Ok(text("The prompts changed."))
        }
        "test_missing_capability" => {
            let can_sample = request.client_capabilities().is_some_and(|client| client.sampling.is_some());
            if can_sample {
                return Ok(text("The client can sample."));
            }
            Err(ErrorData::missing_required_client_capability(read(json!({"sampling": {}}))))
        }
        "test_sampling" => sample(request, &argument("prompt")).await,
        "test_elicitation" => {
            let schema = json!({
                "type": "object",
                "properties": {
                    "username": {"type": "string", "description": "User's response"},
                    "email": {"type": "string", "description": "User's email address"},
                },
                "required": ["username", "email"],
            });
            elicit(request, &argument("message"), schema, "User response").await
        }
        "test_elicitation_sep1034_defaults" => {
            elicit(request, "Please review", defaults(), "Elicitation completed").await
        }
        "test_elicitation_sep1330_enums" => {
            elicit(request, "Please choose", enums(), "Elicitation completed").await
        }
        name => Err(ErrorData::invalid_params(format!("Unknown tool: {name}"), None)),
    }
}

async fn log(request: &Request, line: &str) {
    let line = read(json!({"level": LoggingLevel::Info, "data": line, "logger": "fixtures"}));
    // A client that left misses nothing.
    let _ = request.peer.notify_logging_message(line).await;
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn show_progress(request: &Request) {
    let token: Option<ProgressToken> = request.meta.get_progress_token();
    for done in [0, 50, 100] {
        if let Some(token) = &token {
            let step = json!({"progressToken": token, "progress": done, "total": 100});
            // A client that left misses nothing.
            let _ = request.peer.notify_progress(read(step)).await;
        }
        pause().await;
    }
}

async fn sample(request: &Request, prompt: &str) -> Result<Value, ErrorData> {
    let params = json!({
        "messages": [{"role": "user", "content": {"type": "text", "text": prompt}}],
        "maxTokens": 100,
    });
    let asked = request.peer.create_message(read(params)).await;
    let message = asked.map_err(|error| ErrorData::internal_error(format!("sampling: {error}"), None))?;
    let said = json!(message.message.content);
    let words = said.get("text").and_then(Value::as_str).unwrap_or_default();
    Ok(text(format!("LLM response: {words}")))
}

async fn elicit(request: &Request, message: &str, schema: Value, label: &str) -> Result<Value, ErrorData> {
    let params = json!({"message": message, "requestedSchema": schema});
    let asked = request.peer.create_elicitation(read(params)).await;
    let answer = asked.map_err(|error| ErrorData::internal_error(format!("asking: {error}"), None))?;
    let (action, content) = (json!(answer.action), answer.content.unwrap_or_default());
    let action = action.as_str().unwrap_or_default();
    Ok(text(format!("{label}: action={action}, content={content}")))
}

fn defaults() -> Value {
    json!({"type": "object", "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true},
    }, "required": []})
}

fn enums() -> Value {
    let options = ["option1", "option2", "option3"];
    let titled = |word: &str| {
        json!([
            {"const": "value1", "title": format!("First {word}")},
            {"const": "value2", "title": format!("Second {word}")},
            {"const": "value3", "title": format!("Third {word}")},
        ])
    };
    json!({"type": "object", "properties": {
        "untitledSingle": {"type": "string", "enum": options},
        "titledSingle": {"type": "string", "oneOf": titled("Option")},
        "legacyEnum": {
            "type": "string", "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled("Choice")}},
    }, "required": []})
}
