//! Limits per address and per token.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures::StreamExt as _;
use gabier_web::{Limits, PerMinute, WebOptions};
use http::header::CONTENT_TYPE;

use crate::client::{Connection, request};
use crate::fixture::{JSON, Server, TOKEN, World, options, web};

#[tokio::test]
async fn a_stranger_that_keeps_knocking_is_told_to_wait_and_others_are_not() {
    let limits = Limits {
        strangers_per_second: NonZeroU32::new(1).unwrap(),
        strangers_burst: NonZeroU32::new(5).unwrap(),
        ..Limits::default()
    };
    let server = Server::start(WebOptions { limits, ..options() }, true).await;
    let mut connection = Connection::open_from("127.0.0.9", server.address).await;
    for _ in 0..5 {
        assert_eq!(connection.send("POST /call/echo", &[JSON], "{}").await.status, 401);
    }
    let refused = connection.send("POST /call/echo", &[JSON], "{}").await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(
        connection.send("GET /tools", &[TOKEN], "").await.status,
        200,
        "a token is never shut out by it"
    );
    assert_eq!(connection.send("GET /health", &[], "").await.status, 200, "what needs no identity is open");
    let mut other = Connection::open_from("127.0.0.10", server.address).await;
    assert_eq!(other.send("POST /call/echo", &[JSON], "{}").await.status, 401);
}

#[tokio::test]
async fn limits_per_minute_count_by_kind_of_route() {
    let per_minute = PerMinute { api: NonZeroU32::new(2), ..PerMinute::default() };
    let server = Server::start(WebOptions { per_minute, ..options() }, false).await;
    let mut connection = Connection::open_from("127.0.0.11", server.address).await;
    for status in [200, 200, 429] {
        assert_eq!(connection.send("POST /call/echo", &[JSON], r#"{"words":"x"}"#).await.status, status);
    }
    assert_eq!(connection.send("GET /health", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_forged_forwarded_for_does_not_escape_the_limit() {
    let per_minute = PerMinute { api: NonZeroU32::new(2), ..PerMinute::default() };
    let trusted_proxies = vec!["127.0.0.12/32".parse().unwrap()];
    let server = Server::start(WebOptions { per_minute, trusted_proxies, ..options() }, false).await;
    let mut untrusted = Connection::open_from("127.0.0.13", server.address).await;
    for (at, status) in [(1, 200), (2, 200), (3, 429)] {
        let forged = format!("X-Forwarded-For: 203.0.113.{at}");
        assert_eq!(
            untrusted.send("POST /call/echo", &[JSON, &forged], r#"{"words":"x"}"#).await.status,
            status
        );
    }
    let mut proxy = Connection::open_from("127.0.0.12", server.address).await;
    for (at, status) in [(1, 200), (2, 200), (3, 429)] {
        let forged = format!("X-Forwarded-For: 203.0.113.{at}, 198.51.100.1");
        assert_eq!(proxy.send("POST /call/echo", &[JSON, &forged], r#"{"words":"x"}"#).await.status, status);
    }
    let another = "X-Forwarded-For: 198.51.100.2";
    assert_eq!(proxy.send("POST /call/echo", &[JSON, another], r#"{"words":"x"}"#).await.status, 200);
}

/// A server with an event stream that lasts.
async fn listening(limits: Limits) -> Server {
    let world = Arc::new(World::default());
    let stream = || async {
        let first = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b": open\n\n"))]);
        let mut response = Response::new(Body::from_stream(first.chain(futures::stream::pending())));
        response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/event-stream"));
        response.extensions_mut().insert(gabier_tool::Listening);
        response
    };
    let router = Router::new().route("/listen", get(stream));
    Server::serve(web(WebOptions { limits, ..options() }, &world, true).mount(router), world).await
}

async fn listen(server: &Server) -> Connection {
    let mut connection = Connection::open(server.address).await;
    connection.write(request("GET /listen", &[TOKEN], "")).await;
    let head = connection.read_head().await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(connection.chunk().await.unwrap(), b": open\n\n");
    connection
}

#[tokio::test]
async fn a_token_has_a_bounded_number_of_event_streams() {
    let server = listening(Limits { streams_per_token: 2, ..Limits::default() }).await;
    let first = listen(&server).await;
    let _second = listen(&server).await;
    assert_eq!(server.send("GET /listen", &[TOKEN], "").await.status, 429);
    let text = server.send("GET /metrics", &[TOKEN], "").await.text();
    assert!(text.contains("gabier_sse_clients 2"), "{text}");
    drop(first);
    // The place is free once the server has seen the end of the connection.
    loop {
        let text = server.send("GET /metrics", &[TOKEN], "").await.text();
        if text.contains("gabier_sse_clients 1") {
            break;
        }
        tokio::task::yield_now().await;
    }
    listen(&server).await;
}

#[tokio::test]
async fn a_revoked_token_loses_its_event_streams() {
    let server = listening(Limits::default()).await;
    let mut stream = listen(&server).await;
    server.world.revoked.store(true, Ordering::SeqCst);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(2), stream.chunk()).await;
    assert_eq!(ended.expect("within two seconds"), None);
}

#[tokio::test]
async fn event_streams_end_with_the_server() {
    let mut server = listening(Limits::default()).await;
    let mut stream = listen(&server).await;
    server.stop.cancel();
    assert_eq!(stream.chunk().await, None);
    server.task.take().unwrap().await.unwrap().unwrap();
}
