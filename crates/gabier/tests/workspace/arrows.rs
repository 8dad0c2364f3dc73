//! Arrows between crates point down only (ARCHITECTURE.md).

use crate::metadata::Metadata;

/// Each crate with those of ours that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("gabier-tool", &[]),
    ("gabier-store", &[]),
    ("gabier-display", &["gabier-tool"]),
    ("gabier-egress", &["gabier-tool"]),
    ("gabier-store-redis", &["gabier-store"]),
    ("gabier-access", &["gabier-tool", "gabier-store"]),
    ("gabier-task", &["gabier-tool", "gabier-store", "gabier-egress"]),
    ("gabier-host", &["gabier-tool", "gabier-store"]),
    ("gabier-ssh", &["gabier-tool", "gabier-host"]),
    ("gabier-toolbox", &["gabier-tool", "gabier-egress", "gabier-access", "gabier-host", "gabier-store"]),
    ("gabier-mcp", &["gabier-tool"]),
    ("gabier-web", &["gabier-tool", "gabier-display"]),
    ("gabier-term", &["gabier-tool", "gabier-display"]),
    (
        "gabier-kit",
        &[
            "gabier-tool",
            "gabier-store",
            "gabier-store-redis",
            "gabier-access",
            "gabier-egress",
            "gabier-task",
            "gabier-mcp",
            "gabier-web",
            "gabier-term",
        ],
    ),
    (
        "gabier",
        &["gabier-kit", "gabier-tool", "gabier-toolbox", "gabier-access", "gabier-host", "gabier-ssh"],
    ),
    ("hello-tool", &["gabier-kit"]),
    ("gabier-bench", &["gabier-kit", "gabier-tool", "gabier-store", "gabier-store-redis", "gabier-task"]),
];

#[test]
fn no_crate_uses_one_that_it_must_not_know() {
    for package in Metadata::get().ours() {
        let (_, may_use) = MAY_USE
            .iter()
            .find(|(name, _)| *name == package.name)
            .unwrap_or_else(|| panic!("{} is a new crate: say here what it may use", package.name));
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind.is_none()) {
            let is_ours = MAY_USE.iter().any(|(name, _)| *name == dependency.name);
            assert!(
                !is_ours || may_use.contains(&dependency.name.as_str()),
                "{} must not use {}",
                package.name,
                dependency.name
            );
        }
    }
}
