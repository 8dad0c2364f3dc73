//! The servers that are measured: how each is started.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// A server with the tool `echo`, over HTTP when its last argument is a port and over stdio without one.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    arguments: Vec<String>,
}

impl Contestant {
    /// The arguments for a server on a port.
    pub(crate) fn on_port(&self, port: u16) -> Vec<String> {
        let mut arguments = self.arguments.clone();
        arguments.push(port.to_string());
        arguments
    }

    /// The arguments for a server on its pipes.
    pub(crate) fn on_stdio(&self) -> &[String] {
        &self.arguments
    }
}

pub(crate) const GABIER: &str = "gabier";
pub(crate) const BARE_RMCP: &str = "bare rmcp";
pub(crate) const FASTMCP: &str = "Python FastMCP";
pub(crate) const TYPESCRIPT: &str = "TypeScript SDK";

/// All of them; the peers must have been installed by `bench/peers/setup`.
pub(crate) fn all() -> Result<Vec<Contestant>> {
    let own = std::env::current_exe()?;
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let ours = |name, role: &str| {
        Ok(Contestant { name, program: own.clone(), arguments: vec!["echo".to_owned(), role.to_owned()] })
    };
    let peer = |name, program: &str, script: &str| {
        let program = peers.join(program);
        ensure!(program.exists(), "{name} is not installed: run bench/peers/setup");
        let script =
            peers.join(script).to_str().context("the path of the repository is not UTF-8")?.to_owned();
        Ok(Contestant { name, program, arguments: vec![script] })
    };
    [
        ours(GABIER, "gabier"),
        ours(BARE_RMCP, "rmcp"),
        peer(FASTMCP, ".venv/bin/python", "echo.py"),
        peer(TYPESCRIPT, "node_modules/.bin/node", "echo.mjs"),
    ]
    .into_iter()
    .collect()
}

/// The shipped binary, which stands beside this program in the target folder.
pub(crate) fn shipped_binary() -> Result<PathBuf> {
    let binary = std::env::current_exe()?.with_file_name("gabier");
    ensure!(binary.exists(), "the shipped binary is not built: run cargo build --release");
    Ok(binary)
}
