//! An SFTP client (draft-ietf-secsh-filexfer-02, version 3) over any duplex byte stream.
//!
//! [`Session`] speaks the protocol. Paths, names and handles are bytes; requests are answered in any order and any
//! number is in flight; a limit is a time without progress.

mod attributes;
mod depth;
mod directory;
mod error;
mod extensions;
mod file;
mod link;
mod operations;
mod packet;
mod path;
mod pump;
mod session;
mod slots;
mod wire;

pub use attributes::{Attributes, Entry, FileKind, Owner};
pub use error::{Error, Reason, Result};
pub use extensions::{FileSystem, Limits};
pub use file::{Mode, RemoteFile};
pub use path::{RemotePath, admit_name};
pub use session::{Session, Settings};
