//! Several operating system processes on one data directory.
//!
//! The children are this test binary, called for one ignored test with their orders in the environment.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use futures::future::join_all;
use gabier_store::{Embedded, Expect, Openers, Opening, Presence, Records, Store, contract};
use serde_json::json;

/// Opens the store as every program of the product does.
pub(crate) fn open(directory: &Path, role: &str) -> Store {
    Openers::default().open(&directory.display().to_string(), &Opening::role(role)).unwrap()
}

/// Another process, which does what it is told line by line.
pub(crate) struct Other {
    pub(crate) child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Other {
    #[expect(clippy::disallowed_methods, reason = "a test of several processes starts them")]
    pub(crate) fn start(directory: &Path) -> Self {
        Self::start_by(Command::new(std::env::current_exe().unwrap()), directory)
    }

    /// Starts it under a program that is given the command line as its last arguments.
    pub(crate) fn start_by(mut command: Command, directory: &Path) -> Self {
        let mut child = command
            .args(["--exact", "processes::child", "--ignored", "--nocapture", "--test-threads=1"])
            .env("GABIER_STORE_TEST_DIRECTORY", directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, orders, answers }
    }

    /// Gives an order without waiting for its answer.
    pub(crate) fn tell(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    /// The next answer; none when the process has ended.
    pub(crate) fn hear(&mut self) -> Option<String> {
        // The test harness writes to the same stdout, without a final line break before our first answer.
        self.answers.by_ref().map_while(Result::ok).find_map(|line| Some(line.split_once("> ")?.1.to_owned()))
    }

    pub(crate) fn ask(&mut self, order: &str) -> String {
        self.tell(order);
        self.hear().unwrap()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is the other process of these tests, and waits for orders"]
#[expect(clippy::disallowed_methods, reason = "its orders come by the environment")]
async fn child() {
    let Some(directory) = std::env::var_os("GABIER_STORE_TEST_DIRECTORY") else { return };
    let answer = |text: String| {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "> {text}").and_then(|()| stdout.flush()).unwrap();
    };
    let (mut store, mut held) = (None, None);
    for order in std::io::stdin().lines().map(Result::unwrap) {
        if order == "open" {
            store = Some(open(Path::new(&directory), "child"));
            answer("opened".to_owned());
            continue;
        }
        if let Some(prefix) = order.strip_prefix("churn ") {
            for number in 0..25 {
                let store = open(Path::new(&directory), "churn");
                store
                    .records
                    .put("host", &format!("{prefix}-{number}"), json!(1), Expect::Absent)
                    .await
                    .unwrap();
            }
            answer("churned".to_owned());
            continue;
        }
        let store: &Store = store.as_ref().unwrap();
        let records = &*store.records;
        match order.split_once(' ').unwrap_or((&order, "")) {
            ("close", _) => return,
            ("id", _) => answer(store.presence.as_ref().unwrap().id().to_owned()),
            ("generation", _) => answer(records.generation().unwrap().to_string()),
            ("get", key) => answer(
                records.get("host", key).await.unwrap().map_or("none".into(), |it| it.value.to_string()),
            ),
            ("put", key) => {
                answer(records.put("host", key, json!(1), Expect::Any).await.unwrap().to_string());
            }
            ("changed", generation) => {
                let generation: u64 = generation.parse().unwrap();
                answer(records.changes().wait_for(|now| *now >= generation).await.unwrap().to_string());
            }
            ("increment", times) => {
                for _ in 0..times.parse().unwrap() {
                    contract::increment(records, "counter").await;
                }
                answer("incremented".to_owned());
            }
            ("write", _) => {
                join_all((0..8).map(|writer| async move {
                    for number in 0_u64.. {
                        let key = format!("{writer}-{number}");
                        records.put("written", &key, json!("x".repeat(2_000)), Expect::Absent).await.unwrap();
                        answer(key);
                    }
                }))
                .await;
            }
            told => crate::workers::obey(store, told, &mut held, &answer).await,
        }
    }
}

#[tokio::test]
async fn of_increments_by_several_processes_none_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), "parent");
    store.records.put("host", "counter", json!(0), Expect::Absent).await.unwrap();
    let mut others: Vec<_> = (0..4).map(|_| Other::start(directory.path())).collect();
    for order in ["open", "increment 50"] {
        for other in &mut others {
            other.tell(order);
        }
        for other in &mut others {
            other.hear().unwrap();
        }
    }
    assert_eq!(store.records.get("host", "counter").await.unwrap().unwrap().value, json!(200));
}

#[tokio::test]
async fn many_processes_may_be_the_first_to_open_a_directory() {
    for _ in 0..3 {
        let directory = tempfile::tempdir().unwrap();
        let mut others: Vec<_> = (0..6).map(|_| Other::start(directory.path())).collect();
        for other in &mut others {
            other.tell("open");
        }
        for (number, other) in others.iter_mut().enumerate() {
            assert_eq!(other.hear().as_deref(), Some("opened"));
            other.ask(&format!("put {number}"));
        }
        let store = open(directory.path(), "parent");
        assert_eq!(store.records.list("host").await.unwrap().len(), others.len());
        assert_eq!(store.records.generation().unwrap(), 6);
    }
}

