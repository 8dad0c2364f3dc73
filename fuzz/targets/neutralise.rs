//! Text for terminals and models.
#![no_main]

use gabier_tool::{Sanitised, neutralise};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut clean = text.to_owned();
    neutralise(&mut clean, &mut Sanitised::default());
    let mut lines = clean.replace("\r\n", "\n");
    lines.retain(|c| c != '\n' && c != '\t');
    assert!(!lines.chars().any(char::is_control), "{clean:?}");

    let (mut again, mut found) = (clean.clone(), Sanitised::default());
    neutralise(&mut again, &mut found);
    assert!(found.is_clean());
    assert_eq!(again, clean);
});
