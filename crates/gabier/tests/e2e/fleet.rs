//! Hosts from the outside: the real binary against real servers.

use serde_json::{Value, json};

use crate::harness::{Home, get, post};
use crate::sshd::{Server, Sshd, fingerprint, processes_with};

/// What `server_add` takes for the test's account on a server.
pub(crate) fn host(alias: &str, server: &Server) -> Value {
    json!({
        "alias": alias, "host": "127.0.0.1", "port": server.port, "user": server.user,
        "key_path": server.key.to_str().unwrap(),
    })
}

/// A home that may read the keys of servers' folders.
pub(crate) fn home() -> Home {
    Home::with_config(&format!("[ssh]\nkey_roots = [{:?}]\nknown_hosts = [\"/nowhere\"]\n", std::env::temp_dir()))
}

/// A home that knows some servers.
pub(crate) fn home_with(servers: &[(&str, &Server)]) -> Home {
    let home = home();
    for (alias, server) in servers {
        let added = home.call("server_add", &host(alias, server));
        assert_eq!(added["status"], "created", "{added}");
    }
    home
}

#[test]
fn a_host_is_added_and_a_command_runs_on_it_over_every_face() {
    let sshd = Sshd::new().start();
    let home = home();
    let added = home.call("server_add", &host("web1", &sshd));
    assert_eq!(added["status"], "created", "{added}");
    let print = fingerprint(&sshd.dir.path().join("host_ed25519.pub"));
    assert_eq!(added["data"]["fingerprint"], print.as_str(), "{added}");
    assert_eq!(home.call("server_add", &host("web1", &sshd))["status"], "already_exists");
    let listed = home.json(&["server", "list"]);
    assert_eq!(listed["data"]["servers"]["web1"]["user"], sshd.user.as_str(), "{listed}");

    let ran = |envelope: &Value| {
        let data = &envelope["data"];
        assert_eq!((&envelope["status"], &data["type"], &data["status"]), (&json!("ok"), &json!("ssh"), &json!("completed")), "{envelope}");
        assert_eq!((&data["stdout"], &data["stderr"]), (&json!("out\n"), &json!("err\n")), "{envelope}");
        assert_eq!((&data["exit_code"], &data["line_count"]), (&json!(0), &json!(2)), "{envelope}");
        assert_eq!((&data["truncated"], &data["timed_out"]), (&json!(false), &json!(false)), "{envelope}");
    };
    let arguments = json!({"alias": "web1", "cmd": "echo out; echo err >&2"});
    ran(&home.call("task_exec", &arguments));
    ran(&home.json(&["task", "exec", "web1", "echo out; echo err >&2"]));
    let server = home.serve(&[]);
    let answer = server.send(&post("/api/v1/tools/task_exec", &arguments));
    assert_eq!(answer.status, 200, "{answer:?}");
    ran(&answer.json());
    let id = answer.json()["data"]["id"].as_str().unwrap().to_owned();
    let output = server.send(&get(&format!("/api/v1/tasks/{id}/output"))).json();
    assert_eq!(output["data"]["lines"], json!(["out"]), "{output}");
    let mut pipe = home.mcp(&[]);
    pipe.initialize("2025-11-25");
    ran(&pipe.call("task_exec", &arguments)["structuredContent"]);
}
