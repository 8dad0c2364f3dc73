//! What the tool list costs a model, and what every model provider accepts.

use serde_json::{Value, json};

use crate::harness::Home;

/// The answer of `tools/list` in a profile.
#[track_caller]
fn list(profile: &str) -> Value {
    let home = Home::new();
    let mut pipe = home.mcp(&["--profile", profile]);
    pipe.initialize("2025-06-18");
    pipe.ask("tools/list", &json!({}))["result"].clone()
}

fn tools(list: &Value) -> &Vec<Value> {
    list["tools"].as_array().unwrap()
}

fn tokens(value: &Value) -> usize {
    value.to_string().len() / 4
}

#[track_caller]
fn check(profile: &str, total: usize, average: usize) {
    let list = list(profile);
    assert!(tokens(&list) <= total, "{profile} costs {} tokens of {total}", tokens(&list));
    let mean = tokens(&list) / tools(&list).len();
    assert!(mean <= average, "{profile} costs {mean} tokens a tool of {average}");
    for tool in tools(&list) {
        assert!(tokens(tool) <= 300, "{} costs {} tokens", tool["name"], tokens(tool));
    }
}

#[test]
fn the_core_profile_fits_its_budget() {
    check("core", 6_000, 130);
}

#[test]
fn the_lean_profile_fits_its_budget() {
    check("lean", 3_500 + 600, 160);
    let list = list("lean");
    assert!(tools(&list).len() <= 23, "{} tools", tools(&list).len());
    let reaching = ["tool_search", "tool_describe", "tool_call"];
    let three: Vec<&Value> =
        tools(&list).iter().filter(|tool| reaching.contains(&tool["name"].as_str().unwrap())).collect();
    assert_eq!(three.len(), 3, "{list}");
    let cost: usize = three.into_iter().map(tokens).sum();
    assert!(cost <= 600, "the three that reach all others cost {cost} tokens");
}

#[test]
fn the_same_list_has_the_same_bytes_in_every_run() {
    for profile in ["core", "lean", "all"] {
        assert_eq!(list(profile).to_string(), list(profile).to_string(), "{profile}");
    }
}

#[test]
fn every_tool_says_what_it_does_to_the_world() {
    for tool in tools(&list("all")) {
        let hints = &tool["annotations"];
        let is_read = hints["readOnlyHint"].as_bool();
        assert!(is_read.is_some(), "{tool}");
        if is_read == Some(false) {
            assert!(hints["destructiveHint"].is_boolean() && hints["idempotentHint"].is_boolean(), "{tool}");
        }
        assert!(hints["openWorldHint"].is_boolean(), "{tool}");
    }
}

#[test]
fn every_description_is_decisive_and_short() {
    for tool in tools(&list("all")) {
        let text = tool["description"].as_str().unwrap();
        assert!(!text.is_empty() && text.chars().count() <= 600, "{}: {text}", tool["name"]);
        let first = text.split(". ").flat_map(|part| part.split("\n\n")).next().unwrap();
        assert!(first.chars().count() <= 120, "{}: {first}", tool["name"]);
    }
}

#[test]
fn no_schema_holds_what_a_provider_refuses() {
    for profile in ["core", "lean", "all"] {
        for tool in tools(&list(profile)) {
            let schema = &tool["inputSchema"];
            assert_eq!(schema["type"], "object", "{tool}");
            assert_eq!(schema["additionalProperties"], false, "{tool}");
            for word in ["anyOf", "oneOf", "allOf"] {
                assert!(schema.get(word).is_none(), "{word} at the root of {}", tool["name"]);
            }
            plain(schema, false, tool["name"].as_str().unwrap());
        }
    }
}

/// Walks a schema; names of properties are names, whatever they are.
fn plain(schema: &Value, holds_names: bool, tool: &str) {
    match schema {
        Value::Object(object) => {
            for (key, inner) in object {
                let is_refused =
                    matches!(key.as_str(), "$ref" | "$defs" | "oneOf" | "const" | "examples" | "title");
                assert!(holds_names || !is_refused && !key.starts_with("x-"), "{tool}: {key}");
                if key == "type" && !holds_names {
                    assert!(inner.is_string() && inner != "null", "{tool}: type {inner}");
                }
                if !matches!(key.as_str(), "enum" | "default" | "required") || holds_names {
                    plain(inner, key == "properties" && !holds_names, tool);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| plain(item, false, tool)),
        _ => {}
    }
}

#[test]
fn the_instructions_fit_what_clients_keep() {
    let home = Home::new();
    let result = home.mcp(&[]).initialize("2025-11-25");
    let instructions = result["instructions"].as_str().unwrap();
    assert!((200..=2_000).contains(&instructions.chars().count()), "{}", instructions.len());
}
