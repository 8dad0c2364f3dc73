//! Schemas of inputs and outputs, closed, bounded and without anything that only Rust knows.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::catalog::Schemas;
use crate::terms;
use crate::tool::Facts;

/// The schema of an input type, by what it deserializes.
pub fn input<T: JsonSchema>() -> Value {
    let mut schema =
        generator(SchemaSettings::draft2020_12().for_deserialize()).into_root_schema_for::<T>().to_value();
    drop_null(&mut schema);
    tidy(&mut schema, true);
    schema
}

/// The schema of an output type, by what it serializes.
pub fn output<T: JsonSchema>() -> Value {
    let mut schema =
        generator(SchemaSettings::draft2020_12().for_serialize()).into_root_schema_for::<T>().to_value();
    tidy(&mut schema, false);
    schema
}

fn generator(settings: SchemaSettings) -> SchemaGenerator {
    settings
        .with(|settings| {
            settings.meta_schema = None;
            settings.inline_subschemas = true;
        })
        .into_generator()
}

/// A title for people from a name on the wire: `ping_host` = `Ping host`.
pub fn title_of(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The schemas of a tool, with the parameters that dispatch adds and the help text taken out.
pub fn schemas(facts: &Facts, mut input: Value, output: Value) -> Schemas {
    let description = take_text(&mut input, "description");
    let _ = take_text(&mut input, "title");
    if let Some(object) = input.as_object_mut() {
        object.entry("type").or_insert_with(|| "object".into());
        object.entry("properties").or_insert_with(|| json!({}));
        object.insert("additionalProperties".to_owned(), false.into());
        if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
            terms::publish(facts, properties);
        }
    }
    let (mut texts, mut reveals) = (Vec::new(), Vec::new());
    marked(&output, "x-text", &mut Vec::new(), &mut texts);
    marked(&output, "x-reveal", &mut Vec::new(), &mut reveals);
    let summary = description.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    Schemas { summary, description, input, output, texts, reveals }
}

fn take_text(schema: &mut Value, key: &str) -> String {
    match schema.as_object_mut().and_then(|object| object.remove(key)) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

/// Optional parameters are left out, never null: `["string","null"]` becomes `"string"`.
fn drop_null(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        if let Some(items) = schema.as_array_mut() {
            items.iter_mut().for_each(drop_null);
        }
        return;
    };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = object.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    for key in ["anyOf", "oneOf"] {
        let Some(Value::Array(branches)) = object.get_mut(key) else { continue };
        branches.retain(|branch| branch.get("type").is_none_or(|kind| kind != "null"));
        if let [Value::Object(only)] = branches.as_slice() {
            let only = only.clone();
            object.remove(key);
            for (name, value) in only {
                object.entry(name).or_insert(value);
            }
        }
    }
    object.values_mut().for_each(drop_null);
}

/// Turns Rust's number formats into bounds, and closes input objects.
fn tidy(schema: &mut Value, close: bool) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| tidy(item, close)),
        Value::Object(object) => {
            bound(object);
            if close && object.get("properties").is_some_and(Value::is_object) {
                object.entry("additionalProperties").or_insert(false.into());
            }
            for (key, value) in object.iter_mut() {
                if key != "default" && key != "examples" && key != "enum" && key != "const" {
                    tidy(value, close);
                }
            }
        }
        _ => {}
    }
}

fn bound(object: &mut Map<String, Value>) {
    let Some(Value::String(format)) = object.get("format") else { return };
    let bounds = match format.as_str() {
        "uint8" => Some((json!(0), json!(u8::MAX))),
        "uint16" => Some((json!(0), json!(u16::MAX))),
        "uint32" => Some((json!(0), json!(u32::MAX))),
        "uint64" | "uint" => Some((json!(0), json!(u64::MAX))),
        "int8" => Some((json!(i8::MIN), json!(i8::MAX))),
        "int16" => Some((json!(i16::MIN), json!(i16::MAX))),
        "int32" => Some((json!(i32::MIN), json!(i32::MAX))),
        "int64" | "int" => Some((json!(i64::MIN), json!(i64::MAX))),
        "double" | "float" => None,
        _ => return,
    };
    object.remove("format");
    if let Some((low, high)) = bounds {
        object.entry("minimum").or_insert(low);
        // 2^64 - 1 is no number to JavaScript: an unbounded integer is clearer there.
        if high.as_u64() != Some(u64::MAX) {
            object.entry("maximum").or_insert(high);
        }
    }
}

/// Collects the paths below a schema that carry a mark; list items and map values are `*`.
fn marked(schema: &Value, mark: &str, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    if schema.get(mark).and_then(Value::as_bool) == Some(true) {
        found.push(path.clone());
    }
    for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        path.push(name.clone());
        marked(inner, mark, path, found);
        path.pop();
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(key) {
            path.push("*".to_owned());
            marked(inner, mark, path, found);
            path.pop();
        }
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for inner in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
            marked(inner, mark, path, found);
        }
    }
}
