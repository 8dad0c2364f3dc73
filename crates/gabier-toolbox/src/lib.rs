//! The tools gabier ships, one file each, in folders by toolset.

pub mod apis;
pub mod demo;
pub mod exec;
pub mod files;
pub mod hosts;
pub mod logs;
pub mod math;
pub mod monitor;
pub mod network;
pub mod testing;

mod services;

pub use services::{Services, Settings};

use gabier_tool::{Error, Result, Toolset};

/// All toolsets, in the order in which every face shows them.
pub const TOOLSETS: &[Toolset<Services>] = &[
    Toolset { name: "hosts", tools: hosts::TOOLS },
    Toolset { name: "exec", tools: exec::TOOLS },
    Toolset { name: "files", tools: files::TOOLS },
    Toolset { name: "monitor", tools: monitor::TOOLS },
    Toolset { name: "logs", tools: logs::TOOLS },
    Toolset { name: "apis", tools: apis::TOOLS },
    Toolset { name: "network", tools: network::TOOLS },
    Toolset { name: "math", tools: math::TOOLS },
    Toolset { name: "demo", tools: demo::TOOLS },
];

/// Does work that blocks or computes for long away from the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("doing blocking work").with_source(error))?
}
