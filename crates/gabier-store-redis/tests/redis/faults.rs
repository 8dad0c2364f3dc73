//! What breaks, and what holds then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use gabier_store::ErrorKind;
use gabier_store::queue::{Held, NewTask, Queue as _, State, Step, TaskChange, WorkerId};
use gabier_store_redis::{Queue, Report};

use crate::server::Server;
use crate::support::{claim, completed, queue, step, task, until};

/// Adds one task after another until told to stop; gives the ids that were acknowledged.
async fn add_until(queue: Arc<Queue>, stop: Arc<AtomicBool>) -> Vec<gabier_store::queue::TaskId> {
    let mut acknowledged = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let task = task();
        let id = task.id.clone();
        match queue.enqueue(vec![task], 0).await {
            Ok(_) => acknowledged.push(id),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}"),
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_nothing_and_starts_nothing_twice() {
    let mut server = Server::durable();
    let [stop, are_all_added] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let adding: Vec<_> =
        (0..3).map(|_| tokio::spawn(add_until(Arc::new(queue(&server)), Arc::clone(&stop)))).collect();
    let working = {
        let (queue, are_all_added) = (queue(&server), Arc::clone(&are_all_added));
        tokio::spawn(async move {
            let (mut starts, mut done) = (BTreeMap::<String, u32>::new(), Vec::new());
            loop {
                let is_last = are_all_added.load(Ordering::Relaxed);
                // What could not be delivered is kept, and delivered later with its fence.
                let Ok(stepped) = queue.step(step(done.clone(), 20)).await else { continue };
                done = stepped.claimed.iter().map(completed).collect();
                if is_last && done.is_empty() {
                    return starts;
                }
                for task in stepped.claimed {
                    *starts.entry(task.asked.id.to_string()).or_default() += 1;
                }
            }
        })
    };
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        server.kill();
        server.restart();
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for task in adding {
        acknowledged.extend(task.await.expect("adding ends"));
    }
    are_all_added.store(true, Ordering::Relaxed);
    let starts = working.await.expect("working ends");
    assert!(acknowledged.len() > 100, "{} were added", acknowledged.len());
    assert!(starts.values().all(|number| *number == 1), "none that may start once started twice");
    let queue = queue(&server);
    for id in acknowledged {
        let task = queue.get(&id).await.expect("get").expect("what was acknowledged is there");
        assert_eq!((task.state, task.attempt), (State::Completed, 1), "{id}");
    }
    let counts = queue.stats(None).await.expect("stats").counts;
    assert!(counts.iter().all(|count| count.state == State::Completed), "{counts:?}");
}

#[tokio::test]
async fn a_stopped_server_is_an_error_and_work_goes_on_after_it() {
    let server = Server::start();
    let queue = queue(&server);
    let (first, second) = (task(), task());
    let id = second.id.clone();
    queue.enqueue(vec![first], 0).await.expect("enqueue");
    let held = claim(&queue).await;
    server.signal("STOP");
    let since = Instant::now();
    let refused = queue.enqueue(vec![second], 0).await.expect_err("nobody answers");
    assert!(refused.kind().is_retriable() && since.elapsed() < Duration::from_secs(2), "{refused}");
    // A claim that is on its way while nobody waits for it any more must not take a task.
    queue.step(step(Vec::new(), 10)).await.expect_err("nobody answers");
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.signal("CONT");
    let beat =
        queue.beat(&WorkerId("w1".to_owned()), vec![(held.asked.id.clone(), held.fence)], 30_000).await;
    assert_eq!(beat.expect("beat"), [Held::Yes { cancel: None }]);
    let stepped = queue.step(step(vec![completed(&held)], 10)).await.expect("step");
    assert_eq!(stepped.taken, [true]);
    for task in &stepped.claimed {
        assert_eq!((&task.asked.id, task.attempt), (&id, 1), "what was asked for may have been added");
    }
    if queue.get(&id).await.expect("get").is_some() {
        assert_eq!(until(&queue, &id, State::Running).await.attempt, 1, "the late claim took nothing");
    }
}

#[tokio::test]
async fn a_zombie_is_refused_and_a_lost_task_goes_on_elsewhere() {
    let server = Server::start();
    let (here, there) = (queue(&server), queue(&server));
    let (once, safe) = (task(), NewTask { max_attempts: 3, retry_safe: true, priority: 11, ..task() });
    let ids = [once.id.clone(), safe.id.clone()];
    here.enqueue(vec![once, safe], 0).await.expect("enqueue");
    let held = here.step(Step { lease: 400, ..step(Vec::new(), 2) }).await.expect("step").claimed;
    assert_eq!(held.len(), 2);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let again = claim(&there).await;
    assert_eq!((&again.asked.id, again.attempt), (&ids[1], 2));
    assert_eq!(there.get(&ids[0]).await.expect("get").expect("a task").state, State::Crashed);
    let late = here.step(step(held.iter().map(completed).collect(), 0)).await.expect("step");
    assert_eq!(late.taken, [false, false], "the results of a zombie");
    let beat = held.iter().map(|task| (task.asked.id.clone(), task.fence)).collect();
    let said = here.beat(&WorkerId("w1".to_owned()), beat, 30_000).await.expect("beat");
    assert_eq!(said, [Held::Lost, Held::Lost]);
    assert_eq!(there.step(step(vec![completed(&again)], 0)).await.expect("step").taken, [true]);
}

#[tokio::test]
async fn who_listens_hears_of_work_soon_after_the_server_is_back() {
    let mut server = Server::durable();
    let queue = queue(&server);
    let mut changes = queue.changes();
    queue.enqueue(vec![task()], 0).await.expect("enqueue");
    let heard = async |changes: &mut tokio::sync::broadcast::Receiver<TaskChange>| {
        while !matches!(changes.recv().await.expect("a change"), TaskChange::Work(_) | TaskChange::Anything) {
        }
    };
    heard(&mut changes).await;
    server.kill();
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.restart();
    let since = Instant::now();
    let mut changes = queue.changes();
    tokio::time::timeout(Duration::from_secs(3), heard(&mut changes)).await.expect("within 3 s");
    assert_eq!(claim(&queue).await.attempt, 1);
    assert!(since.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_full_memory_refuses_and_loses_nothing() {
    let server = Server::start();
    let queue = queue(&server);
    let kept = task();
    let id = kept.id.clone();
    queue.enqueue(vec![kept], 0).await.expect("enqueue");
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg("1")
        .exec(&mut server.connection())
        .expect("CONFIG SET");
    let new = task();
    let refused = queue.enqueue(vec![new.clone()], 0).await.expect_err("no room");
    assert_eq!(refused.kind(), ErrorKind::Full, "{refused:?}");
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg("0")
        .exec(&mut server.connection())
        .expect("CONFIG SET");
    assert_eq!(queue.get(&new.id).await.expect("get"), None);
    assert_eq!(claim(&queue).await.asked.id, id);
}

#[tokio::test]
async fn what_the_settings_mean_is_said() {
    let warnings = async |server: &Server, now: fn() -> SystemTime| {
        let report = Report::of(&server.url(), now).await.expect("a report");
        assert!(report.version.starts_with("Redis ") || report.version.starts_with("Valkey "));
        let warnings = report.findings.into_iter().filter(|finding| finding.is_warning);
        warnings.map(|finding| finding.setting).collect::<Vec<_>>()
    };
    #[expect(clippy::disallowed_methods, reason = "clocks are compared")]
    let now = SystemTime::now;
    #[expect(clippy::disallowed_methods, reason = "clocks are compared")]
    let late = || SystemTime::now() - Duration::from_secs(2);
    let server = Server::durable();
    assert_eq!(warnings(&server, now).await, Vec::<&str>::new());
    assert_eq!(warnings(&server, late).await, ["clock"]);
    let server = Server::with(&["--save", "", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    assert_eq!(warnings(&server, now).await, ["appendonly", "maxmemory-policy"]);
    let server = Server::with(&["--appendonly", "yes", "--appendfsync", "everysec"]);
    assert_eq!(warnings(&server, now).await, ["appendfsync"]);
}

#[tokio::test]
async fn a_hundred_thousand_waiting_tasks_are_cancelled_within_five_seconds() {
    let server = Server::start();
    let queue = queue(&server);
    for _ in 0..200 {
        queue.enqueue((0..500).map(|_| task()).collect(), 0).await.expect("enqueue");
    }
    let before = busy(&server);
    assert_eq!(
        queue.cancel_all(gabier_store::queue::Filter::default(), "all").await.expect("cancel"),
        100_000
    );
    let busy = busy(&server) - before;
    assert!(busy < 5.0, "{busy} s");
    assert_eq!(queue.step(step(Vec::new(), 10)).await.expect("step").claimed, []);
}

/// How many seconds the server has worked: what it does alone decides how long this takes on a machine that is idle.
fn busy(server: &Server) -> f64 {
    let info: String = redis::cmd("INFO").arg("cpu").query(&mut server.connection()).expect("INFO");
    let used = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    used("used_cpu_user:").expect("seconds") + used("used_cpu_sys:").expect("seconds")
}
