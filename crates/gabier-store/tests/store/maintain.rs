//! The store as a whole: compacted, backed up, restored.

use std::fs;
use std::path::Path;

use gabier_store::queue::{Filter, Queue, State, Task};
use gabier_store::{Embedded, ErrorKind, Expect, Records};
use serde_json::json;

use crate::workers::{claim, draft, finish};

async fn fill(store: &Embedded) {
    store.put("host", "web1", json!({"port": 22}), Expect::Any).await.unwrap();
    for number in 0..20 {
        let mut task = draft(&format!("{number:08}-0000-4000-8000-000000000000"));
        task.arguments = json!({"text": "x".repeat(number * 10_000)});
        store.enqueue(vec![task], 0).await.unwrap();
    }
    for task in claim(store, "w", 5, 60_000).await {
        assert!(finish(store, &task, json!("y".repeat(100_000))).await);
    }
}

async fn tasks(store: &Embedded) -> Vec<Task> {
    Queue::list(store, Filter::default(), None, 1_000).await.unwrap().items
}

#[tokio::test]
async fn a_backup_is_one_file_that_restores_everything() {
    let directory = tempfile::tempdir().unwrap();
    let (data, backup) = (directory.path().join("data"), directory.path().join("copy.db"));
    let store = Embedded::open(&data, None).unwrap();
    fill(&store).await;
    let expected = tasks(&store).await;
    store.backup(&backup).await.unwrap();
    assert_eq!(store.backup(&backup).await.unwrap_err().kind(), ErrorKind::Io, "nothing is overwritten");
    store.cancel_all(Filter::default(), "later").await.unwrap();

    let busy = Embedded::restore(&data, &backup).unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::Busy, "{busy}");
    drop(store);
    for place in [data.clone(), directory.path().join("elsewhere")] {
        Embedded::restore(&place, &backup).unwrap();
        let restored = Embedded::open(&place, None).unwrap();
        assert_eq!(tasks(&restored).await, expected);
        assert_eq!(
            Records::get(&restored, "host", "web1").await.unwrap().unwrap().value,
            json!({"port": 22})
        );
        assert_eq!(Records::check(&restored).await.unwrap(), Vec::<String>::new());
        restored.put("host", "web2", json!(1), Expect::Absent).await.unwrap();
    }
    assert!(data.join("gabier.db.replaced").exists());
}

#[tokio::test]
async fn what_is_no_sound_backup_is_not_restored() {
    let directory = tempfile::tempdir().unwrap();
    let (data, backup) = (directory.path().join("data"), directory.path().join("copy.db"));
    let store = Embedded::open(&data, None).unwrap();
    fill(&store).await;
    store.backup(&backup).await.unwrap();
    drop(store);
    let before = fs::read(data.join("gabier.db")).unwrap();
    let check = |bytes: &[u8]| {
        fs::write(&backup, bytes).unwrap();
        Embedded::restore(&data, Path::new(&backup)).unwrap_err().kind()
    };
    let sound = fs::read(&backup).unwrap();
    assert_eq!(check(b"no database, but long enough to be looked at as one"), ErrorKind::Damaged);
    assert_eq!(check(b""), ErrorKind::Damaged);
    let mut torn = sound.clone();
    torn[8_192..40_960].fill(0xa5);
    assert_eq!(check(&torn), ErrorKind::Damaged);
    assert_eq!(fs::read(data.join("gabier.db")).unwrap(), before);
}

#[tokio::test]
async fn compacting_gives_back_what_was_removed_and_keeps_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path(), None).unwrap();
    for _ in 0..4 {
        let batch = (0..500).map(|_| draft(&crate::workers::id())).collect();
        store.enqueue(batch, 0).await.unwrap();
    }
    fill(&store).await;
    let length = || fs::metadata(directory.path().join("gabier.db")).unwrap().len();
    store.compact().await.unwrap();
    let before = length();
    let small = Filter { states: vec![State::Pending], search: Some("{}".into()), ..Filter::default() };
    store.cancel_all(small, "all").await.unwrap();
    let nothing = gabier_store::queue::Retention { age: -1, tasks: 0, output_bytes: 0 };
    store.prune(nothing).await.unwrap();
    store.compact().await.unwrap();
    assert!(length() < before / 2, "{} of {before}", length());
    assert_eq!(Records::check(&store).await.unwrap(), Vec::<String>::new());
    assert!(!tasks(&store).await.is_empty());
}

#[tokio::test]
async fn a_counter_that_lies_is_found_by_the_check() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path(), None).unwrap();
    fill(&store).await;
    assert_eq!(Records::check(&store).await.unwrap(), Vec::<String>::new());
    let connection = rusqlite::Connection::open(store.file()).unwrap();
    connection.execute("UPDATE task_counter SET tasks = tasks + 1 WHERE state = 5", []).unwrap();
    let faults = Records::check(&store).await.unwrap();
    assert_eq!(faults, ["the counter of completed tasks in q says 6 and there are 5"]);
}
