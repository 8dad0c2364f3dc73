//! A task whose length, progress and failure its caller chooses.

use std::time::Duration;

use gabier_tool::{Context, Effect, Error, ErrorKind, Mode, Permission, Profile, Result, Retry, Tool, iso};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Services;

/// Demo: add two numbers in the background, in as long as you say, failing if you say so.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("x-annotations" = {"authRequiredHint": true, "streamingHint": true}))]
pub(super) struct TaskSimulator {
    /// Length, in milliseconds.
    #[schemars(range(min = 100, max = 30_000))]
    duration_ms: u32,
    /// First number.
    value1: f64,
    /// Second number.
    value2: f64,
    /// Fail in every attempt.
    #[serde(default)]
    fail_task: bool,
    /// Fail before there is a task.
    #[serde(default)]
    fail_on_init: bool,
    /// Progress notifications before the task starts.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 10))]
    stream_intervals: u32,
    /// Whose it is; given back.
    #[schemars(length(max = 200), extend("x-full" = true))]
    user_id: Option<String>,
}

fn three() -> u32 {
    3
}

/// The sum, and how long it took.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Sum {
    /// The sum.
    #[serde(rename = "calcRes")]
    calc_res: f64,
    /// What was done.
    details: String,
    /// When it began.
    #[serde(rename = "startTime")]
    start_time: String,
    /// When it ended.
    #[serde(rename = "endTime")]
    end_time: String,
    /// How long it took, in milliseconds.
    #[serde(rename = "durationTakenMs")]
    duration_taken_ms: u64,
    /// Whose it is.
    #[serde(rename = "inputUserId", skip_serializing_if = "Option::is_none")]
    input_user_id: Option<String>,
}

impl Tool<Services> for TaskSimulator {
    const NAME: &'static str = "asynchronousTaskSimulatorEnhanced";
    const EFFECT: Effect = Effect::Write;
    const PERMISSION: Permission = Permission::Write;
    const MODE: Mode = Mode::Background;
    const PROFILE: Profile = Profile::Core;
    const RETRY: Retry = super::THRICE;
    const LIMIT: Duration = Duration::from_mins(1);
    const TITLE: &'static str = "Asynchronous task simulator";
    const KEYWORDS: &'static str = "example test background exemple démonstration tâche simulateur";
    const QUEUED: &'static str = "Tâche {id} (Job ID: {id}) pour 'asynchronousTaskSimulatorEnhanced' mise en file d'attente avec succès.";
    type Output = Sum;

    async fn prepare(&mut self, ctx: &Context<Services>) -> Result<()> {
        if ctx.attempt().is_some() {
            return Ok(());
        }
        if self.fail_on_init {
            return Err(Error::new(ErrorKind::Unavailable, "simulated failure before the task was queued")
                .with_retriable(false));
        }
        for step in 1..=self.stream_intervals {
            let message = format!("step {step} of {}", self.stream_intervals);
            ctx.progress(f64::from(step), Some(f64::from(self.stream_intervals)), Some(&message));
            ctx.stream(&json!({"type": "text", "text": message}));
        }
        Ok(())
    }

    async fn run(self, ctx: &Context<Services>) -> Result<Sum> {
        let (began, start) = (ctx.clock().monotonic(), ctx.now());
        for tenth in 1..=10_u32 {
            ctx.clock().sleep(Duration::from_millis(self.duration_ms.into()) / 10).await;
            ctx.progress(f64::from(tenth * 10), Some(100.0), None);
        }
        if self.fail_task {
            return Err(Error::new(ErrorKind::Unavailable, "simulated failure of the task"));
        }
        let took = ctx.clock().monotonic().saturating_sub(began);
        Ok(Sum {
            calc_res: self.value1 + self.value2,
            details: format!("{} + {}", self.value1, self.value2),
            start_time: iso(start),
            end_time: iso(ctx.now()),
            duration_taken_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            input_user_id: self.user_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::testing::call_on;

    async fn check(arguments: &str) -> String {
        call_on::<TaskSimulator>(Services::open(&Settings::default(), None).unwrap(), arguments).await
    }

    #[tokio::test]
    async fn the_sum_comes_with_the_time_it_took() {
        let told = check(r#"{"durationMs": 1000, "value1": 40, "value2": 2, "userId": "u"}"#).await;
        assert!(told.starts_with(r#"{"calcRes":42.0,"details":"40 + 2","#), "{told}");
        assert!(told.ends_with(r#""durationTakenMs":1000,"inputUserId":"u"}"#), "{told}");
    }

    #[tokio::test]
    async fn it_fails_where_it_is_told_to() {
        let early = check(r#"{"duration_ms": 100, "value1": 1, "value2": 2, "fail_on_init": true}"#).await;
        assert_eq!(early, "UNAVAILABLE simulated failure before the task was queued");
        let late = check(r#"{"duration_ms": 100, "value1": 1, "value2": 2, "fail_task": true}"#).await;
        assert_eq!(late, "UNAVAILABLE simulated failure of the task");
    }
}
