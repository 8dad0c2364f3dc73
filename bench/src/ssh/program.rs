//! Programs that are started and waited for.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Runs a program that must succeed and gives its output.
pub(super) fn run(program: &str, words: &[&str], paths: &[&Path]) -> Result<String> {
    let words = words.iter().map(OsStr::new).chain(paths.iter().map(|path| path.as_os_str()));
    let mut command = command(program);
    let output = waiting(|| command.args(words).stdin(Stdio::null()).output());
    let output = output.with_context(|| format!("starting {program}: bench/peers/setup installs it"))?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// True when a program can be started and ends well.
pub(super) fn succeeds(program: &Path, words: &[&str]) -> bool {
    let mut command = command(program);
    let command = command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    waiting(|| command.status()).is_ok_and(|status| status.success())
}

fn command(program: impl AsRef<OsStr>) -> Command {
    #[expect(clippy::disallowed_methods, reason = "a benchmark starts its yardsticks")]
    Command::new(program)
}

/// Waits without holding up the lines that other tasks of this process carry.
pub(super) fn waiting<T>(wait: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(wait)
}
