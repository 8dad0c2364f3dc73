//! The tools, and those that answer without asking.

use serde_json::{Value, json};

/// A red pixel.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

/// No sound.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

/// All tools.
pub(crate) fn list() -> Vec<Value> {
    let plain = json!({"type": "object"});
    let with =
        |name: &str| json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]});
    let mut tools: Vec<Value> = [
        ("test_simple_text", "Returns a text"),
        ("test_image_content", "Returns an image"),
        ("test_audio_content", "Returns a sound"),
        ("test_embedded_resource", "Returns a resource"),
        ("test_multiple_content_types", "Returns a text, an image and a resource"),
        ("test_tool_with_logging", "Writes three log lines"),
        ("test_error_handling", "Fails"),
        ("test_tool_with_progress", "Shows progress"),
        ("test_elicitation_sep1034_defaults", "Asks with defaults"),
        ("test_elicitation_sep1330_enums", "Asks with closed lists"),
        ("test_reconnection", "Answers after a while"),
        ("test_missing_capability", "Needs sampling"),
        ("test_logging_tool", "Writes a log line"),
        ("test_streaming_elicitation", "Shows progress, then asks"),
        ("test_trigger_tool_change", "Tells that the tools changed"),
        ("test_trigger_prompt_change", "Tells that the prompts changed"),
        ("test_input_required_result_elicitation", "Asks for a name"),
        ("test_input_required_result_sampling", "Asks the model"),
        ("test_input_required_result_list_roots", "Asks for the roots"),
        ("test_input_required_result_request_state", "Asks with a state"),
        ("test_input_required_result_multiple_inputs", "Asks three things"),
        ("test_input_required_result_multi_round", "Asks twice"),
        ("test_input_required_result_tampered_state", "Asks with a sealed state"),
        ("test_input_required_result_capabilities", "Asks what the client can answer"),
    ]
    .into_iter()
    .map(|(name, description)| json!({"name": name, "description": description, "inputSchema": plain}))
    .collect();
    tools.push(json!({"name": "greet", "description": "Greets", "inputSchema": with("name")}));
    tools.push(
        json!({"name": "test_sampling", "description": "Asks the model", "inputSchema": with("prompt")}),
    );
    tools.push(
        json!({"name": "test_elicitation", "description": "Asks the user", "inputSchema": with("message")}),
    );
    tools.push(json!({
        "name": "test_custom_header",
        "description": "Takes a value from a header as well",
        "inputSchema": {
            "type": "object",
            "properties": {"value": {"type": "string", "x-mcp-header": "Value"}},
            "required": ["value"],
        },
    }));
    tools.push(json!({
        "name": "json_schema_2020_12_tool",
        "description": "Tool with JSON Schema 2020-12 features",
        "inputSchema": rich_schema(),
    }));
    tools
}

/// The schema that must arrive untouched.
fn rich_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            },
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}

/// The answer of a tool that says nothing on its way.
pub(crate) fn plain(name: &str) -> Option<Value> {
    let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
    let content = match name {
        "test_simple_text" => {
            json!([{"type": "text", "text": "This is a simple text response for testing."}])
        }
        "test_image_content" => json!([image]),
        "test_audio_content" => json!([{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]),
        "test_embedded_resource" => json!([{"type": "resource", "resource": {
            "uri": "test://embedded-resource", "mimeType": "text/plain",
            "text": "This is an embedded resource content.",
        }}]),
        "test_multiple_content_types" => json!([
            {"type": "text", "text": "Multiple content types test:"},
            image,
            {"type": "resource", "resource": {
                "uri": "test://mixed-content-resource", "mimeType": "application/json",
                "text": r#"{"test":"data","value":123}"#,
            }},
        ]),
        "test_error_handling" => {
            let content =
                json!([{"type": "text", "text": "This tool intentionally returns an error for testing"}]);
            return Some(json!({"resultType": "complete", "content": content, "isError": true}));
        }
        "test_custom_header" | "json_schema_2020_12_tool" => json!([{"type": "text", "text": "ok"}]),
        _ => return None,
    };
    Some(json!({"resultType": "complete", "content": content}))
}
