//! Webhooks that are to be delivered: rows written with the change they tell of.

use serde::{Deserialize, Serialize};

use super::{Ms, TaskId};

/// One event that a receiver is to hear of. What it says follows from the task, whose telling parts do not change
/// any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// `msg_<task>_<event>`, the same at every try.
    pub id: String,
    /// The task.
    pub task: TaskId,
    /// What happened.
    pub event: DeliveryEvent,
    /// Where it goes.
    pub url: String,
    /// How it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is next due.
    pub next: Option<Ms>,
    /// How the last try ended, in a few words.
    pub last: Option<String>,
    /// When the event happened.
    pub created: Ms,
}

/// What a webhook tells of. `processing` is written with the first claim, one of the others with the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryEvent {
    /// The first attempt started.
    Processing,
    /// The task completed, if only in part.
    Completed,
    /// It failed, crashed, expired or took too long, or nobody knows.
    Error,
    /// It was cancelled.
    Cancelled,
}

impl DeliveryEvent {
    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }

    /// The event of a task that ended so.
    pub const fn of(state: super::State) -> Self {
        use super::State;
        match state {
            State::Completed | State::Partial => Self::Completed,
            State::Cancelled => Self::Cancelled,
            _ => Self::Error,
        }
    }

    /// The id of a task's delivery.
    pub fn id(self, task: &TaskId) -> String {
        format!("msg_{task}_{}", self.name())
    }
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// To be made.
    Waiting,
    /// Made.
    Done,
    /// Given up.
    Dead,
}

/// How a try to deliver ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// The receiver took it.
    Done {
        /// In a few words.
        last: String,
    },
    /// It is tried again at that time.
    Again {
        /// When.
        at: Ms,
        /// Why, in a few words.
        last: String,
    },
    /// It is given up; later deliveries of the task go on.
    Dead {
        /// Why, in a few words.
        last: String,
    },
}
