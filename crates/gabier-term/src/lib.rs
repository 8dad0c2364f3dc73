//! The terminal faces: command line, interactive shell and display, over any list of tools.
//!
//! Everything is derived at run time from [`gabier_tool::ToolInfo`], so the tools of another server are as good as
//! our own. A program hands in its environment, its clock and its own commands, and gets exit codes back; nothing
//! here ends the process.
//!
//! ```no_run
//! # use std::{ffi::OsString, sync::Arc};
//! # use gabier_term::{About, Backend, Cli, Environment, Globals, Local, Parsed, Remote, Server, Shell, Sources, Terminal, complete};
//! # use gabier_tool::{Clock, Result};
//! async fn run(argv: &[OsString], local: Local, clock: Arc<dyn Clock>, environment: Environment) -> Result<u8> {
//!     let asked = environment.get(complete::VARIABLE);
//!     let terminal = Arc::new(Terminal::of_process(environment, Arc::clone(&clock)));
//!     let globals = Globals::scan(argv); // before the tools are known: it says whose they are
//!     let backend: Arc<dyn Backend> = match globals.url.clone() {
//!         None => Arc::new(local),
//!         Some(url) => {
//!             let source = globals.token.as_deref();
//!             let token = source.map(|source| Sources::new(&terminal, &globals).token(source)).transpose()?;
//!             Arc::new(Remote::new(Server { url, token: token.map(Into::into), cache: None }, clock)?)
//!         }
//!     };
//!     let about = About { name: "gabier".into(), version: "0.1.0".into(), summary: "Careful hands.".into() };
//!     let cli = Cli::new(about, backend.tools().await?).command(clap::Command::new("serve").about("Serve over HTTP"));
//!     if let Some(answer) = complete::candidates(asked.as_deref(), cli.tree(), argv, None)? {
//!         terminal.print(&answer); // a shell asked for candidates
//!         return Ok(0);
//!     }
//!     Ok(match cli.parse(argv, &terminal) {
//!         Parsed::Tool { name, arguments, globals } => {
//!             cli.call(&terminal, &*backend, (&name, arguments), &globals).await
//!         }
//!         Parsed::Shell { globals } => Shell::new(&cli, &terminal, &backend, &globals).run().await,
//!         Parsed::Command { .. } => 0, // the program's own commands go here
//!         Parsed::Exit { text, code } => {
//!             terminal.print(&text);
//!             code
//!         }
//!         Parsed::Failed { error, globals } => terminal.fail(error, &globals),
//!     })
//! }
//! ```

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
mod shown;
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
