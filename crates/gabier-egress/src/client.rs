//! One request on its way out: every hop vetted, the body bounded, the time limited.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gabier_tool::{Error, ErrorKind, Result};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use reqwest::redirect;
use url::{Origin, Url};

use crate::resolve::{Names, Pinned, SystemNames, Unresolved, resolve};
use crate::settings::Settings;
use crate::vet::{Policy, Reach, Refusal, literal, place, reach_of_hop, read_url, vet_redirect};

/// The most of a body that is read, after decompression.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// The most redirects that are followed.
pub const MAX_REDIRECTS: usize = 5;

/// The longest a request may take, redirects and body included.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The longest a request without redirects may take, the body included.
pub const DIRECT_LIMIT: Duration = Duration::from_secs(15);

/// The name we go by.
pub(crate) const USER_AGENT: &str = concat!("gabier/", env!("CARGO_PKG_VERSION"));

/// The only way out over HTTP.
pub struct Egress {
    settings: Settings,
    names: Arc<dyn Names>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The tool that asks, as `egress.allow` names it.
    pub tool: &'static str,
    /// How far it may reach.
    pub reach: Reach,
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: String,
    /// The caller's headers; none of them leaves the origin of `url`.
    pub headers: HeaderMap,
    /// The body; it does not leave the origin of `url` either.
    pub body: Option<Bytes>,
    /// The longest it may take, at most [`TIME_LIMIT`].
    pub limit: Duration,
}

impl Request {
    /// A plain GET.
    pub fn get(tool: &'static str, reach: Reach, url: impl Into<String>) -> Self {
        Self {
            tool,
            reach,
            method: Method::GET,
            url: url.into(),
            headers: HeaderMap::new(),
            body: None,
            limit: TIME_LIMIT,
        }
    }

    /// Adds a header of the caller's; its value never shows in logs.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.append(name, value);
        self
    }
}

/// What came back from the last hop.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where it came from.
    pub url: Url,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body after decompression, at most [`BODY_LIMIT`] of it.
    pub body: Bytes,
    /// True when the body went on beyond the limit.
    pub truncated: bool,
}

/// One hop of a request.
struct Hop {
    url: Url,
    method: Method,
    headers: HeaderMap,
    body: Option<Bytes>,
}

impl Egress {
    /// An egress over the system's resolver.
    pub fn new(settings: Settings) -> Self {
        Self::with_names(settings, Arc::new(SystemNames))
    }

    /// An egress over a resolver of one's own.
    pub fn with_names(settings: Settings, names: Arc<dyn Names>) -> Self {
        Self { settings, names }
    }

    /// What the operator opened.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether a URL could be reached now: what a webhook's registration asks.
    pub async fn vet(&self, tool: &str, reach: Reach, url: &str) -> Result<()> {
        let url = read_url(url)?;
        self.addresses(tool, reach_of_hop(reach, &url.origin(), &url), &url).await.map(drop)
    }

    /// Sends a request and reads its answer. `FORBIDDEN` names the rule that refused a hop; silence is `TIMEOUT`;
    /// everything else between here and an answer is `CONNECTION_FAILED`.
    pub async fn send(&self, request: Request) -> Result<Page> {
        let url = read_url(&request.url)?;
        let (host, limit) = (place(&url), request.limit.min(TIME_LIMIT));
        match tokio::time::timeout(limit, self.follow(request, url)).await {
            Ok(page) => page,
            Err(_) => Err(late(host, limit)),
        }
    }

    /// Sends a request to its own URL alone and gives whatever answers, a redirect included: for what must reach its
    /// target or nobody (webhooks). At most [`DIRECT_LIMIT`].
    pub async fn send_direct(&self, request: Request) -> Result<Page> {
        let url = read_url(&request.url)?;
        let (host, limit) = (place(&url), request.limit.min(DIRECT_LIMIT));
        let reach = reach_of_hop(request.reach, &url.origin(), &url);
        let hop = Hop { url, method: request.method, headers: request.headers, body: request.body };
        let answer = async { read(hop.url.clone(), self.dial(request.tool, reach, &hop).await?).await };
        match tokio::time::timeout(limit, answer).await {
            Ok(page) => page,
            Err(_) => Err(late(host, limit)),
        }
    }

    async fn follow(&self, request: Request, url: Url) -> Result<Page> {
        let (tool, reach, first) = (request.tool, request.reach, url.origin());
        let mut hop = Hop { url, method: request.method, headers: request.headers, body: request.body };
        for _ in 0..=MAX_REDIRECTS {
            let response = self.dial(tool, reach_of_hop(reach, &first, &hop.url), &hop).await?;
            match target(&hop.url, &response) {
                None => return read(hop.url, response).await,
                Some(to) => hop = redirected(hop, to?, response.status(), &first)?,
            }
        }
        let reason = format!("more than {MAX_REDIRECTS} redirects");
        Err(failed(&hop.url, reason).with_retriable(false))
    }

