//! Long results through the reader's pager.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::globals::Globals;
use crate::terminal::Terminal;

impl Terminal {
    /// Writes text to stdout, through the pager when it is longer than the screen.
    pub(crate) fn page(&self, text: &str, globals: &Globals) {
        let rows = terminal_size::terminal_size().map_or(0, |(_, height)| usize::from(height.0));
        let is_long = rows > 0 && text.lines().count() >= rows;
        if !self.stdout_is_tty || globals.no_pager || !is_long || self.paged(text).is_err() {
            self.print(text);
        }
    }

    /// Hands text to `$GABIER_PAGER`, `$PAGER` or `less`; fails where there is none.
    #[expect(
        clippy::disallowed_methods,
        reason = "the command line, not the server process, may start the reader's own pager"
    )]
    fn paged(&self, text: &str) -> std::io::Result<()> {
        let chosen = ["GABIER_PAGER", "PAGER"].iter().find_map(|name| self.environment.get(name));
        let line = chosen.filter(|line| !line.trim().is_empty()).unwrap_or_else(|| "less -FIRX".to_owned());
        let mut words = line.split_whitespace();
        let mut pager =
            Command::new(words.next().unwrap_or("less")).args(words).stdin(Stdio::piped()).spawn()?;
        if let Some(mut input) = pager.stdin.take() {
            // A reader that leaves early has seen enough.
            let _ = input.write_all(text.as_bytes());
        }
        pager.wait().map(drop)
    }
}
