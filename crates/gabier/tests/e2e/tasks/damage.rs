//! Disks that lie or fail under the embedded store of the real binary.

use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::fleet::busy_home;
use crate::harness::{Answer, Home, Server, get, program};
use crate::redis::until_status;

/// A task of a second.
fn order() -> Value {
    json!({"duration_ms": 100, "value1": 20, "value2": 22})
}

#[track_caller]
fn enqueue(server: &Server) -> Answer {
    server.call("asynchronousTaskSimulatorEnhanced", &order())
}

#[track_caller]
fn id_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()["data"]["id"].as_str().unwrap().to_owned()
}

/// A home whose server was killed after it took these tasks, one by one; what it wrote is in the log of its store.
fn killed() -> (Home, String, Vec<String>) {
    let (home, token) = busy_home();
    let server = home.serve(&["--no-worker"]).with_token(&token);
    let ids = (0..20).map(|_| id_of(&enqueue(&server))).collect();
    drop(server);
    (home, token, ids)
}

fn log(home: &Home) -> std::fs::File {
    let path = home.data_dir().join("gabier.db-wal");
    std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap()
}

/// The bytes of a page in the log, with its header.
const FRAME: u64 = 4_096 + 24;

#[test]
fn a_page_that_was_torn_at_the_end_of_the_log_costs_no_acknowledged_task() {
    let (home, token, ids) = killed();
    let file = log(&home);
    let length = file.metadata().unwrap().len();
    assert_eq!((length - 32) % FRAME, 0, "the log ends with a whole page");
    // A power cut while the next commit was being written: half a page of it is there.
    let frame = length - FRAME;
    let mut torn = [0; 2_000];
    file.read_exact_at(&mut torn, frame).unwrap();
    torn[24..].fill(0xa5);
    file.write_all_at(&torn, length).unwrap();
    drop(file);
    let server = home.serve(&[]).with_token(&token);
    for id in &ids {
        until_status(&server, id, "completed");
    }
    assert_eq!(home.json(&["store", "check"])["data"]["ok"], true);
}

#[test]
fn a_damaged_last_page_of_the_log_costs_its_commit_alone() {
    let (home, token, ids) = killed();
    let file = log(&home);
    let length = file.metadata().unwrap().len();
    file.write_all_at(&[0xa5; 64], length - 2_000).unwrap();
    drop(file);
    let server = home.serve(&[]).with_token(&token);
    assert_eq!(server.get("/ready").status, 200);
    let (kept, lost): (Vec<_>, Vec<_>) =
        ids.iter().partition(|id| server.send(get(&format!("/api/v1/tasks/{id}"))).status == 200);
    assert!(lost.len() <= 1 && lost.iter().all(|id| **id == ids[19]), "{lost:?}");
    for id in kept {
        until_status(&server, id, "completed");
    }
    id_of(&enqueue(&server));
    assert_eq!(home.json(&["store", "check"])["data"]["ok"], true);
}

#[test]
fn a_damaged_database_is_told_of_and_nothing_more_is_written_to_it() {
    let (home, token, _) = killed();
    // What was in the log goes into the database.
    home.run(&["store", "compact"]).success();
    let path = home.data_dir().join("gabier.db");
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4_096;
    for page in 1..pages {
        file.write_all_at(&[0xa5; 128], page * 4_096).unwrap();
    }
    drop(file);
    let done = home.run(&["store", "check"]);
    assert_ne!(done.code, 0, "{done:?}");
    let server = home.serve(&[]).with_token(&token);
    let refused = enqueue(&server);
    assert!(refused.status >= 400, "{refused:?}");
    assert_eq!(server.get("/ready").status, 503);
    assert_eq!(get("/health").send(server.address).status, 200, "it lives");
    let doctor = home.run(&["doctor"]);
    assert!(doctor.code != 0 && doctor.stdout.contains("malformed"), "{doctor:?}");
}

/// A library that makes every sync fail while a file is there.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static int fails(void) { const char *file = getenv("FAIL_SYNC"); return file && access(file, F_OK) == 0; }
static int sync_by(long call, int fd) {
    if (fails()) { errno = EIO; return -1; }
    return (int)syscall(call, fd);
}
int fsync(int fd) { return sync_by(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }
"#;

/// Builds the library into a home.
#[track_caller]
fn shim(home: &Home) -> String {
    let (source, library) = (home.write("shim.c", SHIM), home.text_path("shim.so"));
    let built = program("cc").args(["-shared", "-fPIC", "-O1", "-o", &library, &source]).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

#[test]
fn after_a_sync_that_failed_nothing_is_acknowledged_and_nothing_that_was_is_lost() {
    let (home, token) = busy_home();
    let (library, failing) = (shim(&home), PathBuf::from(home.text_path("failing")));
    let start = |home: &Home| {
        let mut command = home.command(&["serve", "--port", "0"]);
        command.env("LD_PRELOAD", &library).env("FAIL_SYNC", &failing);
        Server::start(&mut command).with_token(&token)
    };
    let server = start(&home);
    let mut taken: Vec<String> = (0..5).map(|_| id_of(&enqueue(&server))).collect();
    for id in &taken {
        until_status(&server, id, "completed");
    }
    std::fs::write(&failing, "").unwrap();
    let refused = enqueue(&server);
    assert_eq!((refused.status, refused.code().as_str()), (503, "UNAVAILABLE"), "{refused:?}");
    // The disk syncs again, but what it forgot in between nobody knows: this process writes no more.
    std::fs::remove_file(&failing).unwrap();
    let refused = enqueue(&server);
    assert_eq!((refused.status, refused.code().as_str()), (503, "UNAVAILABLE"), "{refused:?}");
    assert_eq!(get("/health").send(server.address).status, 200, "it lives");
    assert_eq!(server.get("/ready").status, 503, "it says that it takes no work");
    server.wait_for("the store stops");
    drop(server);
    let server = start(&home);
    taken.push(id_of(&enqueue(&server)));
    for id in &taken {
        until_status(&server, id, "completed");
    }
    assert_eq!(home.json(&["store", "check"])["data"]["ok"], true);
}
