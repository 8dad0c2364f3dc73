//! All tasks, with the indexes that find them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::deliveries::Deliveries;
use super::outputs::Kept;
use crate::queue::rules::{self, Bucket};
use crate::queue::{Count, DeliveryEvent, Limit, Ms, Scope, State, Stats, Stream, Task, TaskChange, TaskId};

/// What a counter counts: owner, queue, tool, kind, state.
type Counted = (String, String, String, String, State);

/// All tasks.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    last: u64,
    pub(super) rows: BTreeMap<u64, Row>,
    pub(super) ids: BTreeMap<TaskId, u64>,
    /// By queue: what can be claimed, by priority and age.
    pub(super) ready: HashMap<String, BTreeSet<(u32, u64)>>,
    /// When time alone changes something.
    pub(super) timed: BTreeSet<(Ms, u64)>,
    pub(super) running: BTreeSet<u64>,
    /// The last task with an idempotency key, by owner, tool and key.
    pub(super) keys: HashMap<(String, String, String), u64>,
    counters: BTreeMap<Counted, (u64, Ms)>,
    pub(super) deliveries: Deliveries,
    pub(super) paused: BTreeSet<String>,
    pub(super) limits: HashMap<Scope, (Limit, Bucket)>,
    /// What is to be told once the call is over.
    pub(super) changed: Vec<TaskChange>,
}

/// A task and what only the store knows of it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) task: Task,
    /// Whether its chain is still to be looked at, once it ended.
    pub(super) is_unchained: bool,
    pub(super) outputs: HashMap<Stream, Kept>,
}

impl Row {
    pub(super) fn stored_bytes(&self) -> u64 {
        self.outputs.values().map(Kept::stored).sum()
    }

    /// When time alone changes it.
    fn time(&self) -> Option<Ms> {
        let task = &self.task;
        match task.state {
            State::Running => task.lease_until,
            state if state.is_terminal() => None,
            State::Scheduled => task.due.into_iter().chain(task.asked.deadline).min(),
            _ => task.asked.deadline,
        }
    }

    fn counted(&self) -> Counted {
        let asked = &self.task.asked;
        let names = (asked.owner.clone(), asked.queue.clone(), asked.tool.clone(), asked.kind.clone());
        (names.0, names.1, names.2, names.3, self.task.state)
    }
}

impl Tasks {
    pub(super) fn row(&self, id: &TaskId) -> Option<(u64, &Row)> {
        let seq = *self.ids.get(id)?;
        Some((seq, self.rows.get(&seq)?))
    }

    pub(super) fn add(&mut self, task: Task) -> u64 {
        self.last += 1;
        let seq = self.last;
        self.ids.insert(task.asked.id.clone(), seq);
        if let Some(key) = &task.asked.idempotency_key {
            self.keys.insert((task.asked.owner.clone(), task.asked.tool.clone(), key.clone()), seq);
        }
        let row = Row { is_unchained: !task.asked.then.is_empty(), task, outputs: HashMap::new() };
        self.tell(&row.task);
        self.index(seq, &row);
        self.rows.insert(seq, row);
        seq
    }

    /// Changes one task: the only way to another state. What follows from a start or an end follows here.
    pub(super) fn change(&mut self, seq: u64, now: Ms, change: impl FnOnce(&mut Task)) {
        let Some(mut row) = self.rows.remove(&seq) else { return };
        self.unindex(seq, &row);
        let before = row.task.state;
        let task = &mut row.task;
        change(task);
        task.updated = task.updated.max(now);
        if task.state != State::Running {
            (task.worker, task.lease_until) = (None, None);
        }
        if task.state != State::Scheduled {
            task.due = None;
        }
        if task.state.is_terminal() && !before.is_terminal() {
            task.finished = Some(now);
        }
        if task.state != before {
            self.deliver(seq, &row.task, now);
        }
        self.tell(&row.task);
        self.index(seq, &row);
        self.rows.insert(seq, row);
    }

