//! Random names.

use std::fmt::Write as _;

/// A request id: 16 lowercase hex digits from the operating system's random source.
pub fn request_id() -> String {
    let mut bytes = [0_u8; 8];
    if getrandom::fill(&mut bytes).is_err() {
        return "0000000000000000".to_owned();
    }
    bytes.iter().fold(String::with_capacity(16), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
