//! The table of rights, against an oracle that was written down by hand from the contract.

use gabier_access::NewToken;
use gabier_tool::guard::{Authority, Credential};
use gabier_tool::{Caller, Permission};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Door, entry};

/// Which rights open which tool; one is enough.
const TABLE: [(&str, &[&str]); 7] = [
    ("system_health", &["public", "read", "net", "write", "admin", "approve"]),
    ("look", &["read"]),
    ("http_request", &["net", "write"]),
    ("port_scan", &["net"]),
    ("change", &["write"]),
    ("rule", &["admin"]),
    ("decide", &["approve"]),
];

async fn caller(new: NewToken) -> (Door, Caller) {
    let door = Door::open();
    let minted = door.mint(new).await;
    let caller = door.identify(Credential::Bearer(minted.token.expose()), None).await.unwrap();
    (door, caller)
}

fn with_resources(resources: &[&str]) -> NewToken {
    let resources = resources.iter().map(|&text| text.to_owned()).collect();
    let rights = [Permission::Read, Permission::Write];
    NewToken { resources: Some(resources), ..NewToken::new("t", &rights) }
}

/// `ok`, or the failure's code with its details.
fn check(door: &Door, caller: &Caller, tool: &str, arguments: &Value) -> String {
    let entry = entry(tool);
    match door.access.authorise(caller, &entry, entry.facts.needs, arguments) {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("{} {}", error.kind().code(), json!(error.details())),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

proptest! {
    #[test]
    fn every_set_of_rights_opens_exactly_the_tools_of_the_table(
        held in proptest::sample::subsequence(Permission::ALL.to_vec(), 0..=6)
    ) {
        let (door, caller) = runtime().block_on(caller(NewToken::new("t", &held)));
        for (tool, opened_by) in TABLE {
            let allowed = opened_by.contains(&"public") || held.iter().any(|right| opened_by.contains(&right.name()));
            let outcome = check(&door, &caller, tool, &json!({}));
            prop_assert_eq!(outcome == "ok", allowed, "{} {}", tool, outcome);
            prop_assert_eq!(door.access.permits(&caller, &entry(tool)), allowed);
        }
    }

    #[test]
    fn a_host_is_reached_exactly_when_it_is_on_the_list(
        listed in proptest::collection::vec("[ab][12]?", 0..4),
        named in "[ab][12]?",
    ) {
        let resources: Vec<String> = listed.iter().map(|host| format!("host:{host}")).collect();
        let texts: Vec<&str> = resources.iter().map(String::as_str).collect();
        let (door, caller) = runtime().block_on(caller(with_resources(&texts)));
        let allowed = listed.contains(&named);
        prop_assert_eq!(check(&door, &caller, "change", &json!({"host": named})) == "ok", allowed);
        prop_assert_eq!(check(&door, &caller, "look", &json!({"hosts": [named]})) == "ok", allowed);
    }
}

#[tokio::test]
async fn a_refusal_names_everything_that_is_missing() {
    let new = NewToken {
        resources: Some(vec!["host:web1".to_owned(), "toolset:other".to_owned()]),
        tools: Some(vec!["look".to_owned()]),
        ..NewToken::new("t", &[Permission::Read])
    };
    let (door, caller) = caller(new).await;
    assert_eq!(
        check(&door, &caller, "change", &json!({"host": "db1"})),
        concat!(
            r#"FORBIDDEN {"rule":"permission","missing_permissions":["write"],"missing_tools":["change"],"#,
            r#""missing_resources":["toolset:test","host:db1"]}"#
        )
    );
}

#[tokio::test]
async fn an_empty_list_reaches_no_host_and_no_path_but_runs_what_names_none() {
    let (door, caller) = caller(with_resources(&[])).await;
    assert_eq!(check(&door, &caller, "look", &json!({})), "ok");
    let missing =
        |resource: &str| format!(r#"FORBIDDEN {{"rule":"resources","missing_resources":["{resource}"]}}"#);
    assert_eq!(check(&door, &caller, "look", &json!({"host": "web1"})), missing("host:web1"));
    assert_eq!(check(&door, &caller, "look", &json!({"path": "/etc"})), missing("root:/etc"));
}

#[tokio::test]
async fn a_bare_name_is_a_host_and_a_star_is_everything() {
    let (door, owner) = caller(with_resources(&["web1", "root:/srv"])).await;
    assert_eq!(check(&door, &owner, "look", &json!({"host": "web1", "path": "/srv/a"})), "ok");
    let (door, owner) = caller(with_resources(&["*"])).await;
    assert_eq!(check(&door, &owner, "look", &json!({"hosts": ["a", "b"], "path": "/"})), "ok");
}

#[tokio::test]
async fn losing_the_last_toolset_closes_all_of_them_and_public_tools_stay() {
    let door = Door::open();
    let minted = door.mint(with_resources(&["toolset:test"])).await;
    let caller = door.identify(Credential::Bearer(minted.token.expose()), None).await.unwrap();
    assert_eq!(check(&door, &caller, "look", &json!({})), "ok");

    let remove_resources = vec!["toolset:test".to_owned()];
    let edit = gabier_access::Edit { remove_resources, ..Default::default() };
    let changed = door.access.update(&minted.id.hex(), &edit).await.unwrap();
    assert!(changed.current.resources.is_empty());
    let caller = door.access.refresh(&caller).await.unwrap();
    assert!(check(&door, &caller, "look", &json!({})).contains("toolset:test"));
    assert_eq!(check(&door, &caller, "system_health", &json!({})), "ok");

    let heir = door.access.create(&caller, NewToken::new("heir", &[Permission::Read])).await.unwrap();
    let heir = door.identify(Credential::Bearer(heir.token.expose()), None).await.unwrap();
    assert!(!door.access.permits(&heir, &entry("look")), "what is closed to the maker is closed to the heir");
}

#[tokio::test]
async fn a_stranger_is_asked_for_a_token_and_slowed_when_it_insists() {
    let door = Door::with_bootstrap();
    let caller = door.identify(Credential::None, Some("192.0.2.1")).await.unwrap();
    assert_eq!(check(&door, &caller, "system_health", &json!({})), "ok");
    for _ in 0..40 {
        assert_eq!(check(&door, &caller, "look", &json!({})), "UNAUTHENTICATED {}");
    }
    assert!(check(&door, &caller, "look", &json!({})).starts_with("RATE_LIMITED"));
    door.clock.turn(std::time::Duration::from_millis(50));
    assert_eq!(check(&door, &caller, "look", &json!({})), "UNAUTHENTICATED {}");
}
