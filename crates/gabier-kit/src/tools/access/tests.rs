//! The tools of tokens through dispatch, with the engine they are for as its guard.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use gabier_access::{Access, Settings};
use gabier_store::Memory;
use gabier_tool::guard::{AllowAll, Authority, Credential, Inline, Origin, Unlimited, Unrecorded};
use gabier_tool::{Call, Caller, Catalog, Clock, Dispatch, Guards, Redactor, Surface, Timestamp, Tool, lint};
use serde_json::{Map, Value, json};

use super::{TOOLSET, create, list, revoke, update};

struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

struct Server {
    access: Arc<Access>,
    dispatch: Dispatch,
}

impl Server {
    fn new() -> Self {
        let records = Arc::new(Memory::default());
        let access = Arc::new(
            Access::new(records, Arc::new(StandingClock), &Settings::default(), Vec::new()).unwrap(),
        );
        let mut catalog = Catalog::new();
        catalog.bind(TOOLSET, &access);
        let guards = Guards {
            authority: access.clone(),
            policy: Arc::new(AllowAll),
            rate: Arc::new(Unlimited),
            submission: Arc::new(Inline),
            audit: Arc::new(Unrecorded),
            redactor: Arc::new(Redactor::default()),
            clock: Arc::new(StandingClock),
        };
        Self { access, dispatch: Dispatch::new(Arc::new(catalog), guards) }
    }

    async fn call_as(&self, caller: Caller, tool: &str, arguments: Value) -> Value {
        let arguments: Map<String, Value> = serde_json::from_value(arguments).unwrap();
        self.dispatch.call(Call::new(tool, arguments, caller, Surface::Rest)).await.envelope.to_value()
    }

    async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.call_as(self.access.os_user(), tool, arguments).await
    }

    /// Makes a token with `resources`; gives its prefix.
    async fn token(&self, resources: Value) -> String {
        let made =
            self.call("admin_create_token", json!({"client_name": "ci", "resources": resources})).await;
        made["data"]["token_hash_prefix"].as_str().unwrap().to_owned()
    }
}

#[test]
fn the_tools_keep_the_rules_of_every_list() {
    let server = Server::new();
    assert_eq!(lint(server.dispatch.catalog()), Vec::<String>::new());
    let names = [
        create::TokenCreate::NAME,
        list::TokenList::NAME,
        revoke::TokenRevoke::NAME,
        update::TokenUpdate::NAME,
    ];
    assert!(names.iter().all(|name| server.dispatch.catalog().get(name).is_some()));
}

#[tokio::test]
async fn a_token_is_shown_once_with_the_usual_rights_and_the_makers_own_list() {
    let server = Server::new();
    let made = server.call("admin_create_token", json!({"clientName": "ci"})).await;
    assert_eq!(made["status"], "created");
    let data = &made["data"];
    assert_eq!(data["permissions"], json!(["read", "net", "write"]));
    assert_eq!(data["resources"], json!(["*"]));
    assert_eq!(data["expires_at"], "2027-04-15T08:00:00.000Z");
    let token = data["token"].as_str().unwrap();
    assert!(token.starts_with("gabier_pat_") && token.len() == 60, "{token}");

    let listed = server.call("admin_list_tokens", json!({})).await;
    assert_eq!(listed["data"]["count"], 1);
    assert_eq!(listed["data"]["tokens"][0]["token_hash_prefix"], data["token_hash_prefix"]);
    assert_eq!(listed["data"]["tokens"][0]["state"], "valid");
    assert!(!listed.to_string().contains(&token[11..]), "{listed}");
}

