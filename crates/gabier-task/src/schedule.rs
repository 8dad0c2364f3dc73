//! Tasks that start by the clock: records, any worker may fire them, each time once.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeZone};
use chrono_tz::Tz;
use croner::Cron;
use gabier_store::queue::{Ms, Task, TaskId};
use gabier_store::{Expect, Record};
use gabier_tool::{Caller, Error, ErrorKind, Result, Timestamp, iso};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::backing::Backing;
use crate::context::Context;
use crate::kept::timestamp;
use crate::plan::{Origin, refuse_secrets};
use crate::submit::id_of;
use crate::tasks::{Engine, Tasks, scope};

/// The kind of the records.
const KIND: &str = "schedule";

/// What is to start, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSchedule {
    /// Its name among its owner's.
    pub name: String,
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
    /// When.
    pub when: When,
}

/// When something starts, again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// By a cron expression of five fields, or six with seconds first, in a time zone of the IANA database.
    Cron {
        /// The expression.
        cron: String,
        /// The zone.
        tz: String,
    },
    /// Every so many seconds.
    Every {
        /// How many.
        every_s: u64,
    },
}

/// A schedule as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShownSchedule {
    /// Its name.
    pub name: String,
    /// Whose it is, where that is not the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
    /// The cron expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Every so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_s: Option<u64>,
    /// The time zone of the expression.
    pub tz: String,
    /// When it starts next.
    pub next_at: String,
    /// The task it started last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_id: Option<String>,
    /// How that one stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_status: Option<String>,
}

/// A schedule as it rests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Schedule {
    name: String,
    owner: String,
    tool: String,
    arguments: Map<String, Value>,
    when: When,
    /// When it was made; the beginning of `every`.
    since: Ms,
    next_at: Ms,
    last_id: Option<TaskId>,
}

impl When {
    /// The first start after a moment; starts that were missed are left out. None when there is none any more.
    fn after(&self, since: Ms, moment: Ms) -> Result<Option<Ms>> {
        match self {
            Self::Every { every_s } => {
                let every = i64::try_from(*every_s).unwrap_or(i64::MAX).saturating_mul(1000).max(1000);
                let passed = (moment - since).max(0) / every + 1;
                Ok(Some(since.saturating_add(every.saturating_mul(passed))))
            }
            Self::Cron { cron, tz } => {
                let (cron, tz) = (read_cron(cron)?, read_zone(tz)?);
                let moment: DateTime<Tz> = tz.from_utc_datetime(&timestamp(moment).naive_utc());
                Ok(cron.find_next_occurrence(&moment, false).ok().map(|next| next.timestamp_millis()))
            }
        }
    }
}

fn read_cron(text: &str) -> Result<Cron> {
    Cron::from_str(text).map_err(|error| Error::invalid("cron", format!("is no cron expression: {error}")))
}

fn read_zone(text: &str) -> Result<Tz> {
    Tz::from_str(text)
        .map_err(|_| Error::invalid("tz", format!("{text:?} is no time zone of the IANA database")))
}

impl Schedule {
    fn key(owner: &str, name: &str) -> String {
        format!("{owner}/{name}")
    }

    fn read(record: &Record) -> Option<Self> {
        serde_json::from_value(record.value.clone())
            .map_err(|error| tracing::warn!(%error, key = record.key, "reading a schedule"))
            .ok()
    }

    fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn shown(&self, caller: &Caller, last: Option<&Task>) -> ShownSchedule {
        let (cron, every_s, tz) = match &self.when {
            When::Cron { cron, tz } => (Some(cron.clone()), None, tz.clone()),
            When::Every { every_s } => (None, Some(*every_s), "UTC".to_owned()),
        };
        ShownSchedule {
            name: self.name.clone(),
            owner: (*caller.subject != *self.owner).then(|| self.owner.clone()),
            tool: self.tool.clone(),
            arguments: self.arguments.clone(),
            cron,
            every_s,
            tz,
            next_at: iso(timestamp(self.next_at)),
            last_id: self.last_id.as_ref().map(ToString::to_string),
            last_status: last.map(|task| task.state.name().to_owned()),
        }
    }
}

impl Tasks {
    /// Makes or replaces a schedule of the caller's and gives its first start. It runs as the caller, with the rights
    /// of each moment.
    pub async fn schedule(&self, caller: &Caller, new: NewSchedule) -> Result<Timestamp> {
        let engine = &self.0;
        let dispatch = engine.dispatch()?;
        let entry = dispatch.catalog().find(&new.tool)?;
        let arguments = entry.check(new.arguments.clone())?;
        dispatch.guards().authority.authorise(caller, entry, entry.facts.needs, &arguments)?;
        refuse_secrets(entry, &arguments, "arguments")?;
        let now = engine.now_ms();
        let next_at = new.when.after(now, now)?;
        let next_at = next_at.ok_or_else(|| Error::invalid("cron", "names no time that is still to come"))?;
        let schedule = Schedule {
            owner: caller.subject.to_string(),
            tool: entry.facts.name.to_owned(),
            arguments: new.arguments,
            when: new.when,
            since: now,
            next_at,
            last_id: None,
            name: new.name,
        };
        let key = Schedule::key(&schedule.owner, &schedule.name);
        let records = engine.records()?;
        let put = records.put(KIND, &key, schedule.to_value(), Expect::Any);
        engine.ask("writing a schedule", put).await?;
        Ok(timestamp(next_at))
    }

