//! The tasks there are.

use gabier_task::manage::{Selection, TaskPage};
use gabier_task::{ShownTask, Tasks};
use gabier_tool::{Block, Cell, Column, Context, Effect, Profile, Result, Tone, Tool, View};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::page;
use super::selection::Status;

/// List your tasks, newest first.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TaskQueue {
    /// In this status.
    status: Option<Status>,
    /// Of this tool.
    tool: Option<String>,
    /// To this host.
    alias: Option<String>,
    /// With this text in tool, command, arguments or output.
    search: Option<String>,
    /// Entries of a page.
    #[serde(default = "page")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// `next_cursor` of the page before.
    #[schemars(extend("x-full" = true))]
    cursor: Option<String>,
}

impl Tool<Tasks> for TaskQueue {
    const NAME: &'static str = "task_queue";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Lean;
    const KEYWORDS: &'static str = "jobs background list running file d'attente tâches lister";
    type Output = TaskPage;

    async fn run(self, ctx: &Context<Tasks>) -> Result<TaskPage> {
        let selection = Selection {
            status: self.status.map(Status::word),
            tool: self.tool,
            alias: self.alias,
            search: self.search,
            ..Selection::default()
        };
        ctx.services.list(ctx.caller(), &selection, self.limit, self.cursor).await
    }

    fn view(output: &TaskPage, _: &Value) -> View {
        if output.tasks.is_empty() {
            return View::block(Block::Text { text: "no tasks".to_owned() });
        }
        let column = |label: &str| Column { label: label.to_owned(), right: false };
        View::block(Block::Table {
            title: None,
            columns: ["id", "tool", "host", "status", "made", "what"].map(column).into(),
            rows: output.tasks.iter().map(row).collect(),
        })
    }
}

/// A task in one line: enough to choose one.
fn row(task: &ShownTask) -> Vec<Cell> {
    let tone = match task.status.as_str() {
        "completed" => Tone::Good,
        "running" => Tone::Strong,
        "pending" | "scheduled" | "cancelled" => Tone::Plain,
        "partial" | "input_required" | "pending_approval" => Tone::Warn,
        _ => Tone::Bad,
    };
    let status = match &task.progress {
        Some(progress) if task.status == "running" => match (progress.total, &progress.message) {
            (Some(total), _) if total > 0.0 => format!("running {:.0} %", progress.done / total * 100.0),
            (_, Some(message)) => format!("running: {message}"),
            _ => task.status.clone(),
        },
        _ => task.status.clone(),
    };
    let what = [&task.cmd, &task.remote].into_iter().flatten().find_map(Value::as_str).unwrap_or_default();
    vec![
        task.id.get(..8).unwrap_or(&task.id).into(),
        task.tool.as_str().into(),
        task.alias.as_deref().unwrap_or_default().into(),
        Cell::toned(status, tone),
        task.created_at.get(..19).unwrap_or(&task.created_at).replace('T', " ").into(),
        what.into(),
    ]
}
