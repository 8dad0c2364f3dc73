//! The copies of BullMQ's scripts are its own.

use std::path::{Path, PathBuf};

/// Where cargo keeps the sources of the pinned crate.
#[expect(clippy::disallowed_methods, reason = "a test asks cargo where a dependency lies")]
fn pinned() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let said = std::process::Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform"])
        .arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&said.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|package| package["name"] == "bullmq-official").expect("it is pinned");
    let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
    manifest.with_file_name("src").join("commands")
}

#[test]
fn every_script_of_bullmq_is_as_the_pinned_crate_has_it() {
    let (ours, theirs) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bullmq"), pinned());
    let mut compared = 0;
    for entry in std::fs::read_dir(&ours).expect("the folder") {
        let name = entry.expect("an entry").file_name();
        if name == "LICENSE" {
            continue;
        }
        let [ours, theirs] =
            [&ours, &theirs].map(|folder| std::fs::read(folder.join(&name)).expect("the script"));
        assert!(ours == theirs, "{} differs", name.display());
        compared += 1;
    }
    assert_eq!(compared, 10);
}

#[tokio::test]
async fn the_pinned_crate_serves_our_queue() {
    use gabier_store::queue::{Queue as _, State};
    let server = crate::server::Server::start();
    let queue = crate::support::queue(&server);
    let connection = || bullmq::options::RedisConnectionOptions { url: server.url(), ..Default::default() };
    let options = bullmq::QueueOptions { connection: connection(), ..Default::default() };
    let theirs = bullmq::Queue::with_options(crate::support::QUEUE, options).await.expect("a queue");
    theirs.add("demo", serde_json::json!({"toolName": "demo", "params": {"n": 1}})).await.expect("add");
    let held = crate::support::claim(&queue).await;
    assert_eq!(held.asked.arguments, serde_json::json!({"n": 1}));
    let task = crate::support::task();
    let id = task.id.clone();
    queue.enqueue(vec![task], 0).await.expect("enqueue");
    let options = bullmq::WorkerOptions { connection: connection(), ..Default::default() };
    let run = |job: bullmq::Job, _| async move { Ok(job.data()["params"].clone()) };
    let worker = bullmq::Worker::with_options(crate::support::QUEUE, run, options).await.expect("a worker");
    let done = crate::support::until(&queue, &id, State::Completed).await;
    assert_eq!(done.result, Some(serde_json::json!({"number": 7})));
    worker.close(1_000).await.expect("close");
}
