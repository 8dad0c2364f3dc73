//! Bodies that are posted to the MCP server, with and without the header of a revision.
#![no_main]

mod support;

use axum::body::Body;
use gabier_toolbox::testing::os_user;
use http::Request;
use http_body_util::BodyExt;
use libfuzzer_sys::fuzz_target;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

fuzz_target!(|input: (Option<&str>, bool, &[u8])| {
    let (revision, wants_stream, body) = input;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let accept = if wants_stream { "application/json, text/event-stream" } else { "*/*" };
        let mut request =
            Request::post("/mcp").header("content-type", "application/json").header("accept", accept);
        if let Some(revision) = revision {
            request = request.header("mcp-protocol-version", revision);
        }
        let Ok(mut request) = request.body(Body::from(body.to_vec())) else { return };
        request.extensions_mut().insert(os_user());
        let shutdown = CancellationToken::new();
        let answer =
            support::FACE.router(shutdown.clone()).oneshot(request).await.expect("a router always answers");
        assert!(answer.status().as_u16() < 500, "{}", answer.status());
        shutdown.cancel();
        let _ = answer.into_body().collect().await;
    });
});
