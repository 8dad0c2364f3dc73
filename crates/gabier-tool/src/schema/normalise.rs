//! Older and looser spellings of arguments, folded to the one that the schema knows.

use serde_json::{Map, Number, Value};

use crate::error::{Error, Result};

/// Folds `camelCase` keys and declared aliases to the schema's names, leaves out nulls of optional parameters, joins
/// lists of words where the schema is marked `x-join`, and makes whole floats integers where it wants one. Both spellings at once, with different values, is an
/// error.
pub(super) fn normalise(arguments: &mut Map<String, Value>, schema: &Value) -> Result<()> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Ok(()) };
    fold_keys(arguments, properties)?;
    let required = |name: &str| {
        schema
            .get("required")
            .and_then(Value::as_array)
            .is_some_and(|names| names.iter().any(|own| own == name))
    };
    arguments.retain(|name, value| !value.is_null() || !properties.contains_key(name) || required(name));
    for (name, value) in arguments.iter_mut() {
        if let Some(inner) = properties.get(name) {
            normalise_value(value, inner)?;
        }
    }
    Ok(())
}

fn normalise_value(value: &mut Value, schema: &Value) -> Result<()> {
    match value {
        Value::Object(object) => {
            let branches = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
            let known =
                std::iter::once(schema).chain(branches).find(|known| known.get("properties").is_some());
            if let Some(known) = known {
                normalise(object, known)?;
            }
        }
        Value::Array(items) => {
            if let Some(joined) =
                schema.get("x-join").and_then(Value::as_str).and_then(|by| joined(items, by))
            {
                *value = joined;
                return Ok(());
            }
            if let Some(inner) = schema.get("items") {
                for item in items {
                    normalise_value(item, inner)?;
                }
            }
        }
        Value::Number(number) if schema.get("type").is_some_and(|kind| kind == "integer") => {
            if let Some(whole) = whole(number) {
                *number = whole;
            }
        }
        _ => {}
    }
    Ok(())
}

/// A list of words as one text; none when it holds anything else.
fn joined(items: &[Value], by: &str) -> Option<Value> {
    let words: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
    words.map(|words| words.join(by).into())
}

fn fold_keys(arguments: &mut Map<String, Value>, properties: &Map<String, Value>) -> Result<()> {
    let strange: Vec<String> =
        arguments.keys().filter(|key| !properties.contains_key(key.as_str())).cloned().collect();
    for key in strange {
        let Some(name) = known_among(&key, properties) else { continue };
        let Some(value) = arguments.shift_remove(&key) else { continue };
        match arguments.get(&name) {
            Some(given) if *given != value => {
                return Err(Error::invalid(
                    &name,
                    format!("is given twice, as {name} and as {key}, with different values"),
                ));
            }
            _ => {
                arguments.insert(name, value);
            }
        }
    }
    Ok(())
}

/// The parameter of an input schema that another spelling means: `camelCase`, hyphens, or a declared alias.
pub fn known_name(key: &str, schema: &Value) -> Option<String> {
    known_among(key, schema.get("properties")?.as_object()?)
}

fn known_among(key: &str, properties: &Map<String, Value>) -> Option<String> {
    let snake = snake_case(key);
    if properties.contains_key(&snake) {
        return Some(snake);
    }
    properties
        .iter()
        .find(|(_, schema)| {
            schema
                .get("x-aliases")
                .and_then(Value::as_array)
                .is_some_and(|aliases| aliases.iter().any(|alias| *alias == *key || *alias == snake))
        })
        .map(|(name, _)| name.clone())
}

/// `continueOnError` = `continue_on_error`; hyphens count as underscores.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        match c {
            '-' => snake.push('_'),
            c if c.is_ascii_uppercase() => {
                if !snake.is_empty() && !snake.ends_with('_') {
                    snake.push('_');
                }
                snake.push(c.to_ascii_lowercase());
            }
            c => snake.push(c),
        }
    }
    snake
}

#[expect(clippy::cast_possible_truncation, reason = "the bounds are checked just before")]
fn whole(number: &Number) -> Option<Number> {
    /// Above this a double no longer holds every integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if !number.is_f64() {
        return None;
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT)?;
    Some(Number::from(float as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(arguments: Value, expected: &Value) {
        let schema = json!({
            "properties": {
                "key_path": {"type": "string"},
                "count": {"type": "integer"},
                "force": {"type": "boolean", "x-aliases": ["overwrite"]},
                "steps": {"type": "array", "items": {"anyOf": [
                    {"type": "string"}, {"properties": {"continue_on_error": {"type": "boolean"}}},
                ]}},
                "hosts": {"type": "string", "x-join": ","},
            },
        });
        let Value::Object(mut object) = arguments else { panic!("arguments are an object") };
        match normalise(&mut object, &schema) {
            Ok(()) => assert_eq!(Value::Object(object), *expected),
            Err(error) => assert_eq!(json!(error.message()), *expected),
        }
    }

    #[test]
    fn camel_case_is_folded_at_every_depth() {
        check(json!({"keyPath": "a"}), &json!({"key_path": "a"}));
        check(
            json!({"steps": [{"continueOnError": true}]}),
            &json!({"steps": [{"continue_on_error": true}]}),
        );
    }

    #[test]
    fn a_declared_alias_is_folded() {
        check(json!({"overwrite": true}), &json!({"force": true}));
    }

    #[test]
    fn a_list_of_words_is_joined_where_one_text_is_wanted() {
        check(json!({"hosts": ["a", "b"]}), &json!({"hosts": "a,b"}));
        check(json!({"hosts": ["a", 1]}), &json!({"hosts": ["a", 1]}));
    }

    #[test]
    fn two_spellings_with_different_values_are_refused() {
        check(
            json!({"keyPath": "a", "key_path": "b"}),
            &json!("key_path: is given twice, as key_path and as keyPath, with different values"),
        );
        check(json!({"keyPath": "a", "key_path": "a"}), &json!({"key_path": "a"}));
    }

    #[test]
    fn a_null_is_an_absent_parameter_and_a_whole_float_an_integer() {
        check(json!({"key_path": null, "count": 22.0}), &json!({"count": 22}));
        check(json!({"count": 22.5}), &json!({"count": 22.5}));
    }

    #[test]
    fn unknown_names_stay_for_the_validator_to_name() {
        check(json!({"whatEver": 1}), &json!({"whatEver": 1}));
    }
}
