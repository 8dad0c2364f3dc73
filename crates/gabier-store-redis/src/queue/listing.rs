//! Lists, searches and counters: which index is walked, and what fits.

use gabier_store::Result;
use gabier_store::queue::{
    Count, Cursor, Delivery, DeliveryState, Filter, Order, Page, State, Stats, Stream, Task, TaskId,
};

use super::record::{Fields, delivery, place, task};
use super::{PREFIX, Queue};
use crate::link::damaged;

/// How many entries one look takes.
const LOOK: usize = 500;
/// How many entries one call looks at; a page may come short, and says where it stopped.
const MOST: usize = 20_000;

impl Queue {
    /// A page of tasks.
    pub(super) async fn page(
        &self,
        filter: Filter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Task>> {
        if let Some(ids) = &filter.ids {
            return self.page_of(ids.clone(), &filter, cursor, limit).await;
        }
        let indexes = self.narrowest(&filter).await?;
        let (mut items, mut looked) = (Vec::new(), 0);
        let mut last = cursor.map(|cursor| cursor.0);
        loop {
            let seen = self.entries(&indexes, last.as_deref(), filter.order).await?;
            looked += seen.len();
            let is_end = seen.len() < LOOK;
            let ids: Vec<_> = seen.iter().map(|(id, _)| id.clone()).collect();
            let fields = self.records("t:", &ids).await?;
            for ((id, place), fields) in seen.into_iter().zip(fields) {
                last = Some(place.to_string());
                let Some(found) = self.fitting(&filter, &id, &fields).await? else { continue };
                items.push(found);
                if items.len() == limit {
                    return Ok(Page { items, next: last.map(Cursor) });
                }
            }
            if is_end || looked >= MOST {
                let next = (!is_end).then_some(last).flatten().map(Cursor);
                return Ok(Page { items, next });
            }
        }
    }

    /// A page of tasks that are named one by one.
    async fn page_of(
        &self,
        ids: Vec<TaskId>,
        filter: &Filter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Task>> {
        let mut ids: Vec<_> = ids.into_iter().map(|id| id.to_string()).collect();
        ids.sort();
        ids.dedup();
        let fields = self.records("t:", &ids).await?;
        let mut found = Vec::new();
        for (id, fields) in ids.iter().zip(fields) {
            if let Some(task) = self.fitting(filter, id, &fields).await? {
                found.push((place(id, &fields)?, task));
            }
        }
        found.sort_by_key(|(place, _)| *place);
        if filter.order == Order::Newest {
            found.reverse();
        }
        let after = cursor.and_then(|cursor| cursor.0.parse::<u64>().ok());
        if let Some(after) = after {
            let end = found.iter().position(|(place, _)| *place == after).map_or(0, |position| position + 1);
            found.drain(..end);
        }
        let next = (found.len() > limit && limit > 0).then(|| Cursor(found[limit - 1].0.to_string()));
        found.truncate(limit);
        Ok(Page { items: found.into_iter().map(|(_, task)| task).collect(), next })
    }

    /// The first two ids that start with a prefix, of one owner or all.
    pub(super) async fn starting_with(&self, owner: Option<&str>, prefix: &str) -> Result<Vec<TaskId>> {
        let (mut from, mut found) = (format!("[{prefix}").into_bytes(), Vec::new());
        let mut to = format!("({prefix}").into_bytes();
        to.push(0xff);
        loop {
            let mut asked = redis::pipe();
            asked.cmd("ZRANGEBYLEX").arg(format!("{PREFIX}lex")).arg(from).arg(&to);
            asked.arg("LIMIT").arg(0).arg(LOOK);
            let (ids,): (Vec<String>,) = self.link.ask("look for a task", &asked).await?;
            let Some(last) = ids.last() else { return Ok(found) };
            let is_end = ids.len() < LOOK;
            from = format!("({last}").into_bytes();
            found.extend(self.owned(owner, ids).await?.into_iter().map(TaskId::new));
            if is_end || found.len() >= 2 {
                found.truncate(2);
                return Ok(found);
            }
        }
    }

    /// Those of some tasks that are an owner's.
    async fn owned(&self, owner: Option<&str>, ids: Vec<String>) -> Result<Vec<String>> {
        let Some(owner) = owner else { return Ok(ids) };
        let mut asked = redis::pipe();
        asked.cmd("ZMSCORE").arg(format!("{PREFIX}owner:{owner}")).arg(&ids);
        let (places,): (Vec<Option<u64>>,) = self.link.ask("look for a task", &asked).await?;
        Ok(ids.into_iter().zip(places).filter_map(|(id, place)| place.map(|_| id)).collect())
    }

    /// The records of tasks, in the order of their ids; unknown ones are left out.
    pub(super) async fn tasks(&self, ids: &[String]) -> Result<Vec<Task>> {
        let records = self.records("t:", ids).await?;
        let known = ids.iter().zip(&records).filter(|(_, fields)| !fields.is_empty());
        known.map(|(id, fields)| task(id, fields)).collect()
    }

    async fn records(&self, kind: &str, ids: &[String]) -> Result<Vec<Fields>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut asked = redis::pipe();
        for id in ids {
            asked.hgetall(format!("{PREFIX}{kind}{id}"));
        }
        self.link.ask("read records", &asked).await
    }

    /// The indexes that together hold everything that can fit, and the least else.
    async fn narrowest(&self, filter: &Filter) -> Result<Vec<String>> {
        let one =
            |name: &str, value: Option<&str>| value.map(|value| vec![format!("{PREFIX}{name}:{value}")]);
        let by_state = (!filter.states.is_empty()).then(|| {
            let ended = filter.states.iter().filter(|state| state.is_terminal());
            let mut indexes: Vec<_> = ended.map(|state| format!("{PREFIX}state:{state}")).collect();
            if filter.states.iter().any(|state| !state.is_terminal()) {
                indexes.push(format!("{PREFIX}live"));
            }
            indexes.sort();
            indexes.dedup();
            indexes
        });
        let choices = [
            (filter.dead_letter == Some(true)).then(|| vec![format!("{PREFIX}dead")]),
            by_state,
            one("parent", filter.parent.as_ref().map(TaskId::as_str)),
            one("alias", filter.alias.as_deref()),
            one("owner", filter.owner.as_deref()),
            one("tool", filter.tool.as_deref()),
        ];
        let choices: Vec<_> = choices.into_iter().flatten().collect();
        if choices.is_empty() {
            let ended = State::ALL.into_iter().filter(|state| state.is_terminal());
            let indexes = ended.map(|state| format!("{PREFIX}state:{state}"));
            return Ok(indexes.chain([format!("{PREFIX}live")]).collect());
        }
        let mut asked = redis::pipe();
        for index in choices.iter().flatten() {
            asked.zcard(index);
        }
        let sizes: Vec<u64> = self.link.ask("size indexes", &asked).await?;
        let mut sizes = sizes.into_iter();
        let sized = choices.into_iter().map(|indexes| {
            let size: u64 = sizes.by_ref().take(indexes.len()).sum();
            (size, indexes)
        });
        Ok(sized.min_by_key(|(size, _)| *size).map(|(_, indexes)| indexes).unwrap_or_default())
    }

    /// The next entries of several indexes, as one list.
    async fn entries(
        &self,
        indexes: &[String],
        after: Option<&str>,
        order: Order,
    ) -> Result<Vec<(String, u64)>> {
        let mut asked = redis::pipe();
        for index in indexes {
            let (word, begin, end) = match order {
                Order::Newest => ("ZREVRANGEBYSCORE", "+inf", "-inf"),
                Order::Oldest => ("ZRANGEBYSCORE", "-inf", "+inf"),
            };
            let begin = after.map_or_else(|| begin.to_owned(), |place| format!("({place}"));
            asked.cmd(word).arg(index).arg(begin).arg(end).arg("WITHSCORES").arg("LIMIT").arg(0).arg(LOOK);
        }
        let lists: Vec<Vec<(String, u64)>> = self.link.ask("walk indexes", &asked).await?;
        let mut entries: Vec<_> = lists.into_iter().flatten().collect();
        entries.sort_by_key(|(_, place)| *place);
        if order == Order::Newest {
            entries.reverse();
        }
        entries.truncate(LOOK);
        Ok(entries)
    }

    async fn fitting(&self, filter: &Filter, id: &str, fields: &Fields) -> Result<Option<Task>> {
        if fields.is_empty() {
            return Ok(None);
        }
        let task = task(id, fields)?;
        if !filter.fits(&task) {
            return Ok(None);
        }
        let is_found = match &filter.search {
            Some(text) => self.is_found(&text.to_lowercase(), &task, fields).await?,
            None => true,
        };
        Ok(is_found.then_some(task))
    }

    /// Whether a text in small letters stands in what a task asks or wrote.
    async fn is_found(&self, text: &str, task: &Task, fields: &Fields) -> Result<bool> {
        let asked = &task.asked;
        let label = asked.label.as_deref().unwrap_or_default();
        let holds = |place: &str| place.to_lowercase().contains(text);
        if holds(&asked.tool) || holds(label) || holds(&asked.arguments.to_string()) {
            return Ok(true);
        }
        if !fields.contains_key("out") {
            return Ok(false);
        }
        let mut asked = redis::pipe();
        for stream in [Stream::Stdout, Stream::Stderr, Stream::Log] {
            let base = format!("{PREFIX}o:{}:{}", task.asked.id, super::asking::stream_name(stream));
            asked.get(format!("{base}:head")).get(format!("{base}:tail"));
        }
        let written: Vec<Option<Vec<u8>>> = self.link.ask("search a task's output", &asked).await?;
        let streams =
            written.chunks(2).map(|parts| parts.iter().flatten().flatten().copied().collect::<Vec<u8>>());
        Ok(streams.into_iter().any(|bytes| holds(&String::from_utf8_lossy(&bytes))))
    }

    /// Counters of one owner or all.
    pub(super) async fn counted(&self, owner: Option<&str>) -> Result<Stats> {
        let key = owner.map_or_else(|| format!("{PREFIX}count"), |owner| format!("{PREFIX}count:{owner}"));
        let mut asked = redis::pipe();
        asked.hgetall(key).smembers(format!("{PREFIX}queues"));
        let (counters, mut queues): (Vec<(String, i64)>, Vec<String>) =
            self.link.ask("read counters", &asked).await?;
        queues.sort();
        let mut paused = Vec::new();
        if !queues.is_empty() {
            let mut asked = redis::pipe();
            for queue in &queues {
                asked.hexists(format!("bull:{queue}:meta"), "paused");
            }
            let flags: Vec<bool> = self.link.ask("read counters", &asked).await?;
            paused = queues
                .into_iter()
                .zip(flags)
                .filter(|(_, is_paused)| *is_paused)
                .map(|(queue, _)| queue)
                .collect();
        }
        let positive = |number: i64| u64::try_from(number).unwrap_or(0);
        let ran_of =
            |counter: &str| counters.iter().find(|(name, _)| name.strip_prefix("r\0") == Some(counter));
        let mut stats = Stats { paused, ..Stats::default() };
        for (name, number) in &counters {
            if name == "dead" {
                stats.dead_letters = positive(*number);
            }
            let Some(counter) = name.strip_prefix("n\0").filter(|_| *number > 0) else { continue };
            let [queue, tool, kind, state] = counter.split('\0').collect::<Vec<_>>()[..] else {
                return Err(damaged(format!("read counters: {counter:?} is none")));
            };
            let state =
                State::parse(state).ok_or_else(|| damaged(format!("read counters: {state} is no state")))?;
            stats.counts.push(Count {
                queue: queue.to_owned(),
                tool: tool.to_owned(),
                kind: kind.to_owned(),
                state,
                tasks: positive(*number),
                ran: ran_of(counter).map_or(0, |(_, ran)| *ran),
            });
        }
        stats.counts.sort_by(|a, b| {
            (&a.queue, &a.tool, &a.kind, a.state).cmp(&(&b.queue, &b.tool, &b.kind, b.state))
        });
        Ok(stats)
    }

    /// A page of deliveries, newest first.
    pub(super) async fn delivery_page(
        &self,
        owner: Option<&str>,
        state: Option<DeliveryState>,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Delivery>> {
        let index = match (owner, state) {
            (Some(owner), _) => format!("{PREFIX}dl:{owner}"),
            (None, None) => format!("{PREFIX}dl"),
            (None, Some(DeliveryState::Waiting)) => format!("{PREFIX}dls:waiting"),
            (None, Some(DeliveryState::Done)) => format!("{PREFIX}dls:done"),
            (None, Some(DeliveryState::Dead)) => format!("{PREFIX}dls:dead"),
        };
        let (mut items, mut last) = (Vec::new(), cursor.map(|cursor| cursor.0));
        loop {
            let seen = self.entries(std::slice::from_ref(&index), last.as_deref(), Order::Newest).await?;
            let is_end = seen.len() < LOOK;
            let ids: Vec<_> = seen.iter().map(|(id, _)| id.clone()).collect();
            let records = self.records("d:", &ids).await?;
            for (id, fields) in ids.iter().zip(records).filter(|(_, fields)| !fields.is_empty()) {
                let (found, _, place) = delivery(id, &fields)?;
                if state.is_some_and(|state| state != found.state) {
                    continue;
                }
                last = Some(place.to_string());
                items.push(found);
                if items.len() == limit {
                    return Ok(Page { items, next: last.map(Cursor) });
                }
            }
            if is_end {
                return Ok(Page { items, next: None });
            }
            last = seen.last().map(|(_, place)| place.to_string());
        }
    }
}
