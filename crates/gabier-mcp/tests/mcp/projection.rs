//! Whatever a published schema accepts, the tool's own accepts; and it has no keyword that a provider refuses.

use gabier_tool::schema::{Side, mcp_schema};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A schema as tools have them.
fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (0..4_u64, 4..9_u64).prop_map(|(low, high)| json!({"type": "string", "minLength": low, "maxLength": high})),
        Just(json!({"type": "string", "format": "password", "writeOnly": true})),
        Just(json!({"type": ["string", "null"], "title": "T", "x-cli": {"positional": true}})),
        Just(json!({"type": ["integer", "string"]})),
        (-9..0_i64, 0..9_i64).prop_map(|(low, high)| {
            json!({"type": "integer", "format": "int32", "minimum": low, "maximum": high, "x-mcp-header": "Count"})
        }),
        Just(json!({"type": "number", "format": "double", "exclusiveMinimum": 0})),
        Just(json!({"type": "boolean", "default": false})),
        Just(json!({"const": "tcp"})),
        Just(json!({"enum": ["a", "b", null]})),
        Just(json!({"type": "integer", "enum": [1, 8]})),
        Just(json!({"oneOf": [
            {"const": "cpu", "description": "Busiest first."},
            {"type": "string", "enum": ["memory"]},
        ]})),
        Just(json!({"$ref": "#/$defs/Port"})),
    ];
    leaf.prop_recursive(3, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), 0..2_u64, 2..4_u64).prop_map(
                |(item, low, high)| json!({"type": "array", "items": item, "minItems": low, "maxItems": high})
            ),
            inner.clone().prop_map(|value| json!({"anyOf": [value, {"type": "null"}]})),
            inner.clone().prop_map(|value| json!({"allOf": [value], "description": "Folded."})),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| object(&[("one", one), ("other", other)])),
            (inner.clone(), inner).prop_map(|(one, other)| {
                let branch =
                    |kind: &str, value| object(&[("kind", json!({"const": kind})), ("value", value)]);
                json!({"oneOf": [branch("one", one), branch("other", other)]})
            }),
        ]
    })
}

/// A closed object; its first property is required.
fn object(properties: &[(&str, Value)]) -> Value {
    let all: Map<String, Value> =
        properties.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({"type": "object", "properties": all, "required": [properties[0].0], "additionalProperties": false})
}

/// A value that the schema accepts, by the choices in `dice`.
fn instance(schema: &Value, dice: &mut impl Iterator<Item = u8>) -> Value {
    let mut roll = |sides: u64| u64::from(dice.next().unwrap_or(0)) % sides.max(1);
    if let Some(words) = schema["enum"].as_array() {
        return words[usize::try_from(roll(words.len() as u64)).unwrap()].clone();
    }
    if let Some(branches) = schema["anyOf"].as_array() {
        let branch = usize::try_from(roll(branches.len() as u64)).unwrap();
        return instance(&branches[branch], dice);
    }
    match schema["type"].as_str() {
        Some("string") => {
            let (low, high) =
                (schema["minLength"].as_u64().unwrap_or(0), schema["maxLength"].as_u64().unwrap_or(9));
            "é".repeat(usize::try_from(low + roll(high - low + 1)).unwrap()).into()
        }
        Some("integer") => {
            let (low, high) =
                (schema["minimum"].as_i64().unwrap_or(-5), schema["maximum"].as_i64().unwrap_or(9));
            (low + i64::try_from(roll((high - low + 1).unsigned_abs())).unwrap()).into()
        }
        Some("number") => (0.5 + f64::from(u32::try_from(roll(9)).unwrap())).into(),
        Some("boolean") => (roll(2) == 1).into(),
        Some("array") => {
            let (low, high) =
                (schema["minItems"].as_u64().unwrap_or(0), schema["maxItems"].as_u64().unwrap_or(3));
            let count = low + roll(high - low + 1);
            (0..count).map(|_| instance(&schema["items"], dice)).collect()
        }
        Some("object") => {
            let required =
                |name: &str| schema["required"].as_array().is_some_and(|all| all.contains(&name.into()));
            let mut object = Map::new();
            for (name, property) in schema["properties"].as_object().unwrap() {
                if required(name) || dice.next().unwrap_or(0) % 2 == 1 {
                    object.insert(name.clone(), instance(property, dice));
                }
            }
            object.into()
        }
        other => panic!("a projection says what it takes, not {other:?}: {schema}"),
    }
}

/// The keywords of a projection that some provider refuses.
fn refused(schema: &Value, is_names: bool, found: &mut Vec<String>) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                let is_odd =
                    matches!(key.as_str(), "$ref" | "$defs" | "oneOf" | "const" | "title" | "writeOnly")
                        || (key.starts_with("x-") && key != "x-mcp-header")
                        || (key == "type" && (value.is_array() || value == "null"));
                if is_odd && !is_names {
                    found.push(key.clone());
                }
                refused(value, key == "properties" && !is_names, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| refused(item, false, found)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn what_a_projection_accepts_the_full_schema_accepts(
        value in schema(),
        other in schema(),
        dice in prop::collection::vec(any::<u8>(), 64),
    ) {
        let mut full = object(&[("value", value), ("other", other)]);
        full["$defs"] = json!({"Port": {"type": "integer", "minimum": 1, "maximum": 65_535, "format": "uint16"}});
        let projection = mcp_schema(&full, Side::Input);
        let mut found = Vec::new();
        refused(&projection, false, &mut found);
        prop_assert!(found.is_empty(), "{found:?} in {projection}");
        let instance = instance(&projection, &mut dice.into_iter());
        prop_assert!(jsonschema::is_valid(&projection, &instance), "{projection} makes {instance}");
        prop_assert!(jsonschema::is_valid(&full, &instance), "{full} refuses {instance}");
    }
}
