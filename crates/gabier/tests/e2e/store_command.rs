//! `gabier store`: what a person does with everything that is stored, in SQLite and on Redis.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Home, mint};
use crate::redis::{Redis, TOKEN};

/// A store with a token and three tasks that wait.
fn fill(home: &Home) {
    mint(home, "ci", &["read"]);
    for _ in 0..3 {
        home.call("monOutilAsync", &json!({"parametreEssentiel": "x"}));
    }
}

/// What a store holds, as its users see it.
#[track_caller]
fn contents(home: &Home) -> (Value, Value) {
    let tokens = home.json(&["token", "list"])["data"]["tokens"].clone();
    let mut tasks = home.call("task_queue", &json!({}))["data"]["tasks"].clone();
    assert_eq!(
        (tokens.as_array().unwrap().len(), tasks.as_array().unwrap().len()),
        (1, 3),
        "{tokens} {tasks}"
    );
    // Tells where the task waits, which differs between processes.
    for task in tasks.as_array_mut().unwrap() {
        task.as_object_mut().unwrap().remove("reminder");
    }
    (tokens, tasks)
}

#[track_caller]
fn refused(home: &Home, words: &[&str], why: &str) {
    let done = home.run(words);
    assert!(done.code == 8 && done.stderr.contains(why), "{words:?}: {done:?}");
}

#[test]
fn a_backup_brings_back_what_was_there_and_overwrites_nothing_unasked() {
    let home = Home::new();
    fill(&home);
    let before = contents(&home);
    let file = home.text_path("all.db");
    let told = home.json(&["store", "backup", &file]);
    assert_eq!(
        (&told["data"]["tasks"], told["data"]["records"].as_u64() > Some(0)),
        (&json!(3), true),
        "{told}"
    );
    refused(&home, &["store", "backup", &file], "nothing is overwritten");
    home.call("admin_create_token", &json!({"client_name": "second", "permissions": ["read"]}));
    refused(&home, &["store", "restore", &file], "it holds");
    home.run(&["store", "restore", &file, "--force"]).success();
    assert_eq!(contents(&home), before);
    assert!(home.data_dir().join("gabier.db.replaced").is_file());
    let elsewhere = Home::new();
    elsewhere.run(&["store", "restore", &file]).success();
    assert_eq!(contents(&elsewhere), before);
    assert!(!elsewhere.data_dir().join("gabier.db.replaced").exists());
}

