//! The OpenAPI document and the server agree.

use std::collections::HashSet;

use serde_json::Value;

use crate::fixture::Server;

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|inner| references(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_whole_and_the_same_every_time() {
    let server = Server::open().await;
    let answer = server.get("/openapi.json").await;
    assert_eq!(server.get("/openapi.json").await.body, answer.body);
    let etag = format!("If-None-Match: {}", answer.header("etag").unwrap());
    assert_eq!(server.send("GET /openapi.json", &[&etag], "").await.status, 304);
    let document = answer.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document.get("jsonSchemaDialect"), None);
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} points at nothing");
    }
}

#[tokio::test]
async fn every_documented_operation_exists_and_has_its_own_name() {
    let server = Server::open().await;
    let document = server.get("/openapi.json").await.json();
    let mut names = HashSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} stands twice");
            if path.ends_with("/wait") {
                continue; // It would.
            }
            let status = server.send(&format!("{} {path}", method.to_uppercase()), &[], "").await.status;
            assert!(
                ![404, 405].contains(&status) && operation["responses"].get(status.to_string()).is_some(),
                "{method} {path}: {status}"
            );
        }
    }
    assert!(names.contains("post_echo") && names.contains("get_echo"));
    assert_eq!(document["paths"]["/api/v1/tools/thing_keep"].get("get"), None);
}

#[tokio::test]
async fn a_token_is_asked_for_only_where_and_when_it_is_needed() {
    let echo = |document: &Value| document["paths"]["/api/v1/tools/echo"]["post"].get("security").cloned();
    let guarded = Server::guarded().await.get("/openapi.json").await.json();
    assert!(echo(&guarded).is_some());
    assert_eq!(guarded["paths"]["/api/v1/tools/greet"]["post"].get("security"), None);
    assert_eq!(guarded["paths"]["/health"]["get"].get("security"), None);
    assert!(guarded["paths"]["/tools"]["get"].get("security").is_some());
    let open = Server::open().await.get("/openapi.json").await.json();
    assert_eq!(echo(&open), None);
}

#[tokio::test]
async fn schemas_say_what_is_taken_and_sent() {
    let document = Server::open().await.get("/openapi.json").await.json();
    let schemas = &document["components"]["schemas"];
    let often = &schemas["EchoInput"]["properties"]["how_often"];
    assert_eq!(often["type"], serde_json::json!(["integer", "null"]), "a null is none");
    assert_eq!(schemas["EchoInput"]["additionalProperties"], false);
    assert_eq!(
        schemas["ThingKeepResult"]["properties"]["data"]["anyOf"][1]["$ref"],
        "#/components/schemas/DryRun"
    );
    let post = &document["paths"]["/api/v1/tools/echo"]["post"];
    assert_eq!(post["requestBody"]["content"]["application/json"]["example"]["words"], "hello");
    assert!(!document.to_string().contains("\"x-"), "our own marks stay at home");
}
