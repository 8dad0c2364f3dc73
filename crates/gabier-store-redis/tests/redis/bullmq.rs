//! Together with BullMQ on Node, on one server.

use std::collections::BTreeSet;
use std::time::Duration;

use gabier_store::queue::{CancelAck, End, Ended, NewTask, Notes, Progress, Queue as _, State, Stream};
use serde_json::{Value, json};

use crate::peer::Peer;
use crate::server::Server;
use crate::support::{QUEUE, claim, completed, ended, queue, run_all, step, task, until};

#[tokio::test]
async fn a_job_of_a_node_producer_is_adopted_and_run() {
    let server = Server::start();
    let (queue, mut peer) = (queue(&server), Peer::start(&server));
    let id = "0b8f2f0e-4d6c-4b53-9d19-6f3ce1a0a001";
    let data = json!({
        "toolName": "monOutilAsync",
        "params": {"parametre_essentiel": "x", "liste": [], "reel": 0.1},
        "taskId": id,
        "cbUrl": "https://receiver.example/hook",
        "auth": {"id": "n8n"},
    });
    let options = json!({"jobId": id, "attempts": 3});
    peer.ask("add", json!({"name": QUEUE, "job": "monOutilAsync", "data": data, "options": options}));
    let held = claim(&queue).await;
    assert_eq!((held.asked.id.as_str(), held.asked.tool.as_str()), (id, "monOutilAsync"));
    assert_eq!(held.asked.owner, "queue:async-tasks");
    assert_eq!(held.asked.arguments, data["params"], "the arguments are as they were written");
    assert_eq!(held.asked.callback.as_deref(), Some("https://receiver.example/hook"));
    assert_eq!((held.asked.max_attempts, held.asked.retry_safe), (3, true));
    let taken = queue.step(step(vec![completed(&held)], 0)).await.expect("step").taken;
    assert_eq!(taken, [true]);
    let jobs = peer.ask("jobs", json!({"name": QUEUE, "states": ["completed"]}));
    assert_eq!((&jobs[0]["id"], &jobs[0]["returnvalue"]), (&json!(id), &json!({"echo": id})));

    peer.ask("add", json!({"name": QUEUE, "job": "plain", "data": {"a": 1}}));
    let held = claim(&queue).await;
    assert!(held.asked.id.as_str().starts_with("async-tasks-"), "a number would not be unique among queues");
    assert_eq!((held.asked.tool.as_str(), held.asked.arguments), ("plain", json!({"a": 1})));
    assert!(!held.asked.retry_safe);
    assert_eq!(
        queue.enqueue(vec![task()], 1).await.expect("enqueue").len(),
        1,
        "jobs of others fill no queue"
    );
}

#[tokio::test]
async fn a_node_worker_runs_our_task_and_our_record_shows_it() {
    let server = Server::start();
    let (queue, mut peer) = (queue(&server), Peer::start(&server));
    let (one, two) = (task(), NewTask { callback: Some("https://a.example".to_owned()), ..task() });
    let ids = [one.id.clone(), two.id.clone()];
    queue.enqueue(vec![one, two], 0).await.expect("enqueue");
    peer.work(json!({"name": QUEUE, "concurrency": 1, "milliseconds": 600}));
    let running = until(&queue, &ids[0], State::Running).await;
    assert!(running.worker.is_some_and(|worker| worker.0.starts_with("bull:")));
    let done = until(&queue, &ids[0], State::Completed).await;
    assert_eq!(done.result, Some(json!({"echo": {"number": 7}, "name": "demo"})));
    assert_eq!(done.attempt, 1);
    until(&queue, &ids[1], State::Completed).await;
    assert_eq!(peer.stop(), ids.map(|id| id.to_string()));
    let failing = task();
    let id = failing.id.clone();
    let mut changes = queue.changes();
    queue.enqueue(vec![failing], 0).await.expect("enqueue");
    peer.work(json!({"name": QUEUE, "concurrency": 1, "fail": true}));
    // Nobody asks for the task: the stream of events alone brings its record up to date.
    let told = gabier_store::queue::TaskChange::Task(id.clone());
    let listed = async {
        loop {
            let change = changes.recv().await.expect("a change");
            let failed = gabier_store::queue::Filter { states: vec![State::Failed], ..Default::default() };
            let items = queue.list(failed, None, 10).await.expect("list").items;
            if change == told && !items.is_empty() {
                return items;
            }
        }
    };
    let failed = tokio::time::timeout(Duration::from_secs(5), listed).await.expect("it is told");
    assert_eq!(failed[0].error.as_ref().map(|error| &error["message"]), Some(&json!("it was told to fail")));
    let stats = queue.stats(None).await.expect("stats");
    assert_eq!(stats.counts.iter().map(|count| count.tasks).sum::<u64>(), 3);
}

