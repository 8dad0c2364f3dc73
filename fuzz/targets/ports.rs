//! Port lists of the scanner.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/gabier-toolbox/src/network/ports.rs"]
mod ports;

fuzz_target!(|text: &str| {
    if let Ok(list) = ports::parse(text) {
        assert!(!list.is_empty() && list.len() <= ports::MOST);
        assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(!list.contains(&0));
    }
});
