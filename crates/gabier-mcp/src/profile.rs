//! Which profile a request gets: the server's, the URL's, the header's, the caller's own; the last one wins.

use gabier_tool::{Caller, Catalog};
use http::request::Parts;
use rmcp::ErrorData;
use serde_json::json;

/// The header that names a profile.
const HEADER: &str = "x-gabier-profile";

/// The profile that an HTTP request asks for: by its header, else by its URL.
pub(crate) fn asked(parts: &Parts) -> Option<String> {
    if let Some(name) = parts.headers.get(HEADER).and_then(|value| value.to_str().ok()) {
        return Some(name.to_owned());
    }
    crate::wire::query(&parts.uri, "profile")
}

/// The profile that counts, or what is wrong with it.
pub(crate) fn choose(
    catalog: &Catalog,
    default: &str,
    asked: Option<String>,
    caller: &Caller,
) -> Result<String, ErrorData> {
    let own = caller.profile.as_deref().map(str::to_owned);
    let Some(name) = own.or(asked) else { return Ok(default.to_owned()) };
    let known = catalog.profiles();
    if known.contains(&name) {
        return Ok(name);
    }
    let message = format!("there is no profile {name:?}; known are {}", known.join(", "));
    Err(ErrorData::invalid_params(message, Some(json!({"profile": name, "profiles": known}))))
}
