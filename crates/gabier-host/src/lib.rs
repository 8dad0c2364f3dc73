//! What a host can do: run commands, move files, forward ports; and which hosts there are.
//!
//! [`Host`] is the seam: tools run [`Command`]s and move files through it and never learn how a host is reached;
//! [`Fleet`] finds a host by its alias. [`Inventory`] keeps the hosts as records and turns the `alias` parameter of a
//! call into a list of them; [`fan_out`] runs one thing on many and [`fold`] puts equal results together.

mod alias;
mod command;
mod diff;
mod execution;
mod fake;
mod fan_out;
mod files;
mod fold;
mod host;
mod inventory;
mod output;
mod path;
mod prompt;
mod quote;
mod record;
mod target;

pub use alias::Alias;
pub use command::{Command, Sink, Stdin, Stream};
pub use execution::{End, Execution, Stopped};
pub use fake::{FakeFleet, FakeHost};
pub use fan_out::{Outcome, Spread, fan_out};
pub use files::{Confinement, Entry, FileKind, Files, LocalPlace, Metadata, Move, MoveProgress, Moved};
pub use fold::{Folded, Group, Ran, fold};
pub use host::{ByteStream, Contact, Fleet, Host, PoolState, Shell};
pub use inventory::{Added, Inventory, Upsert};
pub use output::{Captured, Output};
pub use path::RemotePath;
pub use prompt::{Answer, Asked, Pattern, Prompts, Response};
pub use quote::{quote, quote_all};
pub use record::{HostChange, HostRecord};
pub use target::{Credential, Endpoint, HostKeyPolicy, PinnedKey, SecretSource, Secrets, Strength, Target};
