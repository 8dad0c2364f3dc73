//! The list of tools as models see it.

use gabier_tool::{Permission, Permissions};
use serde_json::{Value, json};

use crate::fixture::{Bench, call, caller};

#[test]
fn the_list_is_the_same_bytes_every_time_and_follows_the_rights() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let (one, other) = (Bench::new(), Bench::new());
    let list = one.mcp.list_json(&caller("alice"), "all").to_string();
    assert_eq!(list, other.mcp.list_json(&caller("bob"), "all").to_string());
    let mut reader = caller("carol");
    reader.permissions = Permissions::NONE.with(Permission::Read);
    let list = one.mcp.list_json(&reader, "all");
    assert!(list["tools"].as_array().unwrap().iter().all(|tool| tool["name"] != "remove"));
}

#[tokio::test]
async fn annotations_come_from_the_effect_and_hints_from_the_tool() {
    let list = Bench::new().mcp.list_json(&caller("alice"), "all");
    assert_eq!(
        list["tools"][0]["annotations"],
        json!({"readOnlyHint": true, "openWorldHint": false, "streamingHint": true}),
    );
    assert_eq!(
        list["tools"][3]["annotations"],
        json!({
            "readOnlyHint": false, "destructiveHint": true, "idempotentHint": false, "openWorldHint": false,
        }),
    );
}

#[tokio::test]
async fn the_small_profiles_leave_out_results_and_common_parameters() {
    let bench = Bench::new();
    let all = bench.mcp.list_json(&caller("alice"), "all");
    let core = bench.mcp.list_json(&caller("alice"), "core");
    assert!(all["tools"][0].get("outputSchema").is_some());
    assert!(core["tools"][0].get("outputSchema").is_none());
    assert!(all["tools"][3]["inputSchema"]["properties"].get("dry_run").is_some());
}

#[tokio::test]
async fn every_answer_fits_the_published_output_schema() {
    let bench = Bench::new();
    let list = bench.mcp.list_json(&caller("alice"), "all");
    for (tool, arguments) in [
        ("echo", json!({"text": "hi"})),
        ("echo", json!({"text": ""})),
        ("remove", json!({"name": "x", "dry_run": true})),
        ("remove", json!({"name": "x"})),
    ] {
        let tools = list["tools"].as_array().unwrap();
        let schema = &tools.iter().find(|one| one["name"] == tool).unwrap()["outputSchema"];
        let (_, answer) = bench.post(&call(1, tool, arguments)).await;
        let envelope: &Value = &answer["result"]["structuredContent"];
        assert!(jsonschema::is_valid(schema, envelope), "{schema} refuses {envelope}");
        assert_eq!(schema["type"], "object");
    }
}
