//! One request over HTTP, to where the caller may reach.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};
use gabier_egress::{HeaderMap, HeaderName, HeaderValue, Page, Request};
use gabier_tool::{Context, Effect, Error, Permission, Plan, Profile, Result, Secret, Text, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reach_of;
use crate::Services;

/// Headers that belong to the connection, not to the caller.
const OURS: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Sends one HTTP request and returns the answer.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct HttpRequest {
    /// An http or https URL.
    #[schemars(length(min = 1, max = 8192), extend("x-cli" = {"flag": "target"}))]
    url: String,
    /// The method.
    #[serde(default)]
    method: Method,
    /// Headers to send.
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    /// Body: text, or JSON.
    #[serde(default)]
    data: Option<Value>,
    /// Longest wait, in seconds.
    #[serde(default = "usual_wait")]
    #[schemars(range(min = 1, max = 10))]
    timeout_s: u64,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

fn usual_wait() -> u64 {
    10
}

/// The answer, from outside and not to be trusted.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct HttpAnswer {
    /// The status.
    status: u16,
    /// The status in words.
    reason: String,
    /// The headers, names in lower case.
    headers: BTreeMap<String, String>,
    /// The body as text, at most 1 MiB of it.
    body: Text,
    /// Bytes of the body that were read, after decompression.
    bytes: usize,
    /// True when the body went on.
    truncated: bool,
    /// How long it took, in milliseconds.
    elapsed_ms: u64,
}

impl Tool<Services> for HttpRequest {
    const NAME: &'static str = "http_request";
    const EFFECT: Effect = Effect::Write;
    const NEEDS: &'static [Permission] = &[Permission::Net, Permission::Write];
    const PROFILE: Profile = Profile::Lean;
    // One second more than the request's own, so that its own words reach the caller.
    const LIMIT: Duration = Duration::from_secs(11);
    const TITLE: &'static str = "HTTP request";
    const OPEN_WORLD: bool = true;
    type Output = HttpAnswer;

    fn needs(&self) -> &'static [Permission] {
        if self.method.is_read() { Self::NEEDS } else { &[Permission::Write] }
    }

    fn effect(&self) -> Effect {
        if self.method.is_read() { Effect::Read } else { Effect::Write }
    }

    async fn plan(&self, ctx: &Context<Services>) -> Result<Option<Plan>> {
        let request = self.request(ctx)?;
        ctx.services.network.egress.vet(Self::NAME, request.reach, &request.url).await?;
        let steps = vec![format!("send {} to {}", request.method, request.url)];
        Ok(Some(Plan { steps, targets: vec![request.url] }))
    }

    async fn run(self, ctx: &Context<Services>) -> Result<HttpAnswer> {
        let request = self.request(ctx)?;
        let began = ctx.clock().monotonic();
        let page = ctx.services.network.egress.send(request).await?;
        let took = ctx.clock().monotonic().saturating_sub(began);
        Ok(HttpAnswer::of(&page, took))
    }
}

impl HttpRequest {
    fn request(&self, ctx: &Context<Services>) -> Result<Request> {
        let mut request = Request::get(Self::NAME, reach_of(ctx.caller()), self.url.as_str());
        request.method = self.method.name();
        request.limit = Duration::from_secs(self.timeout_s);
        for (name, value) in &self.headers {
            let (name, value) = header(name, value)?;
            request = request.with_header(name, value);
        }
        let kind = match &self.data {
            None => return Ok(request),
            Some(Value::String(text)) => {
                request.body = Some(Bytes::copy_from_slice(text.as_bytes()));
                "text/plain; charset=utf-8"
            }
            Some(data) => {
                request.body = Some(Bytes::from(data.to_string()));
                "application/json"
            }
        };
        request.headers.entry("content-type").or_insert(HeaderValue::from_static(kind));
        Ok(request)
    }
}

