//! What a task wrote.

use gabier_task::Tasks;
use gabier_task::manage::{OutputLines, OutputQuery};
use gabier_tool::{Context, Effect, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Read what a task wrote: lines from an offset, the last ones, or those that match.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TaskOutput {
    /// Its id, or 8 or more first characters.
    #[schemars(length(min = 8, max = 64))]
    id: String,
    /// Which output.
    #[serde(default)]
    stream: Stream,
    /// First line, counted from 0.
    #[schemars(range(max = 1_000_000_000))]
    offset: Option<u64>,
    /// The last so many lines instead.
    #[schemars(range(min = 1, max = 10_000))]
    tail: Option<usize>,
    /// Lines at most.
    #[schemars(range(min = 1, max = 10_000))]
    limit: Option<usize>,
    /// Only lines that match this regular expression.
    #[schemars(length(max = 1000))]
    grep: Option<String>,
}

/// What a task writes to.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Stream {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// Log lines.
    Log,
}

impl Tool<Tasks> for TaskOutput {
    const NAME: &'static str = "task_output";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Lean;
    const KEYWORDS: &'static str = "job log stdout stderr lines sortie journal tâche";
    type Output = OutputLines;

    async fn run(self, ctx: &Context<Tasks>) -> Result<OutputLines> {
        let stream = serde_json::json!(self.stream).as_str().unwrap_or_default().to_owned();
        let query =
            OutputQuery { stream, offset: self.offset, tail: self.tail, limit: self.limit, grep: self.grep };
        ctx.services.output(ctx.caller(), &self.id, &query).await
    }
}