    /// Writes the deliveries that a task's present state asks for.
    pub(super) fn deliver(&mut self, seq: u64, task: &Task, now: Ms) {
        let event = match task.state {
            State::Running => DeliveryEvent::Processing,
            state if state.is_terminal() => DeliveryEvent::of(state),
            _ => return,
        };
        self.deliveries.add(seq, task, event, now);
    }

    /// Ends a task without its worker.
    pub(super) fn end(&mut self, seq: u64, state: State, now: Ms) {
        self.change(seq, now, |task| {
            task.state = state;
            task.dead_letter = state == State::Failed;
            task.error = rules::error_of(state).or_else(|| task.error.take());
        });
    }

    pub(super) fn remove(&mut self, seq: u64) {
        let Some(row) = self.rows.remove(&seq) else { return };
        self.unindex(seq, &row);
        self.ids.remove(&row.task.asked.id);
        self.deliveries.remove_task(&row.task);
        if let Some(key) = row.task.asked.idempotency_key {
            let key = (row.task.asked.owner, row.task.asked.tool, key);
            if self.keys.get(&key) == Some(&seq) {
                self.keys.remove(&key);
            }
        }
    }

    pub(super) fn active(&self, queue: &str) -> u64 {
        let is_active = |counted: &Counted| counted.1 == queue && !counted.4.is_terminal();
        self.counters.iter().filter(|(counted, _)| is_active(counted)).map(|(_, (tasks, _))| tasks).sum()
    }

    pub(super) fn stats(&self, owner: Option<&str>) -> Stats {
        let mut sums = BTreeMap::<_, (u64, Ms)>::new();
        for ((whose, queue, tool, kind, state), (tasks, ran)) in &self.counters {
            if owner.is_none_or(|owner| owner == whose) {
                let sum = sums.entry((queue, tool, kind, *state)).or_default();
                *sum = (sum.0 + tasks, sum.1 + ran);
            }
        }
        let count = |((queue, tool, kind, state), (tasks, ran)): ((&String, &String, &String, _), _)| Count {
            queue: queue.clone(),
            tool: tool.clone(),
            kind: kind.clone(),
            state,
            tasks,
            ran,
        };
        let counts = sums.into_iter().filter(|(_, (tasks, _))| *tasks > 0).map(count).collect();
        let is_dead =
            |row: &&Row| row.task.dead_letter && owner.is_none_or(|owner| owner == row.task.asked.owner);
        let dead_letters = self.rows.values().filter(is_dead).count() as u64;
        Stats { counts, paused: self.paused.iter().cloned().collect(), dead_letters }
    }

    fn tell(&mut self, task: &Task) {
        self.changed.push(TaskChange::Task(task.asked.id.clone()));
        if task.state == State::Pending {
            self.changed.push(TaskChange::Work(task.asked.queue.clone()));
        }
    }

    fn index(&mut self, seq: u64, row: &Row) {
        let asked = &row.task.asked;
        match row.task.state {
            State::Pending => {
                self.ready.entry(asked.queue.clone()).or_default().insert((asked.priority, seq));
            }
            State::Running => {
                self.running.insert(seq);
            }
            _ => {}
        }
        self.timed.extend(row.time().map(|time| (time, seq)));
        let sum = self.counters.entry(row.counted()).or_default();
        *sum = (sum.0 + 1, sum.1 + ran(&row.task));
    }

    fn unindex(&mut self, seq: u64, row: &Row) {
        let asked = &row.task.asked;
        if let Some(ready) = self.ready.get_mut(&asked.queue) {
            ready.remove(&(asked.priority, seq));
        }
        self.running.remove(&seq);
        if let Some(time) = row.time() {
            self.timed.remove(&(time, seq));
        }
        if let Some(sum) = self.counters.get_mut(&row.counted()) {
            *sum = (sum.0 - 1, sum.1 - ran(&row.task));
        }
    }
}

fn ran(task: &Task) -> Ms {
    if task.state.is_terminal() { task.ran().unwrap_or(0) } else { 0 }
}
