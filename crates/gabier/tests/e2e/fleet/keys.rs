//! Keys of hosts: what changed is refused before anything is sent, and only a person accepts it.

use serde_json::{Value, json};

use super::{home, home_with, host};
use crate::sshd::{Sshd, fingerprint};

#[test]
fn a_changed_key_is_refused_with_both_fingerprints_and_nothing_is_sent() {
    let first = Sshd::new().start();
    let home = home_with(&[("web1", &first)]);
    let old = fingerprint(&first.dir.path().join("host_ed25519.pub"));
    let port = first.port;
    drop(first);
    let second = Sshd::new().on_port(port).start();
    let new = fingerprint(&second.dir.path().join("host_ed25519.pub"));
    let exec = || home.call("task_exec", &json!({"alias": "web1", "cmd": "true"}));

    let refused = exec();
    assert_eq!(refused["code"], "HOST_KEY_MISMATCH", "{refused}");
    assert_eq!(
        (&refused["details"]["expected"], &refused["details"]["fingerprint"]),
        (&json!(old), &json!(new))
    );
    let again = home.call("server_add", &host("web1", &second));
    assert_eq!(again["code"], "HOST_KEY_MISMATCH", "adding it again accepts nothing: {again}");
    assert_eq!(second.logins(), 0);
    assert!(!second.log().contains("publickey"), "{}", second.log());

    let shown = home.call("hostkey_show", &json!({"alias": "web1"}));
    assert_eq!(shown["status"], "warning", "{shown}");
    assert_eq!(
        (&shown["data"]["fingerprint"], &shown["data"]["offered"]["fingerprint"]),
        (&json!(old), &json!(new))
    );
    let accept = |fingerprint: &str| {
        home.call("hostkey_accept", &json!({"alias": "web1", "fingerprint": fingerprint}))
    };
    assert_eq!(accept(&old)["code"], "HOST_KEY_MISMATCH");
    let accepted = accept(&new);
    assert_eq!(
        (&accepted["status"], &accepted["data"]["previous"]),
        (&json!("ok"), &json!(old)),
        "{accepted}"
    );
    // Its new folder has a new key of the client as well.
    assert_eq!(home.call("server_add", &host("web1", &second))["data"]["fingerprint"], new.as_str());
    assert_eq!(exec()["status"], "ok");
}

#[test]
fn a_strict_host_waits_for_a_person_and_a_pinned_one_takes_one_key_alone() {
    let sshd = Sshd::new().start();
    let print = fingerprint(&sshd.dir.path().join("host_ed25519.pub"));
    let home = home();
    let add = |key: &str, value: Value| {
        let mut arguments = host("web1", &sshd);
        arguments["host_key"] = key.into();
        arguments["fingerprint"] = value;
        home.call("server_add", &arguments)
    };
    let unknown = add("strict", Value::Null);
    assert_eq!(
        (&unknown["code"], &unknown["details"]["fingerprint"]),
        (&json!("HOST_KEY_UNKNOWN"), &json!(print)),
        "{unknown}"
    );
    assert!(!sshd.log().contains("publickey"), "{}", sshd.log());
    home.json(&["hostkey", "accept", "web1", &print]);
    assert_eq!(home.call("task_exec", &json!({"alias": "web1", "cmd": "true"}))["status"], "ok");
    assert_eq!(
        add("pinned", json!("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))["code"],
        "HOST_KEY_MISMATCH"
    );
    assert_eq!(add("pinned", json!(print))["status"], "ok");
}
