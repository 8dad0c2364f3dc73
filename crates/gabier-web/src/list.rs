//! The tools that a caller may use.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use gabier_tool::{Catalog, Result};
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Request, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::answer::{answer, bytes_of, media};
use crate::web::{App, caller};

/// Each tool's entry in the list, written once.
pub(crate) struct Listing {
    catalog: Arc<Catalog>,
    entries: OnceLock<Vec<Bytes>>,
}

impl Listing {
    pub(crate) fn new(catalog: &Arc<Catalog>) -> Self {
        Self { catalog: Arc::clone(catalog), entries: OnceLock::new() }
    }

    fn entries(&self) -> &[Bytes] {
        self.entries.get_or_init(|| self.catalog.iter().map(|entry| bytes_of(&entry.info())).collect())
    }
}

/// `{status, data: {tools}}`, with an `ETag` that names this very list.
pub(crate) fn list(app: &App, request: &Request<Body>) -> Result<Response> {
    let caller = caller(request)?;
    let authority = &app.dispatch.guards().authority;
    let permitted = app.dispatch.catalog().iter().zip(app.listing.entries());
    let mut text = b"{\"status\":\"ok\",\"data\":{\"tools\":[".to_vec();
    let mut is_first = true;
    for (_, info) in permitted.filter(|(entry, _)| authority.permits(caller, entry)) {
        if !std::mem::take(&mut is_first) {
            text.push(b',');
        }
        text.extend_from_slice(info);
    }
    text.extend_from_slice(b"]}}");
    let etag = etag_of(&text);
    let mut response = if request.headers().get(IF_NONE_MATCH) == Some(&etag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        answer(StatusCode::OK, media::JSON, text)
    };
    response.headers_mut().insert(ETAG, etag);
    Ok(response)
}

/// A strong tag of these bytes.
pub(crate) fn etag_of(bytes: &[u8]) -> HeaderValue {
    let tag = format!("\"{}\"", hash_of(bytes));
    HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The first 16 hex digits of the SHA-256.
pub(crate) fn hash_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().take(8).fold(String::with_capacity(16), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
