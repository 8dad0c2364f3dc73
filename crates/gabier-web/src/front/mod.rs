//! What every request passes before a route sees it, in this order: Host, Origin, content type, place of the token,
//! identity, rates, body. Nothing behind it runs for a request that fails one of them.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::response::Response;
use gabier_tool::guard::{Credential, Origin};
use gabier_tool::{Caller, CallerKind, Dispatch, Envelope, Error, ErrorKind, Listening, Surface};
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use crate::answer::{failure, json, media, not_allowed, with_headers};
use crate::metrics::Metrics;
use crate::options::WebOptions;
use crate::pace::Pace;

mod address;
mod body;
mod credential;
mod headers;
mod host;
mod origin;
mod rates;
mod tail;

pub(crate) use headers::REQUEST_ID;
pub(crate) use tail::Tail;

/// How often the token behind an open event stream is looked at again.
const STREAM_CHECK: Duration = Duration::from_secs(1);

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) remote: IpAddr,
    pub(crate) local: IpAddr,
    /// True under our own TLS.
    pub(crate) secure: bool,
}

/// The kinds of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zone {
    /// A page that a person may come to from elsewhere.
    Page,
    /// Own routes that show no data of the caller.
    Open,
    /// REST.
    Api,
    /// What other faces mounted.
    Mounted,
}

impl Zone {
    fn of(path: &str, health_path: &str) -> Self {
        match path {
            "/" | "/docs" | "/redoc" => Self::Page,
            "/healthz" | "/ready" | "/metrics" | "/openapi.json" => Self::Open,
            "/tools" => Self::Api,
            path if path == health_path || path.starts_with("/assets/") => Self::Open,
            path if ["/api/", "/call/", "/tools/"].iter().any(|own| path.starts_with(own)) => Self::Api,
            _ => Self::Mounted,
        }
    }

    const fn surface(self) -> Surface {
        match self {
            Self::Page | Self::Open => Surface::Web,
            Self::Api => Surface::Rest,
            Self::Mounted => Surface::McpHttp,
        }
    }
}

/// A request that goes no further.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Where the status is not the one of the error's kind.
    status: Option<StatusCode>,
    error: Error,
    closes: bool,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { status: None, error, closes: false }
    }
}

impl Refusal {
    fn of(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::from(Error::new(kind, message))
    }

    fn with_status(status: StatusCode, error: Error) -> Self {
        Self { status: Some(status), error, closes: false }
    }

    /// The connection cannot go on after this.
    fn closing(self) -> Self {
        Self { closes: true, ..self }
    }
}

/// The one layer before all routes.
pub(crate) struct Front {
    options: WebOptions,
    dispatch: Arc<Dispatch>,
    routes: Router,
    hosts: host::Hosts,
    origins: origin::Origins,
    rates: rates::Rates,
    streams: Arc<tail::Streams>,
}

