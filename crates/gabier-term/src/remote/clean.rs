//! A server's texts, made harmless before they reach this terminal.

use gabier_tool::{Sanitised, ToolInfo, neutralise};
use serde_json::Value;

use crate::backend::Answer;

/// Makes the control characters of an answer visible.
pub(crate) fn answer(answer: &mut Answer) {
    value(&mut answer.envelope);
    answer.view.map_text(&mut text);
}

/// Makes the control characters of a tool's texts visible.
pub(crate) fn tool(tool: &mut ToolInfo) {
    for part in [&mut tool.name, &mut tool.title, &mut tool.toolset, &mut tool.summary, &mut tool.description]
    {
        text(part);
    }
    // Names of parameters are sent back and stay as they are; they are never shown but as flags.
    value(&mut tool.input);
}

fn value(json: &mut Value) {
    match json {
        Value::String(string) => text(string),
        Value::Array(items) => items.iter_mut().for_each(value),
        Value::Object(object) => object.values_mut().for_each(value),
        _ => {}
    }
}

fn text(string: &mut String) {
    neutralise(string, &mut Sanitised::default());
}

/// A text with its control characters made visible.
pub(crate) fn owned(string: &str) -> String {
    let mut string = string.to_owned();
    text(&mut string);
    string
}

/// A JSON value with the control characters of its texts made visible.
pub(crate) fn json(mut json: Value) -> Value {
    value(&mut json);
    json
}
