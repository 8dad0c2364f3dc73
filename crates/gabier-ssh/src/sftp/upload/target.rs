//! Where an upload goes: the file itself, the folder that gets it, what a link points to.

use crate::sftp::attributes::{Attributes, FileKind};
use crate::sftp::error::{Error, Reason, Result};
use crate::sftp::options::{Options, TargetLinks};
use crate::sftp::path::RemotePath;
use crate::sftp::session::Session;

/// Where a file goes, and what is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sftp) struct Target {
    pub(in crate::sftp) path: RemotePath,
    pub(in crate::sftp) existing: Option<Attributes>,
}

/// Where something of this name goes when it is sent to the path: into a folder that is there, else to the path itself.
pub(in crate::sftp) async fn place(
    session: &Session,
    path: &RemotePath,
    name: &[u8],
) -> Result<(RemotePath, Option<Attributes>)> {
    let found = look(session, path).await?;
    let is_folder = match found {
        Some(found) if found.kind() == FileKind::Link => session.is_directory(path).await,
        Some(found) => found.kind() == FileKind::Directory,
        None => path.has_trailing_slash(),
    };
    if !is_folder {
        return Ok((path.clone(), found));
    }
    let inner = path.join(name);
    let found = look(session, &inner).await?;
    Ok((inner, found))
}

/// Lets a file go to the path, where this was found.
pub(in crate::sftp) async fn admit(
    session: &Session,
    options: &Options,
    path: RemotePath,
    found: Option<Attributes>,
) -> Result<Target> {
    let Some(existing) = found else { return Ok(Target { path, existing: None }) };
    let refuse = |reason, why: &str| Err(Error::new(reason, why).doing("writing", &path));
    match existing.kind() {
        FileKind::Directory => refuse(Reason::IsDirectory, "it is a folder"),
        FileKind::Special => refuse(Reason::Special, "it is not a regular file"),
        _ if !options.force => refuse(Reason::Exists, "it is there already"),
        FileKind::Link if options.target_links == TargetLinks::Refuse => {
            refuse(Reason::SymbolicLink, "it is a symbolic link")
        }
        FileKind::Link => through_link(session, &path).await,
        FileKind::Regular | FileKind::Unknown => Ok(Target { path, existing: Some(existing) }),
    }
}

/// What a link leads to, so that the link itself stays.
async fn through_link(session: &Session, link: &RemotePath) -> Result<Target> {
    let nowhere =
        |_| Error::new(Reason::SymbolicLink, "it is a link that leads nowhere").doing("writing", link);
    let existing = session.stat(link).await.map_err(|error| match error.reason() {
        reason if reason.ends_session() => error,
        _ => nowhere(error),
    })?;
    let path = session.real_path(link).await?;
    match existing.kind() {
        FileKind::Directory => {
            Err(Error::new(Reason::IsDirectory, "it leads to a folder").doing("writing", link))
        }
        FileKind::Special => {
            Err(Error::new(Reason::Special, "it leads to no regular file").doing("writing", link))
        }
        _ => Ok(Target { path, existing: Some(existing) }),
    }
}

async fn look(session: &Session, path: &RemotePath) -> Result<Option<Attributes>> {
    match session.lstat(path).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.reason() == Reason::Missing => Ok(None),
        Err(error) => Err(error),
    }
}