#[tokio::test]
async fn of_5000_jobs_for_mixed_workers_each_is_done_once() {
    let server = Server::start();
    let (ours, mut peer, mut other) = (queue(&server), Peer::start(&server), Peer::start(&server));
    let mut wanted = BTreeSet::new();
    for _ in 0..5 {
        let batch: Vec<_> = (0..500).map(|_| task()).collect();
        wanted.extend(batch.iter().map(|task| task.id.to_string()));
        ours.enqueue(batch, 0).await.expect("enqueue");
    }
    peer.ask("add_many", json!({"name": QUEUE, "job": "demo", "count": 2_500, "first": 0}));
    wanted.extend((0..2_500).map(|number| format!("async-tasks-node-job-{number}")));
    for peer in [&mut peer, &mut other] {
        peer.work(json!({"name": QUEUE, "concurrency": 10, "milliseconds": 2}));
    }
    let second = queue(&server);
    let (mut ran, more) =
        tokio::join!(run_all(&ours, Duration::from_secs(1)), run_all(&second, Duration::from_secs(1)),);
    let here = ran.len() + more.len();
    ran.extend(more);
    let there: Vec<_> = [peer.stop(), other.stop()].concat();
    let nodes = there.len();
    ran.extend(
        there.into_iter().map(|id| if id.starts_with("node-job") { format!("{QUEUE}-{id}") } else { id }),
    );
    assert!(here > 100 && nodes > 100, "both worked: {here} here, {nodes} there");
    assert_eq!((here + nodes, ran.len()), (5_000, 5_000), "each once");
    assert_eq!(ran, wanted);
    let counts = peer.ask("counts", json!({"name": QUEUE}));
    assert_eq!(
        (&counts["completed"], &counts["failed"], &counts["active"]),
        (&json!(5_000), &json!(0), &json!(0))
    );
}

