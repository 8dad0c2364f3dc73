//! The committed reference is what the program says of itself; `BLESS=1 cargo test` rewrites it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::harness::{Home, is_set};

const FILES: [&str; 6] =
    [".env.example", "cli.md", "config.md", "mcp-tools.json", "openapi.json", "tools.md"];

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reference")
}

fn generated(home: &Home, folder: &str) -> BTreeMap<String, String> {
    home.run(&["reference", &home.text_path(folder)]).success();
    read(&home.path(folder))
}

fn read(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn the_committed_reference_is_the_generated_one() {
    let home = Home::new();
    let generated = generated(&home, "reference");
    if is_set("BLESS") {
        for (name, text) in &generated {
            std::fs::write(committed().join(name), text).unwrap();
        }
    }
    let committed = read(&committed());
    for name in FILES {
        assert!(generated.contains_key(name), "{name} is not generated");
    }
    for (name, text) in &generated {
        let old =
            committed.get(name).unwrap_or_else(|| panic!("reference/{name} is missing: BLESS=1 writes it"));
        let line = old.lines().zip(text.lines()).position(|(old, new)| old != new);
        assert!(old == text, "reference/{name} is out of date from line {line:?} on: BLESS=1 rewrites it");
    }
}

#[test]
fn the_reference_does_not_depend_on_who_writes_it() {
    let plain = Home::new();
    let other = Home::with_config("[server]\nport = 9999\nname = \"other\"\n")
        .with("AUTH_TOKEN", "a-secret-that-no-reference-may-hold")
        .with("MCP_ALLOWED_ROOTS", "/srv");
    assert_eq!(generated(&plain, "out"), generated(&other, "out"));
}
