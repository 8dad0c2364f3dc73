//! The two background tools of an older server, as its clients know them.

use serde_json::{Value, json};

use super::fleet::busy_home;
use crate::harness::{Home, Server};
use crate::redis::until_status;

/// Enqueues; gives the answer's message and its task.
#[track_caller]
fn enqueue(server: &Server, tool: &str, arguments: &Value) -> (String, String) {
    let answer = server.call(tool, arguments);
    assert_eq!(answer.status, 202, "{answer:?}");
    let envelope = answer.json();
    let data = &envelope["data"];
    assert_eq!((&data["task_id"], &data["status"]), (&data["job_id"], &json!("queued")), "{envelope}");
    (envelope["message"].as_str().unwrap().to_owned(), data["task_id"].as_str().unwrap().to_owned())
}

fn sentence(id: &str, tool: &str) -> String {
    format!("Tâche {id} (Job ID: {id}) pour '{tool}' mise en file d'attente avec succès.")
}

#[test]
fn the_demo_tools_say_in_their_own_words_that_they_are_queued_and_what_they_did() {
    let (home, token) = busy_home();
    home.configure("[[egress.allow]]\ncidr = \"127.0.0.1\"\nport = 9\ntool = \"webhook\"\n");
    let server = home.serve(&[]).with_token(&token);
    let asked = json!({"parametreEssentiel": "essai", "nombreIterations": 2});
    let (message, id) = enqueue(&server, "monOutilAsync", &asked);
    assert_eq!(message, sentence(&id, "monOutilAsync"));
    let task = until_status(&server, &id, "completed");
    let done = json!({
        "messageDeFin": "Traitement asynchrone terminé pour 'essai'.",
        "elementsTraites": 2,
        "donneesResultantes": {"parametreEssentiel": "essai"},
    });
    assert_eq!(task["result"], done, "{task}");

    let tool = "asynchronousTaskSimulatorEnhanced";
    let asked = json!({
        "durationMs": 200, "value1": 40, "value2": 2, "userId": "u1",
        "callbackUrl": "http://127.0.0.1:9/hook",
    });
    let (message, id) = enqueue(&server, tool, &asked);
    assert_eq!(message, sentence(&id, tool));
    let task = until_status(&server, &id, "completed");
    let result = task["result"].as_object().unwrap();
    let mut keys: Vec<&str> = result.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["calcRes", "details", "durationTakenMs", "endTime", "inputUserId", "startTime"]);
    assert_eq!((result["calcRes"].as_f64(), &result["inputUserId"]), (Some(42.0), &json!("u1")), "{task}");
}

#[test]
fn where_nobody_runs_tasks_the_sentence_is_followed_by_what_to_do() {
    let envelope = Home::new().call("monOutilAsync", &json!({"parametreEssentiel": "x"}));
    let id = envelope["data"]["task_id"].as_str().unwrap();
    let message = envelope["message"].as_str().unwrap();
    let more = message.strip_prefix(&sentence(id, "monOutilAsync")).unwrap_or_else(|| panic!("{envelope}"));
    assert!(more.contains("no worker runs") && more.contains("`gabier worker`"), "{envelope}");
}
