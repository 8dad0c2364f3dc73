//! Whom to trust and how to reach them: `known_hosts` and `ssh_config`, read as OpenSSH reads them.
//!
//! [`KnownHosts`] answers whether a host's key is known, unknown, changed or revoked; [`KnownHostsFile`] writes down
//! what was accepted. [`SshConfig`] gives the settings of a host and the hops on the way to it.

mod config;
mod key;
mod known_hosts;
mod pattern;

pub use config::{Given, Hop, HostSettings, Jump, Local, SshConfig, Strictness};
pub use key::HostKey;
pub use known_hosts::{Decision, KnownHosts, KnownHostsFile, Names, Place, Recorded};
