//! What is refused is refused clearly, and nothing is lost by it.

use std::io::Write as _;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::fleet::busy_home;
use crate::harness::{Answer, Home, PATIENCE, Request, Server, get, mint, post, program};

/// A request about the task of an id.
type Ask = Box<dyn Fn(&str) -> Request>;

/// A task that takes so long.
fn order(milliseconds: u64) -> Value {
    json!({"duration_ms": milliseconds, "value1": 20, "value2": 22})
}

#[track_caller]
fn enqueue(server: &Server, milliseconds: u64) -> Answer {
    server.call("asynchronousTaskSimulatorEnhanced", &order(milliseconds))
}

#[track_caller]
fn id_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()["data"]["id"].as_str().unwrap().to_owned()
}

fn status(server: &Server, id: &str) -> String {
    let task = server.send(get(&format!("/api/v1/tasks/{id}"))).json();
    task["data"]["status"].as_str().unwrap_or_else(|| panic!("{task}")).to_owned()
}

#[track_caller]
fn wait(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "{what} did not come");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_full_queue_refuses_what_is_new_and_keeps_what_it_has() {
    let (home, token) = busy_home();
    let home = home.with("MAX_QUEUE_SIZE", "3");
    let front = home.serve(&["--no-worker"]).with_token(&token);
    let mut kept: Vec<String> = (0..3).map(|_| id_of(&enqueue(&front, 100))).collect();
    let full = enqueue(&front, 100);
    assert_eq!((full.status, full.code().as_str()), (429, "QUEUE_FULL"), "{full:?}");
    assert_eq!(
        (&full.json()["retriable"], full.header("retry-after")),
        (&json!(true), Some("5")),
        "{full:?}"
    );
    let cancelled = kept.remove(0);
    front.send(Request::new("DELETE", &format!("/api/v1/tasks/{cancelled}")));
    kept.push(id_of(&enqueue(&front, 100)));
    let server = home.serve(&[]).with_token(&token);
    wait("the end of what was kept", || kept.iter().all(|id| status(&server, id) == "completed"));
    assert_eq!(status(&server, &cancelled), "cancelled");
    id_of(&enqueue(&server, 100));
}

#[test]
fn a_task_of_another_is_answered_as_one_that_does_not_exist() {
    let (home, _) = busy_home();
    let token =
        |name: &str| mint(&home, name, &["read", "net", "write"])["token"].as_str().unwrap().to_owned();
    let (owner, other) = (token("owner"), token("other"));
    let server = home.serve(&[]);
    let made = post("/api/v1/tools/asynchronousTaskSimulatorEnhanced", &order(100)).bearer(&owner);
    let foreign = id_of(&server.send(made));
    let unknown = "00000000-0000-4000-8000-000000000000";
    let mut requests: Vec<Ask> = vec![
        Box::new(|id| get(&format!("/api/v1/tasks/{id}"))),
        Box::new(|id| get(&format!("/api/v1/tasks/{id}/output"))),
        Box::new(|id| get(&format!("/api/v1/tasks/{id}/events"))),
        Box::new(|id| Request::new("DELETE", &format!("/api/v1/tasks/{id}"))),
    ];
    for tool in ["task_status", "task_wait", "task_cancel", "task_retry", "task_output"] {
        requests.push(Box::new(move |id| post(&format!("/api/v1/tools/{tool}"), &json!({"id": id}))));
    }
    for request in requests {
        let answer = |id: &str| {
            let answer = server.send(request(id).bearer(&other));
            let mut envelope = answer.json();
            envelope["timestamp"] = Value::Null;
            (answer.status, envelope.to_string().replace(id, "ID"))
        };
        assert_eq!(answer(&foreign), answer(unknown));
        assert_eq!(answer(&foreign).0, 404);
        let prefix = server.send(request(&foreign[..8]).bearer(&other));
        assert_eq!(prefix.status, 404, "{prefix:?}");
    }
    let seen = server.send(get("/api/v1/tasks").bearer(&other)).json();
    assert_eq!(seen["data"]["count"], 0, "{seen}");
    let owned = server.send(get(&format!("/api/v1/tasks/{foreign}")).bearer(&owner));
    assert_eq!(owned.status, 200, "{owned:?}");
}

#[test]
fn a_store_of_a_newer_version_is_refused_by_name_and_left_alone() {
    let (home, token) = busy_home();
    let server = home.serve(&[]).with_token(&token);
    let id = id_of(&enqueue(&server, 100));
    wait("the end of the task", || status(&server, &id) == "completed");
    drop(server);
    let version = |version: Option<i64>| {
        let store = rusqlite::Connection::open(home.data_dir().join("gabier.db")).unwrap();
        let found: i64 = store.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        version.inspect(|version| store.pragma_update(None, "user_version", version).unwrap());
        found
    };
    let own = version(Some(9_999));
    let done = home.run(&["task", "status", &id, "--json"]);
    assert_eq!((done.code, done.json()["code"].as_str()), (5, Some("UNAVAILABLE")), "{done:?}");
    let doctor = home.run(&["doctor"]);
    assert!(doctor.stdout.contains("9999") && doctor.stdout.contains("newer gabier"), "{doctor:?}");
    let server = home.serve(&[]).with_token(&token);
    assert_eq!(server.get("/ready").status, 503);
    assert!(matches!(enqueue(&server, 100).status, 401 | 503));
    drop(server);
    assert_eq!(version(Some(own)), 9_999);
    let task = home.run(&["task", "status", &id, "--json"]).success().json();
    assert_eq!(task["data"]["status"], "completed", "{task}");
}

/// A server whose data directory is a file system of two megabytes of its own.
fn serve_in_two_megabytes(home: &Home) -> Command {
    std::fs::create_dir_all(home.data_dir()).unwrap();
    let script = r#"mount -t tmpfs -o size=2m,mode=700 tmpfs "$1"; exec "$GABIER" serve --port 0"#;
    let mut command = program("unshare");
    command.args(["-Urm", "sh", "-ec", script, "serve"]).arg(home.data_dir());
    home.surround(&mut command);
    command.env("GABIER", env!("CARGO_BIN_EXE_gabier"));
    command
}

#[test]
fn a_full_disk_refuses_work_and_takes_it_again_when_there_is_room() {
    let token = "a-token-for-the-full-disk";
    let home = Home::new().with("AUTH_TOKEN", token).with("LOG_LEVEL", "error");
    let server = Server::start(&mut serve_in_two_megabytes(&home)).with_token(token);
    let mut taken = vec![id_of(&enqueue(&server, 100))];
    wait("the end of the first", || status(&server, &taken[0]) == "completed");

    let inside = format!("/proc/{}/root{}/filler", server.id(), home.data_dir().display());
    let mut filler = std::fs::File::create(&inside).unwrap();
    while filler.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
    let refused = (0..2_000).map(|_| enqueue(&server, 100)).find(|answer| {
        let is_taken = answer.status == 202;
        if is_taken {
            taken.push(id_of(answer));
        }
        !is_taken
    });
    let refused = refused.expect("the disk is never full");
    assert_eq!((refused.status, refused.code().as_str()), (503, "UNAVAILABLE"), "{refused:?}");
    assert_eq!(server.get("/health").status, 200, "it lives");

    filler.set_len(0).unwrap();
    wait("the acceptance of new work", || {
        let answer = enqueue(&server, 100);
        let is_taken = answer.status == 202;
        assert!(is_taken || answer.status == 503, "{answer:?}");
        is_taken
    });
    wait("the end of all that was taken", || taken.iter().all(|id| status(&server, id) == "completed"));
}
