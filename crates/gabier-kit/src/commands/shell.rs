//! `shell`: every tool, without leaving.

use gabier_term::{Cli, Globals, Shell};
use gabier_tool::Surface;

use crate::commands::Site;

pub(crate) async fn run(site: &Site<'_>, cli: &Cli, globals: &Globals) -> u8 {
    let backend = match site.backend(Surface::Shell).await {
        Ok(backend) => backend,
        Err(error) => return site.terminal.fail(error, globals),
    };
    let mut shell = Shell::new(cli, &site.terminal, &backend, globals);
    if let Some(folder) = site.state() {
        shell = shell.history(folder.join("history"));
    }
    if let Some(kind) = site.app.selects {
        shell = shell.selects(kind);
    }
    shell.run().await
}
