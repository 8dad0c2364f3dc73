//! Words of command lines, queries and forms.
#![no_main]

mod support;

use gabier_tool::schema::assemble;
use libfuzzer_sys::fuzz_target;
use serde_json::Map;

fuzz_target!(|input: (u8, Vec<Vec<String>>)| {
    let (number, words) = input;
    let catalog = &support::ALL;
    let entry = catalog.iter().nth(usize::from(number) % catalog.len()).expect("within the list");
    let params = entry.params();
    let words_of = |param: &_| {
        let place = params.iter().position(|own| std::ptr::eq(own, param)).expect("one of ours");
        words.get(place).cloned().unwrap_or_default()
    };
    match assemble(params, Map::new(), &words_of) {
        Ok(arguments) => {
            let _ = entry.check(arguments);
        }
        Err(error) => assert!(error.details().contains_key("errors"), "{error:?}"),
    }
});
