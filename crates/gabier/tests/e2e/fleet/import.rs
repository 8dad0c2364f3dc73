//! `import`: what other programs knew of hosts works here at once, and their secrets are in the vault alone.

use std::cell::RefCell;

use serde_json::{Value, json};

use super::secrets::spellings;
use super::{files_below, home, serve};
use crate::harness::Home;
use crate::sshd::{Server, Sshd, free_port};

const PASSWORD: &str = "planted-Passw0rd-in-servers";
const PHRASE: &str = "planted-Phras3-in-servers";
const API_KEY: &str = "planted-Ap1-key-in-apis";
const API_PASSWORD: &str = "planted-Pw-of-an-api";

/// The orchestrator's files: good records, bad ones, and secrets wherever it left some.
fn orchestrator(home: &Home, sshd: &Server) {
    let locked = sshd.make_key("locked", "ed25519", PHRASE);
    sshd.authorize(&locked);
    let write = |name: &str, value: Value| {
        home.write(&format!(".config/mcp-orchestrator/{name}"), value.to_string());
    };
    write(
        "servers.json",
        json!({
            "alice": {"host": "127.0.0.1", "port": sshd.port, "user": "alice", "password": PASSWORD},
            "key": {"host": "127.0.0.1", "port": sshd.port, "user": sshd.user, "keyPath": sshd.key},
            "locked": {
                "host": "127.0.0.1", "port": sshd.port, "user": sshd.user, "keyPath": locked, "passphrase": PHRASE,
            },
            "bad name": {"host": "127.0.0.1", "user": "x", "password": PASSWORD},
            "portless": {"host": "127.0.0.1", "port": {"is": PASSWORD}, "user": "x", "password": PASSWORD},
        }),
    );
    write(
        "apis.json",
        json!({
            "shop": {
                "url": "http://127.0.0.1:9/", "health_check_endpoint": "/health", "auth_method": "both",
                "api_key": API_KEY, "auth_header_name": "X-Api-Key", "auth_scheme": "", "htpasswd_user": "ann",
                "htpasswd_pass": API_PASSWORD, "notes": "the shop",
            },
            "odd": {"url": "gopher://127.0.0.1/", "auth_method": "none", "api_key": API_KEY},
        }),
    );
    let probe = format!(
        "curl -X GET -o /dev/null -s -w '%{{http_code}}:%{{time_total}}' -u ann:{API_PASSWORD} \
         -H 'X-Api-Key: {API_KEY}' http://127.0.0.1:9/health"
    );
    let job = |id: &str, more: Value| {
        let mut job = json!({
            "id": id, "type": "ssh", "alias": "alice", "createdAt": "2026-11-20T10:00:00.000Z",
            "updatedAt": "2026-11-20T10:00:02.000Z",
        });
        job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        (id.to_owned(), job)
    };
    let jobs = [
        job(
            "aaaa0001",
            json!({"cmd": "df -h", "status": "completed", "exitCode": 0, "output": "full of disks"}),
        ),
        job(
            "aaaa0002",
            json!({"cmd": "false", "status": "failed", "exitCode": 1, "output": "", "error": "code 1"}),
        ),
        job("aaaa0003", json!({"cmd": probe, "status": "completed", "exitCode": 0, "output": "200:0.1"})),
        job(
            "aaaa0004",
            json!({"cmd": "x", "status": "completed", "responses": {"Password": PASSWORD}, "interactive": true}),
        ),
        job("aaaa0005", json!({"cmd": "x", "status": "completed", "createdAt": "some day"})),
    ];
    write("queue.json", Value::Object(jobs.into_iter().collect()));
    write(
        "history.json",
        json!([
            {"jobId": "aaaa0001", "timestamp": "2026-11-20T10:00:00.100Z", "type": "ssh", "alias": "alice", "command": "df -h"},
            {"jobId": "bbbb0001", "timestamp": "2026-11-19T10:00:00.000Z", "type": "ssh", "alias": "key", "command": format!("echo {PASSWORD}")},
        ]),
    );
}

/// What every row of a list says of one thing.
fn column<'a>(data: &'a Value, list: &str, field: &str) -> Vec<&'a str> {
    data[list].as_array().unwrap().iter().map(|row| row[field].as_str().unwrap_or_default()).collect()
}

