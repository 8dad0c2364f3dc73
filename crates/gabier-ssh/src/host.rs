//! A host over SSH.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use gabier_host::{ByteStream, Command, Execution, Files, Host, Prompts, Shell, Target};
use gabier_tool::Result;

use crate::exec::{interact, open_shell, run};
use crate::files::OpenFiles;
use crate::forward::{forward, serve};
use crate::pool::Pool;
use crate::transport::Service;

/// A host over SSH; cheap to make and to clone.
#[derive(Clone)]
pub struct SshHost {
    pool: Arc<Pool>,
    files: Arc<OpenFiles>,
    target: Target,
}

impl SshHost {
    pub(crate) fn new(pool: Arc<Pool>, files: Arc<OpenFiles>, target: Target) -> Self {
        Self { pool, files, target }
    }

    /// A stream to the host's SFTP server, on a connection for files.
    pub async fn sftp_stream(&self) -> Result<Box<dyn ByteStream>> {
        serve(&self.pool, &self.target, Service::Subsystem("sftp")).await
    }
}

impl Host for SshHost {
    fn alias(&self) -> &str {
        self.target.alias()
    }

    fn exec(&self, command: Command) -> BoxFuture<'_, Result<Execution>> {
        run(&self.pool, &self.target, command).boxed()
    }

    fn interact(&self, command: Command, prompts: Prompts) -> BoxFuture<'_, Result<Execution>> {
        interact(&self.pool, &self.target, command, prompts).boxed()
    }

    fn shell(&self) -> BoxFuture<'_, Result<Box<dyn Shell>>> {
        open_shell(&self.pool, &self.target).boxed()
    }

    fn files(&self) -> BoxFuture<'_, Result<Arc<dyn Files>>> {
        async move { Ok(self.files.open(&self.pool, &self.target).await? as Arc<dyn Files>) }.boxed()
    }

    fn forward<'a>(&'a self, address: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn ByteStream>>> {
        forward(&self.pool, &self.target, address, port).boxed()
    }
}
