//! The routes on real sockets: what only a connection shows.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use axum::Extension;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{Bench, call, caller, initialize, until};

#[expect(clippy::disallowed_methods, reason = "the listener under test elsewhere is not this crate's")]
async fn listen(bench: &Bench) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = bench.router.clone().layer(Extension(caller("alice")));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

async fn post(address: SocketAddr, headers: &str, body: &Value) -> TcpStream {
    let body = body.to_string();
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        body.len(),
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

async fn answer(mut socket: TcpStream) -> String {
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_bare_call_over_a_socket_is_answered_with_json() {
    let bench = Bench::new();
    let address = listen(&bench).await;
    let text = answer(post(address, "", &call("x", "echo", json!({"text": "hi"}))).await).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-type: application/json"), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["id"], "x");
}

#[tokio::test]
async fn leaving_the_connection_cancels_a_call_that_stands_alone() {
    let bench = Bench::new();
    let address = listen(&bench).await;
    let socket = post(address, "", &call(1, "wait", json!({}))).await;
    until(|| bench.world.started.load(Ordering::SeqCst) == 1).await;
    drop(socket);
    until(|| bench.world.ended.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn leaving_the_connection_does_not_cancel_a_call_of_a_session() {
    let bench = Bench::new();
    let address = listen(&bench).await;
    let events = "Accept: application/json, text/event-stream\r\n";
    let mut socket = post(address, events, &initialize("2025-11-25")).await;
    let mut head = vec![0; 2048];
    let read = socket.read(&mut head).await.unwrap();
    let head = String::from_utf8_lossy(&head[..read]).into_owned();
    let session = head.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap();
    let session = format!("{events}Mcp-Session-Id: {session}\r\n");
    let socket = post(address, &session, &call(1, "wait", json!({}))).await;
    until(|| bench.world.started.load(Ordering::SeqCst) == 1).await;
    drop(socket);
    let ping = json!({"jsonrpc": "2.0", "id": 2, "method": "ping"});
    assert!(
        answer(post(address, &session.replace(", text/event-stream", ""), &ping).await).await.contains("200")
    );
    assert_eq!(bench.world.ended.load(Ordering::SeqCst), 0);
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    answer(post(address, &session, &cancel).await).await;
    until(|| bench.world.ended.load(Ordering::SeqCst) == 1).await;
}
