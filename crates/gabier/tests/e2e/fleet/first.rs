//! A host added, a command run: the same on every face, with the exit code of the command.

use serde_json::{Value, json};

use super::{home, home_with, host, serve};
use crate::harness::get;
use crate::sshd::{Sshd, fingerprint, free_port};

#[track_caller]
fn check(envelope: &Value, status: &str, code: i64) {
    let data = &envelope["data"];
    assert_eq!((&envelope["status"], &data["exit_code"]), (&json!(status), &json!(code)), "{envelope}");
    assert_eq!(
        (&data["type"], &data["status"], &data["alias"]),
        (&json!("ssh"), &json!("completed"), &json!("web1"))
    );
    assert_eq!((&data["stdout"], &data["stderr"]), (&json!("out\n"), &json!("err\n")), "{envelope}");
    assert_eq!(
        (&data["line_count"], &data["truncated"], &data["timed_out"]),
        (&json!(2), &json!(false), &json!(false))
    );
}

#[test]
fn a_host_is_added_and_a_command_runs_on_it_over_every_face() {
    let sshd = Sshd::new().start();
    let home = home();
    let added = home.call("server_add", &host("web1", &sshd));
    let print = fingerprint(&sshd.dir.path().join("host_ed25519.pub"));
    assert_eq!(
        (&added["status"], &added["data"]["fingerprint"]),
        (&json!("created"), &json!(print)),
        "{added}"
    );
    assert_eq!(home.call("server_add", &host("web1", &sshd))["status"], "already_exists");
    let listed = home.json(&["server", "list"]);
    assert_eq!(listed["data"]["servers"]["web1"]["user"], sshd.user.as_str(), "{listed}");

    let cmd = "echo out; echo err >&2; exit 3";
    let arguments = json!({"alias": "web1", "cmd": cmd});
    let server = serve(&home);
    let done = home.run(&["task", "exec", "web1", cmd, "--json"]);
    assert_eq!(done.code, 3, "{done:?}");
    check(&done.json(), "warning", 3);
    let done = home.run(&["task", "exec", "web1", cmd]);
    assert_eq!((done.code, done.stdout.starts_with("out\n")), (3, true), "{done:?}");

    let answer = server.call("task_exec", &arguments);
    assert_eq!(answer.status, 200, "{answer:?}");
    check(&answer.json(), "warning", 3);
    let id = answer.json()["data"]["id"].as_str().unwrap().to_owned();
    let output = server.send(get(&format!("/api/v1/tasks/{id}/output"))).json();
    assert_eq!(output["data"]["lines"], json!(["out"]), "{output}");

    let mut pipe = home.mcp(&[]);
    pipe.initialize("2025-11-25");
    let result = pipe.call("task_exec", &arguments);
    assert_ne!(result["isError"], true, "{result}");
    check(&result["structuredContent"], "warning", 3);
}

#[test]
fn what_cannot_be_reached_says_which_host_and_why() {
    let sshd = Sshd::new().start();
    let stranger = sshd.make_key("stranger", "ed25519", "");
    let home = home_with(&[("web1", &sshd)]);
    let mut refused = host("web2", &sshd);
    refused["key_path"] = stranger.to_str().unwrap().into();
    let added = home.call("server_add", &refused);
    assert_eq!(added["status"], "warning", "kept all the same: {added}");
    let mut dead = host("web3", &sshd);
    dead["port"] = free_port().into();
    let added = home.call("server_add", &dead);
    assert_eq!(
        (&added["status"], &added["data"]["fingerprint"]),
        (&json!("warning"), &Value::Null),
        "{added}"
    );
    for (alias, code, exit, reason) in [
        ("web2", "AUTH_FAILED", 5, Value::Null),
        ("web3", "CONNECTION_FAILED", 5, json!("ECONNREFUSED")),
        ("wbe1", "NOT_FOUND", 4, Value::Null),
    ] {
        let done = home.run(&["task", "exec", alias, "true", "--json"]);
        let envelope = done.json();
        assert_eq!((&envelope["code"], done.code), (&json!(code), exit), "{envelope}");
        assert_eq!(envelope["details"]["alias"], alias, "{envelope}");
        if !reason.is_null() {
            assert_eq!(envelope["details"]["reason"], reason, "{envelope}");
        }
    }
    let unknown = home.call("task_exec", &json!({"alias": "wbe1", "cmd": "true"}));
    assert_eq!(unknown["details"]["nearest"][0], "web1", "{unknown}");
    assert_eq!(home.call("task_exec", &json!({"alias": "web1", "cmd": "true"}))["status"], "ok");
}

#[test]
fn output_beyond_the_limit_is_cut_honestly_and_whole_in_the_task() {
    let sshd = Sshd::new().start();
    let home = home_with(&[("web1", &sshd)]);
    let server = serve(&home);
    let answer = server.call("task_exec", &json!({"alias": "web1", "cmd": "seq 1 100000; echo end"})).json();
    let data = &answer["data"];
    assert_eq!(
        (&data["truncated"], &data["line_count"]),
        (&json!(true), &json!(100_001)),
        "{}",
        answer["next"]
    );
    let stdout = data["stdout"].as_str().unwrap();
    assert!(stdout.starts_with("1\n2\n") && stdout.ends_with("100000\nend\n") && stdout.len() < 70_000);
    assert!(stdout.contains("bytes not shown"), "{}", &stdout[30_000..36_000]);
    let id = data["id"].as_str().unwrap();
    assert!(answer["next"].as_str().unwrap().contains(id), "{}", answer["next"]);
    let lines = server.call("task_output", &json!({"id": id, "offset": 49_999, "limit": 1})).json();
    assert_eq!(lines["data"]["lines"], json!(["50000"]), "{lines}");
}

#[test]
fn a_sequence_keeps_its_shell_and_a_lost_one_is_told() {
    let sshd = Sshd::new().start();
    let home = home_with(&[("web1", &sshd)]);
    let run = |arguments: Value| {
        let mut all = json!({"alias": "web1"});
        all.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
        home.call("task_exec_sequence", &all)
    };
    let kept = run(json!({"commands": ["cd /usr", "export A=1", "echo $PWD $A"]}));
    assert_eq!(
        (&kept["status"], &kept["data"]["results"][2]["stdout"]),
        (&json!("ok"), &json!("/usr 1\n")),
        "{kept}"
    );
    let apart = run(json!({"isolated": true, "commands": ["cd /usr", "echo $PWD"]}));
    assert_ne!(apart["data"]["results"][1]["stdout"], "/usr\n", "{apart}");
    let left = run(json!({"commands": ["A=1", "exit 7", "echo \"<$A>\""], "continue_on_error": true}));
    let results = &left["data"]["results"];
    assert_eq!((&results[1]["exit_code"], &results[2]["stdout"]), (&json!(7), &json!("<>\n")), "{left}");
    assert!(left["data"]["notes"].to_string().contains("step 3 began in a new shell"), "{left}");
    let late = run(json!({"commands": ["echo a", {"command": "sleep 30", "timeout": 1}, "echo b"]}));
    assert_eq!(
        (&late["code"], &late["details"]["stopped"]),
        (&json!("COMMAND_TIMEOUT"), &json!("verified")),
        "{late}"
    );
    assert_eq!(late["details"]["results"][0]["stdout"], "a\n", "{late}");
}
