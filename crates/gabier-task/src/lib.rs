//! Calls that outlive their request: tasks, the workers that run them, what follows them.
//!
//! [`Tasks`] is the submission of a dispatch and its board. A call of mode hybrid or background is written as a task
//! first; then it runs, here or in another process, and its caller waits as long as it wants to. Every attempt goes
//! through the dispatch again, with the rights that its owner has at that moment.

mod attempt;
mod backing;
mod board;
mod chain;
mod context;
mod end;
mod feedback;
mod follow;
mod house;
mod id;
mod kept;
mod lease;
mod limits;
pub mod manage;
mod output;
mod part;
mod places;
mod plan;
mod retry;
mod schedule;
mod settings;
mod show;
mod stretch;
mod submit;
mod tasks;
pub mod webhook;
mod worker;

pub use backing::{Alone, Backing, Open, Peers, Role};
pub use schedule::{NewSchedule, ShownSchedule, When};
pub use settings::{Bound, Limits, Settings, Webhooks};
pub use show::{MAX_RETRIES, ShownProgress, ShownTask};
pub use tasks::{BACKGROUND, CALLS, DEAD_LETTERS, Tasks};
