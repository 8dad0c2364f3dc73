//! The tasks extension (SEP-2663): calls that outlived their request, asked for by polling.

use std::collections::BTreeMap;
use std::time::Duration;

use gabier_tool::{
    Board, Caller, Entry, Envelope, Error, ErrorKind, Phase, Reply, TaskState, Timestamp, iso,
};
use rmcp::ErrorData;
use rmcp::model::{
    CallToolResult, CancelTaskParams, ClientCapabilities, CreateTaskResult, DetailedTask, ElicitRequest,
    GetTaskParams, GetTaskResult, InputRequest, JsonObject, Task, TaskPayload, TaskStatus, UpdateTaskParams,
};
use serde_json::{Value, json};

use crate::ask;
use crate::server::Server;

/// The extension's name, in what clients and servers declare.
pub(crate) const EXTENSION: &str = rmcp::model::TASKS_EXTENSION_ID;

/// True when a request's client takes tasks.
pub(crate) fn are_declared(capabilities: Option<&ClientCapabilities>) -> bool {
    let extensions = capabilities.and_then(|capabilities| capabilities.extensions.as_ref());
    extensions.is_some_and(|extensions| extensions.contains_key(EXTENSION))
}

/// The refusal of a tool that answers by tasks alone, for a client that does not take them.
pub(crate) fn required() -> ErrorData {
    let capabilities = json!({"requiredCapabilities": {"extensions": {EXTENSION: {}}}});
    let code = rmcp::model::ErrorCode(-32021);
    ErrorData::new(code, format!("this tool needs a client that declares {EXTENSION}"), Some(capabilities))
}

impl Server {
    /// The handle of a task that a call became.
    pub(crate) async fn handle(&self, caller: &Caller, id: &str) -> Result<CreateTaskResult, ErrorData> {
        let state = self.board()?.look(caller, id).await.map_err(|error| refused(&error))?;
        let result = CreateTaskResult::new(self.task(&state));
        Ok(result.with_meta(self.shared.stamp.clone()))
    }

    /// `tasks/get`: the task as it is now, with its answer once there is one.
    pub(crate) async fn look(
        &self,
        caller: &Caller,
        params: &GetTaskParams,
    ) -> Result<GetTaskResult, ErrorData> {
        let state = self.board()?.look(caller, &params.task_id).await.map_err(|error| refused(&error))?;
        let task = self.task(&state);
        let mut result = GetTaskResult::new(DetailedTask::new(task, self.payload(state)?));
        result.meta = Some(self.shared.stamp.clone());
        Ok(result)
    }

    /// `tasks/update`: answers to what the task asked.
    pub(crate) async fn update(&self, caller: &Caller, params: UpdateTaskParams) -> Result<(), ErrorData> {
        let answers = ask::answers(Some(&params.input_responses));
        self.board()?.answer(caller, &params.task_id, answers).await.map_err(|error| refused(&error))
    }

    /// `tasks/cancel`: asks the task to end; that it has ended already is no fault.
    pub(crate) async fn cancel(&self, caller: &Caller, params: &CancelTaskParams) -> Result<(), ErrorData> {
        self.board()?.cancel(caller, &params.task_id).await.map_err(|error| refused(&error))
    }

    fn board(&self) -> Result<&dyn Board, ErrorData> {
        let submission = &self.shared.dispatch.guards().submission;
        submission.board().ok_or_else(|| refused(&Error::not_found("there are no tasks here")))
    }

    fn task(&self, state: &TaskState) -> Task {
        let now = self.shared.dispatch.guards().clock.now();
        let status = match state.phase {
            Phase::Working => TaskStatus::Working,
            Phase::InputRequired => TaskStatus::InputRequired,
            Phase::Completed => TaskStatus::Completed,
            Phase::Failed => TaskStatus::Failed,
            Phase::Cancelled => TaskStatus::Cancelled,
        };
        let mut task = Task::new(state.id.as_str(), status, iso(state.created), iso(state.updated))
            .with_poll_interval_ms(pause(state.created, now));
        task.status_message.clone_from(&state.message);
        task.ttl_ms = state.ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        task
    }

    fn payload(&self, state: TaskState) -> Result<TaskPayload, ErrorData> {
        Ok(match (state.phase, state.reply) {
            (Phase::Working, _) => TaskPayload::Working,
            (Phase::Cancelled, _) => TaskPayload::Cancelled,
            (Phase::InputRequired, _) => {
                let mut input_requests = BTreeMap::new();
                for question in &state.questions {
                    let form = ask::form(question).map_err(|error| refused(&error))?;
                    let request = InputRequest::Elicitation(ElicitRequest::new(form));
                    input_requests.insert(question.key.clone(), request);
                }
                TaskPayload::InputRequired { input_requests }
            }
            (Phase::Completed, Some(reply)) => {
                let entry = self.shared.dispatch.catalog().get(&state.tool).cloned();
                TaskPayload::Completed { result: object(&self.finished(reply, entry.as_deref())) }
            }
            (Phase::Completed | Phase::Failed, reply) => {
                TaskPayload::Failed { error: failure(state.status, state.message, reply) }
            }
        })
    }

    /// The answer as the call itself would have given it.
    fn finished(&self, mut reply: Reply, entry: Option<&Entry>) -> CallToolResult {
        if let (Some(entry), Envelope::Success { data, .. }) = (entry, &mut reply.envelope) {
            entry.cut_texts(data);
        }
        self.result(&reply.envelope, true)
    }
}

/// How long a client may wait before it asks again: short for a young task, longer for an old one.
fn pause(created: Timestamp, now: Timestamp) -> u64 {
    let age = (now - created).to_std().unwrap_or_default();
    if age < Duration::from_secs(10) {
        500
    } else if age < Duration::from_mins(2) {
        2_000
    } else {
        5_000
    }
}

/// A task that ended without an answer, as the JSON-RPC error that it is to the protocol.
fn failure(status: &str, message: Option<String>, reply: Option<Reply>) -> JsonObject {
    let told = reply.and_then(|reply| match reply.envelope {
        Envelope::Failure { error, .. } => Some(error),
        Envelope::Success { .. } => None,
    });
    let message = told.as_ref().map(|error| error.message().to_owned()).or(message);
    let mut data = json!({"reason": status});
    if let Some(error) = &told {
        data["code"] = error.kind().code().into();
        data["details"] = Value::Object(error.details().clone());
    }
    let error =
        ErrorData::internal_error(message.unwrap_or_else(|| format!("the task is {status}")), Some(data));
    object(&error)
}

fn object(value: &impl serde::Serialize) -> JsonObject {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => JsonObject::new(),
    }
}

/// An unknown task is a wrong parameter; anything else is the server's own trouble.
fn refused(error: &Error) -> ErrorData {
    match error.kind() {
        ErrorKind::NotFound => ErrorData::invalid_params(error.message().to_owned(), None),
        kind => {
            let data = json!({"code": kind.code(), "retriable": error.is_retriable()});
            ErrorData::internal_error(error.message().to_owned(), Some(data))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_task_is_asked_for_less_often() {
        let created = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
        let after = |seconds| pause(created, created + Duration::from_secs(seconds));
        assert_eq!([after(0), after(9), after(10), after(119), after(120)], [500, 500, 2_000, 2_000, 5_000]);
    }
}
