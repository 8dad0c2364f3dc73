//! Schemas as MCP clients and model providers take them: narrow, inlined, without anything that one of them refuses.
//!
//! Providers reject whole tool lists for legal JSON Schema: unions at the root, `["x","null"]`, enums that are not
//! words, unknown formats. A projection says the same with the few keywords that all of them know. What it accepts,
//! the full schema accepts.

use serde_json::{Map, Value, json};

use crate::catalog::Entry;
use crate::effect::{Effect, Mode};
use crate::envelope::Status;
use crate::schema::slim::slim;

/// How deep references are followed; deeper, and in a cycle, any value of the type is taken.
const DEPTH: usize = 8;

/// Formats that every client knows.
const FORMATS: [&str; 5] = ["date-time", "date", "email", "uri", "uuid"];

/// How much of a schema is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detail {
    /// The small profiles: of the common parameters only the time limit of commands, none that is marked `x-full`; no
    /// bounds of sizes, and no words about what has no name. All of it is taken and checked all the same.
    Slim,
    /// Everything.
    Full,
}

/// The input schema of a tool for MCP: an object, closed, with inlined parts.
pub fn mcp_input(entry: &Entry, detail: Detail) -> Map<String, Value> {
    let mut schema = entry.schemas().input.clone();
    if let (Detail::Slim, Some(Value::Object(properties))) = (detail, schema.get_mut("properties")) {
        let keeps_limit = entry.facts.effect == Effect::Exec;
        properties.retain(|name, property| {
            let marked = |mark| property.get(mark).is_some_and(|mark| mark == true);
            !marked("x-full") && (!marked("x-common") || (keeps_limit && name == "timeout"))
        });
        properties.values_mut().for_each(slim);
    }
    let mut object = object_at_root(mcp_schema(&schema, Side::Input));
    object.remove("description");
    object
}

/// The output schema of a tool for MCP: the envelope around its data, plans and failures included.
pub fn mcp_output(entry: &Entry) -> Map<String, Value> {
    let mut data = mcp_schema(&entry.schemas().output, Side::Output);
    if entry.schemas().input.pointer("/properties/dry_run/x-common").is_some() {
        let plan = json!({
            "type": "object", "description": "The plan of a dry run.",
            "properties": {"dry_run": {"type": "boolean"}}, "required": ["dry_run", "tool", "steps"],
        });
        data = json!({"anyOf": [data, plan]});
    }
    if entry.facts.mode != Mode::Inline {
        let handle = json!({
            "type": "object", "description": "The task it became.",
            "properties": {"id": {"type": "string"}, "status": {"type": "string"}}, "required": ["id", "status"],
        });
        match data.get_mut("anyOf").and_then(Value::as_array_mut) {
            Some(forms) => forms.push(handle),
            None => data = json!({"anyOf": [data, handle]}),
        }
    }
    let mut words: Vec<&str> = Status::NAMES.to_vec();
    words.push("error");
    let envelope = json!({
        "type": "object",
        "properties": {
            "status": {"type": "string", "enum": words},
            "message": {"type": "string"},
            "data": data,
        },
        "required": ["status"],
    });
    object_at_root(envelope)
}

/// Hints of a tool's annotations beyond those of MCP: `x-annotations` on its struct.
pub fn mcp_hints(entry: &Entry) -> Option<&Map<String, Value>> {
    entry.schemas().input.get("x-annotations")?.as_object()
}

/// Which way a schema's values go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// To the tool: what is optional is left out, never null.
    Input,
    /// From the tool: null stays possible.
    Output,
}

/// The projection of any schema.
pub fn mcp_schema(schema: &Value, side: Side) -> Value {
    Projection { root: schema, side }.value(schema, DEPTH)
}

struct Projection<'a> {
    root: &'a Value,
    side: Side,
}

