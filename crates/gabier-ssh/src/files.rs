//! The files of SSH hosts: one session per host, shared by all who move files at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::future::BoxFuture;
use gabier_host::Target;
use gabier_tool::{Error as ToolError, ErrorKind, Result};
use tokio::time::sleep;

use crate::forward::serve;
use crate::hash::Hasher;
use crate::journal::FolderJournal;
use crate::pool::Pool;
use crate::sftp::{self, Channels, Error, Options, Reason, Resume, Session, Settings, SftpFiles, Verify};
use crate::transport::Service;

/// How long a session stays open that nobody uses.
const LINGER: Duration = Duration::from_secs(30);

/// The sessions there are, and what is known of the hosts they lead to.
#[derive(Default)]
pub(crate) struct OpenFiles(Mutex<HashMap<Target, Known>>);

#[derive(Clone, Default)]
struct Known {
    files: Weak<SftpFiles>,
    /// Whether it hashes, once it was asked.
    hashing: Option<Hashing>,
}

/// Whether a host hashes.
#[derive(Clone, Copy)]
enum Hashing {
    /// By this program.
    By(&'static str),
    /// It has no program for it, or takes no commands.
    Not,
}

impl OpenFiles {
    /// The files of a host, over the session there is or a new one.
    pub(crate) async fn open(&self, pool: &Arc<Pool>, target: &Target) -> Result<Arc<SftpFiles>> {
        let known = self.lock().get(target).cloned().unwrap_or_default();
        if let Some(files) = known.files.upgrade()
            && files.session().ending().is_none()
        {
            return Ok(files);
        }
        let hashing = async {
            match known.hashing {
                Some(hashing) => hashing,
                None => Hasher::probe(pool, target).await.map_or(Hashing::Not, Hashing::By),
            }
        };
        let (session, hashing) = tokio::join!(open_session(pool, target), hashing);
        let verify = match hashing {
            Hashing::By(program) => Verify::Remote(Arc::new(Hasher::new(pool, target, program))),
            Hashing::Not => Verify::Size,
        };
        let channels = More { pool: Arc::clone(pool), target: target.clone() };
        let resume = pool.connector().settings.transfers.clone().map(|folder| {
            let (user, host, port) = (&target.endpoint.user, &target.endpoint.host, target.endpoint.port);
            let journal = Arc::new(FolderJournal::new(folder));
            Resume { journal, server: format!("{user}@{host}:{port}") }
        });
        let options = Options { verify, resume, channels: Some(Arc::new(channels)), ..Options::default() };
        let (session, has_subsystem) = session?;
        let files = SftpFiles::new(session, options);
        let files = Arc::new(if has_subsystem { files } else { files.remarking(WITHOUT_SUBSYSTEM) });
        let known = Known { files: Arc::downgrade(&files), hashing: Some(hashing) };
        self.lock().insert(target.clone(), known);
        linger(Arc::clone(&files));
        Ok(files)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Target, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a session until it was of no use for a while, or is over.
fn linger(files: Arc<SftpFiles>) {
    tokio::spawn(async move {
        while Arc::strong_count(&files) > 1 || files.session().ending().is_none() {
            let was_used = Arc::strong_count(&files) > 1;
            sleep(LINGER).await;
            if !was_used && Arc::strong_count(&files) == 1 {
                return;
            }
        }
    });
}

/// Where hosts keep the program behind the subsystem.
const SFTP_SERVER: &str = "sh -c 'for at in /usr/lib/openssh /usr/libexec/openssh /usr/lib/ssh /usr/libexec /usr/lib; \
    do [ -x $at/sftp-server ] && exec $at/sftp-server; done; exec sftp-server'";

/// What a result says where the subsystem is missing.
const WITHOUT_SUBSYSTEM: &str =
    "the server has no SFTP subsystem, so the program sftp-server of the host was run for it";

/// A session, and whether the subsystem was there for it.
async fn open_session(pool: &Arc<Pool>, target: &Target) -> Result<(Session, bool)> {
    match serve(pool, target, Service::Subsystem("sftp")).await {
        Ok(stream) => Ok((Session::open(stream, Settings::default()).await?, true)),
        Err(error) if error.kind() == ErrorKind::NotAvailable => {
            let opened = async {
                let stream = serve(pool, target, Service::Program(SFTP_SERVER)).await?;
                Ok::<_, ToolError>(Session::open(stream, Settings::default()).await?)
            };
            let cure =
                "install sftp-server on the host, or put `Subsystem sftp internal-sftp` into its sshd_config";
            opened.await.map(|session| (session, false)).map_err(|_| error.with_next(cure))
        }
        Err(error) => Err(error),
    }
}

/// More sessions to the same host.
struct More {
    pool: Arc<Pool>,
    target: Target,
}

impl Channels for More {
    fn open(&self) -> BoxFuture<'_, sftp::Result<Session>> {
        Box::pin(async move {
            let opened = open_session(&self.pool, &self.target).await;
            opened.map(|(session, _)| session).map_err(|error| Error::new(Reason::Lost, error.message()))
        })
    }
}
