//! The answer of a task as it is kept: one form, from which every face's answer is made again.

use gabier_store::queue::{Ms, State, Task};
use gabier_tool::{
    Done, Envelope, Error, ErrorKind, Outcome, REDACTED, Reply, Result, Sanitised, Status, Timestamp, View,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a successful attempt leaves (`Task::result`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct KeptResult {
    pub(crate) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) partial: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exit_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) beside: bool,
    pub(crate) data: Value,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) sanitised: Sanitised,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) view: View,
}

/// Why an attempt failed (`Task::error`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptError {
    /// The word of the kind; empty in what a store wrote by itself.
    #[serde(default)]
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) details: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
    #[serde(default)]
    pub(crate) retriable: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl KeptResult {
    /// The success of an attempt.
    pub(crate) fn of(outcome: Outcome, data: Value, sanitised: Sanitised, view: View) -> Self {
        let Outcome { status, message, partial, exit_code, next, beside, handed_over: _ } = outcome;
        Self { status, message, partial, exit_code, next, beside, data, sanitised, view }
    }

    /// Redacts the values at those paths: they are shown once, to whoever waits, and never kept.
    #[must_use]
    pub(crate) fn without(mut self, reveals: &[Vec<String>]) -> Self {
        for path in reveals {
            if let Some(place) = path.iter().try_fold(&mut self.data, |value, key| value.get_mut(key)) {
                *place = REDACTED.into();
                self.view = View::default();
            }
        }
        self
    }

    /// What a call that waited gives.
    pub(crate) fn into_done(self) -> Done {
        let Self { status, message, partial, exit_code, next, beside, data, sanitised, view } = self;
        let outcome = Outcome { status, message, partial, exit_code, next, beside, handed_over: None };
        Done { data, outcome, view, sanitised }
    }
}

impl KeptError {
    /// The failure of an attempt.
    pub(crate) fn of(error: &Error) -> Self {
        Self {
            code: error.kind().code().to_owned(),
            message: error.message().to_owned(),
            details: error.details().clone(),
            next: error.next().map(str::to_owned),
            retriable: error.is_retriable(),
        }
    }

    /// What kind of failure it was. What a store or a foreign worker wrote has no word of ours.
    pub(crate) fn kind(&self) -> ErrorKind {
        ErrorKind::of_code(&self.code).unwrap_or(ErrorKind::ResultUnknown)
    }

    /// The failure again.
    pub(crate) fn into_error(self) -> Error {
        let kind = self.kind();
        let error = Error::new(kind, self.message).with_retriable(self.retriable);
        let error = self.details.into_iter().fold(error, |error, (key, value)| error.with(&key, value));
        match self.next {
            Some(next) => error.with_next(next),
            None => error,
        }
    }

    /// As it rests.
    pub(crate) fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// What a call that waited for an ended task gives.
pub(crate) fn answer(task: &Task) -> Result<Done> {
    match result(task) {
        Some(result) => Ok(result.into_done()),
        None => Err(error(task)),
    }
}

/// The answer of an ended task as faces get it.
pub(crate) fn reply(task: &Task) -> Reply {
    let at = timestamp(task.finished.unwrap_or(task.updated));
    match result(task) {
        Some(result) => {
            let Done { data, outcome, view, sanitised } = result.into_done();
            Reply { envelope: Envelope::Success { outcome, data, sanitised }, view }
        }
        None => Reply { envelope: Envelope::Failure { error: error(task), at }, view: View::default() },
    }
}

/// The kept success of an ended task.
pub(crate) fn result(task: &Task) -> Option<KeptResult> {
    if !matches!(task.state, State::Completed | State::Partial) {
        return None;
    }
    let result = task.result.as_ref()?;
    // What a foreign producer's worker left is the tool's own object.
    Some(
        serde_json::from_value(result.clone())
            .unwrap_or_else(|_| KeptResult { data: result.clone(), ..KeptResult::default() }),
    )
}

/// Why a task has no result, as an error that names it.
pub(crate) fn error(task: &Task) -> Error {
    let kept = task.error.clone().and_then(|error| serde_json::from_value::<KeptError>(error).ok());
    let id = task.asked.id.as_str();
    let tool = &task.asked.tool;
    let error = match (task.state, kept) {
        (State::Failed | State::TimedOut | State::Unknown | State::Cancelled, Some(kept)) => {
            kept.into_error()
        }
        (State::Cancelled, None) => {
            let why = task.cancel.as_deref().unwrap_or("by request");
            Error::new(ErrorKind::Cancelled, format!("{tool} was cancelled {why}"))
        }
        (State::Expired, _) => {
            Error::new(ErrorKind::Timeout, format!("the deadline of {tool} passed before it started"))
                .with_retriable(false)
        }
        (State::Crashed, kept) => {
            let error = Error::new(
                ErrorKind::ResultUnknown,
                format!("{tool} was running when its process ended; it may have done a part of its work"),
            )
            .with_next(format!("look what it did, then task_retry {{\"id\": \"{id}\"}}"));
            match kept {
                Some(kept) => error.with("reason", kept.message),
                None => error,
            }
        }
        (state, kept) => kept.map_or_else(
            || Error::new(ErrorKind::Unavailable, format!("{tool} ended as {state} without an answer")),
            KeptError::into_error,
        ),
    };
    error.with("task_id", id)
}

/// A moment of the store as a timestamp.
pub(crate) fn timestamp(at: Ms) -> Timestamp {
    Timestamp::from_timestamp_millis(at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_success_comes_back_as_it_was() {
        let outcome = Outcome { exit_code: Some(7), partial: true, ..Outcome::warning("it ended with 7") };
        let data = json!({"exit_code": 7});
        let kept = KeptResult::of(outcome.clone(), data.clone(), Sanitised::default(), View::of(&data));
        let text = serde_json::to_string(&kept).unwrap();
        let done = serde_json::from_str::<KeptResult>(&text).unwrap().into_done();
        assert_eq!((done.outcome, done.view), (outcome, View::of(&data)));
        assert_eq!(done.data, data);
    }

    #[test]
    fn a_failure_comes_back_with_its_details_and_its_word_on_retries() {
        let error = Error::new(ErrorKind::ConnectionFailed, "reaching web1 failed")
            .with("alias", "web1")
            .with_next("host_test web1")
            .with_retriable(false);
        let kept: KeptError = serde_json::from_value(KeptError::of(&error).to_value()).unwrap();
        let again = kept.into_error();
        assert_eq!(again.kind(), ErrorKind::ConnectionFailed);
        assert_eq!(again.message(), "reaching web1 failed");
        assert_eq!((again.details()["alias"].as_str(), again.next()), (Some("web1"), Some("host_test web1")));
        assert!(!again.is_retriable());
    }

    #[test]
    fn what_is_shown_once_is_not_kept() {
        let data = json!({"token": "t0p", "name": "ci"});
        let kept = KeptResult::of(Outcome::default(), data, Sanitised::default(), View::default());
        assert_eq!(
            kept.without(&[vec!["token".to_owned()]]).data,
            json!({"token": "[REDACTED]", "name": "ci"})
        );
    }
}
