//! Where a token may be: one `Authorization: Bearer` header, and nowhere else.

use std::borrow::Cow;

use gabier_tool::{Error, ErrorKind};
use http::Method;
use http::header::{ACCEPT, AUTHORIZATION};
use http::request::Parts;

use super::Refusal;

/// The token of a request; `None` when it shows none.
pub(super) fn token(parts: &Parts, query_token: bool) -> Result<Option<Cow<'_, str>>, Refusal> {
    let in_header = in_header(parts)?;
    let Some(in_query) = in_query(parts) else { return Ok(in_header) };
    if query_token && in_header.is_none() && is_stream(parts) {
        return Ok(Some(in_query));
    }
    tracing::warn!(event = "token_in_url", path = parts.uri.path(), "a token came in a URL and was refused");
    let error = Error::new(ErrorKind::Unauthenticated, "a token must not be in the URL").with_next(
        "send it as the header Authorization: Bearer TOKEN, and replace this one: URLs end up in logs",
    );
    Err(Refusal::from(error))
}

fn in_header(parts: &Parts) -> Result<Option<Cow<'_, str>>, Refusal> {
    let mut given = parts.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let refused = || {
        let error = Error::new(ErrorKind::Unauthenticated, "reading the Authorization header")
            .with("reason", "it must be one header of the form Bearer TOKEN")
            .with_next("send the header Authorization: Bearer TOKEN");
        Refusal::from(error)
    };
    if given.next().is_some() {
        return Err(refused());
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(refused)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(refused());
    }
    Ok(Some(Cow::Borrowed(token)))
}

fn in_query(parts: &Parts) -> Option<Cow<'_, str>> {
    let query = parts.uri.query()?;
    // Most queries name no token in any spelling; `%` may hide one.
    if !query.contains("token") && !query.contains('%') {
        return None;
    }
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = serde_urlencoded::from_str(query).ok()?;
    pairs.into_iter().find(|(key, _)| key == "token" || key == "access_token").map(|(_, value)| value)
}

fn is_stream(parts: &Parts) -> bool {
    parts.method == Method::GET
        && parts
            .headers
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/event-stream"))
}
