//! Starts and ends of attempts, and what time does to tasks.

use serde_json::{Map, Value};

use super::tasks::Tasks;
use crate::queue::rules::{self, Bucket};
use crate::queue::{End, Ended, Fence, Limit, Ms, Scope, State, Step, Task};

impl Tasks {
    /// Promotes what is due, takes back what was lost, and ends what is too late; gives how many moved.
    pub(super) fn pass_time(&mut self, now: Ms) -> u64 {
        let mut moved = 0;
        while let Some((_, seq)) = self.timed.first().copied().filter(|(time, _)| *time <= now) {
            let Some(task) = self.rows.get(&seq).map(|row| &row.task) else { break };
            let state = match task.state {
                State::Running => rules::lost(
                    task.asked.retry_safe,
                    task.attempt,
                    task.asked.max_attempts,
                    task.cancel.is_some(),
                ),
                _ if task.asked.deadline.is_some_and(|deadline| deadline <= now) => State::Expired,
                _ => State::Pending,
            };
            moved += u64::from(task.state != State::Scheduled || state != State::Pending);
            if state.is_terminal() {
                self.end(seq, state, now);
            } else {
                self.change(seq, now, |task| task.state = state);
            }
        }
        moved
    }

    /// Ends one attempt; false when another holds the task, or nobody.
    pub(super) fn finish(&mut self, ended: &Ended, now: Ms) -> bool {
        let Some((seq, row)) = self.row(&ended.id) else { return false };
        if row.task.state != State::Running || row.task.fence != ended.fence {
            return false;
        }
        let how = ended.how.clone();
        self.change(seq, now, |task| end(task, how, now));
        true
    }

    /// Claims for a worker what may start now.
    pub(super) fn claim(&mut self, step: &Step, now: Ms) -> Vec<Task> {
        let mut claimed = Vec::new();
        if self.paused.contains(&step.queue) {
            return claimed;
        }
        self.refill(now);
        let ready = self.ready.get(&step.queue).into_iter().flatten().map(|(_, seq)| *seq);
        for seq in ready.collect::<Vec<_>>() {
            if claimed.len() >= step.want {
                break;
            }
            if !self.may_start(seq) {
                continue;
            }
            self.start(seq, now, |task| {
                task.worker = Some(step.worker.clone());
                task.lease_until = Some(now + step.lease);
            });
            claimed.extend(self.rows.get(&seq).map(|row| row.task.clone()));
        }
        claimed
    }

    /// Starts an attempt under a new fence.
    fn start(&mut self, seq: u64, now: Ms, hold: impl FnOnce(&mut Task)) {
        for scope in self.scopes(seq) {
            if let Some((_, bucket)) = self.limits.get_mut(&scope) {
                bucket.tokens -= 1.0;
            }
        }
        self.change(seq, now, |task| {
            task.state = State::Running;
            task.attempt += 1;
            task.fence = Fence(task.fence.0 + 1);
            task.started = Some(now);
            hold(task);
        });
    }

    /// When the next start under a rate may take place, if one waits for that.
    pub(super) fn next_start(&self) -> Option<Ms> {
        let is_waiting = self.ready.values().any(|ready| !ready.is_empty());
        let rates = self.limits.values().filter_map(|(limit, bucket)| Some((limit.per_second?, *bucket)));
        let late = rates.filter(|(_, bucket)| is_waiting && bucket.tokens < 1.0);
        late.map(|(rate, bucket)| bucket.next(rate)).min()
    }

    pub(super) fn set_limit(&mut self, scope: Scope, limit: Option<Limit>, now: Ms) {
        match limit {
            Some(limit) => {
                let bucket = Bucket::under(limit, self.limits.get(&scope).copied(), now);
                self.limits.insert(scope, (limit, bucket));
            }
            None => {
                self.limits.remove(&scope);
            }
        }
    }

    fn refill(&mut self, now: Ms) {
        for (limit, bucket) in self.limits.values_mut() {
            *bucket = bucket.later(limit.per_second.unwrap_or(0.0), now);
        }
    }

    fn may_start(&self, seq: u64) -> bool {
        self.scopes(seq).iter().all(|scope| {
            let Some((limit, bucket)) = self.limits.get(scope) else { return true };
            let running = self.running.iter().filter(|other| self.scopes(**other).contains(scope)).count();
            rules::room(*limit, running, *bucket) > 0
        })
    }

    /// What a task falls under, of what is limited.
    fn scopes(&self, seq: u64) -> Vec<Scope> {
        let Some(asked) = self.rows.get(&seq).map(|row| &row.task.asked) else { return Vec::new() };
        if self.limits.is_empty() {
            return Vec::new();
        }
        let mut scopes = vec![Scope::Queue(asked.queue.clone()), Scope::Tool(asked.tool.clone())];
        scopes.extend(asked.alias.clone().map(Scope::Alias));
        scopes.retain(|scope| self.limits.contains_key(scope));
        scopes
    }
}

/// What an end makes of a running task.
fn end(task: &mut Task, how: End, now: Ms) {
    let waits = |task: &Task, state| if task.cancel.is_some() { State::Cancelled } else { state };
    match how {
        End::Finish { state, result, error, dead_letter } => {
            (task.state, task.result, task.error, task.dead_letter) = (state, result, error, dead_letter);
        }
        End::Retry { at, error } => {
            task.state = waits(task, if at > now { State::Scheduled } else { State::Pending });
            (task.due, task.error) = (Some(at), Some(error));
        }
        End::Release => {
            task.state = waits(task, State::Pending);
            task.attempt = task.attempt.saturating_sub(1);
        }
        End::Ask(questions) => {
            let state = if questions.is_empty() { State::Pending } else { State::InputRequired };
            task.state = waits(task, state);
            task.questions = questions;
        }
    }
}

/// Takes the answers to what is asked; once all are there, the task goes back.
pub(super) fn answer(task: &mut Task, answers: Map<String, Value>) {
    for (key, answer) in answers {
        if task.questions.remove(&key).is_some() {
            task.answers.insert(key, answer);
        }
    }
    if task.questions.is_empty() {
        task.state = State::Pending;
    }
}
