//! The [`Files`] of a host over an SFTP session.

use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use gabier_host::{Entry, FileKind, Files, LocalPlace, Metadata, Move, MoveProgress, Moved};
use gabier_tool::{Error as ToolError, ErrorKind, Result as ToolResult};
use serde_json::json;

use super::attributes::{Attributes, FileKind as Kind};
use super::download::{download, download_matching};
use super::error::Result;
use super::file::Mode;
use super::glob::Pattern;
use super::local::{LocalFolder, Reach};
use super::options::{Options, Verify};
use super::path::RemotePath;
use super::report::{Report, hex};
use super::session::Session;
use super::upload::{replace, upload, upload_matching};

/// The files of a host over an SFTP session.
pub struct SftpFiles {
    session: Session,
    options: Options,
    remark: Option<&'static str>,
}

impl SftpFiles {
    /// Files over a session. Every move takes its verification, journal and channels from the options, and the rest
    /// from itself.
    pub fn new(session: Session, options: Options) -> Self {
        Self { session, options, remark: None }
    }

    /// The same, with a sentence that every result says.
    #[must_use]
    pub fn remarking(self, remark: &'static str) -> Self {
        Self { remark: Some(remark), ..self }
    }

    /// The session, for what a host's files cannot say.
    pub fn session(&self) -> &Session {
        &self.session
    }

    fn options(&self, job: &Move) -> Options {
        let progress = job.progress.clone().map(|listener| {
            let tell = move |progress: super::Progress| {
                listener(MoveProgress {
                    bytes: progress.bytes,
                    total_bytes: progress.total_bytes,
                    files: progress.files,
                    total_files: progress.total_files,
                });
            };
            Arc::new(tell) as super::Listener
        });
        let (force, skip_unchanged, cancel) = (job.force, job.skip_unchanged, job.cancel.clone());
        Options { force, skip_unchanged, progress, cancel, ..self.options.clone() }
    }

    async fn read_at(&self, path: &RemotePath, offset: u64, limit: usize) -> Result<Bytes> {
        let file = self.session.open_file(path, Mode::Read, 0).await?;
        let chunk = self.session.limits().chunk();
        let mut content = BytesMut::new();
        while content.len() < limit {
            let length = (limit - content.len()).min(chunk);
            let length = u32::try_from(length).expect("a chunk is below 256 KiB");
            let Some(piece) = file.read(offset + content.len() as u64, length).await? else { break };
            content.extend_from_slice(&piece);
        }
        Ok(content.freeze())
    }

    async fn send(&self, job: Move) -> ToolResult<Moved> {
        let (options, target) = (self.options(&job), own(&job.remote));
        let (folder, local) = (folder_of(&job.local)?, &job.local.path);
        let text = local.to_string_lossy();
        let report = if Pattern::is_pattern(text.as_bytes()) && folder.stat(local).is_err() {
            upload_matching(&self.session, &folder, &text, &target, &options).await?
        } else {
            upload(&self.session, &folder, local, &target, &options).await?
        };
        self.moved(report)
    }

    async fn fetch(&self, job: Move) -> ToolResult<Moved> {
        let (options, source) = (self.options(&job), own(&job.remote));
        let (folder, local) = (folder_of(&job.local)?, &job.local.path);
        let is_pattern = Pattern::is_pattern(source.as_bytes()) && self.session.lstat(&source).await.is_err();
        let report = if is_pattern {
            download_matching(&self.session, source.as_bytes(), &folder, local, &options).await?
        } else {
            download(&self.session, &source, &folder, local, &options).await?
        };
        self.moved(report)
    }