impl Projection<'_> {
    fn value(&self, schema: &Value, depth: usize) -> Value {
        let Some(object) = schema.as_object() else { return json!({}) };
        let (merged, depth) = self.merge(object, depth);
        if let Some(documented) = documented_words(&merged) {
            return documented;
        }
        let mut out = Map::new();
        for (key, value) in &merged {
            match key.as_str() {
                "properties" | "patternProperties" => {
                    out.insert(key.clone(), self.named(value, depth));
                }
                "items" | "additionalProperties" if value.is_object() => {
                    out.insert(key.clone(), self.value(value, depth));
                }
                "additionalProperties" if value == &json!(false) => {
                    out.insert(key.clone(), false.into());
                }
                "prefixItems" => tuple(&self.list(value, depth), &mut out),
                "anyOf" | "oneOf" => self.union(value, depth, &mut out),
                "type" => self.kind(value, &mut out),
                "enum" => self.words(value, &mut out),
                "const" => self.words(&json!([value]), &mut out),
                "format" => {
                    if value.as_str().is_some_and(|format| FORMATS.contains(&format)) {
                        out.insert(key.clone(), value.clone());
                    }
                }
                "title"
                | "examples"
                | "writeOnly"
                | "readOnly"
                | "deprecated"
                | "items"
                | "additionalProperties" => {}
                key if key.starts_with('$') || key.starts_with("x-") && key != "x-mcp-header" => {}
                _ => {
                    out.insert(key.clone(), value.clone());
                }
            }
        }
        if self.side == Side::Input && out.keys().all(|key| key == "description" || key == "default") {
            // Clients refuse a parameter that may be anything; text and objects are what models write.
            out.insert("anyOf".to_owned(), json!([{"type": "string"}, {"type": "object"}]));
        }
        Value::Object(out)
    }

    /// Follows `$ref` and folds `allOf` into the schema that holds them; the outer keywords win.
    fn merge(&self, object: &Map<String, Value>, depth: usize) -> (Map<String, Value>, usize) {
        let mut merged = object.clone();
        let mut depth = depth;
        while let Some(Value::String(reference)) = merged.remove("$ref") {
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            let Some(target) = target.and_then(Value::as_object) else { break };
            if depth == 0 {
                if let Some(kind) = target.get("type") {
                    merged.entry("type").or_insert_with(|| kind.clone());
                }
                break;
            }
            depth -= 1;
            fold(&mut merged, target);
        }
        if let Some(Value::Array(parts)) = merged.remove("allOf") {
            for part in parts.iter().filter_map(Value::as_object) {
                let (part, _) = self.merge(part, depth);
                fold(&mut merged, &part);
            }
        }
        (merged, depth)
    }

    fn named(&self, properties: &Value, depth: usize) -> Value {
        let properties = properties.as_object().into_iter().flatten();
        properties.map(|(name, schema)| (name.clone(), self.value(schema, depth))).collect()
    }

    fn list(&self, schemas: &Value, depth: usize) -> Vec<Value> {
        schemas.as_array().into_iter().flatten().map(|schema| self.value(schema, depth)).collect()
    }

    fn union(&self, branches: &Value, depth: usize, out: &mut Map<String, Value>) {
        let mut branches = self.list(branches, depth);
        if self.side == Side::Input {
            branches.retain(|branch| branch.get("type").is_none_or(|kind| kind != "null"));
        }
        if let [Value::Object(only)] = branches.as_slice() {
            fold(out, only);
        } else {
            out.insert("anyOf".to_owned(), branches.into());
        }
    }

    fn kind(&self, kind: &Value, out: &mut Map<String, Value>) {
        let Value::Array(kinds) = kind else {
            out.insert("type".to_owned(), kind.clone());
            return;
        };
        let keeps = |kind: &&Value| self.side == Side::Output || *kind != "null";
        let kinds: Vec<&Value> = kinds.iter().filter(keeps).collect();
        if let [only] = kinds.as_slice() {
            out.insert("type".to_owned(), (*only).clone());
        } else {
            let branches: Vec<Value> = kinds.into_iter().map(|kind| json!({"type": kind})).collect();
            out.insert("anyOf".to_owned(), branches.into());
        }
    }

    /// Closed lists: of words as they are, of numbers as bounds.
    fn words(&self, words: &Value, out: &mut Map<String, Value>) {
        let (words, others): (Vec<&Value>, Vec<&Value>) =
            words.as_array().into_iter().flatten().partition(|word| word.is_string());
        let others = others.into_iter().filter(|other| self.side == Side::Output || !other.is_null());
        let mut branches: Vec<Value> = others.map(exactly).collect();
        if branches.is_empty() {
            out.insert("type".to_owned(), "string".into());
            out.insert("enum".to_owned(), words.into_iter().cloned().collect());
            return;
        }
        if !words.is_empty() {
            branches.push(json!({"type": "string", "enum": words}));
        }
        out.remove("type");
        match branches.as_slice() {
            [Value::Object(only)] => fold(out, only),
            _ => {
                out.insert("anyOf".to_owned(), branches.into());
            }
        }
    }
}

/// The one value that is no word.
fn exactly(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            let kind = if number.is_f64() { "number" } else { "integer" };
            json!({"type": kind, "minimum": number, "maximum": number})
        }
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Array(_) => json!({"type": "array"}),
        Value::Object(_) => json!({"type": "object"}),
        Value::Null | Value::String(_) => json!({"type": "null"}),
    }
}

/// `oneOf` of documented constants: one closed list with the help of each word in the description.
fn documented_words(schema: &Map<String, Value>) -> Option<Value> {
    let branches = schema.get("oneOf").or_else(|| schema.get("anyOf"))?.as_array()?;
    let mut words = Vec::new();
    let mut help = Vec::new();
    for branch in branches {
        let of_branch: Vec<&str> = match (branch.get("const"), branch.get("enum")) {
            (Some(word), _) => vec![word.as_str()?],
            (None, Some(list)) => list.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?,
            (None, None) => return None,
        };
        if let (Some(text), [word]) =
            (branch.get("description").and_then(Value::as_str), of_branch.as_slice())
        {
            help.push(format!("{word}: {}", text.trim_end_matches('.').replace('\n', " ")));
        }
        words.extend(of_branch);
    }
    let mut out = Map::new();
    let own = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = [own.to_owned(), help.join("; ")].join(" ").trim().to_owned();
    if !description.is_empty() {
        out.insert("description".to_owned(), description.into());
    }
    out.insert("type".to_owned(), "string".into());
    out.insert("enum".to_owned(), words.into());
    if let Some(default) = schema.get("default").filter(|default| default.is_string()) {
        out.insert("default".to_owned(), default.clone());
    }
    Some(Value::Object(out))
}

