//! One command on many hosts: what most gave, who differs, who failed; and nobody reaches more than is theirs.

use serde_json::{Value, json};

use super::{home_with, host, serve};
use crate::harness::Home;
use crate::sshd::{Server, Sshd};

/// Three servers in one group, and a home that knows them.
fn three() -> (Vec<Server>, Home) {
    let servers: Vec<Server> = (0..3).map(|_| Sshd::new().start()).collect();
    let home = super::home();
    for (number, server) in servers.iter().enumerate() {
        let mut arguments = host(&format!("web{number}"), server);
        arguments["groups"] = json!(["web"]);
        assert_eq!(home.call("server_add", &arguments)["status"], "created");
    }
    (servers, home)
}

#[test]
fn equal_answers_are_one_group_and_the_rest_is_told_apart() {
    let (mut servers, home) = three();
    std::fs::write(servers[2].dir.path().join("word"), "other\n").unwrap();
    let cmd = "cat $HOME/word 2>/dev/null || echo same";
    let server = serve(&home);
    for alias in [json!("web"), json!("all"), json!("web0,web1,web2"), json!(["web0", "web1", "web2"])] {
        let answer = server.call("task_exec", &json!({"alias": alias, "cmd": cmd})).json();
        assert_eq!(answer["message"], "2 identical · 1 differ", "{answer}");
        let groups = &answer["data"]["groups"];
        assert_eq!(
            (&groups[0]["aliases"], &groups[0]["stdout"]),
            (&json!(["web0", "web1"]), &json!("same\n"))
        );
        assert_eq!((&groups[1]["aliases"], &groups[1]["diff"]), (&json!(["web2"]), &json!("-same\n+other")));
    }
    let planned = home.call("task_exec", &json!({"alias": "web", "cmd": cmd, "dry_run": true}));
    assert_eq!(
        (&planned["data"]["targets"], &planned["data"]["steps"]),
        (&json!(["web0", "web1", "web2"]), &json!([cmd]))
    );

    drop(servers.pop());
    let done = home.run(&["task", "exec", "web", cmd, "--json"]);
    let answer = done.json();
    assert_eq!(
        (&answer["status"], &answer["message"], done.code),
        (&json!("warning"), &json!("2 identical · 1 failed"), 3)
    );
    assert_eq!(answer["data"]["groups"][1]["code"], "CONNECTION_FAILED", "{answer}");
    let one = home.call("task_exec", &json!({"alias": "web0", "cmd": cmd}));
    assert_eq!(one["data"]["stdout"], "same\n", "one host keeps its shape: {one}");
    let steps = home.call("task_exec_sequence", &json!({"alias": "web0,web1", "commands": ["cd /", "pwd"]}));
    assert_eq!(
        (&steps["message"], &steps["data"]["groups"][0]["stdout"]),
        (&json!("2 identical"), &json!("$ cd /\n$ pwd\n/\n"))
    );
}

#[test]
fn the_output_of_each_stands_behind_its_name() {
    let (_servers, home) = three();
    let server = serve(&home);
    let asked = json!({"alias": "web", "cmd": "echo here", "background": true});
    let id = server.call("task_exec", &asked).json()["data"]["id"].as_str().unwrap().to_owned();
    let waited = server.call("task_wait", &json!({"id": id, "timeout": 20})).json();
    assert_eq!(waited["data"]["status"], "completed", "{waited}");
    let output = server.call("task_output", &json!({"id": id})).json();
    let mut lines: Vec<String> = serde_json::from_value(output["data"]["lines"].clone()).unwrap();
    lines.sort();
    assert_eq!(lines, ["web0: here", "web1: here", "web2: here"]);
}

#[test]
fn a_token_for_one_host_reaches_no_other_by_a_group_or_all() {
    let (servers, home) = three();
    let made = home.call(
        "admin_create_token",
        &json!({"client_name": "one", "permissions": ["read", "write"], "resources": ["host:web1"]}),
    );
    let token = made["data"]["token"].as_str().unwrap_or_else(|| panic!("{made}"));
    let server = home.serve(&[]).with_token(token);
    let run = |tool: &str, arguments: Value| server.call(tool, &arguments).json();
    for alias in ["all", "web", "web1"] {
        let answer = run("task_exec", json!({"alias": alias, "cmd": "echo hi"}));
        assert_eq!(answer["data"]["alias"], "web1", "{alias}: {answer}");
    }
    for alias in ["web0", "web1,web0", "nowhere"] {
        let answer = run("task_exec", json!({"alias": alias, "cmd": "true"}));
        assert_eq!(answer["code"], "FORBIDDEN", "{alias}: {answer}");
    }
    let listed = run("server_list", json!({}));
    assert_eq!((&listed["data"]["count"], listed["data"]["servers"]["web1"].is_object()), (&json!(1), true));
    let added = run("server_add", json!({"alias": "web1", "host": "127.0.0.1", "user": "x", "agent": true}));
    assert_eq!(added["code"], "FORBIDDEN", "hosts are an administrator's: {added}");
    assert_eq!((servers[0].logins(), servers[2].logins()), (1, 1), "only when they were added");
}

#[test]
fn a_host_in_use_is_not_removed_without_force() {
    let sshd = Sshd::new().start();
    let home = home_with(&[("web1", &sshd)]);
    let server = serve(&home);
    let asked = json!({"alias": "web1", "cmd": "echo begun; sleep 60", "background": true});
    let id = server.call("task_exec", &asked).json()["data"]["id"].clone();
    let begun = server.call("task_wait", &json!({"id": id, "until": "begun", "timeout": 20})).json();
    assert_eq!(begun["data"]["status"], "running", "{begun}");
    let refused = server.call("server_remove", &json!({"alias": "web1"})).json();
    assert_eq!(
        (&refused["code"], &refused["details"]["tasks"]),
        (&json!("CONFLICT"), &json!([id])),
        "{refused}"
    );
    let removed = server.call("server_remove", &json!({"alias": "web1", "force": true})).json();
    assert_eq!(removed["status"], "deleted", "{removed}");
    let ended = server.call("task_wait", &json!({"id": id, "timeout": 20})).json();
    assert_eq!(ended["data"]["status"], "unknown", "{ended}");
}
