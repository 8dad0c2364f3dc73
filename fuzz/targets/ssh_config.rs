//! Configurations of ssh.
#![no_main]

use std::path::PathBuf;

use gabier_ssh::trust::{Given, Local, SshConfig};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (text, host) = input;
    // What is included depends on the machine.
    if text.to_ascii_lowercase().contains("include") {
        return;
    }
    let local = Local { home: PathBuf::from("/home/me"), user: "me".to_owned() };
    let Ok(config) = SshConfig::parse(text, &local) else { return };
    for name in config.names().iter().map(String::as_str).chain([host]) {
        if let Ok(settings) = config.settings(name, &Given::default()) {
            assert!(settings.port > 0 && !settings.host_name.starts_with('-'));
        }
        if let Ok(route) = config.route(name, &Given::default()) {
            assert!((1..=16).contains(&route.len()));
        }
    }
});
