//! HTTP to a server: our headers, our limits, our failures.

use std::time::Duration;

use gabier_tool::{Error, ErrorKind, Result, Secret};
use reqwest::{Client, RequestBuilder, Response, redirect};
use url::Url;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(30);

/// How long an answer, or the next part of one, may take.
const ANSWER: Duration = Duration::from_mins(5);

/// The longest answer, in bytes.
const LONGEST: usize = 64 << 20;

/// A client with a token.
pub(crate) struct Wire {
    client: Client,
    token: Option<Secret>,
}

impl Wire {
    pub(crate) fn new(token: Option<Secret>) -> Result<Self> {
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(ANSWER)
            // A redirect would carry the token to another place.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("gabier-term/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::NotAvailable, "preparing TLS on this machine").with_source(error)
            })?;
        Ok(Self { client, token })
    }

    pub(crate) fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url)
    }

    pub(crate) fn post(&self, url: Url) -> RequestBuilder {
        self.client.post(url)
    }

    /// Sends a request; a server that cannot be reached is `CONNECTION_FAILED`, a silent one `TIMEOUT`.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        };
        request.send().await.map_err(failure)
    }
}

/// The URL of a path below a base, which keeps a folder of its own.
pub(crate) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    let root = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{root}/{path}"));
    url
}

/// All of an answer's body.
pub(crate) async fn body(mut response: Response) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        grow(&mut bytes, &chunk)?;
    }
    Ok(bytes)
}

/// Adds bytes to an answer that is not yet too long.
pub(crate) fn grow(bytes: &mut Vec<u8>, chunk: &[u8]) -> Result<()> {
    if bytes.len() + chunk.len() > LONGEST {
        return Err(Error::new(ErrorKind::ConnectionFailed, "the server's answer is longer than 64 MiB")
            .with_retriable(false));
    }
    bytes.extend_from_slice(chunk);
    Ok(())
}

/// What reqwest says, in the words of the one table.
pub(crate) fn failure(error: reqwest::Error) -> Error {
    let place = error.url().map(|url| {
        let port = url.port_or_known_default().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", url.host_str().unwrap_or_default())
    });
    let place = place.unwrap_or_else(|| "the server".to_owned());
    if error.is_timeout() && !error.is_connect() {
        return Error::new(ErrorKind::Timeout, format!("{place} did not answer in time")).with_source(error);
    }
    let reason = reason(&error);
    Error::new(ErrorKind::ConnectionFailed, format!("calling {place}: {reason}"))
        .with("host", place)
        .with("reason", reason)
        .with_source(error)
}

/// The innermost cause, which names what the system refused.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
