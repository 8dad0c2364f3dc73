//! The terminal faces: command line, interactive shell and display.

pub mod complete;

mod backend;
mod cli;
mod display;
mod environment;
mod globals;
mod man;
mod pager;
mod progress;
mod prompt;
mod remote;
mod run;
mod shell;
mod source;
mod terminal;

pub use backend::{Answer, Backend, Local};
pub use cli::{About, Cli, Parsed};
pub use complete::Completers;
pub use environment::Environment;
pub use globals::{Color, Format, Globals};
pub use man::man;
pub use remote::{Remote, Server};
pub use shell::Shell;
pub use source::Sources;
pub use terminal::{Captured, Look, Terminal};