    /// A move in which something failed is a failure that names what did.
    fn moved(&self, report: Report) -> ToolResult<Moved> {
        let count = report.failed.len();
        if count > 0 {
            let failed = report.failed.iter().take(100).map(|failed| {
                json!({
                    "source": failed.source, "target": failed.target,
                    "reason": failed.error.reason().word(), "message": failed.error.to_string(),
                })
            });
            let failed: Vec<_> = failed.collect();
            let message = format!("{count} files did not arrive, {} did", report.files);
            let error = ToolError::new(ErrorKind::TransferFailed, message);
            let error = if self.options.resume.is_some() { error.with("resumable", true) } else { error };
            return Err(error
                .with("failed_files", failed)
                .with("failed", count)
                .with("files", report.files)
                .with("bytes", report.bytes));
        }
        let mut notes = report.notes;
        notes.extend(self.remark.map(str::to_owned));
        if matches!(self.options.verify, Verify::Size) && report.files > 0 {
            notes.push("the host hashes no files, so sizes alone were compared".to_owned());
        }
        let skipped = report.skipped.iter().map(|skipped| format!("{}: {}", skipped.path, skipped.why));
        Ok(Moved {
            files: report.files,
            bytes: report.bytes,
            resumed: report.resumed,
            sha256: report.sha256.as_ref().map(hex),
            skipped: skipped.collect(),
            notes,
        })
    }
}

impl Files for SftpFiles {
    fn stat<'a>(&'a self, path: &'a RemotePath) -> BoxFuture<'a, ToolResult<Metadata>> {
        Box::pin(async move { Ok(metadata(&self.session.stat(&own(path)).await?)) })
    }

    fn list<'a>(&'a self, path: &'a RemotePath) -> BoxFuture<'a, ToolResult<Vec<Entry>>> {
        Box::pin(async move {
            let entries = self.session.list(&own(path)).await?.into_iter();
            let entry = |entry: super::Entry| Entry {
                name: entry.name.to_vec(),
                metadata: metadata(&entry.attributes),
            };
            Ok(entries.map(entry).collect())
        })
    }

    fn read<'a>(
        &'a self,
        path: &'a RemotePath,
        offset: u64,
        limit: usize,
    ) -> BoxFuture<'a, ToolResult<Bytes>> {
        Box::pin(async move { Ok(self.read_at(&own(path), offset, limit).await?) })
    }

    fn write<'a>(&'a self, path: &'a RemotePath, content: Bytes) -> BoxFuture<'a, ToolResult<()>> {
        Box::pin(async move { Ok(replace(&self.session, &own(path), &content, &self.options).await?) })
    }

    fn upload(&self, job: Move) -> BoxFuture<'_, ToolResult<Moved>> {
        Box::pin(self.send(job))
    }

    fn download(&self, job: Move) -> BoxFuture<'_, ToolResult<Moved>> {
        Box::pin(self.fetch(job))
    }
}

/// The path, with `~/` read as the folder that sessions start in.
fn own(path: &RemotePath) -> RemotePath {
    match std::str::from_utf8(path.as_bytes()) {
        Ok("") => RemotePath::from("."),
        Ok(text) => RemotePath::typed(text),
        Err(_) => RemotePath::new(path.as_bytes()),
    }
}

/// The folder that holds a local path, with the reach that the path has.
fn folder_of(local: &LocalPlace) -> Result<LocalFolder> {
    let folder = match &local.within {
        None => LocalFolder::open(Path::new("."), Reach::Anywhere)?,
        Some(within) => {
            let reach = if within.follows_links { Reach::Below } else { Reach::BelowWithoutLinks };
            let folder = LocalFolder::new(Arc::clone(&within.folder), reach).on_one_device();
            if within.denies_hardlinks { folder.without_hardlinks() } else { folder }
        }
    };
    Ok(match &local.excluded {
        Some(excluded) => folder.excluding(excluded),
        None => folder,
    })
}

fn metadata(attributes: &Attributes) -> Metadata {
    let kind = match attributes.kind() {
        Kind::Regular | Kind::Unknown => FileKind::File,
        Kind::Directory => FileKind::Directory,
        Kind::Link => FileKind::Symlink,
        Kind::Special => FileKind::Other,
    };
    Metadata {
        kind,
        size: attributes.size.unwrap_or(0),
        mode: attributes.mode.map(|_| attributes.permissions()),
        modified: attributes.modified(),
    }
}
