//! What a tool is, the list that binds tools, and the one way to call them.
//!
//! A tool is the struct of its arguments plus [`Tool::run`]. A [`Catalog`] binds tools to the services they reach.
//! [`Dispatch::call`] is the only thing that runs one; faces turn requests into a [`Call`] and render the [`Reply`].

pub mod guard;
pub mod schema;

mod board;
mod call;
mod caller;
mod catalog;
mod clock;
mod dispatch;
mod effect;
mod envelope;
mod error;
mod health;
mod id;
mod lint;
mod nearest;
mod neutralise;
mod redact;
mod shape;
mod terms;
mod tool;
mod types;
mod view;

pub use board::{Board, Phase, TaskState};
pub use call::{
    Abilities, Answer, Attempt, Call, Context, Feedback, Level, Listening, OutputStream, Patience, Progress,
    Question, Running, Silent, Surface,
};
pub use caller::{Caller, CallerKind, Resource, ResourceKind};
pub use catalog::{Catalog, Entry, Schemas, ToolInfo};
pub use clock::{Clock, Timestamp, iso};
pub use dispatch::Dispatch;
pub use effect::{Effect, Mode, Permission, Permissions, Profile, Retry};
pub use envelope::{Envelope, Outcome, Reply, Status};
pub use error::{Error, ErrorKind, Result, Row};
pub use guard::Guards;
pub use health::{Health, PartState};
pub use id::request_id;
pub use lint::{lint, lint_names};
pub use nearest::nearest;
pub use neutralise::{Sanitised, neutralise};
pub use redact::{REDACTED, Redactor};
pub use shape::without_secrets;
pub use terms::{Following, Terms};
pub use tool::{Done, Facts, Forward, Plan, Started, Tool, ToolDef, Toolset};
pub use types::{HostRef, HostsRef, LocalPath, Reveal, Secret, Text};
pub use view::{Block, Cell, Column, Field, Tone, View};
