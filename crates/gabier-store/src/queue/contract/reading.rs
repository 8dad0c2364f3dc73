//! Lists, searches and counters.

use std::collections::BTreeMap;

use serde_json::json;

use super::Trial;
use super::support::{LONG, add, end, ended, finish, fresh, get, task, worker};
use crate::queue::{Count, End, Filter, NewTask, Notes, Order, Queue, State, Stream, Task, TaskId};

async fn listed(queue: &dyn Queue, filter: Filter) -> Vec<TaskId> {
    let page = queue.list(filter, None, 100).await.expect("list");
    page.items.into_iter().map(|task| task.asked.id).collect()
}

pub(super) async fn a_page_holds_what_its_filter_says(trial: &dyn Trial) {
    let queue = trial.open().await;
    let parent = fresh();
    let variants = [
        task(),
        NewTask { owner: "bob".to_owned(), ..task() },
        NewTask { queue: "other".to_owned(), ..task() },
        NewTask { tool: "copy".to_owned(), ..task() },
        NewTask { alias: Some("web1".to_owned()), ..task() },
        NewTask { parent: Some(parent.clone()), ..task() },
    ];
    let mut ids = Vec::new();
    for variant in variants {
        ids.push(add(&*queue, variant).await);
        trial.pass(5).await;
    }
    ids.push(ended(&*queue, NewTask { owner: "eve".to_owned(), ..task() }, State::Failed).await);
    let buried = End::Finish { state: State::Failed, result: None, error: None, dead_letter: true };
    let claim = Some((worker("w1"), LONG));
    let dead = add(&*queue, NewTask { owner: "eve".to_owned(), claim, ..task() }).await;
    let fence = get(&*queue, &dead).await.fence;
    assert!(end(&*queue, &dead, fence, buried).await);
    ids.push(dead);
    let created = get(&*queue, &ids[3]).await.created;
    let all = Filter::default();
    let checks: [(Filter, &[usize]); 14] = [
        (all.clone(), &[7, 6, 5, 4, 3, 2, 1, 0]),
        (Filter { order: Order::Oldest, ..all.clone() }, &[0, 1, 2, 3, 4, 5, 6, 7]),
        (Filter { ids: Some(vec![ids[1].clone(), ids[4].clone(), fresh()]), ..all.clone() }, &[4, 1]),
        (Filter { ids: Some(Vec::new()), ..all.clone() }, &[]),
        (Filter::owned_by(Some("bob")), &[1]),
        (Filter { states: vec![State::Failed, State::Running], ..all.clone() }, &[7, 6]),
        (Filter { queue: Some("other".to_owned()), ..all.clone() }, &[2]),
        (Filter { tool: Some("copy".to_owned()), ..all.clone() }, &[3]),
        (Filter { alias: Some("web1".to_owned()), ..all.clone() }, &[4]),
        (Filter { parent: Some(parent), ..all.clone() }, &[5]),
        (Filter { since: Some(created), before: Some(created + 1), ..all.clone() }, &[3]),
        (Filter { dead_letter: Some(true), ..all.clone() }, &[7]),
        (Filter { dead_letter: Some(false), ..Filter::owned_by(Some("eve")) }, &[6]),
        (Filter { tool: Some("copy".to_owned()), ..Filter::owned_by(Some("bob")) }, &[]),
    ];
    for (filter, expected) in checks {
        let expected: Vec<_> = expected.iter().map(|number| ids[*number].clone()).collect();
        assert_eq!(listed(&*queue, filter.clone()).await, expected, "{filter:?}");
    }
    let page = queue.list(Filter::owned_by(Some("bob")), None, 100).await.expect("list");
    assert_eq!(page.items, [get(&*queue, &ids[1]).await]);
}

