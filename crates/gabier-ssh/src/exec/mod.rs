//! Commands: run, listened to, stopped.

mod hold;
mod mark;
mod mask;
mod run;
mod shell;
mod stop;
mod terminal;

pub(crate) use run::run;
pub(crate) use shell::open_shell;
pub(crate) use terminal::interact;
