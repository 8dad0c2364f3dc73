//! What goes wrong with remote and local files, in a closed set of reasons.

use std::fmt;
use std::io;

use gabier_tool::ErrorKind;
use rustix::io::Errno;
use serde_json::Value;

use super::path::RemotePath;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The account may not do this.
    Permission,
    /// There is no such file or folder.
    Missing,
    /// A file is wanted and a folder is there.
    IsDirectory,
    /// A folder is wanted and something else is there.
    NotADirectory,
    /// The target is there already.
    Exists,
    /// The target's file system is full.
    DiskFull {
        /// What is free, in bytes, once the partial file is gone.
        free: u64,
    },
    /// The target is a symbolic link, and links are not written through.
    SymbolicLink,
    /// A device, a pipe or a socket, which has no content to copy.
    Special,
    /// A name that no file of ours may have.
    BadName,
    /// A local path leaves the folder it must stay in.
    Outside,
    /// The server does not know the operation.
    Unsupported,
    /// The server refused with this status and no other reason.
    Refused(u32),
    /// The end of a file or of a listing.
    End,
    /// Nothing moved for as long as the limit allows.
    Stalled,
    /// The stream to the server ended.
    Lost,
    /// The server sent what the protocol does not allow.
    Protocol,
    /// What arrived is not what was sent.
    Mismatch,
    /// The caller gave up.
    Cancelled,
    /// More matches or deeper folders than a call may name.
    TooMany,
    /// The local machine refused.
    Local,
}

impl Reason {
    /// The word for it in `details.reason`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Permission => "permission",
            Self::Missing => "missing",
            Self::IsDirectory => "is_directory",
            Self::NotADirectory => "not_a_directory",
            Self::Exists => "exists",
            Self::DiskFull { .. } => "disk_full",
            Self::SymbolicLink => "symbolic_link",
            Self::Special => "not_a_regular_file",
            Self::BadName => "bad_name",
            Self::Outside => "outside",
            Self::Unsupported => "unsupported",
            Self::Refused(_) => "refused",
            Self::End => "end_of_file",
            Self::Stalled => "stalled",
            Self::Lost => "connection_lost",
            Self::Protocol => "protocol",
            Self::Mismatch => "mismatch",
            Self::Cancelled => "cancelled",
            Self::TooMany => "too_many",
            Self::Local => "local",
        }
    }

    /// What to do about it, where one sentence says it for every transfer.
    const fn cure(self) -> Option<&'static str> {
        match self {
            Self::Permission => Some("give the account the right to it, or name another path"),
            Self::IsDirectory => Some("name another path: a folder is not replaced by a file"),
            Self::NotADirectory => Some("name another path: a file is not replaced by a folder"),
            Self::DiskFull { .. } => Some("make room or name another path, then make the same call again"),
            Self::SymbolicLink => Some("name the path that the link should lead to"),
            Self::Special => Some("name a regular file"),
            Self::BadName => Some("rename the file where it comes from"),
            Self::TooMany => Some("name fewer at once: a narrower pattern, or a folder further down"),
            Self::Mismatch | Self::Stalled | Self::Lost => Some("make the same call again"),
            _ => None,
        }
    }

    /// True when the session is over and every other request on it fails alike.
    pub const fn ends_session(self) -> bool {
        matches!(self, Self::Stalled | Self::Lost | Self::Protocol)
    }
}

/// A failure: what was being done to which path, and why it failed.
#[derive(Debug)]
pub struct Error {
    reason: Reason,
    message: String,
    path: Option<String>,
    side: Option<Side>,
    arrived: Option<Arrived>,
    source: Option<io::Error>,
    is_resumable: bool,
}

/// How far a transfer of many files came.
#[derive(Clone, Copy, Debug)]
struct Arrived {
    files: u64,
    bytes: u64,
    failed: u64,
}

/// Which end of a transfer a failure is about.
#[derive(Clone, Copy, Debug)]
enum Side {
    Local,
    Remote,
}

