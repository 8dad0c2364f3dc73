//! The tools that answer by tasks.

use std::time::Duration;

use futures::future::join;
use gabier_kit::tool::{
    Answer, Context, Effect, Error, ErrorKind, Mode, Question, Result, Tool, ToolDef, Toolset,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// All of them.
pub(crate) const TOOLSETS: &[Toolset<()>] = &[Toolset { name: "tasks_suite", tools: TOOLS }];

const TOOLS: &[ToolDef<()>] = &[
    ToolDef::of::<SlowCompute>(),
    ToolDef::of::<FailingJob>(),
    ToolDef::of::<ProtocolErrorJob>(),
    ToolDef::of::<ConfirmDelete>(),
    ToolDef::of::<MultiInput>(),
    ToolDef::of::<WithTask>(),
];

/// Those that a client without tasks is refused.
pub(crate) fn needs_tasks(tool: &str) -> bool {
    matches!(tool, "failing_job" | "test_tool_with_task")
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Said {
    /// In words.
    text: String,
}

/// Takes as long as it is told to.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SlowCompute {
    /// How long, in seconds.
    #[schemars(range(min = 0, max = 600))]
    seconds: f64,
    /// What it is called.
    #[serde(default)]
    label: String,
}

impl Tool<()> for SlowCompute {
    const NAME: &'static str = "slow_compute";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Background;
    const LIMIT: Duration = Duration::from_mins(15);
    type Output = Said;

    async fn run(self, ctx: &Context<()>) -> Result<Said> {
        ctx.clock().sleep(Duration::from_secs_f64(self.seconds)).await;
        Ok(Said { text: format!("{} took {} s", self.label, self.seconds) })
    }
}

/// Fails after a second.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct FailingJob {}

impl Tool<()> for FailingJob {
    const NAME: &'static str = "failing_job";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Background;
    type Output = Said;

    async fn run(self, ctx: &Context<()>) -> Result<Said> {
        ctx.clock().sleep(Duration::from_secs(1)).await;
        Err(Error::new(ErrorKind::NotAvailable, "this job always fails"))
    }
}

/// Panics.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ProtocolErrorJob {}

impl Tool<()> for ProtocolErrorJob {
    const NAME: &'static str = "protocol_error_job";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Background;
    type Output = Said;

    async fn run(self, _: &Context<()>) -> Result<Said> {
        panic!("as the suite asks")
    }
}

/// Asks before it deletes; and deletes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ConfirmDelete {
    /// What would be deleted.
    filename: String,
}

impl Tool<()> for ConfirmDelete {
    const NAME: &'static str = "confirm_delete";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Background;
    type Output = Said;

    async fn run(self, ctx: &Context<()>) -> Result<Said> {
        let confirm = json!({"type": "object", "properties": {"confirm": {"type": "boolean"}}});
        let question = question("confirm", &format!("Delete {}?", self.filename), confirm);
        Ok(match ctx.ask(&question).await? {
            Answer::Accepted(_) => Said { text: format!("{} would be gone", self.filename) },
            Answer::Declined => Said { text: format!("{} stays", self.filename) },
        })
    }
}

/// Asks two things at once.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct MultiInput {}

impl Tool<()> for MultiInput {
    const NAME: &'static str = "multi_input";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Background;
    type Output = Said;

    async fn run(self, ctx: &Context<()>) -> Result<Said> {
        let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
        let (first, second) =
            (question("first", "A name?", schema.clone()), question("second", "Another?", schema));
        let (first, second) = join(ctx.ask(&first), ctx.ask(&second)).await;
        Ok(Said { text: format!("{:?} and {:?}", first?, second?) })
    }
}

/// Asks for a name before there is a task, and knows it in the task.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct WithTask {
    /// Whom it greets.
    #[serde(skip)]
    name: String,
}

impl Tool<()> for WithTask {
    const NAME: &'static str = "test_tool_with_task";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Background;
    type Output = Said;

    async fn prepare(&mut self, ctx: &Context<()>) -> Result<()> {
        let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
        if let Answer::Accepted(content) = ctx.ask(&question("user_name", "Your name?", schema)).await? {
            content.get("name").and_then(Value::as_str).unwrap_or_default().clone_into(&mut self.name);
        }
        Ok(())
    }

    async fn run(self, _: &Context<()>) -> Result<Said> {
        Ok(Said { text: format!("Hello, {}!", self.name) })
    }
}

fn question(key: &str, text: &str, schema: Value) -> Question {
    Question { key: key.to_owned(), text: text.to_owned(), schema }
}
