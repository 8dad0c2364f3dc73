//! Tools that this program was not made for.

use gabier_term::{About, Cli, Parsed};
use serde_json::{Value, json};

use crate::fixture::{argv, terminal, tool};

fn cli(name: &str, input: Value) -> Cli {
    let about = About { name: "gab".to_owned(), version: "1".to_owned(), summary: "Tests.".to_owned() };
    Cli::new(about, vec![tool(name, "write", input)])
}

/// Words in, arguments or the fault out.
fn check(cli: &Cli, words: &[&str], expected: Value) {
    cli.tree().debug_assert();
    let (terminal, _) = terminal("", &[]);
    let said = match cli.parse(&argv(words), &terminal) {
        Parsed::Tool { arguments, .. } => Value::Object(arguments),
        Parsed::Failed { error, .. } => error.message().into(),
        other => panic!("{other:?}"),
    };
    assert_eq!(said, expected, "{words:?}");
}

#[test]
fn an_issue_tracker_in_draft_07_with_camel_case_and_reserved_names() {
    let cli = cli(
        "createIssue!",
        json!({
            "$schema": "http://json-schema.org/draft-07/schema#", "x-foreign": true, "type": "object",
            "definitions": {"Label": {"type": "object", "properties": {"name": {"type": "string"}, "color": {"type": ["string", "null"]}}}},
            "properties": {
                "projectKey": {"type": "string"}, "json": {"type": "boolean"}, "output": {"type": "string"},
                "labels": {"type": "array", "items": {"$ref": "#/definitions/Label"}},
                "a_b": {"type": "string"}, "a-b": {"type": "string"}, "h": {"type": "string", "x-cli": {"short": "h"}},
                "estimate": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            },
            "required": ["projectKey"],
        }),
    );
    check(
        &cli,
        &[
            "create",
            "issue",
            "--project-key",
            "K",
            "--arg-json",
            "--arg-output",
            "x",
            "--labels",
            "name=bug,color=red",
            "--a-b",
            "1",
            "--a-b-2",
            "2",
            "--estimate",
            "1.5",
        ],
        json!({"projectKey": "K", "json": true, "output": "x", "labels": [{"name": "bug", "color": "red"}],
            "a_b": "1", "a-b": "2", "estimate": 1.5}),
    );
}

#[test]
fn a_recursive_filter_takes_json() {
    let cli = cli(
        "search",
        json!({
            "x-foreign": true, "$ref": "#/$defs/Query",
            "$defs": {"Query": {"type": "object", "properties": {
                "and": {"type": "array", "items": {"$ref": "#/$defs/Query"}},
                "not": {"$ref": "#/$defs/Query"}, "text": {"type": "string"}}}},
        }),
    );
    check(
        &cli,
        &["search", "--text", "a", "--not", r#"{"text":"b"}"#, "--and", r#"{"text":"c"}"#],
        json!({"text": "a", "not": {"text": "b"}, "and": [{"text": "c"}]}),
    );
    check(
        &cli,
        &["search", "--not", "{"],
        json!("not: must be JSON (EOF while parsing an object at line 1 column 1)"),
    );
}

#[test]
fn unions_without_a_tag_tuples_and_anything_are_reachable() {
    let cli = cli(
        "日本/語 tool",
        json!({
            "x-foreign": true, "type": "object",
            "oneOf": [{"required": ["id"], "properties": {"id": {"type": ["string", "integer"]}}},
                {"properties": {"query": {"type": "string"}}}],
            "properties": {
                "range": {"type": "array", "items": [{"type": "number"}, {"type": "number"}]},
                "pair": {"type": "array", "prefixItems": [{"type": "string"}], "items": false},
                "any": true, "": {"type": "string"}, "deep": {"type": "object", "properties": {"a": {"type": "object",
                    "properties": {"b": {"type": "object", "properties": {"c": {"type": "object", "properties": {
                        "d": {"type": "integer"}}}}}}}}},
            },
        }),
    );
    check(
        &cli,
        &[
            "日本-語-tool",
            "--id",
            "7",
            "--query",
            "q",
            "--range",
            "[1,2]",
            "--pair",
            r#"["x"]"#,
            "--any",
            "null",
            "--arg",
            "e",
            "--deep-a-b",
            r#"{"c":{"d":1}}"#,
        ],
        json!({"id": 7, "query": "q", "range": [1, 2], "pair": ["x"], "any": null, "": "e",
            "deep": {"a": {"b": {"c": {"d": 1}}}}}),
    );
}

#[test]
fn a_schema_that_is_none_still_takes_input() {
    for input in [
        json!({}),
        json!(true),
        json!({"type": "string"}),
        json!({"properties": []}),
        json!({"$ref": "#/nowhere"}),
    ] {
        let cli = cli("-odd-", input);
        check(&cli, &["odd", "--input", r#"{"a":1}"#], json!({"a": 1}));
    }
}
