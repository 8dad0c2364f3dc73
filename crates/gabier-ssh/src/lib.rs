//! The [`Host`](gabier_host::Host) trait over SSH.
//!
//! [`SshFleet`] reaches the hosts of an inventory. A `Connection` logs in and opens channels, the `Pool` keeps few of
//! them for many commands, `exec` runs and stops commands. Types of russh stay inside `transport`.

pub mod sftp;
pub mod trust;

mod connect;
mod dial;
mod exec;
mod failure;
mod files;
mod fleet;
mod forward;
mod hash;
mod host;
mod host_keys;
mod journal;
mod pool;
mod settings;
mod transport;

pub use fleet::SshFleet;
pub use host::SshHost;
pub use host_keys::{HostKeys, RecordedKeys};
pub use settings::Settings;
