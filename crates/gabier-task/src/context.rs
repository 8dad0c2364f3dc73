//! What the engine keeps with a task: how it was asked for. Never an address, a token or a secret.

use std::collections::HashMap;

use gabier_store::queue::Task;
use gabier_tool::{Answer, Running, Surface, Terms};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The engine's own part of a task (`NewTask::context`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Context {
    /// Through which face it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) surface: Option<Surface>,
    /// With which profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    /// Whether its answer needs a view.
    pub(crate) wants_view: bool,
    /// On which terms.
    pub(crate) terms: Terms,
    /// Whether its arguments hold secrets, which only the first process knows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_secret: bool,
    /// Answers that came with the call, by the key of their question.
    #[serde(skip_serializing_if = "HashMap::is_empty")]
    pub(crate) given: HashMap<String, Answer>,
    /// The schedule that started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schedule: Option<String>,
}

impl Context {
    /// How a call was made.
    pub(crate) fn of(running: &Running) -> Self {
        Self {
            surface: Some(running.surface),
            profile: running.profile.as_deref().map(str::to_owned),
            wants_view: running.wants_view,
            terms: running.terms.clone(),
            is_secret: false,
            given: running.feedback.given(),
            schedule: None,
        }
    }

    /// How a task was asked for; of a foreign producer nothing is known.
    pub(crate) fn read(task: &Task) -> Self {
        serde_json::from_value(task.asked.context.clone()).unwrap_or_default()
    }

    /// All answers that a task was given, by the key of their question: with its call, and later.
    pub(crate) fn answers(&self, task: &Task) -> HashMap<String, Answer> {
        let later = task
            .answers
            .iter()
            .filter_map(|(key, answer)| Some((key.clone(), serde_json::from_value(answer.clone()).ok()?)));
        self.given.clone().into_iter().chain(later).collect()
    }

    /// As it rests.
    pub(crate) fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
