//! JSON arguments of every tool.
#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: (u8, &str)| {
    let (number, text) = input;
    let Ok(Value::Object(arguments)) = serde_json::from_str(text) else { return };
    let catalog = &support::ALL;
    let entry = catalog.iter().nth(usize::from(number) % catalog.len()).expect("within the list");
    let Ok(checked) = entry.check(arguments) else { return };
    let object = checked.as_object().expect("arguments stay an object").clone();
    assert_eq!(entry.check(object).expect("what passed passes again"), checked);
});
