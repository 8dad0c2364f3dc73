//! The OpenAPI document as it is served.

use std::sync::OnceLock;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use gabier_tool::schema::{OpenApi, ShortPath, openapi};
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use crate::answer::{answer, bytes_of, media};
use crate::list::etag_of;
use crate::web::App;

/// The two documents, each made once: of a server that needs a token, and of one that knows none yet.
#[derive(Default)]
pub(crate) struct Documents {
    guarded: OnceLock<Document>,
    open: OnceLock<Document>,
}

/// One document, as a value and as it is sent.
pub(crate) struct Document {
    /// The document.
    pub(crate) value: Value,
    text: Bytes,
    etag: HeaderValue,
}

impl App {
    /// The document that holds now.
    pub(crate) async fn document(&self) -> &Document {
        // Should identity be out of order, the document that asks for a token is the safe one.
        let needs_token = self.needs_token().await.unwrap_or(true);
        let place = if needs_token { &self.documents.guarded } else { &self.documents.open };
        place.get_or_init(|| {
            let value = openapi(self.dispatch.catalog(), &self.options.openapi(needs_token));
            let text = bytes_of(&value);
            let etag = etag_of(&text);
            Document { value, text, etag }
        })
    }
}

impl crate::WebOptions {
    /// What the OpenAPI document says of a server with these options.
    pub fn openapi(&self, needs_token: bool) -> OpenApi {
        let short_paths = self.short_routes.iter().map(|short| ShortPath {
            method: short.method.as_str().to_ascii_lowercase(),
            path: short.path.clone(),
            tool: short.tool.clone(),
        });
        OpenApi {
            service: self.service.clone(),
            version: self.version.clone(),
            needs_token,
            health_path: self.health_path.clone(),
            short_paths: short_paths.collect(),
        }
    }
}

/// `/openapi.json`.
pub(crate) async fn document(app: &App, headers: &HeaderMap) -> Response {
    let document = app.document().await;
    let mut response = if headers.get(IF_NONE_MATCH) == Some(&document.etag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        answer(StatusCode::OK, media::JSON, document.text.clone())
    };
    response.headers_mut().insert(ETAG, document.etag.clone());
    response
}
