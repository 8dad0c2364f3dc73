//! What can go wrong with a store.

use std::{error, fmt, io, sync::Arc};

/// What a store's calls give.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The record is not as the caller expected it: read it again and decide anew.
    Conflict,
    /// The stored data cannot be understood.
    Damaged,
    /// The store was written by a newer program.
    Newer,
    /// Another process held the store too long: try again.
    Busy,
    /// The disk or its quota is full; nothing was changed, and writing works again once there is room.
    Full,
    /// The store does not accept writes any more, or has ended: the process must start anew.
    Unavailable,
    /// The server that keeps the store did not answer in time: try again. What was asked may still take place.
    Unreachable,
    /// Others than the user could read or change what must be private.
    Exposed,
    /// The store cannot be kept where or how it was asked for.
    Unsupported,
    /// The file system or the database failed.
    Io,
}

impl ErrorKind {
    /// Whether the same call may succeed a moment later.
    pub fn is_retriable(self) -> bool {
        matches!(self, Self::Busy | Self::Full | Self::Unreachable)
    }
}

/// A failure of a store: what was being done, to which thing, and why it failed.
///
/// Cloning is cheap; requests that failed together share the source.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

impl Error {
    /// An error without a cause below it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same error with the reason it has.
    #[must_use]
    pub fn because(mut self, source: impl error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What went wrong, as far as a caller can act on it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What was being done, to which thing; without the source's text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// A failed call to the operating system.
    pub(crate) fn io(message: impl Into<String>, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let kind = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
            _ => ErrorKind::Io,
        };
        Self::new(kind, message).because(source)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn the_message_leaves_the_reason_to_the_source() {
        let full = Error::io("write the file", rustix::io::Errno::NOSPC);
        assert_eq!((full.kind(), full.to_string().as_str()), (ErrorKind::Full, "write the file"));
        assert!(full.source().is_some_and(|source| source.to_string().contains("No space left")));
    }
}
