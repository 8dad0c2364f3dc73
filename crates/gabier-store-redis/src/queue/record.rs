//! Tasks as fields of a hash, and back.

use std::collections::HashMap;

use gabier_store::queue::{
    Carried, Delivery, DeliveryEvent, DeliveryState, Fence, Ms, NewTask, State, Task, TaskId, WorkerId,
};
use gabier_store::{Error, Result};
use serde_json::{Map, Value, json};

use super::asking::stream_name;
use crate::link::damaged;

/// A hash as the server gives it.
pub(crate) type Fields = HashMap<String, Vec<u8>>;

/// What a new task is to the scripts, in the order in which they take it: from its id to the data of its job.
pub(crate) fn described(task: &NewTask) -> Result<Vec<Vec<u8>>> {
    let number = |number: Option<Ms>| number.map(|number| number.to_string()).unwrap_or_default();
    let asked = serde_json::to_string(task).map_err(|source| unwritable(&task.id).because(source))?;
    let fields = [
        task.id.to_string(),
        task.queue.clone(),
        task.tool.clone(),
        task.kind.clone(),
        task.owner.clone(),
        task.alias.clone().unwrap_or_default(),
        task.parent.as_ref().map(ToString::to_string).unwrap_or_default(),
        task.priority.to_string(),
        number(task.run_at),
        number(task.deadline),
        task.max_attempts.to_string(),
        u8::from(task.retry_safe).to_string(),
        task.callback.clone().unwrap_or_default(),
        if task.then.is_empty() { "" } else { "1" }.to_owned(),
        task.idempotency_key
            .as_ref()
            .map(|key| format!("{}\0{}\0{key}", task.owner, task.tool))
            .unwrap_or_default(),
        asked,
        data(task).to_string(),
    ];
    Ok(fields.into_iter().map(String::into_bytes).collect())
}

/// What a job carries: the shape that producers and workers of another make know.
fn data(task: &NewTask) -> Value {
    let mut data = json!({
        "toolName": task.tool,
        "params": task.arguments,
        "taskId": task.id,
        "auth": {"owner": task.owner},
    });
    if let (Some(url), Value::Object(data)) = (&task.callback, &mut data) {
        data.insert("cbUrl".to_owned(), url.as_str().into());
    }
    data
}

/// How much of a stream is kept: its head and its tail, in bytes. What a task writes here is held to the same by
/// `note.lua`.
const KEPT: (usize, usize) = (128 << 10, 144 << 10);

/// A task that is put as it is, after what describes it.
pub(crate) fn whole(carried: &Carried) -> Vec<Vec<u8>> {
    let mut fields = state_of(&carried.task);
    fields.push(u8::from(carried.is_unchained).to_string().into_bytes());
    fields.push(carried.written.len().to_string().into_bytes());
    for written in &carried.written {
        let (head, tail) = written.within(KEPT.0, KEPT.1);
        fields.extend([
            stream_name(written.stream).into(),
            head.to_vec(),
            tail.to_vec(),
            written.total_bytes.to_string().into_bytes(),
            written.total_lines.to_string().into_bytes(),
        ]);
    }
    fields.push(carried.deliveries.len().to_string().into_bytes());
    fields.extend(carried.deliveries.iter().flat_map(delivered));
    fields
}

fn delivered(delivery: &Delivery) -> [Vec<u8>; 8] {
    let state = match delivery.state {
        DeliveryState::Waiting => "waiting",
        DeliveryState::Done => "done",
        DeliveryState::Dead => "dead",
    };
    [
        delivery.id.clone(),
        delivery.event.name().to_owned(),
        delivery.url.clone(),
        state.to_owned(),
        delivery.attempts.to_string(),
        delivery.next.map(|next| next.to_string()).unwrap_or_default(),
        delivery.last.clone().unwrap_or_default(),
        delivery.created.to_string(),
    ]
    .map(String::into_bytes)
}

fn state_of(task: &Task) -> Vec<Vec<u8>> {
    let number = |number: Option<Ms>| number.map(|number| number.to_string()).unwrap_or_default();
    let mut fields = vec![
        task.state.name().to_owned(),
        task.attempt.to_string(),
        task.fence.0.to_string(),
        task.created.to_string(),
        task.updated.to_string(),
        number(task.finished),
        number(task.started),
        number(task.due),
        number(task.lease_until),
        task.worker.as_ref().map(|worker| worker.0.clone()).unwrap_or_default(),
        u8::from(task.dead_letter).to_string(),
    ];
    let object = |map: &Map<String, Value>| (!map.is_empty()).then(|| Value::Object(map.clone()).to_string());
    let more = [
        ("cancel", task.cancel.clone()),
        ("progress", task.progress.as_ref().and_then(|progress| serde_json::to_string(progress).ok())),
        ("result", task.result.as_ref().map(Value::to_string)),
        ("error", task.error.as_ref().map(Value::to_string)),
        ("questions", object(&task.questions)),
        ("answers", object(&task.answers)),
    ];
    let more: Vec<_> = more.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    fields.push(more.len().to_string());
    fields.extend(more.into_iter().flat_map(|(name, value)| [name.to_owned(), value]));
    fields.into_iter().map(String::into_bytes).collect()
}

