//! What is kept of ended tasks, and how long.

use serde_json::{Map, json};

use super::Trial;
use super::reading::recount;
use super::support::{LONG, add, claim_ids, claim_one, end, ended, fresh, get, task, worker};
use crate::queue::{
    Carried, Delivered, Delivery, DeliveryEvent, DeliveryState, End, Enqueued, Fence, Filter, Ms, NewTask,
    Notes, OutputRange, Queue, Retention, State, Stream, Task, TaskId, Then, ThenOn, WorkerId, Written,
};

const EVERYTHING: Retention = Retention { age: Ms::MAX, tasks: u64::MAX, output_bytes: u64::MAX };
const NOTHING: Retention = Retention { age: 0, tasks: 0, output_bytes: 0 };

async fn left(queue: &dyn Queue) -> Vec<TaskId> {
    let page = queue.list(Filter::default(), None, 10_000).await.expect("list");
    page.items.into_iter().rev().map(|task| task.asked.id).collect()
}

/// Adds a task that writes so much and completes.
async fn ended_with(queue: &dyn Queue, bytes: usize) -> TaskId {
    let id = add(queue, NewTask { claim: Some((worker("w1"), LONG)), ..task() }).await;
    let held = get(queue, &id).await;
    // Bytes that no store makes smaller.
    let mut state = u64::try_from(bytes).expect("small");
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    let notes = Notes { output: vec![(Stream::Stdout, noise.take(bytes).collect())], ..Notes::default() };
    queue.note(&id, held.fence, notes).await.expect("note");
    super::support::finished(queue, &held, State::Completed).await;
    id
}

pub(super) async fn ended_tasks_go_by_age_number_and_output(trial: &dyn Trial) {
    let queue = trial.open().await;
    let waiting = add(&*queue, task()).await;
    let old = ended(&*queue, task(), State::Failed).await;
    trial.pass(2_000).await;
    let mut young = Vec::new();
    for bytes in [40_000, 0, 60_000, 80_000] {
        young.push(ended_with(&*queue, bytes).await);
        trial.pass(5).await;
    }
    assert_eq!(queue.prune(EVERYTHING).await.expect("prune"), 0);
    assert_eq!(queue.prune(Retention { age: 1_500, ..EVERYTHING }).await.expect("prune"), 1);
    assert_eq!(queue.get(&old).await.expect("get"), None);
    assert_eq!(queue.prune(Retention { output_bytes: 150_000, ..EVERYTHING }).await.expect("prune"), 1);
    let kept = [&waiting, &young[1], &young[2], &young[3]].map(Clone::clone);
    assert_eq!(left(&*queue).await, kept, "the oldest output goes first");
    assert_eq!(queue.prune(Retention { tasks: 2, ..EVERYTHING }).await.expect("prune"), 1);
    assert_eq!(left(&*queue).await, [&waiting, &young[2], &young[3]].map(Clone::clone));
    recount(&*queue, None).await;
    let many = (0..1_200).map(|_| task()).collect();
    queue.enqueue(many, 0).await.expect("enqueue");
    queue.cancel_all(Filter::default(), "all").await.expect("cancel");
    trial.pass(5).await;
    let mut gone = 0;
    loop {
        match queue.prune(NOTHING).await.expect("prune") {
            0 => break,
            number => gone += number,
        }
    }
    assert_eq!(gone, 1_203);
    assert_eq!(left(&*queue).await, []);
    recount(&*queue, None).await;
    let range = OutputRange { from: 0, length: 100 };
    let output = queue.output(&young[3], Stream::Stdout, range).await.expect("output");
    assert_eq!((output.bytes.len(), output.total_bytes), (0, 0), "its output went with it");
}

fn follower(on: ThenOn) -> Then {
    Then { on, tool: "next".to_owned(), arguments: Map::new() }
}

