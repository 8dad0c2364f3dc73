//! `shell`: every tool, without leaving.

use std::sync::Arc;

use gabier_term::{Cli, Globals, Shell};
use gabier_tool::Surface;

use crate::commands::Site;

pub(crate) async fn run(site: &Site<'_>, cli: &Cli, globals: &Globals) -> u8 {
    let backend = match site.backend(Surface::Shell).await {
        Ok(backend) => backend,
        Err(error) => return site.terminal.fail(error, globals),
    };
    let shell = Shell::new(cli, &Arc::clone(&site.terminal), &backend, globals);
    match site.state() {
        Some(folder) => shell.history(folder.join("history")).run().await,
        None => shell.run().await,
    }
}
