//! `known_hosts` and `ssh_config` compared with what OpenSSH makes of the same files.

#![expect(clippy::unwrap_used, reason = "the helpers fail as the tests that call them do")]

mod config;
mod known_hosts;
mod openssh;
