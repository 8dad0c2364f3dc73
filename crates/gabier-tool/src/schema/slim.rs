//! What the small profiles leave out of a schema.

use serde_json::Value;

/// Leaves out how long texts, lists and maps may be, and that something is not the case unless said: nobody writes a
/// call by that.
pub(super) fn slim(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    for size in ["minLength", "maxLength", "minItems", "maxItems", "maxProperties"] {
        object.remove(size);
    }
    if object.get("default").is_some_and(|default| default == false) {
        object.remove("default");
    }
    for (key, inner) in object.iter_mut() {
        match (key.as_str(), inner) {
            ("items" | "additionalProperties", inner) => slim_nameless(inner),
            ("properties", Value::Object(inner)) => inner.values_mut().for_each(slim),
            ("anyOf" | "oneOf", Value::Array(inner)) if !is_closed_list(inner) => {
                inner.retain(|variant| variant.get("x-full").is_none_or(|mark| mark != true));
                inner.iter_mut().for_each(slim_nameless);
            }
            _ => {}
        }
    }
}

/// The same for an item or a variant: the parameter that holds it says what it is.
fn slim_nameless(schema: &mut Value) {
    slim(schema);
    if let Some(object) = schema.as_object_mut() {
        object.remove("description");
    }
}

/// True for variants that are words: each has its help.
fn is_closed_list(variants: &[Value]) -> bool {
    variants.iter().all(|variant| variant.get("const").is_some() || variant.get("enum").is_some())
}
