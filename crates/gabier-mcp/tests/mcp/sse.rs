//! The transport of 2024-11-05.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use futures::StreamExt;
use http::Method;
use http_body_util::BodyDataStream;
use serde_json::{Value, json};

use crate::fixture::{Bench, call, caller, initialize};

const JSON: &str = "content-type: application/json";

struct Stream {
    body: BodyDataStream<Body>,
    text: String,
}

impl Stream {
    /// The next event: its name and its data.
    async fn next(&mut self) -> (String, String) {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .unwrap_or_default()
                        .trim()
                        .to_owned()
                };
                return (field("event:"), field("data:"));
            }
            let piece = self.body.next().await.expect("the stream goes on").unwrap();
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}

async fn open(bench: &Bench) -> (Stream, String) {
    let response = bench.send(Method::GET, "/sse", &["accept: text/event-stream"], "").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let body = http_body_util::BodyExt::into_data_stream(response.into_body());
    let mut stream = Stream { body, text: String::new() };
    let (event, endpoint) = stream.next().await;
    assert_eq!(event, "endpoint");
    assert!(endpoint.starts_with("/messages/?session_id="), "{endpoint}");
    (stream, endpoint)
}

#[tokio::test]
async fn answers_come_down_the_stream() {
    let bench = Bench::new();
    let (mut stream, endpoint) = open(&bench).await;
    for message in [initialize("2024-11-05"), call("c", "echo", json!({"text": "hi"}))] {
        let response = bench.send(Method::POST, &endpoint, &[JSON], &message.to_string()).await;
        assert_eq!(response.status(), 202);
        let (event, data) = stream.next().await;
        let answer: Value = serde_json::from_str(&data).unwrap();
        assert_eq!((event.as_str(), &answer["id"]), ("message", &message["id"]));
        assert!(answer["result"].is_object(), "{answer}");
    }
}

#[tokio::test]
async fn a_stream_belongs_to_its_principal_and_ends_when_it_is_left() {
    let bench = Bench::new();
    let (stream, endpoint) = open(&bench).await;
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let foreign = bench.send_as(caller("bob"), Method::POST, &endpoint, &[JSON], ping).await;
    assert_eq!(foreign.status(), 404);
    assert_eq!(bench.send(Method::POST, &endpoint, &[JSON], "{nope").await.status(), 400);
    drop(stream);
    assert_eq!(bench.send(Method::POST, &endpoint, &[JSON], ping).await.status(), 404);
    assert_eq!(bench.send(Method::POST, "/messages/", &[JSON], ping).await.status(), 404);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_loses_its_streams_within_two_seconds() {
    let bench = Bench::new();
    let (mut stream, _) = open(&bench).await;
    let began = tokio::time::Instant::now();
    bench.revoked.store(true, Ordering::SeqCst);
    assert!(stream.body.next().await.is_none());
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn shutting_down_ends_the_stream() {
    let bench = Bench::new();
    let (mut stream, _) = open(&bench).await;
    bench.shutdown.cancel();
    assert!(stream.body.next().await.is_none());
}