impl Method {
    const fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options)
    }

    const fn name(self) -> gabier_egress::Method {
        match self {
            Self::Get => gabier_egress::Method::GET,
            Self::Head => gabier_egress::Method::HEAD,
            Self::Post => gabier_egress::Method::POST,
            Self::Put => gabier_egress::Method::PUT,
            Self::Patch => gabier_egress::Method::PATCH,
            Self::Delete => gabier_egress::Method::DELETE,
            Self::Options => gabier_egress::Method::OPTIONS,
        }
    }
}

fn header(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue)> {
    let bad = |why: String| Error::invalid("headers", why);
    let parsed =
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(format!("{name:?} is no header name")))?;
    if OURS.contains(&parsed.as_str()) || parsed.as_str().starts_with("proxy-") {
        return Err(bad(format!("{name} belongs to the connection and cannot be set")));
    }
    let value = HeaderValue::from_str(value.expose())
        .map_err(|_| bad(format!("the value of {name} holds characters that no header may")))?;
    Ok((parsed, value))
}

impl HttpAnswer {
    fn of(page: &Page, took: Duration) -> Self {
        Self {
            status: page.status.as_u16(),
            reason: page.status.canonical_reason().unwrap_or_default().to_owned(),
            headers: names_and_values(&page.headers),
            body: text_of(page),
            bytes: page.body.len(),
            truncated: page.truncated,
            elapsed_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

fn names_and_values(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut map: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        map.entry(name.as_str().to_owned())
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    map
}

/// The body in the charset that the answer names, UTF-8 unless it names one; a character cut in two is left out.
fn text_of(page: &Page) -> Text {
    let named = page.headers.get("content-type").and_then(|kind| kind.to_str().ok()).and_then(|kind| {
        let (_, label) = kind.split_once("charset=")?;
        Encoding::for_label(label.split(';').next()?.trim().trim_matches('"').as_bytes())
    });
    let (text, ..) = named.unwrap_or(UTF_8).decode(&page.body);
    let text = if page.truncated { text.trim_end_matches('\u{fffd}') } else { &text };
    Text(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gabier_tool::Caller;

    use super::*;
    use crate::network::Settings;
    use crate::network::stub::{Stub, services};
    use crate::testing::{call_as, envelope_of, os_user, token_bearer};

    async fn send(caller: Caller, arguments: &str) -> String {
        call_as::<HttpRequest>(&Arc::new(services(&Settings::default())), caller, arguments).await
    }

    #[tokio::test]
    async fn an_answer_has_all_its_parts() {
        let stub = Stub::start(
            "HTTP/1.1 404 Whatever\r\nX-One: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
             Content-Type: text/plain; charset=iso-8859-1\r\nContent-Length: 4\r\nConnection: close\r\n\r\n",
            b"caf\xe9",
        )
        .await;
        let found = send(os_user(), &format!(r#"{{"url": "{}"}}"#, stub.url("/"))).await;
        let found: Value = serde_json::from_str(&found).expect(&found);
        assert_eq!((&found["status"], &found["reason"]), (&404.into(), &"Not Found".into()));
        assert_eq!(found["body"], "café");
        assert_eq!((&found["bytes"], &found["truncated"]), (&4.into(), &false.into()));
        assert_eq!(found["headers"]["x-one"], "1");
        assert_eq!(found["headers"]["set-cookie"], "a=1, b=2");
        assert_eq!(found["elapsed_ms"], 0);
    }

    #[tokio::test]
    async fn text_and_json_are_sent_as_what_they_are() {
        for (data, kind, body) in [
            (r#""plain""#, "text/plain; charset=utf-8", "plain"),
            (r#"{"a": 1}"#, "application/json", r#"{"a":1}"#),
        ] {
            let stub = Stub::ok(b"").await;
            let url = stub.url("/");
            send(os_user(), &format!(r#"{{"url": "{url}", "method": "POST", "data": {data}}}"#)).await;
            let sent = stub.request();
            assert!(sent.starts_with("POST / HTTP/1.1\r\n"), "{sent}");
            assert!(sent.contains(&format!("content-type: {kind}\r\n")), "{sent}");
            assert!(sent.ends_with(&format!("\r\n\r\n{body}")), "{sent}");
        }
    }

    #[tokio::test]
    async fn the_callers_headers_are_sent_and_the_connections_are_not_the_callers() {
        let stub = Stub::ok(b"").await;
        let url = stub.url("/");
        let arguments = format!(
            r#"{{"url": "{url}", "data": {{}}, "headers": {{"X-Key": "k", "Content-Type": "text/x"}}}}"#
        );
        send(os_user(), &arguments).await;
        let sent = stub.request();
        assert!(sent.contains("x-key: k\r\n") && sent.contains("content-type: text/x\r\n"), "{sent}");
        for name in ["Host", "TE", "transfer-encoding", "Proxy-Connection", "Content-Length", "a b", ""] {
            let found =
                send(os_user(), &format!(r#"{{"url": "{url}", "headers": {{"{name}": "x"}}}}"#)).await;
            assert!(found.starts_with("INVALID_ARGUMENT headers:"), "{name}: {found}");
        }
        let split = send(os_user(), &format!(r#"{{"url": "{url}", "headers": {{"X": "a\r\nb: c"}}}}"#)).await;
        assert!(split.starts_with("INVALID_ARGUMENT headers:"), "{split}");
    }

    #[tokio::test]
    async fn only_the_owner_of_the_process_reaches_loopback() {
        let stub = Stub::ok(b"inside").await;
        let arguments = format!(r#"{{"url": "{}"}}"#, stub.url("/"));
        assert!(send(token_bearer(&["*"]), &arguments).await.starts_with("FORBIDDEN"));
        assert_eq!(stub.connections(), 0);
        assert!(send(os_user(), &arguments).await.contains("inside"));
        let metadata = send(os_user(), r#"{"url": "http://169.254.169.254/latest"}"#).await;
        assert!(metadata.starts_with("FORBIDDEN"), "{metadata}");
    }

    #[tokio::test]
    async fn a_dry_run_vets_and_sends_nothing() {
        let stub = Stub::ok(b"").await;
        let arguments = format!(r#"{{"url": "{}", "method": "DELETE", "dry_run": true}}"#, stub.url("/"));
        let planned = send(os_user(), &arguments).await;
        assert!(planned.contains(r#""steps":["send DELETE to http://"#), "{planned}");
        assert!(send(token_bearer(&["*"]), &arguments).await.starts_with("FORBIDDEN"));
        assert_eq!(stub.connections(), 0);
    }

    #[tokio::test]
    async fn a_closed_port_is_a_failed_connection_with_host_and_reason() {
        let services = Arc::new(services(&Settings::default()));
        let envelope =
            envelope_of::<HttpRequest>(&services, os_user(), r#"{"url": "http://127.0.0.1:1/"}"#).await;
        let value = envelope.to_value();
        assert_eq!(value["code"], "CONNECTION_FAILED");
        assert_eq!(
            value["details"],
            serde_json::json!({"host": "127.0.0.1", "reason": "connection refused"})
        );
    }

    #[test]
    fn reading_needs_net_or_write_and_changing_needs_write() {
        for (method, effect, needs) in [
            ("GET", Effect::Read, 2),
            ("HEAD", Effect::Read, 2),
            ("OPTIONS", Effect::Read, 2),
            ("POST", Effect::Write, 1),
            ("DELETE", Effect::Write, 1),
        ] {
            let request: HttpRequest =
                serde_json::from_value(serde_json::json!({"url": "http://a", "method": method})).unwrap();
            assert_eq!((Tool::effect(&request), request.needs().len()), (effect, needs), "{method}");
            assert!(request.needs().contains(&Permission::Write));
        }
    }
}
