//! Request bodies: whole, bounded and in time, before anything looks at them.

use bytes::{Bytes, BytesMut};
use gabier_tool::{Error, ErrorKind};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use super::Refusal;
use crate::options::Limits;

/// The most that is read of a refused body, so that its sender comes to read the answer.
const DISCARDED: usize = 32 * 1024 * 1024;

/// The whole body.
pub(super) async fn read(
    headers: &HeaderMap,
    body: &mut Incoming,
    limits: &Limits,
) -> Result<Bytes, Refusal> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if announced(headers).is_some_and(|length| length > limits.body_bytes) {
        return Err(too_large(limits));
    }
    tokio::time::timeout(limits.body_time, gather(body, limits)).await.unwrap_or_else(|_| {
        let late = format!("the body did not arrive within {} s", limits.body_time.as_secs_f64());
        Err(Refusal::of(ErrorKind::BadRequest, late).closing())
    })
}

async fn gather(body: &mut Incoming, limits: &Limits) -> Result<Bytes, Refusal> {
    let Some(first) = next(body).await? else { return Ok(Bytes::new()) };
    if body.is_end_stream() && first.len() <= limits.body_bytes {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while whole.len() <= limits.body_bytes {
        match next(body).await? {
            Some(data) => whole.extend_from_slice(&data),
            None => return Ok(whole.freeze()),
        }
    }
    Err(too_large(limits))
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    loop {
        let Some(frame) = body.frame().await else { return Ok(None) };
        let broken = || Refusal::of(ErrorKind::BadRequest, "the body broke off").closing();
        if let Ok(data) = frame.map_err(|_| broken())?.into_data() {
            return Ok(Some(data));
        }
    }
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limits: &Limits) -> Refusal {
    let error =
        Error::new(ErrorKind::PayloadTooLarge, "the body is too long").with("limit_bytes", limits.body_bytes);
    Refusal::from(error).closing()
}

/// Reads a refused body to nowhere: an answer before its end would be lost with the reset of the connection.
pub(super) async fn discard(headers: &HeaderMap, body: &mut Incoming, limits: &Limits) {
    // Who asks first has not sent the body, and must not be told to.
    if body.is_end_stream() || headers.contains_key(EXPECT) {
        return;
    }
    let reading = async {
        let mut read = 0;
        while let Ok(Some(data)) = next(body).await {
            read += data.len();
            if read > DISCARDED {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(limits.body_time, reading).await;
}
