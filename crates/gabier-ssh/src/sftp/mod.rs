//! An SFTP client (draft-ietf-secsh-filexfer-02, version 3) over any duplex byte stream, and transfers on top.
//!
//! [`Session`] speaks the protocol. Paths, names and handles are bytes; requests are answered in any order and any
//! number is in flight; a limit is a time without progress. [`upload`] and [`download`] move files and folders:
//! nothing is seen under its final name before it is whole. Local files are reached through a [`LocalFolder`] alone.

mod attributes;
mod batch;
mod depth;
mod directory;
mod download;
mod error;
mod extensions;
mod file;
mod glob;
mod host_files;
mod job;
mod link;
mod local;
mod operations;
mod options;
mod packet;
mod path;
mod progress;
mod pump;
mod report;
mod resume;
mod session;
mod slots;
mod upload;
mod verify;
mod walk;
mod wire;

pub use attributes::{Attributes, Entry, FileKind, Owner};
pub use download::{download, download_matching};
pub use error::{Error, Reason, Result};
pub use extensions::{FileSystem, Limits};
pub use file::{Mode, RemoteFile};
pub use glob::Pattern;
pub use host_files::SftpFiles;
pub use local::{LocalFile, LocalFolder, Reach};
pub use options::{Channels, Hashed, Options, RemoteHash, TargetLinks, TreeLinks, Verify};
pub use path::{RemotePath, admit_name};
pub use progress::{Listener, Progress};
pub use report::{Failed, Report, Skipped, hex};
pub use resume::{Checkpoint, Journal, Page, Resume, Segment};
pub use session::{Session, Settings};
pub use upload::{replace, upload, upload_matching};