impl Error {
    /// A failure; the message says what was being done to what, without a final period.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            path: None,
            side: None,
            arrived: None,
            source: None,
            is_resumable: false,
        }
    }

    /// A failure of the local machine, by its error number.
    pub fn local(error: io::Error, message: impl Into<String>) -> Self {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => Reason::Missing,
            io::ErrorKind::PermissionDenied => Reason::Permission,
            io::ErrorKind::AlreadyExists => Reason::Exists,
            io::ErrorKind::IsADirectory => Reason::IsDirectory,
            io::ErrorKind::NotADirectory => Reason::NotADirectory,
            io::ErrorKind::StorageFull => Reason::DiskFull { free: 0 },
            io::ErrorKind::CrossesDevices => Reason::Outside,
            _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => Reason::SymbolicLink,
            io::ErrorKind::Unsupported => Reason::Unsupported,
            _ => Reason::Local,
        };
        Self { source: Some(error), ..Self::new(reason, message).here() }
    }

    /// The caller gave up.
    pub fn cancelled() -> Self {
        Self::new(Reason::Cancelled, "the transfer was cancelled")
    }

    /// Says that it is about this machine.
    #[must_use]
    pub(super) fn here(self) -> Self {
        Self { side: Some(Side::Local), ..self }
    }

    /// Says what was being done to which remote path.
    #[must_use]
    pub fn doing(mut self, verb: &str, path: &RemotePath) -> Self {
        if self.path.is_none() && !self.reason.ends_session() {
            self.message = format!("{verb} {path}: {}", self.message);
            self.path = Some(path.to_string());
            self.side = self.side.or(Some(Side::Remote));
        }
        self
    }

    /// Speaks of a path instead of the one that stood for it.
    #[must_use]
    pub(super) fn about(mut self, path: &RemotePath, instead_of: &RemotePath) -> Self {
        let (path, other) = (path.to_string(), instead_of.to_string());
        self.message = self.message.replace(&other, &path);
        self.path = self.path.map(|known| if known == other { path } else { known });
        self
    }

    /// Gives another reason for the same failure.
    #[must_use]
    pub fn because(mut self, reason: Reason, message: impl Into<String>) -> Self {
        self.reason = reason;
        self.message = message.into();
        self
    }

    /// Says how many files of how many bytes arrived before it, and how many did not.
    #[must_use]
    pub(super) fn after(self, files: u64, bytes: u64, failed: u64) -> Self {
        Self { arrived: Some(Arrived { files, bytes, failed }), ..self }
    }

    /// Says that the same transfer can go on where this one ended.
    #[must_use]
    pub(super) fn resumable(self) -> Self {
        Self { is_resumable: true, ..self }
    }

    /// Why it failed.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The path that the failure is about, made printable.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

impl From<Error> for gabier_tool::Error {
    fn from(error: Error) -> Self {
        let kind = match error.reason {
            Reason::Cancelled => ErrorKind::Cancelled,
            Reason::Exists => ErrorKind::Conflict,
            Reason::Missing => ErrorKind::NotFound,
            Reason::Outside => ErrorKind::Forbidden,
            _ => ErrorKind::TransferFailed,
        };
        let mut tool_error = Self::new(kind, error.message).with("reason", error.reason.word());
        if let Some(cure) = error.reason.cure() {
            tool_error = tool_error.with_next(cure);
        }
        if let Some(side) = error.side {
            let parameter = match side {
                Side::Local => "local",
                Side::Remote => "remote",
            };
            tool_error = tool_error.with("parameter", parameter);
        }
        if let Some(path) = error.path {
            tool_error = tool_error.with("path", path);
        }
        if let Reason::DiskFull { free } = error.reason {
            tool_error = tool_error.with("free_bytes", Value::from(free));
        }
        if let Reason::Refused(status) = error.reason {
            tool_error = tool_error.with("status", Value::from(status));
        }
        if let Some(Arrived { files, bytes, failed }) = error.arrived {
            tool_error = tool_error.with("files", files).with("bytes", bytes).with("failed", failed);
        }
        if matches!(error.reason, Reason::Stalled | Reason::Lost) {
            tool_error = tool_error.with_retriable(true);
        }
        if error.is_resumable {
            tool_error = tool_error.with("resumable", true);
        }
        match error.source {
            Some(source) => tool_error.with_source(source),
            None => tool_error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_reaches_the_caller_with_its_free_bytes() {
        let error = Error::new(Reason::DiskFull { free: 4096 }, "no room")
            .doing("writing", &RemotePath::from("/srv/a"));
        let error = gabier_tool::Error::from(error);
        assert_eq!(error.kind(), ErrorKind::TransferFailed);
        assert_eq!(error.message(), "writing /srv/a: no room");
        assert_eq!(error.details()["reason"], "disk_full");
        assert_eq!(error.details()["free_bytes"], 4096);
        assert_eq!(error.details()["path"], "/srv/a");
    }

    #[test]
    fn the_innermost_path_is_the_one_that_is_named() {
        let error = Error::new(Reason::Missing, "there is no such file")
            .doing("opening", &RemotePath::from("/a/b"))
            .doing("copying", &RemotePath::from("/a"));
        assert_eq!(error.to_string(), "opening /a/b: there is no such file");
    }
}
