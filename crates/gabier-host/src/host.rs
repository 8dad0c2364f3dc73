//! What a host can do, whoever reaches it and how.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use gabier_tool::Result;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::command::Command;
use crate::execution::Execution;
use crate::files::Files;
use crate::prompt::Prompts;

/// A host. Errors mean that nothing was run; what was run gives an [`Execution`], however it ended.
///
/// Dropping a future of `exec`, `interact` or `Shell::step` stops the command on the host, unseen; to learn how that
/// went, cancel it by [`Command::cancel`] and await it.
pub trait Host: Send + Sync + 'static {
    /// The name it is known by.
    fn alias(&self) -> &str;

    /// Runs a command without a terminal.
    fn exec(&self, command: Command) -> BoxFuture<'_, Result<Execution>>;

    /// Runs a command on a terminal of its own and answers its questions.
    fn interact(&self, command: Command, prompts: Prompts) -> BoxFuture<'_, Result<Execution>>;

    /// Opens a shell that keeps its directory and variables from step to step.
    fn shell(&self) -> BoxFuture<'_, Result<Box<dyn Shell>>>;

    /// Its files.
    fn files(&self) -> BoxFuture<'_, Result<Arc<dyn Files>>>;

    /// A connection from the host to an address it reaches.
    fn forward<'a>(&'a self, address: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn ByteStream>>>;
}

/// A shell that keeps its directory and variables from step to step.
pub trait Shell: Send {
    /// Runs one step. The limit of its command is the step's own. A step that ends the shell (`exit`, a time limit)
    /// is reported; the shell is then gone, see [`Shell::is_alive`].
    fn step(&mut self, command: Command) -> BoxFuture<'_, Result<Execution>>;

    /// True while further steps can run.
    fn is_alive(&self) -> bool;
}

/// Bytes both ways.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// All hosts that can be reached, by alias.
pub trait Fleet: Send + Sync + 'static {
    /// The host of an alias; nothing is connected yet.
    fn host<'a>(&'a self, alias: &'a str) -> BoxFuture<'a, Result<Arc<dyn Host>>>;

    /// Connects and logs in now; the first contact of a new host.
    fn contact<'a>(&'a self, alias: &'a str) -> BoxFuture<'a, Result<Contact>>;

    /// The host key that is offered now, without sending a credential.
    fn offered<'a>(&'a self, alias: &'a str) -> BoxFuture<'a, Result<Contact>>;

    /// Closes the connections of a host; what runs on them is lost.
    fn close<'a>(&'a self, alias: &'a str) -> BoxFuture<'a, ()>;

    /// The connections there are now.
    fn state(&self) -> Vec<PoolState>;
}

/// What a contact with a host showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The algorithm of its key, such as `ssh-ed25519`.
    pub algorithm: String,
    /// The key's fingerprint, `SHA256:…`.
    pub fingerprint: String,
    /// The key itself, base64 as in `known_hosts`.
    pub key: String,
    /// True when this contact recorded the key.
    pub is_new: bool,
    /// What the server says it is, such as `OpenSSH_9.2p1`.
    pub software: String,
}

/// The connections to one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoolState {
    /// The host.
    pub alias: String,
    /// What each connection is for: `control`, `bulk`, `dedicated`.
    pub lane: &'static str,
    /// Channels in use.
    pub in_use: usize,
    /// Channels it can still open.
    pub available: usize,
    /// How long it has been open.
    pub age: Duration,
    /// Commands and streams it carried.
    pub served: u64,
    /// The measured round trip.
    pub round_trip: Duration,
}
