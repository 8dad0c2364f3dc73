//! The way to the server: one connection for all calls, made anew when it is lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gabier_store::{Error, ErrorKind, Result};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, Pipeline, RedisError, RetryMethod, Script, Value,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout_at};

/// How long a call takes at most when the server is away.
const PATIENCE: Duration = Duration::from_millis(1_900);
/// How long a call waits before it connects again.
const PAUSE: Duration = Duration::from_millis(40);

/// The connection of a store, which many calls share.
pub(crate) struct Link {
    client: Client,
    open: Mutex<Option<Open>>,
    /// How many connections were opened.
    opened: AtomicU64,
}

#[derive(Clone)]
struct Open {
    connection: MultiplexedConnection,
    /// Which connection this is, so that one that failed is given up once.
    number: u64,
}

impl Link {
    /// A way that connects at the first call.
    pub(crate) fn new(client: Client) -> Self {
        Self { client, open: Mutex::new(None), opened: AtomicU64::new(0) }
    }

    /// Runs a script. When the connection is lost it is run again on a new one until time is up, so a script must
    /// know a call that it has answered before.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        doing: &str,
        script: &Script,
        args: &[Vec<u8>],
    ) -> Result<T> {
        let answer = self.attempt(doing, Request::Script(script, args, None)).await?;
        T::from_redis_value(answer).map_err(|source| odd(doing).because(source))
    }

    /// Runs a script as [`Link::run`] does, and makes the argument at `again` a 1 when it is not the first time.
    pub(crate) async fn run_again(
        &self,
        doing: &str,
        script: &Script,
        args: &[Vec<u8>],
        again: usize,
    ) -> Result<Value> {
        self.attempt(doing, Request::Script(script, args, Some(again))).await
    }

    /// Sends commands together; they must do no harm when they are sent twice.
    pub(crate) async fn ask<T: FromRedisValue>(&self, doing: &str, pipeline: &Pipeline) -> Result<T> {
        let answer = self.attempt(doing, Request::Pipeline(pipeline)).await?;
        T::from_redis_value(answer).map_err(|source| odd(doing).because(source))
    }

    async fn attempt(&self, doing: &str, request: Request<'_>) -> Result<Value> {
        let end = Instant::now() + PATIENCE;
        let mut last = None;
        loop {
            let tried = timeout_at(end, async {
                let open = self.connected().await.map_err(|source| (source, None))?;
                request
                    .send(open.connection, last.is_some())
                    .await
                    .map_err(|source| (source, Some(open.number)))
            });
            let (source, number) = match tried.await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failed)) => failed,
                Err(_) => return Err(unreachable(doing, last)),
            };
            if !may_pass(&source) {
                return Err(failed(doing, source));
            }
            if let Some(number) = number {
                self.give_up(number).await;
            }
            if Instant::now() + PAUSE >= end {
                return Err(unreachable(doing, Some(source)));
            }
            last = Some(source);
            sleep(PAUSE).await;
        }
    }

    async fn connected(&self) -> Result<Open, RedisError> {
        let mut open = self.open.lock().await;
        if let Some(open) = &*open {
            return Ok(open.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(Duration::from_secs(10)));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(open.insert(Open { connection, number }).clone())
    }

    async fn give_up(&self, number: u64) {
        let mut open = self.open.lock().await;
        if open.as_ref().is_some_and(|open| open.number == number) {
            *open = None;
        }
    }
}

/// What is sent in one go.
enum Request<'a> {
    /// A script, its arguments, and which of them says that it is sent again.
    Script(&'a Script, &'a [Vec<u8>], Option<usize>),
    Pipeline(&'a Pipeline),
}

impl Request<'_> {
    async fn send(&self, mut connection: MultiplexedConnection, is_again: bool) -> Result<Value, RedisError> {
        match self {
            Self::Script(script, args, again) => {
                let mut call = script.prepare_invoke();
                for (number, arg) in args.iter().enumerate() {
                    let says_so = is_again && *again == Some(number);
                    call.arg(if says_so { b"1" } else { arg.as_slice() });
                }
                call.invoke_async(&mut connection).await
            }
            Self::Pipeline(pipeline) => pipeline.query_async(&mut connection).await,
        }
    }
}

/// Whether the same call may succeed on another connection, a moment later.
fn may_pass(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_connection_dropped()
        || error.is_timeout()
        || matches!(error.retry_method(), RetryMethod::Reconnect | RetryMethod::WaitAndRetry)
        || matches!(error.code(), Some("LOADING" | "MASTERDOWN" | "BUSY" | "TRYAGAIN"))
}

fn unreachable(doing: &str, source: Option<RedisError>) -> Error {
    let error = Error::new(ErrorKind::Unreachable, format!("{doing}: Redis does not answer"));
    match source {
        Some(source) => error.because(source),
        None => error,
    }
}

fn odd(doing: &str) -> Error {
    damaged(format!("{doing}: Redis gave what was not expected"))
}

/// An answer of the server that is an error.
pub(crate) fn failed(doing: &str, source: RedisError) -> Error {
    let kind = match source.code() {
        Some("OOM") => ErrorKind::Full,
        Some("MISCONF") if source.to_string().contains("No space left") => ErrorKind::Full,
        Some("READONLY" | "NOAUTH" | "NOPERM" | "WRONGPASS" | "MISCONF") => ErrorKind::Unavailable,
        _ if may_pass(&source) => ErrorKind::Unreachable,
        _ => ErrorKind::Io,
    };
    Error::new(kind, doing).because(source)
}

/// What cannot be as it is.
pub(crate) fn damaged(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Damaged, what)
}