pub(super) async fn what_is_still_needed_stays(trial: &dyn Trial) {
    let queue = trial.open().await;
    let callback = Some("https://a.example".to_owned());
    let called = ended(&*queue, NewTask { callback, ..task() }, State::Completed).await;
    let chain = NewTask { then: vec![follower(ThenOn::Any)], ..task() };
    let chained = ended(&*queue, chain, State::Completed).await;
    let keyed = || NewTask { idempotency_key: Some("k".to_owned()), ..task() };
    let key = ended(&*queue, keyed(), State::Completed).await;
    let dead = add(&*queue, task()).await;
    let held = claim_one(&*queue, LONG).await;
    let how = End::Finish { state: State::Failed, result: None, error: None, dead_letter: true };
    assert!(end(&*queue, &dead, held.fence, how).await);
    trial.pass(5).await;
    assert_eq!(queue.prune(NOTHING).await.expect("prune"), 0);

    for _ in 0..2 {
        for delivery in queue.due(&worker("w1"), 10, LONG).await.expect("due") {
            let how = Delivered::Done { last: "200".to_owned() };
            queue.delivered(&delivery.id, how).await.expect("delivered");
        }
    }
    assert_eq!(queue.prune(NOTHING).await.expect("prune"), 1);
    assert_eq!(queue.get(&called).await.expect("get"), None);
    queue.chained(vec![chained.clone()]).await.expect("chained");
    assert_eq!(queue.prune(NOTHING).await.expect("prune"), 1);
    assert_eq!(queue.get(&chained).await.expect("get"), None);
    queue.bury(Filter::default()).await.expect("bury");
    assert_eq!(queue.prune(NOTHING).await.expect("prune"), 1);
    assert_eq!(left(&*queue).await, std::slice::from_ref(&key));
    let added = queue.enqueue(vec![keyed()], 0).await.expect("enqueue");
    assert_eq!(added, [Enqueued::Existing(key)]);
    if trial.is_quick() {
        trial.pass(86_400_001).await;
        assert_eq!(queue.prune(NOTHING).await.expect("prune"), 1);
        assert_eq!(left(&*queue).await, []);
    }
}

pub(super) async fn a_chain_is_looked_at_once(trial: &dyn Trial) {
    let queue = trial.open().await;
    let chain = || NewTask { then: vec![follower(ThenOn::Completed)], ..task() };
    let one = ended(&*queue, chain(), State::Completed).await;
    ended(&*queue, task(), State::Completed).await;
    let waiting = add(&*queue, chain()).await;
    let two = ended(&*queue, chain(), State::Failed).await;
    queue.cancel(&waiting, "enough").await.expect("cancel");
    let unchained = async |limit: usize| {
        let tasks = queue.unchained(limit).await.expect("unchained");
        let mut ids: Vec<_> = tasks.into_iter().map(|task| task.asked.id).collect();
        ids.sort();
        ids
    };
    let mut all = vec![one.clone(), two, waiting];
    all.sort();
    assert_eq!(unchained(10).await, all);
    assert_eq!(unchained(2).await.len(), 2);
    queue.chained(vec![one.clone(), one.clone(), fresh()]).await.expect("chained");
    all.retain(|id| *id != one);
    assert_eq!(unchained(10).await, all);
    assert_eq!(get(&*queue, &one).await.asked.then.len(), 1, "the task still says it");
}

pub(super) async fn a_buried_task_is_no_dead_letter_any_more(trial: &dyn Trial) {
    let queue = trial.open().await;
    let mut ids = Vec::new();
    for tool in ["demo", "copy"] {
        let id = add(&*queue, NewTask { tool: tool.to_owned(), ..task() }).await;
        let held = claim_one(&*queue, LONG).await;
        let how = End::Finish { state: State::Failed, result: None, error: None, dead_letter: true };
        assert!(end(&*queue, &id, held.fence, how).await);
        ids.push(id);
    }
    ended(&*queue, task(), State::Failed).await;
    let copies = Filter { tool: Some("copy".to_owned()), ..Filter::default() };
    assert_eq!(queue.bury(copies.clone()).await.expect("bury"), 1);
    assert_eq!(queue.bury(copies).await.expect("bury"), 0);
    let got = get(&*queue, &ids[1]).await;
    assert_eq!((got.dead_letter, got.state), (false, State::Failed));
    assert!(get(&*queue, &ids[0]).await.dead_letter);
    recount(&*queue, None).await;
    assert_eq!(queue.bury(Filter::default()).await.expect("bury"), 1);
    recount(&*queue, None).await;
}

