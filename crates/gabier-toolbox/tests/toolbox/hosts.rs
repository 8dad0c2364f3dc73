//! The inventory through the dispatch.

use std::sync::Arc;

use gabier_toolbox::Services;
use gabier_toolbox::testing::{FakeHost, os_user, services_over, token_bearer};
use serde_json::{Value, json};

use crate::{call, code, data};

const PASSWORD: &str = "correct horse battery";

async fn hosts(names: &[&str]) -> Arc<Services> {
    let hosts: Vec<FakeHost> = names.iter().map(|name| FakeHost::named(*name)).collect();
    Arc::new(services_over(&hosts).await)
}

/// What `server_add` answers, and the envelope.
async fn add(services: &Arc<Services>, arguments: Value) -> (String, Value) {
    let envelope = call(services, os_user(), "server_add", arguments).await;
    (code(&envelope), envelope.to_value())
}

#[tokio::test]
async fn adding_a_host_twice_changes_nothing_and_other_fields_are_merged() {
    let services = hosts(&["web1"]).await;
    let web1 = |key: &str, value: Value| {
        let mut arguments =
            json!({"alias": "web1", "host": "192.0.2.1", "user": "root", "agent": true, "groups": ["web"]});
        arguments[key] = value;
        arguments
    };
    let (status, envelope) = add(&services, web1("port", json!(22))).await;
    assert_eq!((status.as_str(), &envelope["data"]["fingerprint"]), ("ok", &json!("SHA256:web1")));
    assert_eq!(add(&services, web1("port", json!(22))).await.0, "already_exists");
    let (status, envelope) = add(&services, web1("port", json!(2222))).await;
    assert_eq!((status.as_str(), &envelope["data"]["replaced"]), ("ok", &json!(["port"])));
    assert_eq!(envelope["data"]["auth"], "agent", "what is not said stays");
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_kept_with_a_warning() {
    // The fleet of the test knows no such host: it is as good as unreachable.
    let services = hosts(&[]).await;
    let arguments = json!({"alias": "web1", "host": "192.0.2.1", "user": "root"});
    let (code, envelope) = add(&services, arguments).await;
    assert_eq!(
        (code.as_str(), &envelope["details"]["errors"][0]["parameter"]),
        ("INVALID_ARGUMENT", &json!("key_path"))
    );
    let listed = data(&call(&services, os_user(), "server_list", json!({})).await);
    assert_eq!(listed, json!({"servers": {}, "count": 0}));
}

#[tokio::test]
async fn a_password_goes_to_the_vault_and_nowhere_else() {
    let services = hosts(&["web1"]).await;
    let arguments =
        |password: &str| json!({"alias": "web1", "host": "192.0.2.1", "user": "root", "password": password});
    let (_, envelope) = add(&services, arguments(PASSWORD)).await;
    assert_eq!(envelope["data"]["auth"], "password (set 1970-01-01)");
    assert!(envelope["data"]["note"].as_str().unwrap().contains("server/web1/password"), "{envelope}");
    let (status, again) = add(&services, arguments(PASSWORD)).await;
    assert_eq!(status, "already_exists");
    let (_, other) = add(&services, arguments("another password")).await;
    assert_eq!(other["data"]["replaced"], json!([]), "the name of the secret is as before: {other}");
    let listed = data(&call(&services, os_user(), "server_list", json!({})).await);
    for said in [envelope, again, other, listed] {
        assert!(!said.to_string().contains(PASSWORD), "{said}");
    }
    let secret = services.hosts().unwrap().vault.list().await.unwrap().unwrap().secrets;
    assert_eq!(secret.len(), 1);
}

#[tokio::test]
async fn a_refused_host_leaves_no_secret_behind() {
    let services = hosts(&["web1"]).await;
    let arguments = json!({"alias": "db1", "host": "-oProxyCommand=x", "user": "root", "password": PASSWORD});
    assert_eq!(add(&services, arguments).await.0, "INVALID_ARGUMENT");
    let listing = services.hosts().unwrap().vault.list().await.unwrap();
    assert!(listing.is_none_or(|listing| listing.secrets.is_empty()));
}

#[tokio::test]
async fn a_removed_host_takes_its_secret_along_and_an_absent_one_is_no_failure() {
    let services = hosts(&["web1"]).await;
    let arguments = json!({"alias": "web1", "host": "192.0.2.1", "user": "root", "password": PASSWORD});
    add(&services, arguments).await;
    let remove = async || code(&call(&services, os_user(), "server_remove", json!({"alias": "web1"})).await);
    assert_eq!((remove().await.as_str(), remove().await.as_str()), ("deleted", "not_found"));
    assert!(services.hosts().unwrap().vault.list().await.unwrap().unwrap().secrets.is_empty());
}

#[tokio::test]
async fn lists_show_what_their_reader_may_use() {
    let services = hosts(&["web1", "db1"]).await;
    let of = async |resources: &[&str]| {
        data(&call(&services, token_bearer(resources), "server_list", json!({})).await)["count"].clone()
    };
    assert_eq!(
        (of(&["*"]).await, of(&["host:web1"]).await, of(&["group:web"]).await),
        (json!(2), json!(1), json!(0))
    );
}

#[tokio::test]
async fn a_key_is_accepted_only_by_its_own_fingerprint() {
    let services = hosts(&["web1"]).await;
    let accept = async |fingerprint: &str| {
        let arguments = json!({"alias": "web1", "fingerprint": fingerprint});
        code(&call(&services, os_user(), "hostkey_accept", arguments).await)
    };
    assert_eq!(accept("SHA256:other").await, "HOST_KEY_MISMATCH");
    let shown = data(&call(&services, os_user(), "hostkey_show", json!({"alias": "web1"})).await);
    assert_eq!(
        (&shown["fingerprint"], &shown["offered"]["fingerprint"]),
        (&Value::Null, &json!("SHA256:web1"))
    );
    assert_eq!(accept("SHA256:web1").await, "ok");
    assert_eq!(accept("SHA256:web1").await, "already_exists");
    let shown = data(&call(&services, os_user(), "hostkey_show", json!({"alias": "web1"})).await);
    assert_eq!((&shown["fingerprint"], &shown["offered"]), (&json!("SHA256:web1"), &Value::Null));
}
