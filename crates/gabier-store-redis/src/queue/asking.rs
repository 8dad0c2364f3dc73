//! The trait, call by call: what goes to which script, and what its answer means.

use futures::future::BoxFuture;
use gabier_store::queue::rules::line_ends;
use gabier_store::queue::{
    CancelAck, Carried, Cursor, Delivered, Delivery, DeliveryState, Enqueued, Fence, Filter, Held, Limit, Ms,
    NewTask, Notes, Offered, Output, OutputRange, Page, Retention, Scope, State, Stats, Step, Stepped,
    Stream, Task, TaskChange, TaskId, WorkerId,
};
use gabier_store::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};
use tokio::sync::broadcast;

use super::record::{Fields, delivery, described, task, whole};
use super::steps::{AGAIN, step_args};
use super::{PREFIX, Queue, bytes};
use crate::link::damaged;

/// How long a step may be on its way; whoever asked does not wait longer.
const STEP_IS_DUE: Ms = 2_000;

/// The most bytes of either end of a stream that the script for notes keeps.
const MOST_KEPT: usize = 192 << 10;

/// How many bytes a call takes that imports tasks, but for its last task.
const MOST_AT_ONCE: usize = 4 << 20;

/// And how many words.
const MOST_WORDS: usize = 20_000;

impl gabier_store::queue::Queue for Queue {
    fn enqueue(&self, batch: Vec<NewTask>, limit: usize) -> BoxFuture<'_, Result<Vec<Enqueued>>> {
        Box::pin(async move {
            if batch.is_empty() {
                return Ok(Vec::new());
            }
            self.adding.add(&batch, limit).await
        })
    }

    fn takes_offers(&self) -> bool {
        true
    }

    fn offer(
        &self,
        task: NewTask,
        limit: usize,
        worker: &WorkerId,
        lease: Ms,
    ) -> BoxFuture<'_, Result<Offered>> {
        let worker = worker.clone();
        Box::pin(async move { self.adding.offer(&task, limit, &worker, lease).await })
    }

    fn step(&self, step: Step) -> BoxFuture<'_, Result<Stepped>> {
        Box::pin(async move {
            self.watch.know(&step.queue);
            let mut args = step_args(&step)?;
            for _ in 0..3 {
                let now = match self.guessed() {
                    Some(now) => now,
                    None => self.time().await?,
                };
                args[1] = bytes(now + STEP_IS_DUE);
                let (now, taken, claimed) = self.stepped(&args).await?;
                self.set_clock(now);
                if let (Some(taken), Some(claimed)) = (taken, claimed) {
                    let claimed = claimed.iter().map(|(id, fields)| task(id, fields));
                    return Ok(Stepped { taken, claimed: claimed.collect::<Result<_>>()? });
                }
            }
            Err(Error::new(ErrorKind::Unreachable, "end and claim tasks: Redis answers too late"))
        })
    }

    fn beat(
        &self,
        _worker: &WorkerId,
        held: Vec<(TaskId, Fence)>,
        lease: Ms,
    ) -> BoxFuture<'_, Result<Vec<Held>>> {
        Box::pin(async move {
            if held.is_empty() {
                return Ok(Vec::new());
            }
            let mut args = vec![bytes(lease)];
            args.extend(held.iter().flat_map(|(id, fence)| [bytes(id), bytes(fence.0)]));
            let answer: Vec<String> = self.link.run("renew leases", &self.scripts.beat, &args).await?;
            let held = answer.into_iter().map(|word| match word.strip_prefix('c') {
                Some(why) => Held::Yes { cancel: Some(why.to_owned()) },
                None if word == "held" => Held::Yes { cancel: None },
                None => Held::Lost,
            });
            Ok(held.collect())
        })
    }

    fn note(&self, id: &TaskId, fence: Fence, notes: Notes) -> BoxFuture<'_, Result<()>> {
        let id = id.clone();
        Box::pin(async move {
            let progress = notes.progress.and_then(|progress| serde_json::to_vec(&progress).ok());
            let mut args = vec![bytes(&id), bytes(fence.0), progress.unwrap_or_default()];
            for (stream, written) in notes.output {
                args.extend(told(stream, written));
            }
            for (stream, skipped) in notes.skipped {
                let (lines, skipped) = (bytes(skipped.lines), bytes(skipped.bytes));
                args.extend([bytes(stream_name(stream)), Vec::new(), lines, skipped]);
            }
            self.link.run::<i64>("keep what a task tells", &self.scripts.note, &args).await.map(drop)
        })
    }

    fn cancel(&self, id: &TaskId, why: &str) -> BoxFuture<'_, Result<CancelAck>> {
        let args = vec![bytes(why), bytes(id)];
        Box::pin(async move {
            let answer: Vec<String> = self.link.run("cancel a task", &self.scripts.cancel_ids, &args).await?;
            Ok(match answer.first().map(String::as_str) {
                Some("ended") => CancelAck::Ended,
                Some("told") => CancelAck::Told,
                Some(word) => word
                    .strip_prefix('b')
                    .and_then(State::parse)
                    .map_or(CancelAck::Unknown, CancelAck::Before),
                None => CancelAck::Unknown,
            })
        })
    }

    fn cancel_all(&self, filter: Filter, why: &str) -> BoxFuture<'_, Result<u64>> {
        let why = why.to_owned();
        Box::pin(async move {
            if filter.ids.is_some() || filter.search.is_some() || filter.dead_letter.is_some() {
                return self.cancel_listed(filter, &why).await;
            }
            let states: Vec<_> = filter.states.iter().map(|state| state.name()).collect();
            let mut wanted = Map::new();
            let texts = [
                ("owner", filter.owner),
                ("queue", filter.queue),
                ("tool", filter.tool),
                ("alias", filter.alias),
                ("parent", filter.parent.map(|parent| parent.to_string())),
            ];
            wanted.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))));
            wanted.extend(filter.since.map(|since| ("since".to_owned(), since.into())));
            wanted.extend(filter.before.map(|before| ("before".to_owned(), before.into())));
            if !states.is_empty() {
                wanted.insert("states".to_owned(), json!(states));
            }
            let wanted = Value::Object(wanted).to_string();
            let (mut after, mut cancelled) = ("0".to_owned(), 0);
            loop {
                let args = [bytes(&why), bytes(&after), bytes(1_000), bytes(&wanted)];
                let (next, some): (String, u64) =
                    self.link.run("cancel tasks", &self.scripts.cancel_page, &args).await?;
                cancelled += some;
                if next.is_empty() {
                    return Ok(cancelled);
                }
                after = next;
            }
        })
    }

    fn input(&self, id: &TaskId, answers: Map<String, Value>) -> BoxFuture<'_, Result<bool>> {
        let id = id.clone();
        Box::pin(async move {
            loop {
                let fields = self.fields(&id).await?;
                if fields.is_empty() {
                    return Ok(false);
                }
                let read = task(id.as_str(), &fields)?;
                let (mut questions, mut given) = (read.questions, read.answers);
                for (key, answer) in &answers {
                    if questions.shift_remove(key).is_some() {
                        given.insert(key.clone(), answer.clone());
                    }
                }
                let was = fields.get("questions").cloned().unwrap_or_default();
                let is_done = u8::from(questions.is_empty());
                let [questions, given] = [questions, given].map(|map| bytes(Value::Object(map)));
                let args = [bytes(&id), was, questions, given, bytes(is_done)];
                match self.link.run("answer a task's questions", &self.scripts.input, &args).await? {
                    1_i64 => return Ok(true),
                    0 => return Ok(false),
                    _ => {}
                }
            }
        })
    }

    fn get(&self, id: &TaskId) -> BoxFuture<'_, Result<Option<Task>>> {
        let id = id.clone();
        Box::pin(async move {
            let fields = self.fields(&id).await?;
            if fields.is_empty() {
                return Ok(None);
            }
            task(id.as_str(), &fields).map(Some)
        })
    }

    fn complete(&self, owner: Option<&str>, prefix: &str) -> BoxFuture<'_, Result<Vec<TaskId>>> {
        let (owner, prefix) = (owner.map(str::to_owned), prefix.to_owned());
        Box::pin(async move { self.starting_with(owner.as_deref(), &prefix).await })
    }

    fn list(
        &self,
        filter: Filter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<Task>>> {
        Box::pin(self.page(filter, cursor, limit))
    }

    fn stats(&self, owner: Option<&str>) -> BoxFuture<'_, Result<Stats>> {
        let owner = owner.map(str::to_owned);
        Box::pin(async move { self.counted(owner.as_deref()).await })
    }

    fn output(&self, id: &TaskId, stream: Stream, range: OutputRange) -> BoxFuture<'_, Result<Output>> {
        let args = vec![bytes(id), bytes(stream_name(stream)), bytes(range.from), bytes(range.length)];
        Box::pin(async move {
            let (from, read, total_bytes, total_lines, stored_bytes, gap, after): (
                u64,
                Vec<u8>,
                u64,
                u64,
                u64,
                i64,
                i64,
            ) = self.link.run("read a task's output", &self.scripts.output, &args).await?;
            let gap = u64::try_from(gap).ok().zip(u64::try_from(after).ok());
            Ok(Output { from, bytes: read, total_bytes, total_lines, stored_bytes, gap })
        })
    }

    fn pause(&self, queue: &str, paused: bool) -> BoxFuture<'_, Result<()>> {
        let args = vec![bytes(queue), bytes(u8::from(paused))];
        Box::pin(
            async move { self.link.run::<i64>("pause a queue", &self.scripts.pause, &args).await.map(drop) },
        )
    }

    fn limit(&self, scope: Scope, limit: Option<Limit>) -> BoxFuture<'_, Result<()>> {
        let scope = match scope {
            Scope::Queue(queue) => format!("q:{queue}"),
            Scope::Tool(tool) => format!("t:{tool}"),
            Scope::Alias(alias) => format!("a:{alias}"),
        };
        let limit = limit.map(|limit| {
            let running = limit.running.map(|running| ("running".to_owned(), json!(running)));
            let rate = limit.per_second.map(|rate| ("per_second".to_owned(), json!(rate)));
            Value::Object(running.into_iter().chain(rate).collect()).to_string()
        });
        let args = vec![bytes(scope), bytes(limit.unwrap_or_default())];
        Box::pin(
            async move { self.link.run::<i64>("set a limit", &self.scripts.limit, &args).await.map(drop) },
        )
    }

    fn reap(&self) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let mut moved = 0;
            loop {
                let some: u64 = self.link.run("reap tasks", &self.scripts.reap, &[bytes(500)]).await?;
                moved += some;
                if some < 500 {
                    return Ok(moved);
                }
            }
        })
    }

    fn prune(&self, keep: Retention) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let oldest = self.time().await?.saturating_sub(keep.age);
            let args = [bytes(oldest), bytes(keep.tasks), bytes(keep.output_bytes)];
            self.link.run("prune tasks", &self.scripts.prune, &args).await
        })
    }

    fn unchained(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Task>>> {
        Box::pin(async move {
            let mut asked = redis::pipe();
            asked
                .cmd("ZRANGE")
                .arg(format!("{PREFIX}unchained"))
                .arg(0)
                .arg(i64::try_from(limit).unwrap_or(0) - 1);
            let (ids,): (Vec<String>,) = self.link.ask("look for chains", &asked).await?;
            self.tasks(&ids).await
        })
    }

    fn chained(&self, ids: Vec<TaskId>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let args: Vec<_> = ids.iter().map(bytes).collect();
            self.link.run::<i64>("note a chain", &self.scripts.chained, &args).await.map(drop)
        })
    }

    fn bury(&self, filter: Filter) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let filter = Filter { dead_letter: Some(true), ..filter };
            let mut buried = 0;
            loop {
                let page = self.page(filter.clone(), None, 1_000).await?;
                let args: Vec<_> = page.items.iter().map(|task| bytes(&task.asked.id)).collect();
                if args.is_empty() {
                    return Ok(buried);
                }
                buried += self.link.run::<u64>("bury dead letters", &self.scripts.bury, &args).await?;
            }
        })
    }

    fn due(&self, _worker: &WorkerId, want: usize, lease: Ms) -> BoxFuture<'_, Result<Vec<Delivery>>> {
        Box::pin(async move {
            let args = [bytes(want), bytes(lease)];
            let claimed: Vec<(String, Fields)> =
                self.link.run("claim deliveries", &self.scripts.due, &args).await?;
            claimed.iter().map(|(id, fields)| delivery(id, fields).map(|(delivery, _, _)| delivery)).collect()
        })
    }

    fn delivered(&self, id: &str, how: Delivered) -> BoxFuture<'_, Result<()>> {
        let (word, last, at) = match how {
            Delivered::Done { last } => ("done", last, 0),
            Delivered::Again { at, last } => ("again", last, at),
            Delivered::Dead { last } => ("dead", last, 0),
        };
        let args = vec![bytes(id), bytes(word), bytes(last), bytes(at)];
        Box::pin(async move {
            self.link.run::<i64>("note a delivery", &self.scripts.delivered, &args).await.map(drop)
        })
    }

    fn deliveries(
        &self,
        owner: Option<&str>,
        state: Option<DeliveryState>,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<Delivery>>> {
        let owner = owner.map(str::to_owned);
        Box::pin(async move { self.delivery_page(owner.as_deref(), state, cursor, limit).await })
    }

    fn replay(&self, id: &str) -> BoxFuture<'_, Result<bool>> {
        let args = vec![bytes(id)];
        Box::pin(async move { self.link.run("replay a delivery", &self.scripts.replay, &args).await })
    }

    fn import(&self, tasks: Vec<Carried>) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let (mut put, mut args, mut length) = (0, Vec::new(), 0);
            for carried in &tasks {
                let more = described(&carried.task.asked)?.into_iter().chain(whole(carried));
                args.extend(more.inspect(|text| length += text.len()));
                if length > MOST_AT_ONCE || args.len() > MOST_WORDS {
                    put += self.link.run::<u64>("import tasks", &self.scripts.import, &args).await?;
                    args.clear();
                    length = 0;
                }
            }
            if !args.is_empty() {
                put += self.link.run::<u64>("import tasks", &self.scripts.import, &args).await?;
            }
            Ok(put)
        })
    }

    fn next_due(&self) -> BoxFuture<'_, Result<Option<Ms>>> {
        Box::pin(async move {
            let due: Ms = self.link.run("ask what is due", &self.scripts.next_due, &[]).await?;
            Ok((due >= 0).then_some(due))
        })
    }

    fn now(&self) -> BoxFuture<'_, Result<Ms>> {
        Box::pin(self.time())
    }

    fn changes(&self) -> broadcast::Receiver<TaskChange> {
        self.changes()
    }
}