    async fn dial(&self, tool: &str, reach: Reach, hop: &Hop) -> Result<reqwest::Response> {
        let addresses = self.addresses(tool, reach, &hop.url).await?;
        tracing::debug!(tool, host = place(&hop.url), ?addresses, "egress");
        let client = client(&hop.url, addresses).await?;
        let mut request = client.request(hop.method.clone(), hop.url.clone()).headers(hop.headers.clone());
        if let Some(body) = &hop.body {
            request = request.body(body.clone());
        }
        request.send().await.map_err(|error| failed(&hop.url, reason_of(&error)).with_source(error))
    }

    /// The vetted addresses of a hop.
    async fn addresses(&self, tool: &str, reach: Reach, url: &Url) -> Result<Vec<IpAddr>> {
        let port = url.port_or_known_default().unwrap_or_default();
        let policy = Policy { settings: &self.settings, tool, reach, port };
        if let Some(address) = literal(url) {
            policy.vet(address)?;
            return Ok(vec![address]);
        }
        let host = url.host_str().unwrap_or_default();
        resolve(&*self.names, host, &policy).await.map_err(|unresolved| match unresolved {
            Unresolved::Refused(refusal) => refusal.into(),
            Unresolved::Failed(error) => failed(url, format!("cannot resolve {host}")).with_source(error),
        })
    }
}

/// A client for one hop: it knows the vetted addresses of one name and keeps no connection.
async fn client(url: &Url, addresses: Vec<IpAddr>) -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .no_proxy()
        .referer(false)
        .http1_only()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .dns_resolver(Pinned::new(url.host_str().unwrap_or_default(), addresses));
    let built = if url.scheme() == "https" {
        // Reading the system's certificates is file work.
        tokio::task::spawn_blocking(move || builder.build())
            .await
            .map_err(|error| Error::internal("building an HTTP client").with_source(error))?
    } else {
        builder.tls_certs_only([]).build()
    };
    built.map_err(|error| failed(url, reason_of(&error)).with_source(error))
}

/// Where a response redirects to, if it does.
fn target(from: &Url, response: &reqwest::Response) -> Option<Result<Url>> {
    let redirects = [301, 302, 303, 307, 308];
    if !redirects.contains(&response.status().as_u16()) {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?;
    let url = std::str::from_utf8(location.as_bytes()).ok().and_then(|location| from.join(location).ok());
    Some(url.ok_or_else(|| failed(from, "it redirects to something that is no URL")))
}

/// The hop after a redirect: the method as browsers change it, nothing of the caller's on a foreign origin.
fn redirected(hop: Hop, to: Url, status: StatusCode, first: &Origin) -> Result<Hop> {
    vet_redirect(&hop.url, &to)?;
    let (mut method, mut headers, mut body) = (hop.method, hop.headers, hop.body);
    let becomes_get = match status {
        StatusCode::SEE_OTHER => method != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == Method::POST,
        _ => false,
    };
    if becomes_get {
        (method, body) = (Method::GET, None);
        headers.remove(header::CONTENT_TYPE);
    }
    if to.origin() != *first {
        if body.is_some() {
            return Err(Refusal::new("body_to_foreign_origin", place(&to)).into());
        }
        // For good: a way back to the first origin may have been laid by the foreign one.
        headers.clear();
    }
    Ok(Hop { url: to, method, headers, body })
}

/// Reads a body up to the limit; what lies beyond is left on the wire.
async fn read(url: Url, mut response: reqwest::Response) -> Result<Page> {
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let (mut body, mut truncated) = (BytesMut::new(), false);
    while let Some(chunk) =
        response.chunk().await.map_err(|error| failed(&url, reason_of(&error)).with_source(error))?
    {
        let room = BODY_LIMIT - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            truncated = true;
            break;
        }
    }
    Ok(Page { url, status, headers, body: body.freeze(), truncated })
}

pub(crate) fn late(host: String, limit: Duration) -> Error {
    let seconds = limit.as_secs_f64();
    Error::new(ErrorKind::Timeout, format!("{host} did not answer within {seconds} s"))
        .with("host", host)
        .with("limit_s", seconds)
}

pub(crate) fn failed(url: &Url, reason: impl Into<String>) -> Error {
    let (host, reason) = (place(url), reason.into());
    Error::new(ErrorKind::ConnectionFailed, format!("requesting {host} failed: {reason}"))
        .with("host", url.host_str().unwrap_or_default())
        .with("reason", reason)
}

/// The plain words for why a connection failed: the system's own when it was the system, else the innermost cause.
pub fn reason_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    loop {
        if let Some(error) = cause.downcast_ref::<io::Error>()
            && error.get_ref().is_none()
        {
            return error.kind().to_string();
        }
        // An `io::Error` that wraps another gives that one's source, not itself.
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref).map(|inner| inner as _);
        match wrapped.or_else(|| cause.source()) {
            Some(source) => cause = source,
            None => return cause.to_string(),
        }
    }
}
