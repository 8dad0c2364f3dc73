//! What tasks wrote, as MCP resources.

use serde_json::json;

use crate::harness::Home;

#[test]
fn what_a_task_wrote_is_a_resource_of_its_owner() {
    let home = Home::new();
    let mut pipe = home.mcp(&[]);
    assert!(pipe.initialize("2025-11-25")["capabilities"]["resources"].is_object());
    let templates = pipe.ask("resources/templates/list", &json!({}))["result"]["resourceTemplates"].clone();
    assert_eq!(templates[0]["uriTemplate"], "task://{id}/log", "{templates}");

    let call = json!({"name": "asynchronousTaskSimulatorEnhanced",
        "arguments": {"duration_ms": 100, "value1": 1, "value2": 2}});
    let answer = pipe.ask("tools/call", &call);
    let id = answer["result"]["structuredContent"]["data"]["id"].as_str().unwrap().to_owned();
    let uri = format!("task://{id}/log");
    let read = pipe.ask("resources/read", &json!({"uri": uri}))["result"].clone();
    assert_eq!(read["contents"][0], json!({"uri": uri, "mimeType": "text/plain", "text": ""}), "{read}");

    for nobodys in ["task://00000000-0000-4000-8000-000000000000/log", "task://x/log", "task://x/y"] {
        let refused = pipe.ask("resources/read", &json!({"uri": nobodys}));
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains("there is no resource"), "{refused}");
    }
}
