//! What `doctor` looks at, and how it says it.

use std::path::Path;

use serde::Serialize;

use crate::config::Loaded;

/// A look at one part of an installation.
pub trait Check: Send + Sync + 'static {
    /// What was found, one finding a matter.
    fn look(&self, installation: &Installation<'_>) -> Vec<Finding>;
}

/// What a check may look at.
pub struct Installation<'a> {
    /// The settings.
    pub loaded: &'a Loaded,
    /// The data directory.
    pub data_dir: &'a Path,
}

/// One matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it stands.
    pub state: State,
    /// What it is about.
    pub subject: String,
    /// What was found.
    pub message: String,
    /// One command that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

/// How a matter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// To be looked at.
    Warn,
    /// Wrong.
    Fail,
}

impl Finding {
    /// Something as it should be.
    pub fn ok(subject: &str, message: impl Into<String>) -> Self {
        Self { state: State::Ok, subject: subject.to_owned(), message: message.into(), cure: None }
    }

    /// Something to be looked at.
    pub fn warn(subject: &str, message: impl Into<String>) -> Self {
        Self { state: State::Warn, ..Self::ok(subject, message) }
    }

    /// Something wrong.
    pub fn fail(subject: &str, message: impl Into<String>) -> Self {
        Self { state: State::Fail, ..Self::ok(subject, message) }
    }

    /// With the command that mends it.
    #[must_use]
    pub fn with_cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }
}