#[test]
fn the_orchestrators_hosts_work_at_once_and_its_secrets_are_nowhere_else() {
    let sshd = Sshd::new().with_account("alice", PASSWORD).start();
    let home = home().with("GABIER_LOG_LEVEL", "trace");
    orchestrator(&home, &sshd);
    let said = RefCell::new(String::new());
    let import = |words: &[&str], code: i32| {
        let done = home.run(&[&["import", "orchestrator", "--json"], words].concat());
        assert_eq!(done.code, code, "{words:?}: {done:?}");
        *said.borrow_mut() += &(done.stdout.clone() + &done.stderr);
        done.json()
    };

    let trial = import(&["--dry-run"], 3)["data"].clone();
    assert_eq!(column(&trial, "hosts", "did"), ["would be added"; 3], "{trial}");
    assert_eq!(home.json(&["server", "list"])["data"]["count"], 0, "a trial changes nothing");
    assert_eq!(home.json(&["vault", "list"])["data"]["count"], 0, "a trial changes nothing");
    let unasked = import(&[], 8);
    assert_eq!(
        (&unasked["code"], &unasked["error"]),
        (&json!("CONFIRMATION_REQUIRED"), &json!(true)),
        "{unasked}"
    );
    assert_eq!(home.json(&["server", "list"])["data"]["count"], 0, "nobody agreed");

    let done = import(&["--yes"], 3)["data"].clone();
    assert_eq!(column(&done, "hosts", "alias"), ["alice", "key", "locked"], "{done}");
    assert_eq!(column(&done, "hosts", "did"), ["added"; 3], "{done}");
    assert_eq!(column(&done, "apis", "alias"), ["shop"], "{done}");
    assert_eq!(done["tasks"], json!({"new": 5, "there_already": 0}), "{done}");
    let refused: Vec<(&str, &str)> =
        column(&done, "refused", "record").into_iter().zip(column(&done, "refused", "field")).collect();
    assert_eq!(
        refused,
        [("bad name", "alias"), ("portless", "port"), ("odd", "url"), ("aaaa0005", "createdAt")],
        "{done}"
    );
    assert!(column(&done, "refused", "file")[0].ends_with("servers.json"), "{done}");
    assert_eq!(home.json(&["vault", "list"])["data"]["count"], 4, "two of hosts, two of an API");

    let server = serve(&home);
    for alias in ["alice", "key", "locked"] {
        let ran = server.call("task_exec", &json!({"alias": alias, "cmd": "echo here"})).json();
        assert_eq!(ran["data"]["stdout"], "here\n", "{alias}: {ran}");
    }
    let apis = server.call("api_list", &json!({})).json();
    assert!(apis["data"]["apis"]["shop"]["auth"].as_str().unwrap().starts_with("api_key (set 20"), "{apis}");
    let history = server.call("task_history", &json!({"alias": "alice"})).text();
    for told in ["df -h", "[REDACTED] http://127.0.0.1:9/health"] {
        assert!(history.contains(told), "{told}: {history}");
    }
    let old = server.call("task_status", &json!({"id": "aaaa0001"})).json();
    assert_eq!(old["data"]["result"]["stdout"], "full of disks", "{old}");
    let begun = server.call("task_status", &json!({"id": "bbbb0001"})).json();
    assert_eq!(
        (&begun["data"]["status"], &begun["data"]["cmd"]),
        (&json!("unknown"), &json!("echo [REDACTED]"))
    );
    *said.borrow_mut() += &history;

    let again = import(&["--yes"], 3)["data"].clone();
    assert_eq!(
        (column(&again, "hosts", "did").len(), again["skipped"].as_array().unwrap().len()),
        (0, 4),
        "{again}"
    );
    assert_eq!(again["tasks"], json!({"new": 0, "there_already": 5}), "{again}");
    let only = import(&["--yes", "--replace", "--only", "key"], 0)["data"].clone();
    assert_eq!(
        (column(&only, "hosts", "did"), column(&only, "apis", "did").len()),
        (vec!["changed"], 0),
        "{only}"
    );
    let said = said.into_inner() + &server.stderr();
    drop(server);

    let files = files_below(&home.path(""));
    let ours = files.iter().filter(|(file, _)| !file.contains("mcp-orchestrator"));
    let ours: Vec<_> = ours.collect();
    assert!(ours.len() > 2, "the store and its key");
    for secret in [PASSWORD, PHRASE, API_KEY, API_PASSWORD] {
        for spelling in spellings(secret) {
            assert!(!said.contains(&spelling), "{spelling} was said: {said}");
            for (file, bytes) in &ours {
                let at = bytes.windows(spelling.len()).position(|part| part == spelling.as_bytes());
                assert!(at.is_none(), "{spelling} is in {file}");
            }
        }
    }
}

#[test]
fn the_hosts_of_ssh_config_work_at_once_through_their_jumps() {
    let (gate, web) = (Sshd::new().start(), Sshd::new().start());
    let home = home();
    home.write(
        ".ssh/config",
        format!(
            "Host web\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  IdentityFile {}\n  ProxyJump gate\n\
             Host gate\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  IdentityFile {}\n\
             Host nc\n  ProxyCommand nc %h %p\nHost *\n  IdentitiesOnly yes\n",
            web.port,
            web.user,
            web.key.display(),
            gate.port,
            gate.user,
            gate.key.display()
        ),
    );
    let done = home.run(&["import", "ssh-config", "--yes", "--json"]);
    let data = done.json()["data"].clone();
    assert_eq!((done.code, column(&data, "hosts", "alias")), (3, vec!["gate", "web"]), "{data}");
    assert_eq!(column(&data, "refused", "field"), ["ProxyCommand"], "{data}");
    let before = gate.logins();
    let ran = home.call("task_exec", &json!({"alias": "web", "cmd": "echo here"}));
    assert_eq!(ran["data"]["stdout"], "here\n", "{ran}");
    assert_eq!((gate.logins(), web.logins()), (before + 1, 1), "through the gate");
    assert_eq!(home.run(&["import", "ssh-config", "--yes", "--only", "web"]).code, 0, "there already");

    let person = home.run(&["import", "ssh-config", "--dry-run", "--replace"]);
    assert!(person.stdout.contains("would be changed") && person.stdout.contains("gate"), "{person:?}");
}

#[test]
fn a_file_that_cannot_be_read_stops_everything() {
    let home = home();
    let port = free_port();
    let good = json!({"web": {"host": "127.0.0.1", "port": port, "user": "x", "password": PASSWORD}});
    home.write("old/servers.json", good.to_string());
    home.write("old/apis.json", format!("{{\"a\": {{\"api_key\": \"{API_KEY}\" oops"));
    let folder = home.text_path("old");
    let done = home.run(&["import", "orchestrator", "--from", &folder, "--yes"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("apis.json") && done.stderr.contains("line 1"), "{done:?}");
    assert!(!format!("{done:?}").contains("planted"), "{done:?}");
    assert_eq!(home.json(&["server", "list"])["data"]["count"], 0, "not even the good file");
    assert_eq!(home.run(&["import", "orchestrator", "--yes"]).code, 4, "no files, nothing to take");
}
