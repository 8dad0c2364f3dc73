//! Is it alive, is it ready, how is it doing.

use axum::response::Response;
use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::answer::{answer, json as json_answer, media};
use crate::web::App;

/// Alive: the process answers.
pub(crate) async fn health(app: &App, headers: &HeaderMap) -> Response {
    let wants_text = headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.trim_start().starts_with("text/plain"));
    if wants_text {
        return answer(StatusCode::OK, media::TEXT, "ok");
    }
    let options = &app.options;
    let value = json!({
        "status": "ok",
        "service": options.service,
        "version": options.version,
        "transport": options.transport,
        "uptime_s": app.uptime().as_secs(),
    });
    json_answer(StatusCode::OK, &value)
}

/// Ready: every part works.
pub(crate) async fn ready(app: &App, _: &HeaderMap) -> Response {
    let states = app.health.states().await;
    let working = states.iter().filter(|state| state.ready).count();
    let ready = working == states.len();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let value = json!({
        "ready": ready,
        "status": format!("{working} of {} parts are ready", states.len()),
        "total": states.len(),
    });
    json_answer(code, &value)
}

/// What the server counted.
pub(crate) fn metrics(app: &App) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    answer(StatusCode::OK, OPEN_METRICS, app.metrics.text())
}
