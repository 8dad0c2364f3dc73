//! One schema with its references followed, its parts joined and its null left out.

use serde_json::{Map, Value};

/// The deepest chain of references and parts that is followed.
const DEEPEST: usize = 16;

/// The schema as one plain object; `None` for a recursive one, which no flat form can hold.
pub(crate) fn resolve(root: &Value, schema: &Value) -> Option<Value> {
    resolve_at(root, schema, 0)
}

fn resolve_at(root: &Value, schema: &Value, depth: usize) -> Option<Value> {
    if depth > DEEPEST {
        return None;
    }
    let Some(object) = schema.as_object() else { return Some(Value::Object(Map::new())) };
    let mut object = object.clone();
    if let Some(Value::String(reference)) = object.get("$ref").cloned() {
        if is_recursive(root, &reference) {
            return None;
        }
        object.shift_remove("$ref");
        if let Some(target) = at(root, &reference) {
            merge(&mut object, resolve_at(root, target, depth + 1)?);
        }
    }
    if let Some(Value::Array(parts)) = object.shift_remove("allOf") {
        for part in &parts {
            merge(&mut object, resolve_at(root, part, depth + 1)?);
        }
    }
    drop_null(root, &mut object, depth)?;
    Some(Value::Object(object))
}

/// `["string", "null"]` is a string; `anyOf [X, null]` is X.
fn drop_null(root: &Value, object: &mut Map<String, Value>, depth: usize) -> Option<()> {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    for key in ["anyOf", "oneOf"] {
        let Some(Value::Array(branches)) = object.get_mut(key) else { continue };
        branches.retain(|branch| branch.get("type").is_none_or(|kind| kind != "null"));
        if let [only] = branches.as_slice() {
            let only = only.clone();
            object.shift_remove(key);
            merge(object, resolve_at(root, &only, depth + 1)?);
        }
    }
    Some(())
}

/// Joins another schema into one: what is there stays, properties and requirements are united.
fn merge(object: &mut Map<String, Value>, other: Value) {
    let Value::Object(other) = other else { return };
    for (key, value) in other {
        match (object.get_mut(&key), value) {
            (Some(Value::Object(own)), Value::Object(value)) if key == "properties" => {
                value.into_iter().for_each(|(name, schema)| {
                    own.entry(name).or_insert(schema);
                });
            }
            (Some(Value::Array(own)), Value::Array(value)) if key == "required" => own.extend(value),
            (Some(_), _) => {}
            (None, value) => {
                object.insert(key, value);
            }
        }
    }
}

/// The schema a local reference names.
fn at<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(reference.strip_prefix('#')?)
}

/// True when what a reference names mentions the same reference again, by any way.
fn is_recursive(root: &Value, reference: &str) -> bool {
    let mut seen: Vec<&str> = Vec::new();
    let mut next: Vec<&str> = at(root, reference).map(mentions).unwrap_or_default();
    while let Some(name) = next.pop() {
        if name == reference {
            return true;
        }
        if !seen.contains(&name) {
            seen.push(name);
            next.extend(at(root, name).map(mentions).unwrap_or_default());
        }
    }
    false
}

/// All references in a schema.
fn mentions(schema: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    let mut next = vec![schema];
    while let Some(value) = next.pop() {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                next.extend(object.values());
            }
            Value::Array(items) => next.extend(items),
            _ => {}
        }
    }
    found
}
