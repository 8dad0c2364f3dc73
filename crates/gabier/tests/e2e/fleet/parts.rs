//! One call on many hosts is one task with a part for each host.

use serde_json::{Value, json};

use super::{home_with, serve};
use crate::harness::{Home, Server as Gabier};
use crate::sshd::{Server, Sshd, processes_with};

fn two() -> (Vec<Server>, Home, Gabier) {
    let servers: Vec<Server> = (0..2).map(|_| Sshd::new().start()).collect();
    let home = home_with(&[("web0", &servers[0]), ("web1", &servers[1])]);
    let gabier = serve(&home);
    (servers, home, gabier)
}

/// The parts of a task, once there are two.
#[track_caller]
fn parts(gabier: &Gabier, whole: &str) -> Vec<Value> {
    for _ in 0..200 {
        let listed = gabier.call("task_queue", &json!({})).json();
        let tasks = listed["data"]["tasks"].as_array().cloned().unwrap_or_default();
        let parts: Vec<Value> = tasks.into_iter().filter(|task| task["parent"] == whole).collect();
        if parts.len() == 2 {
            return parts;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the task {whole} has no two parts")
}

#[test]
fn each_host_has_a_task_of_its_own_with_its_own_result_and_output() {
    let (_servers, _home, gabier) = two();
    let done = gabier.call("task_exec", &json!({"alias": "all", "cmd": "echo here; exit 3"})).json();
    assert_eq!(done["message"], "2 identical", "{done}");
    for alias in ["web0", "web1"] {
        let id = done["data"]["tasks"][alias].as_str().unwrap_or_else(|| panic!("{done}"));
        let part = gabier.call("task_status", &json!({"id": id})).json();
        let data = &part["data"];
        assert_eq!((&data["alias"], &data["status"]), (&json!(alias), &json!("completed")), "{part}");
        assert_eq!(
            (&data["result"]["exit_code"], &data["result"]["stdout"]),
            (&json!(3), &json!("here\n")),
            "{part}"
        );
        assert_eq!(data["tool"], "task_exec", "{part}");
        let output = gabier.call("task_output", &json!({"id": id})).json();
        assert_eq!(output["data"]["lines"], json!(["here"]), "{output}");
        let history = gabier.call("task_history", &json!({"alias": alias})).json();
        assert_eq!(history["data"]["entries"][0]["id"], id, "{history}");
    }
    let one = gabier.call("task_exec", &json!({"alias": "web0", "cmd": "true"})).json();
    let listed = gabier.call("task_queue", &json!({})).json();
    let tasks = listed["data"]["tasks"].as_array().unwrap();
    assert!(tasks.iter().all(|task| task["parent"] != one["data"]["id"]), "one host makes no part: {listed}");
}

#[test]
fn parts_are_cancelled_with_the_whole_and_one_part_alone_is_one_failed_host() {
    let (servers, _home, gabier) = two();
    let begin = |mark: &str| {
        let cmd = format!("echo {mark}; sleep 300 {mark}");
        let asked = json!({"alias": "web0,web1", "cmd": format!("sh -c '{cmd}'"), "background": true});
        gabier.call("task_exec", &asked).json()["data"]["id"].as_str().unwrap().to_owned()
    };
    let whole = begin("0.71");
    let running = parts(&gabier, &whole);
    let cancelled = gabier.call("task_cancel", &json!({"id": whole})).json();
    assert_eq!(
        (&cancelled["data"]["status"], &cancelled["data"]["stopped"]),
        (&json!("cancelled"), &json!("verified")),
        "{cancelled}"
    );
    for part in running {
        let part = gabier.call("task_wait", &json!({"id": part["id"], "timeout": 20})).json();
        assert_eq!(
            (&part["data"]["status"], &part["data"]["stopped"]),
            (&json!("cancelled"), &json!("verified")),
            "{part}"
        );
    }
    assert_eq!(processes_with("sleep 300 0.71"), [0; 0]);

    let cmd = "[ -e $HOME/go ] || sleep 30; echo went";
    let asked = json!({"alias": "web0,web1", "cmd": cmd, "background": true});
    std::fs::write(servers[1].dir.path().join("go"), "").unwrap();
    let whole = gabier.call("task_exec", &asked).json()["data"]["id"].as_str().unwrap().to_owned();
    let slow = parts(&gabier, &whole).into_iter().find(|part| part["alias"] == "web0").unwrap();
    gabier.call("task_cancel", &json!({"id": slow["id"]}));
    let ended = gabier.call("task_wait", &json!({"id": whole, "timeout": 20})).json();
    let result = &ended["data"]["result"];
    assert_eq!(
        (&ended["data"]["status"], &result["identical"], &result["failed"]),
        (&json!("partial"), &json!(1), &json!(1)),
        "{ended}"
    );
}

#[test]
fn a_killed_server_leaves_no_part_running() {
    let (_servers, home, gabier) = two();
    let asked = json!({"alias": "all", "cmd": "sleep 300", "background": true});
    let whole = gabier.call("task_exec", &asked).json()["data"]["id"].as_str().unwrap().to_owned();
    let running = parts(&gabier, &whole);
    gabier.signal(rustix::process::Signal::KILL);
    drop(gabier);
    let gabier = serve(&home);
    for id in running.iter().map(|part| part["id"].clone()).chain([json!(whole)]) {
        let ended = gabier.call("task_wait", &json!({"id": id, "timeout": 20})).json();
        assert_eq!(ended["data"]["status"], "crashed", "{ended}");
    }
}
