//! From the `alias` of a call to commands on hosts: which are meant, which the caller may use, and how they are run.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gabier_host::{Alias, Command, Execution, Host, HostRecord, Sink, Stream};
use gabier_tool::{Caller, Context, Error, Feedback, HostsRef, OutputStream, ResourceKind, Result};

use super::Hosts;
use super::running::Use;
use crate::Services;

/// How many bytes of each stream a model gets at most; the rest is in the task's output.
const MODEL_KEEP: usize = 16 * 1024;

/// True when a caller may use a host: by its own name or as one of a group.
pub(crate) fn may_use(caller: &Caller, alias: &Alias, record: &HostRecord) -> bool {
    caller.may_reach(ResourceKind::Host, alias.as_str())
        || record.groups.iter().any(|group| caller.may_reach(ResourceKind::Group, group.as_str()))
}

/// The hosts that a call means and its caller may use; at least one.
pub(crate) async fn targets(ctx: &Context<Services>, alias: &HostsRef) -> Result<Vec<Alias>> {
    let inventory = &ctx.services.hosts()?.inventory;
    inventory.resolve_among(alias.as_str(), |alias, record| may_use(ctx.caller(), alias, record)).await
}

/// The one host that a call means and its caller may use.
pub(crate) async fn target(ctx: &Context<Services>, alias: &HostsRef) -> Result<Alias> {
    match <[Alias; 1]>::try_from(targets(ctx, alias).await?) {
        Ok([alias]) => Ok(alias),
        Err(several) => {
            Err(Error::invalid("alias", format!("takes one host, and this means {}", several.len())))
        }
    }
}

/// A host in use by this call.
pub(crate) struct Reached {
    host: Arc<dyn Host>,
    _use: Use,
}

impl std::ops::Deref for Reached {
    type Target = dyn Host;

    fn deref(&self) -> &Self::Target {
        &*self.host
    }
}

/// The host of an alias; nothing is connected yet.
pub(crate) async fn host(ctx: &Context<Services>, alias: &Alias) -> Result<Reached> {
    let hosts: &Hosts = ctx.services.hosts()?;
    let host = hosts.fleet.host(alias.as_str()).await?;
    Ok(Reached { host, _use: hosts.running.begin(alias.as_str(), ctx.attempt()) })
}

/// A command that ends with its call, whose output goes to whoever follows the call.
pub(crate) fn command(ctx: &Context<Services>, script: &str, limit: Option<Duration>) -> Command {
    Command {
        limit,
        keep: if ctx.surface().is_mcp() { MODEL_KEEP } else { Command::KEEP },
        cancel: ctx.cancelled().clone(),
        sink: Some(Arc::new(Follower(Arc::clone(ctx.feedback())))),
        ..Command::new(script)
    }
}

/// Runs a command on a host to its own end; every other end is the failure it is.
pub(crate) async fn run(ctx: &Context<Services>, alias: &Alias, command: Command) -> Result<Execution> {
    let execution = host(ctx, alias).await?.exec(command).await?;
    execution.check(alias.as_str())?;
    Ok(execution)
}

/// A time limit in seconds, where 0 is none.
pub(crate) fn limit(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|limit| !limit.is_zero())
}

/// Passes output on while it comes.
struct Follower(Arc<dyn Feedback>);

impl Sink for Follower {
    fn write(&self, stream: Stream, bytes: &Bytes) {
        let stream = match stream {
            Stream::Stdout => OutputStream::Stdout,
            Stream::Stderr => OutputStream::Stderr,
        };
        self.0.output(stream, bytes);
    }
}