#[tokio::test]
async fn the_getters_of_bull_board_read_our_jobs() {
    let server = Server::start();
    let (queue, mut peer) = (queue(&server), Peer::start(&server));
    let now = queue.now().await.expect("now");
    let waiting = NewTask { priority: 0, ..task() };
    let delayed = NewTask { run_at: Some(now + 60_000), ..task() };
    let [running, good, bad, gone] = [task(), task(), task(), task()];
    let ids = [&waiting, &delayed, &running, &good, &bad, &gone].map(|task| task.id.clone());
    for task in [good, bad, running, gone] {
        queue.enqueue(vec![task], 0).await.expect("enqueue");
    }
    let held = queue.step(step(Vec::new(), 3)).await.expect("step").claimed;
    let progress = Some(Progress { done: 1.0, total: Some(2.0), message: None });
    let notes = Notes { progress, output: vec![(Stream::Log, b"copying\n".to_vec())], ..Notes::default() };
    queue.note(&ids[2], held[2].fence, notes).await.expect("note");
    let error = json!({"message": "no such host", "name": "HostError", "type": "permanent"});
    let how = End::Finish { state: State::Failed, result: None, error: Some(error), dead_letter: true };
    let failed = Ended { id: ids[4].clone(), fence: held[1].fence, how };
    queue.step(step(vec![completed(&held[0]), failed], 0)).await.expect("step");
    assert_eq!(queue.cancel(&ids[5], "enough").await.expect("cancel"), CancelAck::Ended);
    queue.enqueue(vec![waiting, delayed], 0).await.expect("enqueue");

    let board = peer.ask("board", json!({"name": QUEUE}));
    for (state, number) in
        [("prioritized", 1), ("delayed", 1), ("active", 1), ("completed", 1), ("failed", 2)]
    {
        assert_eq!(board["counts"][state], json!(number), "{state}: {board}");
    }
    let jobs = board["jobs"].as_array().expect("a list");
    let job = |id: &str| jobs.iter().find(|job| job["id"] == id).unwrap_or_else(|| panic!("{id}: {board}"));
    for id in &ids {
        let shown = job(id.as_str());
        assert_eq!((&shown["name"], &shown["data"]["toolName"]), (&json!("demo"), &json!("demo")));
        assert_eq!((&shown["data"]["params"], &shown["data"]["taskId"]), (&json!({"number": 7}), &json!(id)));
    }
    assert_eq!(job(ids[4].as_str())["failedReason"], "no such host");
    assert_eq!(job(ids[5].as_str())["failedReason"], "cancelled");
    let active = peer.ask("jobs", json!({"name": QUEUE, "states": ["active"]}));
    assert_eq!(active[0]["progress"], json!({"done": 1, "total": 2}));
    let logs = peer.ask("logs", json!({"name": QUEUE, "id": ids[2]}));
    assert_eq!(logs["logs"], json!(["copying\n"]));
    let dead = peer.ask("board", json!({"name": "dead-letter-tasks"}));
    let letter = &dead["jobs"][0];
    assert_eq!((&letter["id"], &letter["data"]["original_job_id"]), (&json!(ids[4]), &json!(ids[4])));
    assert_eq!(
        letter["data"]["failure_reason"],
        json!({"message": "no such host", "name": "HostError", "type": "permanent"})
    );
    assert_eq!(letter["data"]["params"], json!({"number": 7}));
    queue.bury(gabier_store::queue::Filter::default()).await.expect("bury");
    let counts = peer.ask("counts", json!({"name": "dead-letter-tasks"}));
    assert!(counts.as_object().expect("counts").values().all(|count| *count == json!(0)), "{counts}");
    queue.pause(QUEUE, true).await.expect("pause");
    assert_eq!(peer.ask("paused", json!({"name": QUEUE})), json!({"paused": true}));
}

/// What a job left on the server: its fields that count something, the names of all, and its events with their fields.
type Left = (Vec<String>, Vec<String>, Vec<Vec<String>>);

fn left_by(server: &Server, queue: &str, id: &str) -> Left {
    let (mut connection, base) = (server.connection(), format!("bull:{queue}:"));
    let key = format!("{base}{id}");
    let counts = ["ats", "atm", "delay", "priority"];
    let counts = redis::cmd("HMGET").arg(&key).arg(&counts).query(&mut connection).expect("HMGET");
    let mut fields: Vec<String> = redis::cmd("HKEYS").arg(&key).query(&mut connection).expect("HKEYS");
    // Node's worker has no name, and reports progress.
    fields.retain(|field| !matches!(field.as_str(), "pb" | "progress"));
    fields.sort();
    let stream = redis::cmd("XRANGE").arg(format!("{base}events")).arg("-").arg("+").query(&mut connection);
    let events: Vec<(String, Vec<String>)> = stream.expect("XRANGE");
    let named = events.into_iter().map(|(_, said)| {
        // The event's own name, then the names of what it says.
        let names = said.chunks(2).map(|pair| if pair[0] == "event" { &pair[1] } else { &pair[0] });
        names.cloned().collect::<Vec<_>>()
    });
    for (kind, list, number) in
        [("LLEN", "active", 0), ("ZCARD", "prioritized", 0), ("ZCARD", "completed", 1)]
    {
        let found: i64 =
            redis::cmd(kind).arg(format!("{base}{list}")).query(&mut connection).expect("a number");
        assert_eq!(found, number, "{list} of {queue}");
    }
    let is_locked: bool =
        redis::cmd("EXISTS").arg(format!("{key}:lock")).query(&mut connection).expect("EXISTS");
    assert!(!is_locked, "{queue}");
    (counts, fields, named.filter(|event| event[0] != "progress").collect())
}

