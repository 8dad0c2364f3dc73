//! A store's contents put into another: records and tasks, from any kind of store to any.

use std::collections::{HashMap, HashSet};
use std::mem;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use crate::queue::{
    Carried, Delivery, Filter, Order, Output, OutputRange, Queue, Stats, Stream, TaskId, Written,
};
use crate::{Change, Error, ErrorKind, Expect, Result, Store};

/// How many tasks are moved at once.
const PAGE: usize = 500;

/// How many bytes of output are moved at once, but for those of one more task.
const MOST_BYTES: usize = 16 << 20;

/// The longest part of an output that is asked for: more than is kept of any.
const MOST_OUTPUT: usize = 16 << 20;

/// How many ended tasks may have a chain that nobody looked at.
const MOST_UNCHAINED: usize = 100_000;

/// The kind and key of the record that marks a store as one whose filling has not ended.
const MARK: (&str, &str) = ("store", "copying");

/// How much is in a store, or was put into one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents {
    /// Records of all kinds.
    pub records: u64,
    /// Tasks in all states.
    pub tasks: u64,
}

impl Contents {
    /// What is in a store. Reads all records, and only counters of tasks.
    pub async fn of(store: &Store) -> Result<Self> {
        let records = records_of(store).await?.len() as u64;
        let Stats { counts, .. } = store.queue.stats(None).await?;
        Ok(Self { records, tasks: counts.iter().map(|count| count.tasks).sum() })
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// Refuses a store that other processes use; `doing` says what for.
///
/// Fails with `Busy`.
pub fn refuse_shared(store: &Store, doing: &str) -> Result<()> {
    let Some(presence) = &store.presence else { return Ok(()) };
    let others = presence.others()?;
    let others = others.iter().filter(|seen| seen.alive && seen.pid != std::process::id());
    let roles: Vec<&str> = others.map(|seen| seen.role.as_str()).collect();
    if roles.is_empty() {
        return Ok(());
    }
    let message =
        format!("{doing} {}: other processes use it ({}); end them first", store.place, roles.join(", "));
    Err(Error::new(ErrorKind::Busy, message))
}

/// Refuses a store that holds anything, but what an earlier copy from `source` put there that did not end.
///
/// Fails with `Conflict`.
pub async fn refuse_full(store: &Store, source: &str, doing: &str) -> Result<()> {
    let contents = Contents::of(store).await?;
    let place = &store.place;
    let message = match unfinished(store).await? {
        Some(earlier) if earlier == source => return Ok(()),
        Some(earlier) => format!(
            "{doing} {place}: an earlier copy into it, from {earlier}, did not end; made again it goes on where it was"
        ),
        None if contents.is_empty() => return Ok(()),
        None => {
            let Contents { records, tasks } = contents;
            format!("{doing} {place}: it holds {records} records and {tasks} tasks")
        }
    };
    Err(Error::new(ErrorKind::Conflict, message))
}

/// Where a copy into this store came from that did not end; none when there is no such copy.
pub async fn unfinished(store: &Store) -> Result<Option<String>> {
    let mark = store.records.get(MARK.0, MARK.1).await?;
    Ok(mark.map(|mark| mark.value["from"].as_str().unwrap_or("a store").to_owned()))
}

/// Puts what one store holds into another, over what is there: records are overwritten, tasks that exist are left
/// alone. Tasks come first, each with what it wrote and its webhooks, and all records at the end in one commit, so that
/// a copy that broke off is seen as such and can be made again. `source` is what the mark of an unfinished copy names.
pub async fn copy(from: &Store, source: &str, to: &Store) -> Result<Contents> {
    let records = records_of(from).await?;
    to.records.put(MARK.0, MARK.1, json!({"from": source}), Expect::Any).await?;
    let tasks = copy_tasks(&*from.queue, &*to.queue).await?;
    for queue in from.queue.stats(None).await?.paused {
        to.queue.pause(&queue, true).await?;
    }
    let put = records.len() as u64;
    let unmark = Change::remove(MARK.0, MARK.1, Expect::Any);
    to.records.apply(records.into_iter().chain([unmark]).collect()).await?;
    Ok(Contents { records: put, tasks })
}

async fn copy_tasks(from: &dyn Queue, to: &dyn Queue) -> Result<u64> {
    let mut deliveries = deliveries_of(from).await?;
    let unchained = from.unchained(MOST_UNCHAINED).await?;
    let unchained: HashSet<TaskId> = unchained.into_iter().map(|task| task.asked.id).collect();
    let (mut put, mut cursor) = (0, None);
    loop {
        let oldest = Filter { order: Order::Oldest, ..Filter::default() };
        let page = from.list(oldest, cursor, PAGE).await?;
        let tasks = stream::iter(page.items).map(|task| async move {
            let written = written(from, &task.asked.id).await?;
            Ok::<_, Error>((task, written))
        });
        let mut tasks = tasks.buffered(8);
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some((task, written)) = tasks.try_next().await? {
            bytes += written.iter().map(|written| written.head.len() + written.tail.len()).sum::<usize>();
            let is_unchained = unchained.contains(&task.asked.id);
            let deliveries = deliveries.remove(&task.asked.id).unwrap_or_default();
            batch.push(Carried { task, is_unchained, written, deliveries });
            if bytes > MOST_BYTES {
                put += to.import(mem::take(&mut batch)).await?;
                bytes = 0;
            }
        }
        if !batch.is_empty() {
            put += to.import(batch).await?;
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(put);
        }
    }
}

/// All webhooks, by task, in the order of their events.
async fn deliveries_of(queue: &dyn Queue) -> Result<HashMap<TaskId, Vec<Delivery>>> {
    let (mut by_task, mut cursor) = (HashMap::<_, Vec<_>>::new(), None);
    loop {
        let page = queue.deliveries(None, None, cursor, PAGE).await?;
        for delivery in page.items {
            by_task.entry(delivery.task.clone()).or_default().insert(0, delivery);
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(by_task);
        }
    }
}

/// What is kept of what a task wrote.
async fn written(queue: &dyn Queue, id: &TaskId) -> Result<Vec<Written>> {
    let mut all = Vec::new();
    for stream in [Stream::Stdout, Stream::Stderr, Stream::Log] {
        let read = |from| queue.output(id, stream, OutputRange { from, length: MOST_OUTPUT });
        let Output { bytes: head, total_bytes, total_lines, gap, .. } = read(0).await?;
        if total_bytes == 0 {
            continue;
        }
        let tail = match gap {
            Some((_, tail)) => read(tail).await?.bytes,
            None => Vec::new(),
        };
        all.push(Written { stream, head, tail, total_bytes, total_lines });
    }
    Ok(all)
}

/// All records but the mark, as changes that write them.
async fn records_of(store: &Store) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for kind in store.records.kinds().await? {
        let records = store.records.list(&kind).await?;
        let records = records.into_iter().filter(|record| (kind.as_str(), record.key.as_str()) != MARK);
        changes.extend(records.map(|record| Change::put(&*kind, record.key, record.value, Expect::Any)));
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{NewTask, TaskId};
    use crate::{Openers, Opening};

    fn memory() -> Store {
        Openers::default().open("memory:", &Opening::role("cli")).unwrap()
    }

    fn draft(id: &str) -> NewTask {
        let asked = json!({
            "id": id, "queue": "q", "tool": "demo", "kind": "tool", "alias": null, "label": null, "owner": "ann",
            "idempotency_key": null, "priority": 10, "run_at": null, "deadline": null, "ttl": null,
            "max_attempts": 1, "retry_safe": false, "arguments": {}, "context": null, "callback": null,
            "then": [], "retried_from": null, "retry_count": 0, "parent": null,
        });
        serde_json::from_value(asked).unwrap()
    }

    async fn fill(store: &Store) {
        for key in ["web1", "web2"] {
            store.records.put("host", key, json!({"port": 22}), Expect::Absent).await.unwrap();
        }
        let tasks = (0..1_200).map(|number| draft(&format!("task-{number:04}")));
        store.queue.enqueue(tasks.collect(), 0).await.unwrap();
        store.queue.pause("q", true).await.unwrap();
    }

    #[tokio::test]
    async fn everything_arrives_and_the_source_stays() {
        let (from, to) = (memory(), memory());
        fill(&from).await;
        let copied = copy(&from, "a", &to).await.unwrap();
        assert_eq!(copied, Contents { records: 2, tasks: 1_200 });
        assert_eq!(Contents::of(&to).await.unwrap(), copied);
        assert_eq!(Contents::of(&from).await.unwrap(), copied);
        let id = TaskId::new("task-0700");
        assert_eq!(to.queue.get(&id).await.unwrap(), from.queue.get(&id).await.unwrap());
        assert_eq!(to.queue.stats(None).await.unwrap().paused, ["q"]);
    }

    #[tokio::test]
    async fn a_full_store_and_one_that_is_half_filled_are_told_apart() {
        let (from, to) = (memory(), memory());
        fill(&from).await;
        refuse_full(&to, "a", "copy to").await.unwrap();
        copy(&from, "a", &to).await.unwrap();
        let full = refuse_full(&to, "a", "copy to").await.unwrap_err();
        assert_eq!(full.to_string(), "copy to memory:: it holds 2 records and 1200 tasks");
        to.records.put(MARK.0, MARK.1, json!({"from": "a"}), Expect::Any).await.unwrap();
        refuse_full(&to, "a", "copy to").await.unwrap();
        let half = refuse_full(&to, "b", "copy to").await.unwrap_err();
        assert!(half.to_string().contains("from a, did not end"), "{half}");
    }
}
