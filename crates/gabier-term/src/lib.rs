//! The terminal faces: command line, interactive shell and display.

pub mod complete;

mod backend;
mod cli;
mod display;
mod environment;
mod globals;
mod pager;
mod progress;
mod prompt;
mod run;
mod source;
mod terminal;

pub use backend::{Answer, Backend, Local};
pub use cli::{About, Cli, Parsed};
pub use complete::Completers;
pub use environment::Environment;
pub use globals::{Color, Format, Globals};
pub use source::Sources;
pub use terminal::{Captured, Look, Terminal};
