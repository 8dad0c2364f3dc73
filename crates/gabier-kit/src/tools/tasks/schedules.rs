//! Calls that are made again and again.

use gabier_task::{NewSchedule, ShownSchedule, Tasks, When};
use gabier_tool::{Context, Effect, Error, Outcome, Permission, Result, Status, Tool, iso};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Call a tool again and again, by a cron expression or every so many seconds. A schedule of that name is replaced; runs
/// that were missed collapse into one.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ScheduleAdd {
    /// Its name among yours.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// The tool to call.
    #[schemars(length(min = 1, max = 200))]
    tool: String,
    /// Its arguments.
    #[serde(default)]
    arguments: Map<String, Value>,
    /// Cron expression of five fields, or six with seconds first.
    #[schemars(length(min = 1, max = 200))]
    cron: Option<String>,
    /// Seconds between two starts, instead of a cron expression.
    #[schemars(range(min = 1, max = 31_536_000))]
    every_s: Option<u64>,
    /// Time zone of the cron expression.
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64))]
    tz: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// A schedule that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Made {
    /// Its name.
    name: String,
    /// Its first start (UTC).
    next_at: String,
}

impl Tool<Tasks> for ScheduleAdd {
    const NAME: &'static str = "schedule_add";
    const EFFECT: Effect = Effect::Write;
    const IDEMPOTENT: bool = true;
    const KEYWORDS: &'static str = "cron timer repeat planifier périodique";
    type Output = Made;

    async fn run(self, ctx: &Context<Tasks>) -> Result<Made> {
        let when = match (self.cron, self.every_s) {
            (Some(cron), None) => When::Cron { cron, tz: self.tz },
            (None, Some(every_s)) => When::Every { every_s },
            _ => return Err(Error::invalid("cron", "give either cron or every_s")),
        };
        let new = NewSchedule { name: self.name.clone(), tool: self.tool, arguments: self.arguments, when };
        let next_at = ctx.services.schedule(ctx.caller(), new).await?;
        Ok(Made { name: self.name, next_at: iso(next_at) })
    }
}

/// List your schedules with their next start and how the last one ended.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ScheduleList {}

/// The schedules there are.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Schedules {
    /// The schedules.
    schedules: Vec<ShownSchedule>,
}

impl Tool<Tasks> for ScheduleList {
    const NAME: &'static str = "schedule_list";
    const EFFECT: Effect = Effect::Read;
    const KEYWORDS: &'static str = "cron timers next planifications";
    type Output = Schedules;

    async fn run(self, ctx: &Context<Tasks>) -> Result<Schedules> {
        Ok(Schedules { schedules: ctx.services.schedules(ctx.caller()).await? })
    }
}

/// Remove a schedule; a task that it started goes on.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ScheduleRemove {
    /// Its name.
    #[schemars(length(min = 1, max = 100))]
    name: String,
}

/// What was to be removed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Removed {
    /// Its name.
    name: String,
    /// Whether it was there.
    #[serde(skip)]
    was_there: bool,
}

impl Tool<Tasks> for ScheduleRemove {
    const NAME: &'static str = "schedule_remove";
    const EFFECT: Effect = Effect::Destroy;
    const PERMISSION: Permission = Permission::Write;
    const KEYWORDS: &'static str = "cron timer delete supprimer planification";
    type Output = Removed;

    async fn run(self, ctx: &Context<Tasks>) -> Result<Removed> {
        let was_there = ctx.services.unschedule(ctx.caller(), &self.name).await?;
        Ok(Removed { name: self.name, was_there })
    }

    fn outcome(output: &Removed) -> Outcome {
        Outcome::of(if output.was_there { Status::Deleted } else { Status::NotFound })
    }
}