/// A tuple as a list of that length whose items are any of the tuple's.
fn tuple(items: &[Value], out: &mut Map<String, Value>) {
    let length = items.len();
    out.insert("items".to_owned(), json!({"anyOf": items}));
    out.insert("minItems".to_owned(), length.into());
    out.insert("maxItems".to_owned(), length.into());
}

/// Adds what is not there yet; properties and required names are joined.
fn fold(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (None, value) => {
                into.insert(key.clone(), value.clone());
            }
            (Some(Value::Object(own)), Value::Object(more)) if key == "properties" => fold(own, more),
            (Some(Value::Array(own)), Value::Array(more)) if key == "required" => {
                own.extend(more.iter().filter(|name| !own.contains(name)).cloned().collect::<Vec<_>>());
            }
            _ => {}
        }
    }
}

/// An object schema: a union at the root becomes the object of all its branches' properties.
fn object_at_root(schema: Value) -> Map<String, Value> {
    let Value::Object(mut object) = schema else { return Map::new() };
    if let Some(Value::Array(branches)) = object.remove("anyOf") {
        for branch in branches.iter().filter_map(Value::as_object) {
            let mut branch = branch.clone();
            branch.remove("required");
            fold(&mut object, &branch);
        }
    }
    object.insert("type".to_owned(), "object".into());
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: &Value, expected: &Value) {
        assert_eq!(mcp_schema(schema, Side::Input), *expected);
    }

    #[test]
    fn rust_and_face_keywords_are_dropped_and_header_names_kept() {
        check(
            &json!({"type": "integer", "format": "uint32", "title": "T", "x-cli": {}, "x-mcp-header": "Port"}),
            &json!({"type": "integer", "x-mcp-header": "Port"}),
        );
        check(
            &json!({"type": "string", "format": "password", "writeOnly": true}),
            &json!({"type": "string"}),
        );
    }

    #[test]
    fn a_parameter_may_be_called_title() {
        let schema = json!({"type": "object", "properties": {"title": {"type": "string", "title": "Title"}}});
        check(&schema, &json!({"type": "object", "properties": {"title": {"type": "string"}}}));
    }

    #[test]
    fn null_leaves_inputs_and_stays_in_outputs() {
        let schema = json!({"type": ["string", "null"]});
        check(&schema, &json!({"type": "string"}));
        check(&json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), &json!({"type": "integer"}));
        assert_eq!(
            mcp_schema(&schema, Side::Output),
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        );
    }

    #[test]
    fn documented_words_become_one_list_with_their_help() {
        check(
            &json!({
                "description": "Order.", "default": "cpu",
                "oneOf": [
                    {"const": "cpu", "description": "Busiest first."},
                    {"type": "string", "enum": ["memory", "name"]},
                ],
            }),
            &json!({
                "description": "Order. cpu: Busiest first", "type": "string",
                "enum": ["cpu", "memory", "name"], "default": "cpu",
            }),
        );
    }

    #[test]
    fn constants_and_numbers_of_a_list_become_words_and_bounds() {
        check(&json!({"const": "tcp"}), &json!({"type": "string", "enum": ["tcp"]}));
        check(
            &json!({"type": "integer", "enum": [1, 8]}),
            &json!({"anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 1}, {"type": "integer", "minimum": 8, "maximum": 8},
            ]}),
        );
    }

    #[test]
    fn a_parameter_that_may_be_anything_is_said_to_be_text_or_an_object() {
        check(
            &json!({"description": "Body.", "x-cli": {}}),
            &json!({"description": "Body.", "anyOf": [{"type": "string"}, {"type": "object"}]}),
        );
    }

    #[test]
    fn references_are_inlined_and_cycles_end() {
        let schema = json!({
            "$ref": "#/$defs/Node",
            "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
        });
        let text = mcp_schema(&schema, Side::Input).to_string();
        assert!(!text.contains("$ref") && !text.contains("$defs"), "{text}");
        assert_eq!(text.matches("next").count(), DEPTH);
    }

    #[test]
    fn a_union_at_the_root_becomes_one_object() {
        let schema = json!({"anyOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"type": "object", "properties": {"b": {"type": "string"}}},
        ]});
        let object = Value::Object(object_at_root(mcp_schema(&schema, Side::Input)));
        assert_eq!(
            object,
            json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}),
        );
    }
}
