//! What the faces read.

use gabier_tool::{Permissions, lint};
use serde_json::json;

use crate::fixture::{Bench, caller};

#[test]
fn the_schema_is_closed_described_and_bounded() {
    let bench = Bench::new();
    let schemas = bench.dispatch.catalog().get("echo").unwrap().schemas();
    assert_eq!(schemas.summary, "Say something back.");
    assert_eq!(
        schemas.input,
        json!({
            "type": "object",
            "properties": {
                "text": {"description": "What to say.", "type": "string", "minLength": 1, "maxLength": 20000},
                "how_often": {
                    "description": "How often.", "type": "integer", "minimum": 1, "maximum": 5, "default": 1,
                },
            },
            "required": ["text"],
            "additionalProperties": false,
        }),
    );
}

#[test]
fn changing_tools_take_dry_run_and_optional_parameters_no_null() {
    let bench = Bench::new();
    let input = &bench.dispatch.catalog().get("remove").unwrap().schemas().input;
    assert_eq!(input["properties"]["dry_run"]["type"], "boolean");
    assert_eq!(input["properties"]["password"]["type"], "string");
    assert_eq!(input["properties"]["password"]["writeOnly"], true);
}

#[test]
fn profiles_list_by_mark_and_rights() {
    let bench = Bench::new();
    let listed = |profile: &str, permissions| {
        let caller = caller(permissions, None);
        let names: Vec<_> = bench.dispatch.listed(&caller, profile).map(|entry| entry.facts.name).collect();
        names.join(" ")
    };
    assert_eq!(listed("core", Permissions::ALL), "echo");
    assert_eq!(listed("lean", Permissions::ALL), "echo relay");
    assert_eq!(listed("all", Permissions::ALL), "echo remove");
    assert_eq!(listed("readonly", Permissions::ALL), "echo");
    assert_eq!(listed("demo", Permissions::ALL), "echo remove");
    assert_eq!(listed("all", Permissions::NONE), "");
}

#[test]
fn a_sound_list_has_no_faults() {
    assert_eq!(lint(Bench::new().dispatch.catalog()), Vec::<String>::new());
}
