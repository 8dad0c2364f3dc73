//! The transport against real servers.

mod harness;
mod sshd;
