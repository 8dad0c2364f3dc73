//! The real binary, driven from outside over every face.

#![expect(clippy::unwrap_used, reason = "the helpers fail as the tests that call them do")]

mod bombs;
mod budgets;
mod cli;
mod config;
mod faces;
mod files;
mod fleet;
mod harness;
mod http;
mod install;
mod ping;
mod races;
mod redis;
mod reference;
mod resources;
mod sessions;
mod sharing;
mod shell;
#[path = "../../../gabier-ssh/tests/ssh/sshd.rs"]
mod sshd;
mod ssrf;
mod stdio;
mod store_command;
mod store_copies;
mod tasks;
mod vault;
mod webhook_command;

/// A file that nobody names above would be tests that nobody runs.
#[test]
fn every_file_of_this_folder_is_part_of_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.trim_end_matches(".rs");
        assert!(
            name == "main" || include_str!("main.rs").contains(&format!("mod {name};")),
            "{name} is not named"
        );
    }
}
