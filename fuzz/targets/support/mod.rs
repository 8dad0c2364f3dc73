//! A dispatch over tools that touch nothing outside the process.

#![allow(dead_code, reason = "each target uses its own part")]

use std::sync::{Arc, LazyLock};

use gabier_mcp::{Mcp, McpOptions};
use gabier_tool::{Catalog, Dispatch};
use gabier_toolbox::testing::guards;
use gabier_toolbox::{Services, Settings, TOOLSETS};

/// All tools, to read their schemas.
pub static ALL: LazyLock<Catalog> = LazyLock::new(|| catalog(&[]));

/// The MCP face over tools that only compute.
pub static FACE: LazyLock<Mcp> = LazyLock::new(|| {
    let dispatch = Dispatch::new(Arc::new(catalog(&["files", "monitor", "logs", "network"])), guards());
    let options = McpOptions { profile: "all".to_owned(), ..McpOptions::default() };
    Mcp::new(options, Arc::new(dispatch))
});

fn catalog(without: &[&str]) -> Catalog {
    let services = Arc::new(Services::open(&Settings::default(), None).expect("the defaults are sound"));
    let mut catalog = Catalog::new();
    for toolset in TOOLSETS.iter().filter(|toolset| !without.contains(&toolset.name)) {
        catalog.bind(*toolset, &services);
    }
    catalog
}
