//! Tasks: calls that outlived their request, the queues they wait in, and what their webhooks tell.

mod cancel;
mod dead_letters;
mod deliveries;
mod history;
mod output;
mod pause;
mod queue;
mod retry;
mod schedules;
mod selection;
mod stats;
mod status;
mod wait;

use gabier_mcp::ToolResource;
use gabier_task::Tasks;
use gabier_tool::{ToolDef, Toolset};

/// The tools of this toolset.
pub(crate) const TOOLSET: Toolset<Tasks> = Toolset { name: "tasks", tools: TOOLS };

const TOOLS: &[ToolDef<Tasks>] = &[
    ToolDef::of::<queue::TaskQueue>(),
    ToolDef::of::<status::TaskStatus>(),
    ToolDef::of::<wait::TaskWait>(),
    ToolDef::of::<cancel::TaskCancel>(),
    ToolDef::of::<output::TaskOutput>(),
    ToolDef::of::<history::TaskHistory>(),
    ToolDef::of::<retry::TaskRetry>(),
    ToolDef::of::<stats::Stats>(),
    ToolDef::of::<dead_letters::DeadLetterList>(),
    ToolDef::of::<dead_letters::DeadLetterGet>(),
    ToolDef::of::<dead_letters::DeadLetterRetry>(),
    ToolDef::of::<dead_letters::DeadLetterPurge>(),
    ToolDef::of::<schedules::ScheduleAdd>(),
    ToolDef::of::<schedules::ScheduleList>(),
    ToolDef::of::<schedules::ScheduleRemove>(),
    ToolDef::of::<pause::QueuePause>(),
    ToolDef::of::<pause::QueueResume>(),
    ToolDef::of::<deliveries::WebhookList>(),
    ToolDef::of::<deliveries::WebhookReplay>(),
];

/// What tasks wrote, as resources.
pub(crate) fn resources() -> Vec<ToolResource> {
    let resource = |part: &str, stream: &str, description: &str| ToolResource {
        template: format!("task://{{id}}/{part}"),
        name: format!("task {part}"),
        description: description.to_owned(),
        tool: "task_output".to_owned(),
        arguments: [("stream".to_owned(), stream.into()), ("limit".to_owned(), 10_000.into())]
            .into_iter()
            .collect(),
    };
    vec![
        resource("log", "stdout", "What a task wrote to its standard output, as far as it is kept."),
        resource("errors", "stderr", "What a task wrote to its standard error, as far as it is kept."),
    ]
}

/// How many entries a page has when nobody says.
fn page() -> usize {
    50
}
