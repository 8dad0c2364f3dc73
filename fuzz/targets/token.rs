//! Tokens and the digits of their ids.
#![no_main]

use gabier_access::{Token, TokenId, TokenKind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(kind) = Token::parse(text) {
        assert_eq!(text.len(), 60);
        assert!(TokenKind::ALL.contains(&kind));
    }
    if let Some(id) = TokenId::parse(text) {
        assert!(id.hex().eq_ignore_ascii_case(text));
    }
});
