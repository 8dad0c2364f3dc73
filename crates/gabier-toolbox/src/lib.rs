//! The tools gabier ships, one file each, in folders by toolset.

pub mod demo;
pub mod files;
pub mod logs;
pub mod math;
pub mod monitor;
pub mod network;

mod services;

pub use services::{Services, Settings};

use gabier_tool::Toolset;

/// All toolsets, in the order in which every face shows them.
pub const TOOLSETS: &[Toolset<Services>] = &[
    Toolset { name: "files", tools: files::TOOLS },
    Toolset { name: "monitor", tools: monitor::TOOLS },
    Toolset { name: "logs", tools: logs::TOOLS },
    Toolset { name: "network", tools: network::TOOLS },
    Toolset { name: "math", tools: math::TOOLS },
    Toolset { name: "demo", tools: demo::TOOLS },
];
