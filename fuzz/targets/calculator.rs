//! Expressions of the calculator.
#![no_main]

use gabier_toolbox::math::expression::calculate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match calculate(text) {
        Ok(answer) => assert!(format!("{answer:?}").len() < 1 << 20),
        Err(fault) => assert!(fault.to_string().len() < 1 << 12),
    }
});