impl Front {
    pub(crate) fn new(
        options: WebOptions,
        dispatch: Arc<Dispatch>,
        routes: Router,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            hosts: host::Hosts::new(&options.allowed_hosts),
            origins: origin::Origins::new(&options.allowed_origins, options.behind_proxy),
            rates: rates::Rates::new(&options.limits, options.per_minute),
            streams: tail::Streams::new(options.limits.streams_per_token, metrics),
            options,
            dispatch,
            routes,
        })
    }

    pub(crate) fn options(&self) -> &WebOptions {
        &self.options
    }

    /// True when the address is one of the configured proxies.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let proxies: &[IpNet] = &self.options.trusted_proxies;
        !proxies.is_empty() && address::is_trusted(address, proxies)
    }

    /// Ends the event streams that would not end by themselves.
    pub(crate) fn stop_streams(&self) {
        self.streams.stop();
    }

    /// Answers one request.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: Peer,
        pace: Arc<Pace>,
    ) -> Result<Response<Tail>, Infallible> {
        let (mut parts, mut body) = request.into_parts();
        let id = headers::request_id(&parts.headers);
        parts.headers.insert(REQUEST_ID, id.clone());
        let is_docs = parts.uri.path() == "/docs";
        let mut from = origin::From::Own;
        let passed = self.pass(&mut parts, &mut body, peer, &mut from).await;
        let (mut response, stream) = match passed {
            Ok(passed) => passed,
            Err(refusal) => {
                body::discard(&parts.headers, &mut body, &self.options.limits).await;
                (self.refuse(refusal), None)
            }
        };
        let head = response.headers_mut();
        headers::secure(head, is_docs, peer.secure);
        from.add_headers(head);
        head.insert(REQUEST_ID, id);
        Ok(response.map(|body| Tail::new(body, pace, stream)))
    }

    async fn pass(
        &self,
        parts: &mut Parts,
        body: &mut Incoming,
        peer: Peer,
        from: &mut origin::From,
    ) -> Result<(Response, Option<tail::Stream>), Refusal> {
        let zone = Zone::of(parts.uri.path(), &self.options.health_path);
        let host = self.hosts.check(parts, peer)?;
        *from = self.origins.check(parts, host, peer.secure, zone == Zone::Page)?;
        if from.is_preflight(parts) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            origin::add_preflight(response.headers_mut());
            return Ok((response, None));
        }
        check_content_type(parts, body)?;
        let address = address::client(peer.remote, &parts.headers, &self.options.trusted_proxies);
        let caller = self.identify(parts, zone, address, peer).await?;
        self.rates.check(zone, address)?;
        let body = body::read(&parts.headers, body, &self.options.limits).await?;

        let mut request = Request::new(Body::from(body));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = std::mem::take(&mut parts.uri);
        *request.headers_mut() = std::mem::take(&mut parts.headers);
        *request.extensions_mut() = std::mem::take(&mut parts.extensions);
        request.extensions_mut().insert(caller.clone());
        let Ok(response) = self.routes.clone().call(request).await;
        self.finish(response, &caller, address)
    }

    async fn identify(
        &self,
        parts: &Parts,
        zone: Zone,
        address: IpAddr,
        peer: Peer,
    ) -> Result<Caller, Refusal> {
        let token = credential::token(parts, self.options.query_token)?;
        let shown = token.as_deref().map_or(Credential::None, Credential::Bearer);
        let origin = Origin { surface: zone.surface(), address: Some(address) };
        let caller = self.dispatch.guards().authority.identify(shown, origin).await?;
        let is_unknown = caller.kind == CallerKind::Anonymous && !caller.is_stranger();
        if is_unknown && !peer.local.to_canonical().is_loopback() {
            // The last token went away while the server listens beyond loopback: nobody is let in unseen.
            return Err(Refusal::of(ErrorKind::Unauthenticated, "this server needs a token beyond loopback"));
        }
        Ok(caller)
    }

    /// Looks at the routes' answer: strangers that keep knocking, event streams, and refusals without words.
    fn finish(
        &self,
        response: Response,
        caller: &Caller,
        address: IpAddr,
    ) -> Result<(Response, Option<tail::Stream>), Refusal> {
        let clock = &*self.dispatch.guards().clock;
        match response.status() {
            StatusCode::UNAUTHORIZED if caller.is_stranger() => self.rates.count_stranger(address)?,
            StatusCode::NOT_FOUND if response.body().is_end_stream() => {
                return Ok((failure(Error::not_found("there is nothing at this path"), clock), None));
            }
            StatusCode::METHOD_NOT_ALLOWED if response.body().is_end_stream() => {
                let allow = response.headers().get(ALLOW).cloned();
                return Ok((not_allowed(allow.unwrap_or(HeaderValue::from_static("")), clock), None));
            }
            _ => {}
        }
        let is_stream = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|media| media.as_bytes().starts_with(media::EVENTS.as_bytes()));
        if !is_stream {
            return Ok((response, None));
        }
        let listens = response.extensions().get::<Listening>().is_some();
        let (stream, token) = self.streams.admit(caller, listens)?;
        self.watch(caller, token);
        Ok((response, Some(stream)))
    }

    /// Ends a stream soon after its token was revoked.
    fn watch(&self, caller: &Caller, stream: CancellationToken) {
        if caller.kind == CallerKind::Anonymous {
            return;
        }
        let (authority, caller) = (Arc::clone(&self.dispatch.guards().authority), caller.clone());
        tokio::spawn(async move {
            while let Err(_elapsed) = tokio::time::timeout(STREAM_CHECK, stream.cancelled()).await {
                if authority
                    .refresh(&caller)
                    .await
                    .is_err_and(|error| error.kind() == ErrorKind::Unauthenticated)
                {
                    stream.cancel();
                }
            }
        });
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        let Refusal { status, error, closes } = refusal;
        let envelope = Envelope::Failure { error, at: self.dispatch.guards().clock.now() };
        let status = status.unwrap_or_else(|| crate::answer::status_of(&envelope));
        let mut response = with_headers(json(status, &envelope.to_value()), &envelope);
        if closes {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Bodies are JSON: a form or plain text is what a foreign page can send without asking.
fn check_content_type(parts: &Parts, body: &Incoming) -> Result<(), Refusal> {
    let mut given = parts.headers.get_all(CONTENT_TYPE).iter();
    let is_json = |value: &HeaderValue| {
        let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(media::JSON.as_bytes())
    };
    let passes = match (given.next(), given.next()) {
        (None, _) => body.is_end_stream(),
        (Some(only), None) => is_json(only),
        (Some(_), Some(_)) => false,
    };
    if passes {
        return Ok(());
    }
    let error = Error::new(ErrorKind::UnsupportedMediaType, "this server takes JSON only")
        .with_next("send the header Content-Type: application/json");
    Err(Refusal::from(error))
}