#[tokio::test]
async fn an_empty_list_is_none_the_old_name_counts_and_bad_days_are_refused() {
    let server = Server::new();
    let make = async |more: Value| {
        let mut arguments = json!({"client_name": "ci"});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.call("admin_create_token", arguments).await
    };
    assert_eq!(make(json!({"resources": []})).await["data"]["resources"], json!([]));
    assert_eq!(make(json!({"memory_ids": ["host:a"]})).await["data"]["resources"], json!(["host:a"]));
    for days in [json!(0), json!(-1), json!(366), json!("soon")] {
        let refused = make(json!({"expires_in_days": days})).await;
        assert_eq!(refused["code"], "INVALID_ARGUMENT");
        assert_eq!(refused["details"]["errors"][0]["parameter"], "expires_in_days");
    }
    assert_eq!(make(json!({"permissions": ["root"]})).await["code"], "INVALID_ARGUMENT");
    assert_eq!(make(json!({"resources": ["planet:mars"]})).await["code"], "INVALID_ARGUMENT");
    let admin = make(json!({"permissions": ["admin"]})).await;
    assert!(admin["data"]["token"].as_str().unwrap().starts_with("gabier_adm_"));
    assert_eq!(admin["data"]["expires_at"], "2027-02-14T08:00:00.000Z");
}

#[tokio::test]
async fn a_revoked_token_is_refused_by_the_next_call() {
    let server = Server::new();
    let made = server.call("admin_create_token", json!({"client_name": "a", "permissions": ["admin"]})).await;
    let (token, prefix) = (made["data"]["token"].as_str().unwrap(), &made["data"]["token_hash_prefix"]);
    let origin = Origin { surface: Surface::Rest, address: None };
    let caller = server.access.identify(Credential::Bearer(token), origin).await.unwrap();
    assert_eq!(server.call_as(caller.clone(), "admin_list_tokens", json!({})).await["status"], "ok");

    let revoked = server.call("admin_revoke_token", json!({"token_hash_prefix": prefix})).await;
    assert_eq!(revoked["status"], "deleted");
    assert_eq!(revoked["data"], json!({"token_hash_prefix": prefix, "client_name": "a"}));
    assert_eq!(server.call_as(caller, "admin_list_tokens", json!({})).await["code"], "UNAUTHENTICATED");
    let again = server.call("admin_revoke_token", json!({"token_hash_prefix": prefix})).await;
    assert_eq!(again["status"], "ok");
    let unknown = server.call("admin_revoke_token", json!({"token_hash_prefix": "0123456789"})).await;
    assert_eq!(unknown["code"], "NOT_FOUND");
    let short = server.call("admin_revoke_token", json!({"token_hash_prefix": "0123456"})).await;
    assert_eq!(short["code"], "INVALID_ARGUMENT");
}

#[tokio::test]
async fn an_update_tells_before_and_after_and_leaves_none_when_the_last_is_gone() {
    let server = Server::new();
    let prefix = server.token(json!(["host:a"])).await;
    let change = async |mut arguments: Value| {
        arguments["token_hash_prefix"] = prefix.as_str().into();
        server.call("admin_update_token", arguments).await
    };
    let updated = change(json!({"add_memories": ["host:b"], "set_email": "ops@example.org"})).await;
    assert_eq!(updated["data"]["previous"]["resources"], json!(["host:a"]));
    assert_eq!(updated["data"]["current"]["resources"], json!(["host:a", "host:b"]));
    assert_eq!(updated["data"]["current"]["email"], "ops@example.org");
    let updated = change(json!({"remove_resources": ["host:a", "host:b"]})).await;
    assert_eq!(updated["data"]["current"]["resources"], json!([]));
    let both = change(json!({"set_resources": ["*"], "add_resources": ["host:a"]})).await;
    assert_eq!(both["code"], "INVALID_ARGUMENT");
    assert_eq!(change(json!({})).await["code"], "INVALID_ARGUMENT");
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    let server = Server::new();
    let planned = server.call("admin_create_token", json!({"client_name": "ci", "dry_run": true})).await;
    assert_eq!(planned["data"]["steps"], json!(["make a token for ci with the rights read, net, write"]));
    let prefix = server.token(json!([])).await;
    server.call("admin_revoke_token", json!({"token_hash_prefix": prefix, "dry_run": true})).await;
    let listed = server.call("admin_list_tokens", json!({})).await;
    assert_eq!(
        (&listed["data"]["count"], &listed["data"]["tokens"][0]["state"]),
        (&json!(1), &json!("valid"))
    );
}
