//! The transport against real servers.

mod exec;
mod faults;
mod fleet;
mod harness;
mod host_key;
mod jump;
mod login;
mod pool;
mod shell;
mod sshd;
mod stop;
mod terminal;