#[tokio::test]
async fn processes_may_come_and_go_while_others_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let mut others: Vec<_> = (0..4).map(|_| Other::start(directory.path())).collect();
    for (number, other) in others.iter_mut().enumerate() {
        other.tell(&format!("churn {number}"));
    }
    for other in &mut others {
        assert_eq!(other.hear().as_deref(), Some("churned"));
    }
    let store = open(directory.path(), "parent");
    assert_eq!(store.records.list("host").await.unwrap().len(), 100);
    assert_eq!(store.records.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_change_shows_in_other_processes_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), "parent");
    let mut other = Other::start(directory.path());
    other.ask("open");
    for round in 0..100 {
        let before = other.ask("generation");
        let key = format!("token{round}");
        store.records.put("host", &key, json!("revoked"), Expect::Any).await.unwrap();
        assert_ne!(other.ask("generation"), before);
        assert_eq!(other.ask(&format!("get {key}")), "\"revoked\"");

        let before = store.records.generation().unwrap();
        other.ask(&format!("put {key}"));
        assert_ne!(store.records.generation().unwrap(), before);
        assert_eq!(store.records.get("host", &key).await.unwrap().unwrap().value, json!(1));
    }
}

#[tokio::test]
async fn who_waits_for_changes_is_woken_by_another_process() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), "parent");
    let mut other = Other::start(directory.path());
    other.ask("open");
    let next = store.records.generation().unwrap() + 1;
    other.tell(&format!("changed {next}"));
    store.records.put("host", "web1", json!(1), Expect::Any).await.unwrap();
    assert_eq!(other.hear(), Some(next.to_string()));
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..5 {
        let mut other = Other::start(directory.path());
        other.ask("open");
        other.tell("write");
        let mut keys: Vec<_> = (0..100 + 37 * round).map(|_| other.hear().unwrap()).collect();
        other.kill();
        keys.extend(std::iter::from_fn(|| other.hear()));
        let store = Embedded::open(directory.path(), None).unwrap();
        for key in &keys {
            let record = store.get("written", key).await.unwrap();
            assert_eq!(record.unwrap_or_else(|| panic!("{key} is lost")).value, json!("x".repeat(2_000)));
        }
        assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
        for record in store.list("written").await.unwrap() {
            store.remove("written", &record.key, Expect::Any).await.unwrap();
        }
        acknowledged += keys.len();
    }
    assert!(acknowledged >= 500);
}

#[tokio::test]
async fn the_living_go_on_at_once_when_one_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), "parent");
    for round in 0..5 {
        let mut other = Other::start(directory.path());
        other.ask("open");
        other.tell("write");
        let keys: Vec<_> = (0..50).map(|_| other.hear().unwrap()).collect();
        other.kill();
        store.records.put("host", "web1", json!(round), Expect::Any).await.unwrap();
        for key in keys {
            assert!(store.records.remove("written", &key, Expect::Any).await.unwrap(), "{key} is lost");
        }
        other.child.wait().unwrap();
        for record in store.records.list("written").await.unwrap() {
            store.records.remove("written", &record.key, Expect::Any).await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_death_of_a_process_shows_at_once_and_its_files_go() {
    let directory = tempfile::tempdir().unwrap();
    let presence = Arc::new(Presence::hold(&directory.path().join("run"), "parent").unwrap());
    let (mut dying, mut living) = (Other::start(directory.path()), Other::start(directory.path()));
    dying.ask("open");
    living.ask("open");
    let (dead, alive) = (dying.ask("id"), living.ask("id"));
    assert!(presence.others().unwrap().iter().all(|seen| seen.alive && seen.role == "child"));

    dying.kill();
    dying.child.wait().unwrap();
    let mut others = presence.others().unwrap();
    others.sort_by_key(|seen| seen.alive);
    let seen: Vec<_> = others.iter().map(|seen| (seen.id.as_str(), seen.pid, seen.alive)).collect();
    assert_eq!(seen, [(&*dead, dying.child.id(), false), (&*alive, living.child.id(), true)]);
    assert_eq!(presence.others().unwrap().len(), 1);
    let left = std::fs::read_dir(directory.path().join("run")).unwrap().count();
    assert_eq!(left, 4, "a file and a socket for each that lives");
}

#[tokio::test]
async fn a_process_that_ends_in_order_leaves_no_presence() {
    let directory = tempfile::tempdir().unwrap();
    let presence = Presence::hold(&directory.path().join("run"), "parent").unwrap();
    let mut other = Other::start(directory.path());
    other.ask("open");
    other.tell("close");
    other.child.wait().unwrap();
    assert_eq!(presence.others().unwrap(), []);
}
