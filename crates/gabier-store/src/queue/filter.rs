//! Which tasks are meant.

use serde::{Deserialize, Serialize};

use super::{Ms, State, Task, TaskId};

/// Which tasks are meant: those that fit everything that is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// These alone.
    pub ids: Option<Vec<TaskId>>,
    /// Of this owner.
    pub owner: Option<String>,
    /// In one of these states; any when empty.
    pub states: Vec<State>,
    /// Of this queue.
    pub queue: Option<String>,
    /// Of this tool.
    pub tool: Option<String>,
    /// To this host.
    pub alias: Option<String>,
    /// Parts of this task.
    pub parent: Option<TaskId>,
    /// Created at or after.
    pub since: Option<Ms>,
    /// Created before.
    pub before: Option<Ms>,
    /// With this text in the tool's name, the label, the arguments or the stored output, in any case of letters.
    pub search: Option<String>,
    /// Only dead letters, or only others.
    pub dead_letter: Option<bool>,
    /// In which order a page comes.
    pub order: Order,
}

/// In which order tasks are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The last added first.
    #[default]
    Newest,
    /// The first added first.
    Oldest,
}

impl Filter {
    /// All tasks of an owner, or of all.
    pub fn owned_by(owner: Option<&str>) -> Self {
        Self { owner: owner.map(str::to_owned), ..Self::default() }
    }

    /// Whether a task fits, but for a text to search in its stored output.
    pub fn fits(&self, task: &Task) -> bool {
        let asked = &task.asked;
        self.ids.as_ref().is_none_or(|ids| ids.contains(&asked.id))
            && self.owner.as_ref().is_none_or(|owner| *owner == asked.owner)
            && (self.states.is_empty() || self.states.contains(&task.state))
            && self.queue.as_ref().is_none_or(|queue| *queue == asked.queue)
            && self.tool.as_ref().is_none_or(|tool| *tool == asked.tool)
            && self.alias.as_ref().is_none_or(|alias| asked.alias.as_ref() == Some(alias))
            && self.parent.as_ref().is_none_or(|parent| asked.parent.as_ref() == Some(parent))
            && self.since.is_none_or(|since| task.created >= since)
            && self.before.is_none_or(|before| task.created < before)
            && self.dead_letter.is_none_or(|dead_letter| task.dead_letter == dead_letter)
    }
}

/// Where the next page begins; text that only its store understands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where the next page begins, when there may be one.
    pub next: Option<Cursor>,
}
