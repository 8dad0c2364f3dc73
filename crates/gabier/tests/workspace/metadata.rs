//! What cargo knows of the workspace.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;

/// The parts of `cargo metadata` that the tests read.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) source: Option<String>,
    pub(crate) links: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Option<String>,
}

impl Metadata {
    pub(crate) fn get() -> &'static Self {
        static METADATA: OnceLock<Metadata> = OnceLock::new();
        METADATA.get_or_init(|| {
            let target = ["--filter-platform", "x86_64-unknown-linux-gnu"];
            let words = ["metadata", "--format-version", "1", "--locked", "--offline"];
            let text = cargo(&[&words[..], &target[..]].concat());
            serde_json::from_str(&text).expect("cargo writes JSON")
        })
    }

    pub(crate) fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }
}

/// A crate that is built into the binary.
pub(crate) struct BuiltIn {
    /// Name and version.
    pub(crate) name: String,
    /// Its licence, as SPDX.
    pub(crate) licence: String,
}

/// What is built into the binary, by name.
pub(crate) fn built_in() -> Vec<BuiltIn> {
    let tree = ["tree", "-p", "gabier", "-e", "normal", "--prefix", "none", "--format", "{p}|{l}"];
    let target = ["--target", "x86_64-unknown-linux-gnu", "--locked", "--offline", "--no-dedupe"];
    let text = cargo(&[&tree[..], &target[..]].concat());
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines.dedup();
    lines
        .into_iter()
        .map(|line| {
            let (package, licence) = line.split_once('|').expect("the format has one bar");
            // Ours carry their path, procedural macros a mark.
            let name = package.split(' ').take(2).collect::<Vec<_>>().join(" ");
            BuiltIn { name, licence: licence.to_owned() }
        })
        .collect()
}

fn cargo(words: &[&str]) -> String {
    #[expect(clippy::disallowed_methods, reason = "a test asks cargo; no server does")]
    let asked = std::process::Command::new(env!("CARGO")).args(words).current_dir(root()).output();
    let asked = asked.expect("cargo is there");
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    String::from_utf8(asked.stdout).expect("cargo writes text")
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
