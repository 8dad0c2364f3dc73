//! JSON: pretty for people, one line for programs.

use serde_json::Value;

/// A value as text with a line feed.
pub(crate) fn text(value: &Value, is_pretty: bool) -> String {
    if is_pretty { format!("{value:#}\n") } else { format!("{value}\n") }
}

/// The rows of a result, one a line; a result without rows is one line.
pub(crate) fn lines(envelope: &Value) -> String {
    let data = envelope.get("data").unwrap_or(envelope);
    let lists: Vec<&Vec<Value>> = data
        .as_object()
        .into_iter()
        .flat_map(|object| object.values())
        .filter_map(Value::as_array)
        .filter(|items| items.iter().any(Value::is_object))
        .collect();
    match lists.as_slice() {
        [rows] => rows.iter().map(|row| text(row, false)).collect(),
        _ => format!("{data}\n"),
    }
}
