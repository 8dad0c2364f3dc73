//! What one request changes besides its rows: counters, deliveries, and what is to be told.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

use super::super::sqlite::Context as _;
use super::codes::{Code as _, ENDED};
use crate::Result;
use crate::queue::{DeliveryEvent, Ms, State, TaskChange, TaskId};

/// What the counters tell apart: queue, owner, tool, kind.
type Counted = [String; 4];

/// More changes than that are told as one.
const TOLD_SINGLY: usize = 128;

/// What came together while a request ran.
pub(super) struct Tally {
    pub(super) now: Ms,
    counts: HashMap<(Counted, i64), (i64, Ms)>,
    changes: Vec<TaskChange>,
}

/// The parts of a task that counters and deliveries need.
pub(super) struct Facts {
    pub(super) seq: i64,
    pub(super) id: String,
    counted: Counted,
    callback: Option<String>,
    started: Option<Ms>,
}

/// The columns of [`Facts`], in their order.
pub(super) const FACTS: &str = "seq, id, queue, owner, tool, kind, callback, started";

impl Facts {
    /// Reads them from the first columns of a row.
    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let counted = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
        Ok(Self { seq: row.get(0)?, id: row.get(1)?, counted, callback: row.get(6)?, started: row.get(7)? })
    }

    pub(super) fn queue(&self) -> &str {
        &self.counted[0]
    }

    pub(super) const fn started(&self) -> Option<Ms> {
        self.started
    }
}

impl Tally {
    pub(super) fn new(now: Ms) -> Self {
        Self { now, counts: HashMap::new(), changes: Vec::new() }
    }

    /// Notes that a task became something else; writes the delivery that this asks for.
    pub(super) fn moved(
        &mut self,
        connection: &Connection,
        facts: &Facts,
        from: Option<i64>,
        to: i64,
    ) -> Result<()> {
        if let Some(from) = from {
            self.count(facts, from, -1);
        }
        self.count(facts, to, 1);
        let state = State::decode(to).unwrap_or(State::Unknown);
        let event = match state {
            State::Running => Some(DeliveryEvent::Processing),
            state if state.is_terminal() => Some(DeliveryEvent::of(state)),
            _ => None,
        };
        if let (Some(event), Some(url)) = (event, &facts.callback) {
            self.deliver(connection, facts, event, url)?;
        }
        self.tell(TaskChange::Task(TaskId::new(facts.id.clone())));
        if state == State::Pending {
            self.tell(TaskChange::Work(facts.queue().to_owned()));
        }
        Ok(())
    }

    /// How many more tasks of a queue have not ended, by what is not settled yet.
    pub(super) fn added(&self, queue: &str) -> u64 {
        let is_active = |key: &(Counted, i64)| key.0[0] == queue && key.1 < ENDED;
        let added =
            self.counts.iter().filter(|(key, _)| is_active(key)).map(|(_, (tasks, _))| tasks).sum::<i64>();
        u64::try_from(added).unwrap_or(0)
    }

    /// Counts a task as gone.
    pub(super) fn removed(&mut self, facts: &Facts, state: i64, ran: Ms) {
        let sum = self.counts.entry((facts.counted.clone(), state)).or_default();
        *sum = (sum.0 - 1, sum.1 - ran);
    }

    /// Counts a task that was put as it is.
    pub(super) fn put(&mut self, facts: &Facts, state: i64, ran: Ms) {
        let sum = self.counts.entry((facts.counted.clone(), state)).or_default();
        *sum = (sum.0 + 1, sum.1 + ran);
    }

    fn count(&mut self, facts: &Facts, state: i64, number: i64) {
        let ran = match facts.started {
            Some(started) if state >= ENDED => (self.now - started).max(0),
            _ => 0,
        };
        let sum = self.counts.entry((facts.counted.clone(), state)).or_default();
        *sum = (sum.0 + number, sum.1 + number * ran);
    }

    /// Notes what listeners are to hear.
    pub(super) fn tell(&mut self, change: TaskChange) {
        if self.changes.len() < TOLD_SINGLY {
            if self.changes.last() != Some(&change) {
                self.changes.push(change);
            }
        } else if self.changes.last() != Some(&TaskChange::Anything) {
            self.changes.push(TaskChange::Anything);
        }
    }

    fn deliver(&self, connection: &Connection, facts: &Facts, event: DeliveryEvent, url: &str) -> Result<()> {
        let id = TaskId::new(facts.id.clone());
        let owner = &facts.counted[1];
        connection
            .prepare_cached(
                "INSERT INTO delivery (id, task, task_id, owner, event, url, next, created)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) ON CONFLICT DO NOTHING",
            )
            .and_then(|mut statement| {
                let values = params![event.id(&id), facts.seq, facts.id, owner, event.code(), url, self.now];
                statement.execute(values)
            })
            .map(drop)
            .while_doing(|| format!("write a delivery of the task {id}"))
    }

    /// Brings the counters up to date; gives what is to be told after the commit.
    pub(super) fn settle(self, connection: &Connection) -> Result<Vec<TaskChange>> {
        let written = connection.prepare_cached(
            "INSERT INTO task_counter (queue, owner, tool, kind, state, tasks, ran) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET tasks = tasks + excluded.tasks, ran = ran + excluded.ran",
        );
        written
            .and_then(|mut statement| {
                for (([queue, owner, tool, kind], state), (tasks, ran)) in &self.counts {
                    if (*tasks, *ran) != (0, 0) {
                        statement.execute(params![queue, owner, tool, kind, state, tasks, ran])?;
                    }
                }
                Ok(())
            })
            .while_doing(|| "count tasks".to_owned())?;
        Ok(self.changes)
    }
}
