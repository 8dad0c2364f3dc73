//! Requests that a foreign web page made the browser send are refused.

use gabier_tool::ErrorKind;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderValue, Method};

use super::Refusal;

/// The foreign origins that may call, and how our own is told.
pub(super) struct Origins {
    allowed: Vec<String>,
    behind_proxy: bool,
}

/// Where the request came from.
#[derive(Clone, Debug)]
pub(super) enum From {
    /// From no page, or from one of ours.
    Own,
    /// From a configured foreign page, which may read the answer.
    Allowed(HeaderValue),
}

impl Origins {
    pub(super) fn new(allowed: &[String], behind_proxy: bool) -> Self {
        Self { allowed: allowed.to_vec(), behind_proxy }
    }

    /// Tells where a request came from, or refuses it. `is_page`: a person may follow a foreign link there.
    pub(super) fn check(
        &self,
        parts: &Parts,
        host: &str,
        secure: bool,
        is_page: bool,
    ) -> Result<From, Refusal> {
        let mut origins = parts.headers.get_all(ORIGIN).iter();
        let foreign = || Refusal::of(ErrorKind::Forbidden, "requests from that Origin are refused");
        if let Some(origin) = origins.next() {
            if origins.next().is_some() {
                return Err(foreign());
            }
            return self.judge(origin, host, secure).ok_or_else(foreign);
        }
        match parts.headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            None | Some(b"same-origin" | b"none") => Ok(From::Own),
            Some(_) if is_page && is_navigation(parts) => Ok(From::Own),
            Some(_) => Err(Refusal::of(ErrorKind::Forbidden, "requests from other sites are refused")),
        }
    }

    fn judge(&self, origin: &HeaderValue, host: &str, secure: bool) -> Option<From> {
        let text = origin.to_str().ok()?;
        let own = |scheme: &str| {
            text.strip_prefix(scheme).is_some_and(|authority| authority.eq_ignore_ascii_case(host))
        };
        let is_own = if self.behind_proxy {
            own("http://") || own("https://")
        } else {
            own(if secure { "https://" } else { "http://" })
        };
        if is_own {
            return Some(From::Own);
        }
        self.allowed.iter().any(|allowed| allowed == text).then(|| From::Allowed(origin.clone()))
    }
}

fn is_navigation(parts: &Parts) -> bool {
    parts.method == Method::GET
        && parts.headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
        && parts.headers.get("sec-fetch-dest").is_some_and(|dest| dest == "document")
}

impl From {
    /// True for the question a browser asks before a foreign page's request.
    pub(super) fn is_preflight(&self, parts: &Parts) -> bool {
        matches!(self, Self::Allowed(_))
            && parts.method == Method::OPTIONS
            && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Lets a configured foreign page read the answer; all others get no word of CORS.
    pub(super) fn add_headers(&self, headers: &mut HeaderMap) {
        let Self::Allowed(origin) = self else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.append(VARY, HeaderValue::from_static("origin"));
        let exposed = "mcp-session-id, mcp-protocol-version, x-request-id, retry-after, etag";
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
    }
}

/// What a foreign page may send.
pub(super) fn add_preflight(headers: &mut HeaderMap) {
    let accepted = "authorization, content-type, accept, last-event-id, mcp-session-id, mcp-protocol-version, \
                    mcp-method, mcp-name, x-gabier-profile, x-request-id";
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(accepted));
}