/// What the script of a step gives; nothing but the time when it came too late.
type Answer = (Ms, Option<Vec<bool>>, Option<Vec<(String, Fields)>>);

impl Queue {
    async fn stepped(&self, args: &[Vec<u8>]) -> Result<Answer> {
        let doing = "end and claim tasks";
        let answer: redis::Value = self.link.run_again(doing, &self.scripts.step, args, AGAIN).await?;
        let redis::Value::Array(parts) = answer else { return Err(damaged(doing)) };
        let mut parts = parts.into_iter();
        let now = redis::from_redis_value(parts.next().unwrap_or(redis::Value::Nil));
        let now = now.map_err(|source| damaged(doing).because(source))?;
        let taken = parts.next().map(redis::from_redis_value::<Vec<bool>>).transpose();
        let claimed = parts.next().map(redis::from_redis_value::<Vec<(String, Fields)>>).transpose();
        let broken = |source| damaged(doing).because(source);
        Ok((now, taken.map_err(broken)?, claimed.map_err(broken)?))
    }

    /// The record of a task; without fields when there is none.
    async fn fields(&self, id: &TaskId) -> Result<Fields> {
        self.link.run("read a task", &self.scripts.get, &[bytes(id)]).await
    }

    async fn cancel_listed(&self, filter: Filter, why: &str) -> Result<u64> {
        let (mut cancelled, mut cursor) = (0, None);
        loop {
            let page = self.page(filter.clone(), cursor, 1_000).await?;
            let mut args = vec![bytes(why)];
            args.extend(page.items.iter().map(|task| bytes(&task.asked.id)));
            let answer: Vec<String> = self.link.run("cancel tasks", &self.scripts.cancel_ids, &args).await?;
            cancelled +=
                answer.iter().filter(|word| matches!(word.as_str(), "ended" | "told")).count() as u64;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(cancelled);
            }
        }
    }
}

/// The words for a part of a stream; of a large one only what may be kept goes on its way.
fn told(stream: Stream, written: Vec<u8>) -> Vec<Vec<u8>> {
    let (name, lines) = (bytes(stream_name(stream)), line_ends(&written));
    let Some(skipped) = written.len().checked_sub(2 * MOST_KEPT).filter(|skipped| *skipped > 0) else {
        return vec![name, written, bytes(lines), bytes(0)];
    };
    let (first, last) = (&written[..MOST_KEPT], &written[MOST_KEPT + skipped..]);
    let behind = line_ends(last);
    let before = [name.clone(), first.to_vec(), bytes(lines - behind), bytes(skipped)];
    before.into_iter().chain([name, last.to_vec(), bytes(behind), bytes(0)]).collect()
}

pub(super) fn stream_name(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
        Stream::Log => "log",
    }
}
