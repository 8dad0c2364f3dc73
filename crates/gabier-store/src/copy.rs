//! A store's contents put into another: records and tasks, from any kind of store to any.

use serde_json::json;

use crate::queue::{Filter, Order, Stats, Task};
use crate::{Change, Error, ErrorKind, Expect, Result, Store};

/// How many tasks are moved at once.
const PAGE: usize = 500;

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

/// Refuses a store that holds anything.
///
/// Fails with `Conflict`.
pub async fn refuse_full(store: &Store, doing: &str) -> Result<()> {
    let contents = Contents::of(store).await?;
    if contents.is_empty() {
        return Ok(());
    }
    let place = &store.place;
    let is_half_done = store.records.get(MARK.0, MARK.1).await?.is_some();
    let message = if is_half_done {
        format!("{doing} {place}: an earlier copy into it did not end; forced, this one goes on with it")
    } else {
        let Contents { records, tasks } = contents;
        format!("{doing} {place}: it holds {records} records and {tasks} tasks")
    };
    Err(Error::new(ErrorKind::Conflict, message))
}

/// Puts what one store holds into another, over what is there: records are overwritten, tasks that exist are left
/// alone. Tasks come first and all records at the end in one commit, so that a copy that broke off is seen as such and
/// can be made again. What tasks wrote (`output`) is not copied; their results are.
pub async fn copy(from: &Store, to: &Store) -> Result<Contents> {
    let records = records_of(from).await?;
    to.records.put(MARK.0, MARK.1, json!({"from": from.place}), Expect::Any).await?;
    let (mut tasks, mut cursor) = (0, None);
    loop {
        let oldest = Filter { order: Order::Oldest, ..Filter::default() };
        let page = from.queue.list(oldest, cursor, PAGE).await?;
        tasks += put(to, page.items).await?;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    for queue in from.queue.stats(None).await?.paused {
        to.queue.pause(&queue, true).await?;
    }
    let put = records.len() as u64;
    let unmark = Change::remove(MARK.0, MARK.1, Expect::Any);
    to.records.apply(records.into_iter().chain([unmark]).collect()).await?;
    Ok(Contents { records: put, tasks })
}

async fn put(to: &Store, tasks: Vec<Task>) -> Result<u64> {
    if tasks.is_empty() { Ok(0) } else { to.queue.import(tasks).await }
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
        let copied = copy(&from, &to).await.unwrap();
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
        refuse_full(&to, "copy to").await.unwrap();
        copy(&from, &to).await.unwrap();
        let full = refuse_full(&to, "copy to").await.unwrap_err();
        assert_eq!(full.to_string(), "copy to memory:: it holds 2 records and 1200 tasks");
        to.records.put(MARK.0, MARK.1, json!({}), Expect::Any).await.unwrap();
        let half = refuse_full(&to, "copy to").await.unwrap_err();
        assert!(half.to_string().contains("did not end"), "{half}");
    }
}
