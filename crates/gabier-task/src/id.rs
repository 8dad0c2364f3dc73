//! The names of tasks.

use std::fmt::Write as _;

use gabier_store::queue::TaskId;
use gabier_tool::{Error, ErrorKind, Result};

/// A new name: a random UUID of version 4 (RFC 9562) from the operating system's source.
pub(crate) fn task_id() -> Result<TaskId> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(ErrorKind::Unavailable, "naming a task").with_source(error))?;
    Ok(TaskId::new(uuid(bytes)))
}

fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_4() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_ne!(task_id().unwrap(), task_id().unwrap());
    }
}