#[test]
fn what_is_no_backup_is_not_restored_and_leaves_nothing_behind() {
    let home = Home::new();
    fill(&home);
    let before = contents(&home);
    let file = home.write("none.db", "no database, but long enough to be looked at as one");
    let done = home.run(&["store", "restore", &file, "--force"]);
    assert_ne!(done.code, 0, "{done:?}");
    assert_eq!(contents(&home), before);
    let beside: Vec<String> = fs::read_dir(home.data_dir().parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(beside, ["gabier"]);
}

#[test]
fn a_copy_to_redis_and_back_holds_the_same_records_and_tasks() {
    let redis = Redis::start();
    let home = Home::new();
    fill(&home);
    let before = contents(&home);
    let (sqlite, url) = (format!("sqlite:{}", home.data_dir().display()), redis.url());
    let told = home.json(&["store", "copy", "--from", &sqlite, "--to", &url]);
    assert_eq!(told["data"]["tasks"], 3, "{told}");
    refused(&home, &["store", "copy", "--from", &sqlite, "--to", &url], "it holds");
    let shared = redis.home();
    assert_eq!(contents(&shared), before);
    let back = home.text_path("back");
    home.run(&["store", "copy", "--from", &url, "--to", &format!("sqlite:{back}")]).success();
    let back = Home::new().with("MCP_DATA_DIR", &back);
    assert_eq!(contents(&back), before);
    assert_eq!(home.run(&["store", "copy", "--from", &sqlite, "--to", &url, "--force"]).code, 0);
    assert_eq!(contents(&shared), before);
}

#[test]
fn a_copied_task_is_run_by_the_workers_of_its_new_store() {
    let redis = Redis::start();
    let home = Home::new();
    fill(&home);
    let sqlite = format!("sqlite:{}", home.data_dir().display());
    home.run(&["store", "copy", "--from", &sqlite, "--to", &redis.url()]).success();
    let server = redis.home().serve(&[]).with_token(TOKEN);
    let (_, tasks) = contents(&home);
    for task in tasks.as_array().unwrap() {
        crate::redis::until_status(&server, task["id"].as_str().unwrap(), "completed");
    }
}

#[test]
fn a_redis_is_backed_up_to_the_same_file_while_it_serves() {
    let redis = Redis::start();
    let home = redis.home();
    fill(&home);
    let before = contents(&home);
    let file = home.text_path("all.db");
    let server = home.serve(&["--no-worker"]);
    home.run(&["store", "backup", &file]).success();
    drop(server);
    let elsewhere = Home::new();
    elsewhere.run(&["store", "restore", &file]).success();
    assert_eq!(contents(&elsewhere), before);
    let second = Redis::start();
    second.home().run(&["store", "restore", &file]).success();
    assert_eq!(contents(&second.home()), before);
}

#[test]
fn a_store_that_serves_is_neither_copied_nor_replaced() {
    let home = Home::new().with("AUTH_TOKEN", TOKEN);
    fill(&home);
    let file = home.text_path("all.db");
    home.run(&["store", "backup", &file]).success();
    let server = home.serve(&["--no-worker"]);
    let sqlite = format!("sqlite:{}", home.data_dir().display());
    let to = format!("sqlite:{}", home.text_path("other"));
    refused(&home, &["store", "copy", "--from", &sqlite, "--to", &to], "other processes use it (front)");
    refused(&home, &["store", "restore", &file, "--force"], "other processes must end first");
    assert!(!home.path("other").exists());
    drop(server);
}

#[test]
fn a_source_that_is_not_there_or_does_not_answer_makes_no_target() {
    let mut redis = Redis::start();
    redis.kill();
    let home = Home::new();
    let to = format!("sqlite:{}", home.text_path("target"));
    for from in [redis.url(), format!("sqlite:{}", home.text_path("nowhere"))] {
        let done = home.run(&["store", "copy", "--from", &from, "--to", &to]);
        assert_ne!(done.code, 0, "{done:?}");
        assert!(!home.path("target").exists() && !home.path("nowhere").exists(), "{done:?}");
    }
}

#[test]
fn a_store_of_an_earlier_format_is_brought_to_this_one() {
    let home = Home::new();
    fs::create_dir_all(home.data_dir()).unwrap();
    set_mode(&home.data_dir(), 0o700);
    let file = home.data_dir().join("gabier.db");
    let store = rusqlite::Connection::open(&file).unwrap();
    store
        .execute_batch(
            "PRAGMA application_id = 0x67616272; PRAGMA user_version = 1;
             CREATE TABLE meta (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
             INSERT INTO meta VALUES ('generation', 1);
             CREATE TABLE record (kind TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL,
                 value TEXT NOT NULL, PRIMARY KEY (kind, key)) STRICT;
             INSERT INTO record VALUES ('note', 'one', 1, '{}');",
        )
        .unwrap();
    drop(store);
    set_mode(&file, 0o600);
    let told = home.json(&["store", "migrate"]);
    assert_eq!(told["data"]["format_before"], 1, "{told}");
    let now = told["data"]["format"].clone();
    assert!(now.as_i64() > Some(1), "{told}");
    assert_eq!(home.json(&["store", "migrate"])["data"]["format_before"], now);
    assert_eq!(home.json(&["store", "check"])["data"]["ok"], true);
    let copied = home.json(&["store", "backup", &home.text_path("all.db")]);
    assert_eq!(copied["data"]["records"], 1, "{copied}");
}

fn set_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_counter_that_lies_is_found_by_the_check() {
    let home = Home::new();
    fill(&home);
    assert_eq!(home.json(&["store", "check"])["data"]["faults"], json!([]));
    let store = rusqlite::Connection::open(home.data_dir().join("gabier.db")).unwrap();
    store.execute("UPDATE task_counter SET tasks = tasks + 1", []).unwrap();
    drop(store);
    let done = home.run(&["store", "check", "--json"]);
    assert_eq!((done.code, done.json()["data"]["ok"].clone()), (1, json!(false)), "{done:?}");
}

#[test]
fn compacting_removes_what_the_settings_do_not_keep() {
    let home = Home::new();
    fill(&home);
    let cancelled = home.call("task_cancel", &json!({"filter": {"tool": "monOutilAsync"}}));
    assert_eq!(cancelled["status"], "ok", "{cancelled}");
    assert_eq!(home.json(&["store", "compact"])["data"]["removed_tasks"], 0);
    let home = home.with("GABIER_TASKS_KEPT_TASKS", "0");
    let told = home.json(&["store", "compact"]);
    assert_eq!(told["data"]["removed_tasks"], 3, "{told}");
    assert!(told["data"]["bytes"].as_u64() <= told["data"]["bytes_before"].as_u64(), "{told}");
}
