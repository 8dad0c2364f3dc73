//! Webhooks that are to be delivered.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::queue::{Delivered, Delivery, DeliveryEvent, DeliveryState, Ms, Task};

/// All deliveries, in the order in which they were written.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    last: u64,
    rows: BTreeMap<u64, Row>,
    ids: HashMap<String, u64>,
}

#[derive(Debug)]
struct Row {
    task: u64,
    owner: String,
    delivery: Delivery,
    claimed_until: Ms,
}

impl Deliveries {
    /// Writes one, unless the task has it or nobody is to be called.
    pub(super) fn add(&mut self, seq: u64, task: &Task, event: DeliveryEvent, now: Ms) {
        let Some(url) = &task.asked.callback else { return };
        let id = event.id(&task.asked.id);
        if self.ids.contains_key(&id) {
            return;
        }
        let delivery = Delivery {
            id,
            task: task.asked.id.clone(),
            event,
            url: url.clone(),
            state: DeliveryState::Waiting,
            attempts: 0,
            next: Some(now),
            last: None,
            created: now,
        };
        self.put(seq, &task.asked.owner, delivery);
    }

    /// Puts one as it is.
    pub(super) fn put(&mut self, seq: u64, owner: &str, delivery: Delivery) {
        self.last += 1;
        self.ids.insert(delivery.id.clone(), self.last);
        let row = Row { task: seq, owner: owner.to_owned(), delivery, claimed_until: Ms::MIN };
        self.rows.insert(self.last, row);
    }

    pub(super) fn claim(&mut self, want: usize, lease: Ms, now: Ms) -> Vec<Delivery> {
        let mut claimed = Vec::new();
        for seq in self.first_of_each_task() {
            let Some(row) = self.rows.get_mut(&seq) else { continue };
            if claimed.len() < want && row.due() <= now {
                row.claimed_until = now + lease;
                claimed.push(row.delivery.clone());
            }
        }
        claimed
    }

    pub(super) fn next_due(&self) -> Option<Ms> {
        self.first_of_each_task().into_iter().filter_map(|seq| self.rows.get(&seq)).map(Row::due).min()
    }

    pub(super) fn delivered(&mut self, id: &str, how: Delivered) {
        let Some(row) = self.ids.get(id).and_then(|seq| self.rows.get_mut(seq)) else { return };
        let delivery = &mut row.delivery;
        if delivery.state != DeliveryState::Waiting {
            return;
        }
        let (state, next, last) = match how {
            Delivered::Done { last } => (DeliveryState::Done, None, last),
            Delivered::Again { at, last } => (DeliveryState::Waiting, Some(at), last),
            Delivered::Dead { last } => (DeliveryState::Dead, None, last),
        };
        (delivery.state, delivery.next, delivery.last) = (state, next, Some(last));
        delivery.attempts += 1;
        row.claimed_until = Ms::MIN;
    }

    pub(super) fn replay(&mut self, id: &str, now: Ms) -> bool {
        let Some(row) = self.ids.get(id).and_then(|seq| self.rows.get_mut(seq)) else { return false };
        if row.delivery.state != DeliveryState::Waiting {
            (row.delivery.state, row.delivery.attempts) = (DeliveryState::Waiting, 0);
            (row.delivery.next, row.claimed_until) = (Some(now), Ms::MIN);
        }
        true
    }

    /// Newest first, before a place; each with its place.
    pub(super) fn list(
        &self,
        owner: Option<&str>,
        state: Option<DeliveryState>,
        before: u64,
    ) -> impl Iterator<Item = (u64, Delivery)> {
        let fits = move |row: &Row| {
            owner.is_none_or(|owner| owner == row.owner)
                && state.is_none_or(|state| state == row.delivery.state)
        };
        let rows = self.rows.range(..before).rev().filter(move |(_, row)| fits(row));
        rows.map(|(seq, row)| (*seq, row.delivery.clone()))
    }

    /// The tasks that have deliveries to make.
    pub(super) fn waiting(&self) -> HashSet<u64> {
        let is_waiting = |row: &&Row| row.delivery.state == DeliveryState::Waiting;
        self.rows.values().filter(is_waiting).map(|row| row.task).collect()
    }

    pub(super) fn remove_task(&mut self, task: &Task) {
        let events = [
            DeliveryEvent::Processing,
            DeliveryEvent::Completed,
            DeliveryEvent::Error,
            DeliveryEvent::Cancelled,
        ];
        for event in events.into_iter().filter(|_| task.asked.callback.is_some()) {
            if let Some(seq) = self.ids.remove(&event.id(&task.asked.id)) {
                self.rows.remove(&seq);
            }
        }
    }

    fn first_of_each_task(&self) -> Vec<u64> {
        let mut seen = HashSet::new();
        let waiting = self.rows.iter().filter(|(_, row)| row.delivery.state == DeliveryState::Waiting);
        waiting.filter(|(_, row)| seen.insert(row.task)).map(|(seq, _)| *seq).collect()
    }
}

impl Row {
    fn due(&self) -> Ms {
        self.delivery.next.unwrap_or(Ms::MIN).max(self.claimed_until)
    }
}
