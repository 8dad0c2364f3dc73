//! A step as its script takes it.

use gabier_store::queue::{End, Ended, State, Step};
use gabier_store::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::bytes;
use crate::records::nonce;

/// Where in the arguments of a step it says that the step is sent again.
pub(super) const AGAIN: usize = 6;

/// The arguments of a step; the moment until which it may be taken is left out, at place 1.
pub(super) fn step_args(step: &Step) -> Result<Vec<Vec<u8>>> {
    let mut args = vec![
        nonce()?,
        Vec::new(),
        bytes(&step.worker.0),
        bytes(&step.queue),
        bytes(step.want),
        bytes(step.lease),
        bytes(0),
        bytes(step.done.len()),
    ];
    for ended in &step.done {
        args.extend(end_args(ended)?);
    }
    Ok(args)
}

/// The end of an attempt as the script takes it.
fn end_args(ended: &Ended) -> Result<[Vec<u8>; 10]> {
    let json = |value: Option<&Value>| value.map(bytes).unwrap_or_default();
    let none = Vec::new;
    let (id, fence) = (bytes(&ended.id), bytes(ended.fence.0));
    Ok(match &ended.how {
        End::Finish { state, result, error, dead_letter } => {
            if !(State::Running.may_become(*state) && state.is_terminal()) {
                let message = format!("end the task {}: no attempt ends as {state}", ended.id);
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            let reason = reason(*state, error.as_ref());
            let failure = if *dead_letter { failure(&reason, error.as_ref()) } else { none() };
            let how = bytes("finish");
            let (result, error) = (json(result.as_ref()), json(error.as_ref()));
            [id, fence, how, bytes(state), result, error, failure, bytes(reason), none(), none()]
        }
        End::Retry { at, error } => {
            let reason = bytes(reason(State::Failed, Some(error)));
            [id, fence, bytes("retry"), none(), none(), bytes(error), none(), reason, bytes(at), none()]
        }
        End::Release => [id, fence, bytes("release"), none(), none(), none(), none(), none(), none(), none()],
        End::Ask(questions) => {
            let questions = bytes(Value::Object(questions.clone()));
            [id, fence, bytes("ask"), none(), none(), none(), none(), none(), none(), questions]
        }
    })
}

/// Why a job failed, in the one line that BullMQ shows.
fn reason(state: State, error: Option<&Value>) -> String {
    let said = error.and_then(|error| error.get("message").unwrap_or(error).as_str());
    match (state, said) {
        (State::Cancelled, _) | (_, None) => state.to_string(),
        (_, Some(said)) => said.to_owned(),
    }
}

/// Why a dead letter failed: `{message, name, type, details?}`.
fn failure(reason: &str, error: Option<&Value>) -> Vec<u8> {
    let mut failure = json!({"message": reason, "name": "Error", "type": "failed"});
    if let (Value::Object(failure), Some(error)) = (&mut failure, error) {
        match error {
            Value::Object(error) => failure.extend(error.clone()),
            other => drop(failure.insert("details".to_owned(), other.clone())),
        }
    }
    bytes(failure)
}