pub(super) async fn pages_follow_one_another_without_gaps(trial: &dyn Trial) {
    let queue = trial.open().await;
    let mut ids = Vec::new();
    for _ in 0..25 {
        ids.push(add(&*queue, task()).await);
    }
    for order in [Order::Newest, Order::Oldest] {
        let filter = Filter { order, ..Filter::owned_by(Some("ann")) };
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = queue.list(filter.clone(), cursor, 10).await.expect("list");
            assert!(page.items.len() <= 10);
            seen.extend(page.items.into_iter().map(|task| task.asked.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
            if order == Order::Newest {
                add(&*queue, task()).await;
            }
        }
        seen.retain(|id| ids.contains(id));
        if order == Order::Newest {
            seen.reverse();
        }
        assert_eq!(seen, ids, "{order:?}");
    }
}

pub(super) async fn a_search_finds_text_wherever_it_stands(trial: &dyn Trial) {
    let queue = trial.open().await;
    let by_tool = add(&*queue, NewTask { tool: "Needle_find".to_owned(), ..task() }).await;
    let by_label = add(&*queue, NewTask { label: Some("tail -f NEEDLE.log".to_owned()), ..task() }).await;
    let by_argument = add(&*queue, NewTask { arguments: json!({"cmd": "été needle"}), ..task() }).await;
    let claim = Some((worker("w1"), LONG));
    let by_output = add(&*queue, NewTask { claim, ..task() }).await;
    let held = get(&*queue, &by_output).await;
    for piece in [b"hay nee".to_vec(), b"dle hay".to_vec()] {
        let notes = Notes { output: vec![(Stream::Stdout, piece)], ..Notes::default() };
        queue.note(&by_output, held.fence, notes).await.expect("note");
    }
    assert!(end(&*queue, &by_output, held.fence, finish(State::Completed)).await);
    add(&*queue, task()).await;
    let search = |text: &str| Filter { search: Some(text.to_owned()), ..Filter::default() };
    assert_eq!(listed(&*queue, search("nEEdle")).await, [by_output, by_argument.clone(), by_label, by_tool]);
    assert_eq!(listed(&*queue, search("ÉTÉ")).await, [by_argument]);
    assert_eq!(listed(&*queue, search("%")).await, [], "a search is plain text");
}

pub(super) async fn a_prefix_names_its_tasks(trial: &dyn Trial) {
    let queue = trial.open().await;
    let with = |text: &str| NewTask { id: TaskId::new(text), ..task() };
    let one = add(&*queue, with("aaaaaaaa-1000-4000-8000-000000000001")).await;
    let two = add(&*queue, with("aaaaaaaa-2000-4000-8000-000000000002")).await;
    let foreign = NewTask { owner: "bob".to_owned(), ..with("aaaaaaaa-2000-4000-8000-000000000003") };
    let foreign = add(&*queue, foreign).await;
    let check = async |owner: Option<&str>, prefix: &str| {
        let mut found = queue.complete(owner, prefix).await.expect("complete");
        found.sort();
        found
    };
    assert_eq!(check(Some("ann"), "aaaaaaaa-1").await, std::slice::from_ref(&one));
    assert_eq!(check(Some("ann"), "aaaaaaaa-2").await, std::slice::from_ref(&two));
    assert_eq!(check(None, "aaaaaaaa-2").await, [two.clone(), foreign.clone()]);
    assert_eq!(check(Some("ann"), "aaaaaaaa").await, [one, two]);
    assert_eq!(check(None, "aaaaaaaa").await.len(), 2, "two are enough");
    assert_eq!(check(Some("bob"), foreign.as_str()).await, [foreign]);
    assert_eq!(check(Some("ann"), "bbbbbbbb").await, []);
    assert_eq!(check(Some("ann"), "aaaaaaa%").await, []);
}

pub(super) async fn the_counters_say_what_a_recount_says(trial: &dyn Trial) {
    let queue = trial.open().await;
    let later = queue.now().await.expect("now") + LONG;
    add(&*queue, task()).await;
    add(&*queue, task()).await;
    add(&*queue, NewTask { run_at: Some(later), ..task() }).await;
    add(&*queue, NewTask { owner: "bob".to_owned(), kind: "ssh".to_owned(), ..task() }).await;
    ended(&*queue, NewTask { owner: "bob".to_owned(), ..task() }, State::Completed).await;
    add(&*queue, NewTask { queue: "other".to_owned(), priority: 0, ..task() }).await;
    let id = add(&*queue, NewTask { priority: 0, ..task() }).await;
    let held = claim_one_of_many(&*queue).await;
    assert_eq!(held.asked.id, id);
    trial.pass(30).await;
    let how = End::Finish { state: State::Failed, result: None, error: None, dead_letter: true };
    assert!(end(&*queue, &id, held.fence, how).await);
    claim_one_of_many(&*queue).await;
    let cancelled = add(&*queue, task()).await;
    queue.cancel(&cancelled, "enough").await.expect("cancel");
    for owner in [None, Some("ann"), Some("bob"), Some("nobody")] {
        recount(&*queue, owner).await;
    }
    let stats = queue.stats(None).await.expect("stats");
    let failed = stats.counts.iter().find(|count| count.state == State::Failed).expect("a counter");
    assert!(failed.ran >= 30 && stats.dead_letters == 1);
    assert_eq!(queue.stats(Some("bob")).await.expect("stats").dead_letters, 0);
}

async fn claim_one_of_many(queue: &dyn Queue) -> Task {
    super::support::claim(queue, 1, LONG).await.remove(0)
}

/// Compares the counters of an owner, or of all, with what a walk over all tasks finds.
pub(super) async fn recount(queue: &dyn Queue, owner: Option<&str>) {
    let stats = queue.stats(owner).await.expect("stats");
    let tasks = queue.list(Filter::owned_by(owner), None, 10_000).await.expect("list").items;
    let mut counts = BTreeMap::new();
    for task in &tasks {
        let key = (task.asked.queue.clone(), task.asked.tool.clone(), task.asked.kind.clone(), task.state);
        let (number, ran) = counts.entry(key).or_insert((0, 0));
        *number += 1;
        *ran += if task.state.is_terminal() { task.ran().unwrap_or(0) } else { 0 };
    }
    let mut counted: Vec<_> = stats.counts.into_iter().filter(|count| count.tasks > 0).collect();
    counted.sort_by(|a, b| (&a.queue, &a.tool, &a.kind, a.state).cmp(&(&b.queue, &b.tool, &b.kind, b.state)));
    let expected: Vec<_> = counts
        .into_iter()
        .map(|((queue, tool, kind, state), (tasks, ran))| Count { queue, tool, kind, state, tasks, ran })
        .collect();
    assert_eq!(counted, expected, "{owner:?}");
    let dead = tasks.iter().filter(|task| task.dead_letter).count() as u64;
    assert_eq!(stats.dead_letters, dead, "{owner:?}");
}