pub(super) async fn an_imported_task_is_as_it_was(trial: &dyn Trial) {
    let queue = trial.open().await;
    let now = queue.now().await.expect("now");
    let asked = NewTask { callback: Some("https://a.example".to_owned()), ..task() };
    let pending = Task {
        attempt: 1,
        fence: Fence(7),
        error: Some(json!("first try")),
        answers: json!({"color": "red"}).as_object().cloned().unwrap_or_default(),
        started: Some(now - 8_000),
        updated: now - 7_000,
        ..Task::added(asked, now - 9_000)
    };
    let failed = Task {
        asked: NewTask { then: vec![follower(ThenOn::Any)], ..task() },
        state: State::Failed,
        dead_letter: true,
        result: Some(json!({"exit_code": 1})),
        finished: Some(now - 7_500),
        ..pending.clone()
    };
    let deciding = Task { asked: task(), state: State::PendingApproval, ..pending.clone() };
    let running = Task {
        asked: task(),
        state: State::Running,
        worker: Some(WorkerId("elsewhere".to_owned())),
        lease_until: Some(now - 1),
        ..pending.clone()
    };
    let all = vec![pending.clone(), failed.clone(), deciding.clone(), running.clone()];
    let carried = || all.iter().cloned().map(Carried::from).collect();
    assert_eq!(queue.import(carried()).await.expect("import"), 4);
    assert_eq!(queue.import(carried()).await.expect("import"), 0);
    for task in &all {
        assert_eq!(get(&*queue, &task.asked.id).await, *task);
    }
    recount(&*queue, None).await;
    assert!(queue.unchained(10).await.expect("unchained").is_empty(), "its chain was started where it ended");
    assert!(queue.due(&worker("w1"), 10, LONG).await.expect("due").is_empty());
    queue.reap().await.expect("reap");
    assert_eq!(get(&*queue, &running.asked.id).await.state, State::Crashed);
    let claimed = claim_one(&*queue, LONG).await;
    assert!(claimed.asked.id == pending.asked.id && claimed.fence > Fence(7) && claimed.attempt == 2);
    queue.cancel(&deciding.asked.id, "no").await.expect("cancel");
    assert_eq!(get(&*queue, &deciding.asked.id).await.state, State::Cancelled);
    assert!(claim_ids(&*queue, 10).await.is_empty());
}

