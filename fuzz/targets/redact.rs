//! Text that leaves, with a secret somewhere in it.
#![no_main]

use gabier_tool::Redactor;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parts: (&str, &str, &str)| {
    let (before, secret, after) = parts;
    let redactor = Redactor::new();
    redactor.learn(secret.to_owned().into());
    let text = format!("{before}{secret}{after}");
    let redacted = redactor.redact(&text);
    let is_kept = secret.len() >= 6 && !gabier_tool::REDACTED.contains(secret);
    // What stands around the marks may by itself spell the secret anew; within the pieces it must not.
    let pieces = redacted.split(gabier_tool::REDACTED);
    assert!(!is_kept || pieces.into_iter().all(|piece| !piece.contains(secret)), "{redacted:?}");

    let mut in_place = text.clone();
    redactor.redact_in_place(&mut in_place);
    assert_eq!(in_place, redacted);
});
