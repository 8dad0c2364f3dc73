//! The pinned crate `bullmq-official` and our queue, on one server.

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
