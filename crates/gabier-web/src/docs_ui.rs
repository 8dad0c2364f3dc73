//! Swagger UI and the assets of all pages: taken out of their archive once, served under names that change with
//! their content, nothing from elsewhere.

use std::borrow::Cow;
use std::io::{Cursor, Read as _, Write as _};
use std::sync::OnceLock;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use gabier_tool::Error;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use maud::{DOCTYPE, html};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;

use crate::answer::{answer, media};
use crate::list::hash_of;
use crate::web::App;

/// Our style.
pub(crate) static STYLE: Asset =
    Asset::new("gabier", "css", || include_bytes!("../assets/gabier.css").into());

/// Our script.
pub(crate) static SCRIPT: Asset = Asset::new("gabier", "js", || include_bytes!("../assets/gabier.js").into());

static DOCS_SCRIPT: Asset = Asset::new("docs", "js", || include_bytes!("../assets/docs.js").into());
static DOCS_STYLE: Asset = Asset::new("docs", "css", || include_bytes!("../assets/docs.css").into());
static SWAGGER_SCRIPT: Asset = Asset::new("swagger-ui", "js", || vendored("dist/swagger-ui-bundle.js"));
static SWAGGER_STYLE: Asset = Asset::new("swagger-ui", "css", || vendored("dist/swagger-ui.css"));

static ALL: [&Asset; 6] = [&STYLE, &SCRIPT, &DOCS_SCRIPT, &DOCS_STYLE, &SWAGGER_SCRIPT, &SWAGGER_STYLE];

/// A file of the pages.
pub(crate) struct Asset {
    stem: &'static str,
    suffix: &'static str,
    read: fn() -> Vec<u8>,
    loaded: OnceLock<Loaded>,
}

struct Loaded {
    name: String,
    etag: HeaderValue,
    plain: Bytes,
    gzip: Bytes,
}

impl Asset {
    const fn new(stem: &'static str, suffix: &'static str, read: fn() -> Vec<u8>) -> Self {
        Self { stem, suffix, read, loaded: OnceLock::new() }
    }

    fn loaded(&self) -> &Loaded {
        self.loaded.get_or_init(|| {
            let plain = (self.read)();
            let hash = hash_of(&plain);
            let name = format!("{}-{hash}.{}", self.stem, self.suffix);
            let etag =
                HeaderValue::from_str(&format!("\"{hash}\"")).unwrap_or(HeaderValue::from_static("\"\""));
            let gzip = gzip(&plain).into();
            Loaded { name, etag, plain: plain.into(), gzip }
        })
    }

    /// Where it is served.
    pub(crate) fn path(&self) -> String {
        format!("/assets/{}", self.loaded().name)
    }

    fn media(&self) -> &'static str {
        if self.suffix == "css" { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" }
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    // Writing to memory cannot fail.
    let _ = encoder.write_all(plain);
    encoder.finish().unwrap_or_default()
}

/// A file of Swagger UI's archive; empty, and loud, should the archive not hold it.
fn vendored(path: &str) -> Vec<u8> {
    let mut content = Vec::new();
    let read = zip::ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED)).and_then(|mut archive| {
        let found = archive.file_names().filter_map(Result::ok).find(|name| name.ends_with(path));
        let name = found.map(Cow::into_owned).unwrap_or_default();
        archive.by_name(&name)?.read_to_end(&mut content).map_err(Into::into)
    });
    if let Err(error) = read {
        tracing::error!(%error, path, "reading Swagger UI's archive");
    }
    content
}

/// `/docs`.
pub(crate) async fn docs(app: &App, _: &HeaderMap) -> Response {
    let title = format!("{}: try the tools", app.options.service);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href=(SWAGGER_STYLE.path());
                link rel="stylesheet" href=(DOCS_STYLE.path());
                link rel="icon" href="data:,";
                script src=(SWAGGER_SCRIPT.path()) defer {}
                script src=(DOCS_SCRIPT.path()) defer {}
            }
            body {
                main #docs { noscript { p { "This page needs scripts. " a href="/redoc" { "The reference" } " does not." } } }
            }
        }
    };
    answer(StatusCode::OK, media::HTML, page.into_string())
}

/// `/assets/{name}`. The name holds the content's hash, so it never changes.
pub(crate) fn asset(app: &App, name: &str, headers: &HeaderMap) -> Response {
    let Some(asset) = ALL.iter().find(|asset| name.starts_with(asset.stem) && asset.loaded().name == name)
    else {
        return app.failure(Error::not_found("there is no such asset"));
    };
    let loaded = asset.loaded();
    let mut response = if headers.get(IF_NONE_MATCH) == Some(&loaded.etag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let takes_gzip = headers
            .get(ACCEPT_ENCODING)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.split(',').any(|coding| coding.trim() == "gzip"));
        let body = if takes_gzip { &loaded.gzip } else { &loaded.plain };
        let mut response = answer(StatusCode::OK, asset.media(), body.clone());
        if takes_gzip {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    };
    let head = response.headers_mut();
    head.insert(ETAG, loaded.etag.clone());
    head.insert(VARY, HeaderValue::from_static("accept-encoding"));
    head.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}
