//! The last steps before an answer leaves: redact, neutralise, cut.

use serde_json::{Map, Value};

use crate::neutralise::{Sanitised, neutralise};
use crate::redact::{REDACTED, Redactor};

/// The longest text of an MCP answer: 10,000 tokens at four bytes each.
const MCP_TEXT: usize = 40_000;

/// Redacts and neutralises every text of a result, keys included.
pub(crate) fn clean(value: &mut Value, redactor: &Redactor, found: &mut Sanitised) {
    match value {
        Value::String(text) => clean_text(text, redactor, found),
        Value::Array(items) => items.iter_mut().for_each(|item| clean(item, redactor, found)),
        Value::Object(object) => {
            clean_keys(object, redactor, found);
            object.values_mut().for_each(|inner| clean(inner, redactor, found));
        }
        _ => {}
    }
}

/// Redacts and neutralises one text.
pub(crate) fn clean_text(text: &mut String, redactor: &Redactor, found: &mut Sanitised) {
    redactor.redact_in_place(text);
    neutralise(text, found);
}

fn clean_keys(object: &mut Map<String, Value>, redactor: &Redactor, found: &mut Sanitised) {
    let is_plain =
        |key: &String| key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if object.keys().all(is_plain) {
        return;
    }
    *object = std::mem::take(object)
        .into_iter()
        .map(|(mut key, value)| {
            clean_text(&mut key, redactor, found);
            (key, value)
        })
        .collect();
}

/// The arguments with every `writeOnly` value of the schema redacted, for records and plans.
pub fn without_secrets(arguments: &Value, schema: &Value) -> Value {
    let schema = variant(arguments, schema);
    if schema.get("writeOnly").is_some_and(|mark| mark == true) && !arguments.is_null() {
        return REDACTED.into();
    }
    match arguments {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .map(|(key, value)| {
                    let inner = schema
                        .get("properties")
                        .and_then(|properties| properties.get(key))
                        .or_else(|| schema.get("additionalProperties"));
                    (key.clone(), inner.map_or_else(|| value.clone(), |inner| without_secrets(value, inner)))
                })
                .collect(),
        ),
        Value::Array(items) => match schema.get("items") {
            Some(inner) => items.iter().map(|item| without_secrets(item, inner)).collect(),
            None => arguments.clone(),
        },
        other => other.clone(),
    }
}

/// Of a schema with variants the first that describes a value of that type.
fn variant<'a>(value: &Value, schema: &'a Value) -> &'a Value {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let variants = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    variants.into_iter().find(|variant| variant.get("type").is_some_and(|own| own == kind)).unwrap_or(schema)
}

/// Takes the values at paths out of a result, leaving null.
pub(crate) fn take(data: &mut Value, paths: &[Vec<String>]) -> Vec<(Vec<String>, Value)> {
    paths
        .iter()
        .filter_map(|path| {
            let place = path.iter().try_fold(&mut *data, |value, key| value.get_mut(key))?;
            Some((path.clone(), place.take()))
        })
        .collect()
}

/// Puts taken values back.
pub(crate) fn put_back(data: &mut Value, taken: Vec<(Vec<String>, Value)>) {
    for (path, value) in taken {
        if let Some(place) = path.iter().try_fold(&mut *data, |inner, key| inner.get_mut(key)) {
            *place = value;
        }
    }
}

/// Cuts long texts to head and tail, with an honest notice between.
pub(crate) fn cut(data: &mut Value, paths: &[Vec<String>]) {
    for path in paths {
        each(data, path, &mut |text| cut_text(text, MCP_TEXT));
    }
}

fn each(value: &mut Value, path: &[String], change: &mut dyn FnMut(&mut String)) {
    match (path.split_first(), value) {
        (None, Value::String(text)) => change(text),
        (Some((key, rest)), Value::Array(items)) if key == "*" => {
            for item in items {
                each(item, rest, change);
            }
        }
        (Some((key, rest)), Value::Object(object)) if key == "*" => {
            for inner in object.values_mut() {
                each(inner, rest, change);
            }
        }
        (Some((key, rest)), Value::Object(object)) => {
            if let Some(inner) = object.get_mut(key) {
                each(inner, rest, change);
            }
        }
        _ => {}
    }
}

fn cut_text(text: &mut String, limit: usize) {
    if text.len() <= limit {
        return;
    }
    let head = floor(text, limit * 2 / 5);
    let tail = ceil(text, text.len() - limit * 3 / 5);
    let notice = format!(
        "\n… {} of {} bytes left out here; ask for the rest by offset and limit …\n",
        tail - head,
        text.len()
    );
    text.replace_range(head..tail, &notice);
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

fn ceil(text: &str, at: usize) -> usize {
    (at..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_text_keeps_head_and_tail_and_says_what_is_missing() {
        let mut text = format!("first{}last", "é".repeat(1000));
        cut_text(&mut text, 100);
        assert!(text.starts_with("first") && text.ends_with("last"));
        assert!(text.contains("of 2009 bytes left out here"));
    }

    #[test]
    fn write_only_arguments_are_redacted_at_any_depth() {
        let schema = json!({"properties": {
            "password": {"writeOnly": true},
            "auth": {"properties": {"key": {"writeOnly": true}}},
            "replies": {"additionalProperties": {"anyOf": [
                {"type": "string", "writeOnly": true}, {"type": "object"},
            ]}},
        }});
        let arguments = json!({
            "password": "p", "auth": {"key": "k", "user": "u"}, "replies": {"a": "typed", "b": {"secret": "name"}},
        });
        assert_eq!(
            without_secrets(&arguments, &schema),
            json!({
                "password": "[REDACTED]", "auth": {"key": "[REDACTED]", "user": "u"},
                "replies": {"a": "[REDACTED]", "b": {"secret": "name"}},
            }),
        );
    }

    #[test]
    fn a_revealed_value_survives_cleaning() {
        let mut data = json!({"token": "a\u{1b}b", "name": "a\u{1b}b"});
        let taken = take(&mut data, &[vec!["token".to_owned()]]);
        clean(&mut data, &Redactor::new(), &mut Sanitised::default());
        put_back(&mut data, taken);
        assert_eq!(data, json!({"token": "a\u{1b}b", "name": "a␛b"}));
    }
}
