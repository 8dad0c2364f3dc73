//! Resources and prompts.

use gabier_kit::mcp::rmcp::ErrorData;
use gabier_kit::mcp::rmcp::model::{GetPromptRequestParams, GetPromptResponse, ReadResourceResponse};
use serde_json::{Value, json};

use crate::fixtures::read;
use crate::rounds::form;
use crate::tools::PNG;

/// The resources.
pub(crate) fn resources() -> Vec<Value> {
    vec![
        json!({
            "uri": "test://static-text", "name": "Static text", "description": "A text", "mimeType": "text/plain",
        }),
        json!({
            "uri": "test://static-binary", "name": "Static binary", "description": "An image",
            "mimeType": "image/png",
        }),
    ]
}

/// The one template.
pub(crate) fn template() -> Value {
    json!({
        "uriTemplate": "test://template/{id}/data", "name": "Template", "description": "Data by id",
        "mimeType": "application/json",
    })
}

/// What a resource holds.
pub(crate) fn contents(uri: &str) -> Result<ReadResourceResponse, ErrorData> {
    let content = match uri {
        "test://static-text" => json!({
            "uri": uri, "mimeType": "text/plain", "text": "This is the content of the static text resource.",
        }),
        "test://static-binary" => json!({"uri": uri, "mimeType": "image/png", "blob": PNG}),
        _ => {
            let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
            let Some(id) = id else {
                let data = Some(json!({"uri": uri}));
                return Err(ErrorData::resource_not_found("Resource not found", data));
            };
            let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            json!({"uri": uri, "mimeType": "application/json", "text": data.to_string()})
        }
    };
    Ok(ReadResourceResponse::Complete(read(json!({"resultType": "complete", "contents": [content]}))))
}

/// The prompts.
pub(crate) fn prompts() -> Vec<Value> {
    let argument = |name: &str| json!({"name": name, "description": "An argument", "required": true});
    vec![
        json!({"name": "test_simple_prompt", "description": "A prompt"}),
        json!({
            "name": "test_prompt_with_arguments", "description": "A prompt with arguments",
            "arguments": [argument("arg1"), argument("arg2")],
        }),
        json!({
            "name": "test_prompt_with_embedded_resource", "description": "A prompt with a resource",
            "arguments": [argument("resourceUri")],
        }),
        json!({"name": "test_prompt_with_image", "description": "A prompt with an image"}),
        json!({"name": "test_input_required_result_prompt", "description": "A prompt that asks first"}),
    ]
}

/// A prompt, filled.
pub(crate) fn prompt(asked: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    let argument = |name: &str| {
        asked.arguments.as_ref().and_then(|all| all.get(name)?.as_str()).unwrap_or_default().to_owned()
    };
    let text = |words: &str| json!({"type": "text", "text": words});
    let contents = match asked.name.as_str() {
        "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            let (one, two) = (argument("arg1"), argument("arg2"));
            vec![text(&format!("Prompt with arguments: arg1='{one}', arg2='{two}'"))]
        }
        "test_prompt_with_embedded_resource" => vec![
            json!({"type": "resource", "resource": {
                "uri": argument("resourceUri"), "mimeType": "text/plain",
                "text": "Embedded resource content for testing.",
            }}),
            text("Please process the embedded resource above."),
        ],
        "test_prompt_with_image" => vec![
            json!({"type": "image", "data": PNG, "mimeType": "image/png"}),
            text("Please analyze the image above."),
        ],
        "test_input_required_result_prompt" => {
            let given = asked.input_responses.as_ref().and_then(|all| all.get("user_context"));
            let Some(given) = given else {
                let question = form("What context should the prompt use?", "context", "string");
                let result =
                    json!({"resultType": "input_required", "inputRequests": {"user_context": question}});
                return Ok(GetPromptResponse::InputRequired(read(result)));
            };
            vec![text(&format!("The context: {}", given["content"]["context"]))]
        }
        name => return Err(ErrorData::invalid_params(format!("there is no prompt {name:?}"), None)),
    };
    let messages: Vec<Value> =
        contents.into_iter().map(|content| json!({"role": "user", "content": content})).collect();
    Ok(GetPromptResponse::Complete(read(json!({"resultType": "complete", "messages": messages}))))
}
