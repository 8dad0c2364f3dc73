//! One request over a stream that somebody else opened: through a host, to an address that host reaches.

use std::sync::Arc;

use bytes::BytesMut;
use gabier_tool::{Error, Result};
use http::header::{self, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use url::Url;

use crate::client::{BODY_LIMIT, Page, Request, TIME_LIMIT, USER_AGENT, failed, late, reason_of};
use crate::vet::{place, read_url};

/// Where a request is to be sent: what the opener of its stream connects to.
pub fn destination(url: &str) -> Result<(String, u16)> {
    let url = read_url(url)?;
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok((host, url.port_or_known_default().unwrap_or_default()))
}

/// Sends a request over a stream to its [`destination`] and reads whatever answers, a redirect included.
///
/// No address is vetted: who opened the stream has decided where it leads.
pub async fn send_over<S>(stream: S, request: Request) -> Result<Page>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let url = read_url(&request.url)?;
    let (host, limit) = (place(&url), request.limit.min(TIME_LIMIT));
    let answer = async {
        if url.scheme() == "https" {
            let name = ServerName::try_from(destination(&request.url)?.0)
                .map_err(|error| failed(&url, "its name is none for TLS").with_source(error))?;
            let stream = TlsConnector::from(tls().await?).connect(name, stream).await;
            let stream = stream.map_err(|error| failed(&url, reason_of(&error)).with_source(error))?;
            exchange(stream, url.clone(), request).await
        } else {
            exchange(stream, url.clone(), request).await
        }
    };
    match tokio::time::timeout(limit, answer).await {
        Ok(page) => page,
        Err(_) => Err(late(host, limit)),
    }
}

async fn exchange<S>(stream: S, url: Url, request: Request) -> Result<Page>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let broken = |error: hyper::Error| failed(&url, reason_of(&error)).with_source(error);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let exchange = async {
        let mut response = sender.send_request(message(&url, request)?).await.map_err(broken)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let (mut body, mut truncated) = (BytesMut::new(), false);
        while let Some(frame) = response.frame().await {
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            let room = BODY_LIMIT - body.len();
            body.extend_from_slice(&data[..data.len().min(room)]);
            truncated = data.len() > room;
            if truncated {
                break;
            }
        }
        Ok(Page { url: url.clone(), status, headers, body: body.freeze(), truncated })
    };
    // The connection moves its bytes for as long as it is polled.
    tokio::select! {
        page = exchange => page,
        Err(error) = connection => Err(broken(error)),
    }
}

fn message(url: &Url, request: Request) -> Result<http::Request<Full<bytes::Bytes>>> {
    let unsendable = |error: http::Error| failed(url, "it cannot be written as a request").with_source(error);
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut message = http::Request::builder()
        .method(request.method)
        .uri(target)
        .header(header::HOST, authority)
        .body(Full::new(request.body.unwrap_or_default()))
        .map_err(unsendable)?;
    let headers = message.headers_mut();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.extend(request.headers);
    Ok(message)
}

/// Reading the system's certificates is file work.
async fn tls() -> Result<Arc<ClientConfig>> {
    let build = || {
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_platform_verifier()
            .map(|builder| Arc::new(builder.with_no_client_auth()))
    };
    let built = tokio::task::spawn_blocking(build).await;
    built
        .map_err(|error| Error::internal("preparing TLS").with_source(error))?
        .map_err(|error| Error::internal("preparing TLS").with_source(error))
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;
    use crate::vet::Reach;

    async fn answered(request: Request, answer: &'static [u8]) -> (Result<Page>, String) {
        let (ours, mut theirs) = duplex(64 * 1024);
        let serve = async move {
            let mut asked = vec![0; 4096];
            let count = theirs.read(&mut asked).await.unwrap();
            theirs.write_all(answer).await.unwrap();
            drop(theirs);
            String::from_utf8_lossy(&asked[..count]).into_owned()
        };
        tokio::join!(send_over(ours, request), serve)
    }

    #[tokio::test]
    async fn a_request_goes_over_the_stream_with_its_headers() {
        let request = Request::get("t", Reach::Own, "http://db.internal:8080/health?a=1")
            .with_header(HeaderName::from_static("authorization"), HeaderValue::from_static("Bearer k"));
        let (page, asked) = answered(request, b"HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(page.unwrap().status, 204);
        assert!(asked.starts_with("GET /health?a=1 HTTP/1.1\r\nhost: db.internal:8080\r\n"), "{asked}");
        assert!(asked.contains("authorization: Bearer k\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn what_speaks_no_http_is_a_failed_connection() {
        let request = Request::get("t", Reach::Own, "http://db.internal/");
        let (page, _) = answered(request, b"SSH-2.0-x\r\n").await;
        assert_eq!(page.unwrap_err().kind().code(), "CONNECTION_FAILED");
    }

    #[test]
    fn a_destination_is_host_and_port() {
        assert_eq!(destination("https://[::1]/x").unwrap(), ("::1".to_owned(), 443));
        assert_eq!(destination("http://db:81/x").unwrap(), ("db".to_owned(), 81));
        assert!(destination("ftp://db/x").is_err());
    }
}