    /// The caller's schedules; all of them for an admin.
    pub async fn schedules(&self, caller: &Caller) -> Result<Vec<ShownSchedule>> {
        let engine = &self.0;
        let (records, queue) = (engine.records()?, engine.queue()?);
        let listed = engine.ask("listing schedules", records.list(KIND)).await?;
        let mut shown = Vec::new();
        for schedule in listed.iter().filter_map(Schedule::read) {
            if scope(caller).is_some_and(|owner| owner != schedule.owner) {
                continue;
            }
            let last = match &schedule.last_id {
                Some(id) => engine.ask("reading a task", queue.get(id)).await?,
                None => None,
            };
            shown.push(schedule.shown(caller, last.as_ref()));
        }
        Ok(shown)
    }

    /// Removes a schedule of the caller's (an admin: of anybody's, when the name is one alone); false when there is
    /// none.
    pub async fn unschedule(&self, caller: &Caller, name: &str) -> Result<bool> {
        let engine = &self.0;
        let records = engine.records()?;
        let own = Schedule::key(&caller.subject, name);
        if engine.ask("removing a schedule", records.remove(KIND, &own, Expect::Any)).await? {
            return Ok(true);
        }
        if scope(caller).is_some() {
            return Ok(false);
        }
        let listed = engine.ask("listing schedules", records.list(KIND)).await?;
        let named = listed
            .iter()
            .filter(|record| Schedule::read(record).is_some_and(|schedule| schedule.name == name));
        match named.collect::<Vec<_>>()[..] {
            [] => Ok(false),
            [record] => {
                engine.ask("removing a schedule", records.remove(KIND, &record.key, Expect::Any)).await
            }
            _ => Err(Error::new(ErrorKind::Conflict, format!("several callers have a schedule {name:?}"))),
        }
    }
}

impl Engine {
    /// Starts what is due. The task is written before the record moves on: a process that dies between the two leaves
    /// a start that the next one finds under the same key.
    pub(crate) async fn fire(&self, backing: &Backing) -> Result<()> {
        let now = self.ask("asking the store's time", backing.queue.now()).await?;
        for record in self.ask("listing schedules", backing.records.list(KIND)).await? {
            let Some(schedule) = Schedule::read(&record) else { continue };
            if schedule.next_at > now {
                continue;
            }
            match self.start(backing, &record, schedule, now).await {
                Ok(()) => {}
                // Another process was first, or the queue has no room now.
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::QueueFull) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn start(&self, backing: &Backing, record: &Record, schedule: Schedule, now: Ms) -> Result<()> {
        let origin = Origin {
            tool: &schedule.tool,
            arguments: schedule.arguments.clone(),
            owner: &schedule.owner,
            key: format!("schedule:{}:{}", schedule.name, schedule.next_at),
            parent: None,
            context: Context { schedule: Some(schedule.name.clone()), ..Context::default() },
        };
        let stored = self.enqueue(backing, self.made(origin)?).await?;
        // A schedule that starts never again stays, with a time that does not come.
        let next_at = schedule.when.after(schedule.since, now)?.unwrap_or(Ms::MAX / 2);
        let moved = Schedule { next_at, last_id: Some(id_of(&stored).clone()), ..schedule };
        let put = backing.records.put(KIND, &record.key, moved.to_value(), Expect::Version(record.version));
        self.ask("writing a schedule", put).await.map(drop)
    }

    /// How long no schedule is due; none where there is no schedule.
    pub(crate) async fn next_schedule(&self, backing: &Backing) -> Option<Duration> {
        let listed = backing.records.list(KIND).await.ok()?;
        let next = listed.iter().filter_map(Schedule::read).map(|schedule| schedule.next_at).min()?;
        let wait = u64::try_from(next - self.now_ms()).unwrap_or(0);
        Some(Duration::from_millis(wait.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Ms {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    fn check(cron: &str, tz: &str, moment: &str) -> String {
        let when = When::Cron { cron: cron.to_owned(), tz: tz.to_owned() };
        match when.after(0, at(moment)) {
            Ok(Some(next)) => iso(timestamp(next)),
            Ok(None) => "never".to_owned(),
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn cron_follows_the_clock_of_its_zone_through_summer_time() {
        assert_eq!(check("0 8 * * *", "Europe/Paris", "2026-03-28T12:00:00Z"), "2026-03-29T06:00:00.000Z");
        assert_eq!(check("0 8 * * *", "Europe/Paris", "2026-03-27T12:00:00Z"), "2026-03-28T07:00:00.000Z");
        assert_eq!(check("*/10 * * * * *", "UTC", "2026-01-01T00:00:05Z"), "2026-01-01T00:00:10.000Z");
    }

    #[test]
    fn what_is_no_cron_or_no_zone_is_named() {
        assert!(
            check("61 * * * *", "UTC", "2026-01-01T00:00:00Z").starts_with("cron: is no cron expression")
        );
        assert!(check("* * * * *", "Mars/Base", "2026-01-01T00:00:00Z").starts_with("tz: \"Mars/Base\""));
    }

    #[test]
    fn missed_starts_collapse_into_the_next_one() {
        let when = When::Every { every_s: 10 };
        assert_eq!(when.after(1_000, 1_000).unwrap(), Some(11_000));
        assert_eq!(when.after(1_000, 11_000).unwrap(), Some(21_000));
        assert_eq!(when.after(1_000, 3_600_000).unwrap(), Some(3_601_000));
    }
}
