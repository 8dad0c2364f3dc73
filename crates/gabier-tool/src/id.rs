//! Random names.

use std::sync::{Mutex, PoisonError};

/// Bytes of one name.
const LENGTH: usize = 8;

/// Random bytes that are drawn at once: a system call for each name would cost more than the rest of it.
const DRAWN: usize = 64 * LENGTH;

static POOL: Mutex<Pool> = Mutex::new(Pool { bytes: [0; DRAWN], used: DRAWN });

/// Bytes of the operating system's random source, each given out once.
struct Pool {
    bytes: [u8; DRAWN],
    used: usize,
}

impl Pool {
    fn take(&mut self) -> Option<[u8; LENGTH]> {
        if self.used == DRAWN {
            getrandom::fill(&mut self.bytes).ok()?;
            self.used = 0;
        }
        let taken = self.bytes[self.used..].first_chunk().copied()?;
        self.used += LENGTH;
        Some(taken)
    }
}

/// A request id: 16 lowercase hex digits from the operating system's random source.
pub fn request_id() -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = POOL.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_16_lowercase_hex_digits_and_no_two_are_alike_across_draws() {
        let ids: HashSet<String> = (0..1_000).map(|_| request_id()).collect();
        assert_eq!(ids.len(), 1_000);
        let is_digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
        assert!(ids.iter().all(|id| id.len() == 16 && id.bytes().all(is_digit)));
    }
}