#[tokio::test]
async fn a_job_that_we_add_and_run_leaves_behind_what_one_of_bullmq_does() {
    let server = Server::start();
    let (queue, mut peer) = (queue(&server), Peer::start(&server));
    let id = "0b8f2f0e-4d6c-4b53-9d19-6f3ce1a0a002";
    let options = json!({"jobId": id, "priority": 11, "attempts": 1});
    peer.ask("add", json!({"name": "theirs", "job": "demo", "data": {"params": {}}, "options": options}));
    peer.work(json!({"name": "theirs", "concurrency": 1}));
    while peer.ask("state", json!({"name": "theirs", "id": id}))["state"] != "completed" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    peer.stop();

    let one = task();
    let own = one.id.clone();
    queue.enqueue(vec![one], 0).await.expect("enqueue");
    let held = claim(&queue).await;
    queue.step(step(vec![completed(&held)], 0)).await.expect("step");
    assert_eq!(left_by(&server, QUEUE, own.as_str()), left_by(&server, "theirs", id));
}

#[tokio::test]
async fn what_others_do_to_a_job_does_not_lose_its_task() {
    let server = Server::start();
    let (queue, mut peer) = (queue(&server), Peer::start(&server));
    let [removed, other] = [task(), task()];
    let ids = [removed.id.clone(), other.id.clone()];
    queue.enqueue(vec![removed, other], 0).await.expect("enqueue");
    peer.ask("remove", json!({"name": QUEUE, "id": ids[0]}));
    assert_eq!(
        until(&queue, &ids[0], State::Cancelled).await.cancel.as_deref(),
        Some("its job was removed from the queue")
    );
    let held = claim(&queue).await;
    queue.step(step(vec![ended(&held.asked.id, held.fence, State::Failed)], 0)).await.expect("step");
    // Bull Board's button moves a failed job back; a task that ended does not start again.
    let base = format!("bull:{QUEUE}:");
    let mut connection = server.connection();
    redis::cmd("ZREM").arg(format!("{base}failed")).arg(ids[1].as_str()).exec(&mut connection).expect("ZREM");
    redis::cmd("LPUSH").arg(format!("{base}wait")).arg(ids[1].as_str()).exec(&mut connection).expect("LPUSH");
    assert_eq!(queue.step(step(Vec::new(), 5)).await.expect("step").claimed, []);
    let state: Value = peer.ask("state", json!({"name": QUEUE, "id": ids[1]}));
    assert_eq!(state, json!({"state": "failed"}));
    assert_eq!(until(&queue, &ids[1], State::Failed).await.attempt, 1);
}

#[tokio::test]
async fn a_worker_of_another_make_that_renewed_its_lock_keeps_its_task() {
    let server = Server::start();
    let queue = queue(&server);
    let one = task();
    let id = one.id.clone();
    queue.enqueue(vec![one], 0).await.expect("enqueue");
    let (mut connection, base) = (server.connection(), format!("bull:{QUEUE}:"));
    let mut run = |words: &[&str]| {
        redis::cmd(words[0]).arg(&words[1..]).exec(&mut connection).expect("a command");
    };
    let (line, active, lock) =
        (format!("{base}prioritized"), format!("{base}active"), format!("{base}{id}:lock"));
    run(&["ZREM", &line, id.as_str()]);
    run(&["LPUSH", &active, id.as_str()]);
    run(&["SET", &lock, "theirs", "PX", "60000"]);
    assert_eq!(until(&queue, &id, State::Running).await.attempt, 1);
    // As far as we know its lease has ended.
    run(&["ZADD", "gabier:{q}:leases", "1", id.as_str()]);
    assert_eq!(queue.reap().await.expect("reap"), 0);
    assert_eq!(queue.get(&id).await.expect("get").expect("a task").state, State::Running);
    run(&["DEL", &lock]);
    run(&["ZADD", "gabier:{q}:leases", "1", id.as_str()]);
    assert_eq!(queue.reap().await.expect("reap"), 1, "a lock that ran out keeps nothing");
}
