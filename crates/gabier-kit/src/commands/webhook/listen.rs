//! `webhook listen`: a receiver on loopback that prints what comes, and whether its signatures hold.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::{Arg, ArgMatches, Command, value_parser};
use gabier_task::webhook;
use gabier_term::{Format, Sources};
use gabier_tool::{Clock, Error, ErrorKind, Result, Sanitised, Secret, neutralise};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::commands::{Report, Site, serve};

/// The longest body that is read, in bytes; ours are shorter.
const LONGEST: usize = 1 << 20;

/// How long a sender may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the last answers may take.
const PARTING: Duration = Duration::from_secs(1);

pub(super) fn command() -> Command {
    Command::new("listen")
        .about("Receive webhooks on loopback; print each, and whether its signatures hold")
        .arg(
            Arg::new("port")
                .long("port")
                .value_name("N")
                .value_parser(value_parser!(u16))
                .default_value("0")
                .help("Port to listen on; 0 = any free one"),
        )
        .arg(
            Arg::new("secret")
                .long("secret")
                .value_name("SOURCE")
                .help("The secret: env:NAME, file:PATH, - or prompt; that of the settings when absent"),
        )
        .arg(
            Arg::new("count")
                .long("count")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..))
                .help("End after so many deliveries"),
        )
}

pub(super) async fn run(site: &Site<'_>, given: &ArgMatches) -> Result<Report> {
    let secret = match given.get_one::<String>("secret") {
        Some(source) => {
            Some(Secret::from(Sources::new(&site.terminal, &site.globals).secret("secret", source)?))
        }
        None => site.loaded()?.config()?.tasks.webhooks.secret,
    };
    let port = given.get_one::<u16>("port").copied().unwrap_or_default();
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Unavailable, format!("listening on 127.0.0.1:{port}: {error}"))
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    site.terminal.say(&banner(address, secret.is_some()));

    let shutdown = CancellationToken::new();
    serve::stop_on_signal(&shutdown);
    let (tell, mut told) = mpsc::channel(64);
    let receiver = Arc::new(Receiver { secret, clock: site.clock(), tell });
    let answering = TaskTracker::new();
    tokio::spawn(shutdown.clone().run_until_cancelled_owned(accept(listener, receiver, answering.clone())));
    let mut left = given.get_one::<u64>("count").copied();
    while left != Some(0) {
        let Some(Some(delivery)) = shutdown.run_until_cancelled(told.recv()).await else { break };
        site.terminal.print(&shown(&delivery, site.globals.format));
        left = left.map(|left| left - 1);
    }
    // Whoever sent the last one is to hear that it was taken.
    shutdown.cancel();
    answering.close();
    let _ = tokio::time::timeout(PARTING, answering.wait()).await;
    Ok(Report::done())
}

fn banner(address: SocketAddr, is_verified: bool) -> String {
    let port = address.port();
    let verified = if is_verified { "signatures are verified" } else { "no secret: nothing is verified" };
    format!(
        "listening on http://{address}/ for webhooks; {verified}\n  \
         a server that is to reach it needs [[egress.allow]] cidr = \"127.0.0.1\", port = {port}, tool = \"webhook\"",
    )
}

struct Receiver {
    secret: Option<Secret>,
    clock: Arc<dyn Clock>,
    tell: mpsc::Sender<Value>,
}

async fn accept(listener: TcpListener, receiver: Arc<Receiver>, answering: TaskTracker) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let receiver = Arc::clone(&receiver);
        let service = service_fn(move |request| {
            let receiver = Arc::clone(&receiver);
            async move { Ok::<_, std::convert::Infallible>(receiver.take(request).await) }
        });
        answering.spawn(tokio::time::timeout(PATIENCE, async move {
            let served =
                http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await;
            if let Err(error) = served {
                tracing::debug!(%error, "a sender left");
            }
        }));
    }
}

impl Receiver {
    async fn take(&self, request: Request<Incoming>) -> Response<Empty<Bytes>> {
        let answer = |status| {
            let mut response = Response::new(Empty::new());
            *response.status_mut() = status;
            response
        };
        if request.method() != Method::POST {
            return answer(StatusCode::METHOD_NOT_ALLOWED);
        }
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, LONGEST).collect().await else {
            return answer(StatusCode::PAYLOAD_TOO_LARGE);
        };
        let delivery = self.look(&head.headers, &body.to_bytes());
        // Taken is what was told, and no more is taken once nobody listens.
        match self.tell.send(delivery).await {
            Ok(()) => answer(StatusCode::NO_CONTENT),
            Err(_) => answer(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    fn look(&self, headers: &HeaderMap, body: &[u8]) -> Value {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
        let standard = self.verdict(header("webhook-signature"), |secret, signature| {
            let now = self.clock.now().timestamp();
            webhook::verify(
                secret,
                id.unwrap_or_default(),
                timestamp.unwrap_or_default(),
                signature,
                body,
                now,
            )
        });
        let legacy = self.verdict(header("x-webhook-signature-256"), |secret, signature| {
            webhook::verify_legacy(secret, signature, body)
        });
        let body = serde_json::from_slice(body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body).into_owned()));
        json!({
            "id": id,
            "task": header("x-task-id"),
            "type": body.get("type"),
            "signature": standard,
            "legacy_signature": legacy,
            "body": body,
        })
    }

    fn verdict(&self, signature: Option<&str>, verify: impl Fn(&Secret, &str) -> bool) -> &'static str {
        match (signature, &self.secret) {
            (None, _) => "absent",
            (Some(_), None) => "not verified",
            (Some(signature), Some(secret)) if verify(secret, signature) => "valid",
            (Some(_), Some(_)) => "invalid",
        }
    }
}

/// A delivery: one line for programs, a few for people.
fn shown(delivery: &Value, format: Format) -> String {
    if format.is_json() {
        return format!("{delivery}\n");
    }
    let word = |key: &str| delivery[key].as_str().unwrap_or("-").to_owned();
    let mut text = format!(
        "{} {}\n  signature {}, legacy signature {}\n{:#}\n",
        word("type"),
        word("id"),
        word("signature"),
        word("legacy_signature"),
        delivery["body"],
    );
    neutralise(&mut text, &mut Sanitised::default());
    text
}