/// The task that a hash holds.
pub(crate) fn task(id: &str, fields: &Fields) -> Result<Task> {
    let read = Reading { id, fields };
    let state =
        read.text("state")?.and_then(|name| State::parse(&name)).ok_or_else(|| unreadable(id, "state"))?;
    let object = |name: &str| Ok::<_, Error>(read.json::<Map<_, _>>(name)?.unwrap_or_default());
    // A record keeps who held the task last.
    let is_held = state == State::Running;
    let created = read.number("created")?.ok_or_else(|| unreadable(id, "created"))?;
    let (started, finished) = (read.number("started")?, read.number("finished")?);
    Ok(Task {
        asked: read.asked()?,
        state,
        attempt: read.number("attempt")?.unwrap_or(0),
        fence: Fence(read.number("fence")?.unwrap_or(0)),
        worker: read.text("worker")?.filter(|_| is_held).map(WorkerId),
        lease_until: read.number("lease")?.filter(|_| is_held),
        due: read.number("due")?,
        cancel: read.text("cancel")?,
        progress: read.json("progress")?,
        result: read.json("result")?,
        error: read.json("error")?,
        questions: object("questions")?,
        answers: object("answers")?,
        dead_letter: fields.contains_key("dead"),
        created,
        started,
        finished,
        // What changed with one of the others is not written twice.
        updated: created.max(read.number("updated")?.max(started).max(finished).unwrap_or(created)),
    })
}

/// The place of a task among all.
pub(crate) fn place(id: &str, fields: &Fields) -> Result<u64> {
    Reading { id, fields }.number("seq")?.ok_or_else(|| unreadable(id, "seq"))
}

/// The delivery that a hash holds, whose it is, and its place.
pub(crate) fn delivery(id: &str, fields: &Fields) -> Result<(Delivery, String, u64)> {
    let read = Reading { id, fields };
    let need = |name: &str| read.text(name)?.ok_or_else(|| unreadable(id, name));
    let event = match need("event")?.as_str() {
        "processing" => DeliveryEvent::Processing,
        "completed" => DeliveryEvent::Completed,
        "cancelled" => DeliveryEvent::Cancelled,
        _ => DeliveryEvent::Error,
    };
    let state = match need("state")?.as_str() {
        "waiting" => DeliveryState::Waiting,
        "done" => DeliveryState::Done,
        _ => DeliveryState::Dead,
    };
    let delivery = Delivery {
        id: id.to_owned(),
        task: TaskId::new(need("task")?),
        event,
        url: need("url")?,
        state,
        attempts: read.number("attempts")?.unwrap_or(0),
        next: read.number("next")?,
        last: read.text("last")?,
        created: read.number("created")?.unwrap_or(0),
    };
    Ok((delivery, need("owner")?, read.number("seq")?.unwrap_or(0)))
}

/// Fields that are being read.
struct Reading<'a> {
    id: &'a str,
    fields: &'a Fields,
}

impl Reading<'_> {
    fn text(&self, name: &str) -> Result<Option<String>> {
        let text = self.fields.get(name).map(|bytes| String::from_utf8(bytes.clone()));
        text.transpose().map_err(|source| unreadable(self.id, name).because(source))
    }

    fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>> {
        let number = self.text(name)?.map(|text| text.parse());
        number.transpose().map_err(|_| unreadable(self.id, name))
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let value = self.fields.get(name).map(|bytes| serde_json::from_slice(bytes));
        value.transpose().map_err(|source| unreadable(self.id, name).because(source))
    }

    fn asked(&self) -> Result<NewTask> {
        if let Some(asked) = self.json("asked")? {
            return Ok(asked);
        }
        self.foreign()
    }

    /// What a producer of another make asked for: its data in the known shape, or all of it as arguments.
    fn foreign(&self) -> Result<NewTask> {
        let need = |name: &str| self.text(name)?.ok_or_else(|| unreadable(self.id, name));
        let data: Value = serde_json::from_str(&need("raw")?).unwrap_or(Value::Null);
        let arguments = match data.get("params") {
            Some(params) if data.get("toolName").is_some() => params.clone(),
            _ if data.is_object() => data.clone(),
            _ => json!({"data": data}),
        };
        let context = match data.get("auth") {
            Some(auth) => json!({"foreign": true, "auth": auth}),
            None => json!({"foreign": true}),
        };
        Ok(NewTask {
            id: TaskId::new(self.id),
            queue: need("queue")?,
            tool: need("tool")?,
            kind: need("kind")?,
            alias: None,
            label: None,
            owner: need("owner")?,
            idempotency_key: None,
            priority: self.number("priority")?.unwrap_or(0),
            run_at: None,
            deadline: None,
            ttl: None,
            max_attempts: self.number("max")?.unwrap_or(1),
            retry_safe: self.text("retry")?.as_deref() == Some("1"),
            arguments,
            context,
            callback: self.text("callback")?,
            then: Vec::new(),
            retried_from: None,
            retry_count: 0,
            parent: None,
            claim: None,
        })
    }
}

fn unreadable(id: &str, field: &str) -> Error {
    damaged(format!("read {id}: its {field} is not as it was written"))
}

fn unwritable(id: &TaskId) -> Error {
    damaged(format!("write the task {id}: it has no form in JSON"))
}