pub(super) async fn what_belongs_to_an_imported_task_comes_along(trial: &dyn Trial) {
    let (from, to) = (trial.open().await, trial.open().await);
    let callback = Some("https://a.example".to_owned());
    let id = add(&*from, NewTask { callback, then: vec![follower(ThenOn::Any)], ..task() }).await;
    let held = claim_one(&*from, LONG).await;
    let lines = Notes { output: vec![(Stream::Stdout, b"one\ntwo\n".to_vec())], ..Notes::default() };
    from.note(&id, held.fence, lines).await.expect("note");
    let how = End::Finish { state: State::Completed, result: None, error: None, dead_letter: false };
    assert!(end(&*from, &id, held.fence, how).await);
    let asked = NewTask { id: fresh(), ..held.asked };
    let ended = Task { asked, ..get(&*from, &id).await };
    let id = ended.asked.id.clone();
    let delivery = |event: DeliveryEvent, state, next| Delivery {
        id: event.id(&id),
        task: id.clone(),
        event,
        url: "https://a.example".to_owned(),
        state,
        attempts: 3,
        next,
        last: Some("500".to_owned()),
        created: ended.created,
    };
    let now = to.now().await.expect("now");
    let made = delivery(DeliveryEvent::Processing, DeliveryState::Done, None);
    let waiting = delivery(DeliveryEvent::Completed, DeliveryState::Waiting, Some(now - 1));
    // Longer than any store keeps of a log, with a gap.
    let written = [
        Written {
            stream: Stream::Log,
            head: vec![b'a'; 600 << 10],
            tail: vec![b'z'; 600 << 10],
            total_bytes: 5 << 20,
            total_lines: 9,
        },
        Written {
            stream: Stream::Stderr,
            head: b"so far\n".to_vec(),
            tail: b"and so on\n".to_vec(),
            total_bytes: 900,
            total_lines: 70,
        },
    ];
    let carried = Carried {
        task: ended.clone(),
        is_unchained: true,
        written: written.to_vec(),
        deliveries: vec![made.clone(), waiting.clone()],
    };
    assert_eq!(to.import(vec![carried.clone()]).await.expect("import"), 1);
    assert_eq!(to.import(vec![carried]).await.expect("import"), 0);
    assert_eq!(get(&*to, &id).await, ended);
    let unchained = to.unchained(10).await.expect("unchained");
    assert!(unchained.iter().any(|task| task.asked.id == id));
    let listed = to.deliveries(None, None, None, 10).await.expect("deliveries").items;
    let own: Vec<_> = listed.into_iter().filter(|delivery| delivery.task == id).collect();
    assert_eq!(own, [waiting.clone(), made]);
    let due = to.due(&worker("w1"), 10, LONG).await.expect("due");
    assert!(due.contains(&waiting), "{due:?}");
    let read = async |stream, from| {
        let range = OutputRange { from, length: 1 << 20 };
        to.output(&id, stream, range).await.expect("output")
    };
    let (head, end) = (read(Stream::Log, 0).await, read(Stream::Log, (5 << 20) - 4).await);
    assert_eq!((head.total_bytes, head.total_lines, &*end.bytes), (5 << 20, 9, &b"zzzz"[..]));
    assert!(head.gap.is_some_and(|(head, tail)| head < tail) && head.bytes.iter().all(|byte| *byte == b'a'));
    let short = read(Stream::Stderr, 0).await;
    assert_eq!((&*short.bytes, short.gap), (&b"so far\n"[..], Some((7, 890))));
    assert_eq!(read(Stream::Stderr, 7).await.bytes, b"and so on\n");
    recount(&*to, None).await;
}

pub(super) async fn what_was_cut_by_another_store_grows_at_its_end(trial: &dyn Trial) {
    let queue = trial.open().await;
    let id = add(&*queue, task()).await;
    let waiting = get(&*queue, &id).await;
    queue.cancel(&id, "its twin runs").await.expect("cancel");
    let asked = NewTask { id: fresh(), ..waiting.asked.clone() };
    let written = Written {
        stream: Stream::Stdout,
        head: b"head".to_vec(),
        tail: b"tail".to_vec(),
        total_bytes: 50,
        total_lines: 0,
    };
    let carried =
        Carried { written: vec![written], ..Carried::from(Task { asked: asked.clone(), ..waiting }) };
    queue.import(vec![carried]).await.expect("import");
    let held = claim_one(&*queue, LONG).await;
    assert_eq!(held.asked.id, asked.id);
    let more = Notes { output: vec![(Stream::Stdout, b" and more".to_vec())], ..Notes::default() };
    queue.note(&asked.id, held.fence, more).await.expect("note");
    let release = End::Release;
    assert!(end(&*queue, &asked.id, held.fence, release).await);
    let read = async |from| {
        let range = OutputRange { from, length: 100 };
        queue.output(&asked.id, Stream::Stdout, range).await.expect("output")
    };
    let head = read(0).await;
    assert_eq!((&*head.bytes, head.gap, head.total_bytes), (&b"head"[..], Some((4, 46)), 59));
    assert_eq!(read(4).await.bytes, b"tail and more");
}
