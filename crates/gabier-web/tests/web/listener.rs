//! Connections: slow ones, big ones, many of them, and the stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gabier_web::{Limits, WebOptions};

use crate::client::{Connection, PATIENCE, request};
use crate::fixture::{JSON, Server, TOKEN, World, options, web};

fn quick() -> Limits {
    Limits {
        head_time: Duration::from_millis(300),
        body_time: Duration::from_millis(300),
        idle_time: Duration::from_millis(900),
        drain_time: Duration::from_millis(500),
        ..Limits::default()
    }
}

async fn server(limits: Limits) -> Server {
    Server::start(WebOptions { limits, ..options() }, false).await
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut_off_while_others_are_served() {
    let server = server(quick()).await;
    let began = Instant::now();
    let mut slow = Vec::new();
    for at in 0..50 {
        let mut connection = Connection::open_from(&format!("127.0.1.{}", at / 10 + 1), server.address).await;
        connection.write("GET /health HTTP/1.1\r\nHost: local").await;
        slow.push(connection);
    }
    assert_eq!(server.get("/health").await.status, 200);
    for mut connection in slow {
        assert_eq!(connection.closed().await, b"", "nothing was answered");
    }
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_slow_second_head_is_cut_off_too() {
    let server = server(quick()).await;
    let mut connection = Connection::open(server.address).await;
    assert_eq!(connection.send("GET /health", &[], "").await.status, 200);
    connection.write("GET /hea").await;
    let began = Instant::now();
    connection.closed().await;
    assert!(began.elapsed() < Duration::from_millis(850), "the head's time, not the idle time");
}

#[tokio::test]
async fn an_idle_connection_lives_longer_than_a_head_may_take() {
    let server = server(quick()).await;
    let mut connection = Connection::open(server.address).await;
    connection.send("GET /health", &[], "").await;
    let began = Instant::now();
    connection.closed().await;
    assert!(began.elapsed() >= Duration::from_millis(850), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_a_bad_request() {
    let server = server(quick()).await;
    let mut connection = Connection::open(server.address).await;
    let head =
        format!("POST /call/echo HTTP/1.1\r\nHost: localhost\r\n{JSON}\r\nContent-Length: 100\r\n\r\n{{");
    connection.write(head).await;
    let answer = connection.answer().await;
    assert_eq!((answer.status, answer.header("connection").as_deref()), (400, Some("close")));
    connection.closed().await;
}

#[tokio::test]
async fn a_running_call_is_not_an_idle_connection() {
    let server = server(quick()).await;
    let mut connection = Connection::open(server.address).await;
    connection.write(request("POST /call/wait", &[JSON], "{}")).await;
    server.world.waiting.notified().await;
    let cut = tokio::time::timeout(Duration::from_millis(1200), connection.try_answer()).await;
    assert!(cut.is_err(), "the call still runs");
}

#[tokio::test]
async fn a_long_body_is_refused_with_an_answer() {
    let server = Server::open().await;
    let body = format!(r#"{{"words": "{}"}}"#, "x".repeat(5 * 1024 * 1024));
    let answer = server.call("echo", &body).await;
    assert_eq!((answer.status, answer.word().as_str()), (413, "PAYLOAD_TOO_LARGE"));
    let mut chunked = Connection::open(server.address).await;
    chunked
        .write(format!(
            "POST /call/echo HTTP/1.1\r\nHost: localhost\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
        ))
        .await;
    for _ in 0..3 {
        chunked.write(format!("80000\r\n{}\r\n", " ".repeat(0x8_0000))).await;
    }
    chunked.write("0\r\n\r\n").await;
    assert_eq!(chunked.answer().await.status, 413);
    assert_eq!(server.runs(), 0);
}

#[tokio::test]
async fn a_client_that_asks_first_is_refused_before_it_sends() {
    let server = Server::open().await;
    let mut connection = Connection::open(server.address).await;
    let head = "POST /call/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 5000000\r\nExpect: 100-continue\r\n\r\n";
    connection.write(head).await;
    assert_eq!(connection.answer().await.status, 413);
}

#[tokio::test]
async fn a_flood_of_headers_is_431() {
    let server = Server::open().await;
    let long = format!("X-Long: {}", "x".repeat(17 * 1024));
    assert_eq!(server.send("GET /health", &[&long], "").await.status, 431);
    let many: Vec<String> = (0..200).map(|at| format!("X-{at}: y")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(server.send("GET /health", &many, "").await.status, 431);
}

#[tokio::test]
async fn a_request_with_two_lengths_smuggles_nothing() {
    let server = Server::open().await;
    let smuggled = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let both = format!(
        "POST /call/greet HTTP/1.1\r\nHost: localhost\r\n{JSON}\r\nContent-Length: {}\r\n\
         Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n{smuggled}",
        12 + smuggled.len(),
    );
    let mut connection = Connection::open(server.address).await;
    connection.write(both).await;
    let said = String::from_utf8(connection.closed().await).unwrap();
    assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "one answer, and the connection ends: {said}");
    let mut twice = Connection::open(server.address).await;
    let lengths =
        "POST /call/greet HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x";
    twice.write(lengths).await;
    assert_eq!(twice.answer().await.status, 400);
}

#[tokio::test]
async fn connections_beyond_the_share_of_an_address_are_closed_at_once() {
    let limits = Limits { connections_per_address: 4, connections: 6, ..Limits::default() };
    let server = server(limits).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut connection = Connection::open_from("127.0.0.21", server.address).await;
        assert_eq!(connection.send("GET /health", &[], "").await.status, 200);
        held.push(connection);
    }
    assert_eq!(Connection::open_from("127.0.0.21", server.address).await.closed().await, b"");
    let mut other = Connection::open_from("127.0.0.22", server.address).await;
    assert_eq!(other.send("GET /health", &[], "").await.status, 200);
    held.pop();
    loop {
        let mut again = Connection::open_from("127.0.0.21", server.address).await;
        again.write(request("GET /health", &[], "")).await;
        if again.try_answer().await.is_some() {
            break;
        }
    }
}

#[tokio::test]
async fn the_stop_lets_a_call_end_and_takes_no_more() {
    let mut server = server(quick()).await;
    let mut idle = Connection::open(server.address).await;
    idle.send("GET /health", &[], "").await;
    let mut busy = Connection::open(server.address).await;
    busy.write(request("POST /call/wait", &[JSON], "{}")).await;
    server.world.waiting.notified().await;
    let began = Instant::now();
    server.stop.cancel();
    idle.closed().await;
    tokio::time::timeout(PATIENCE, server.task.take().unwrap()).await.unwrap().unwrap().unwrap();
    assert!(began.elapsed() >= Duration::from_millis(450), "the call had its time");
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn beyond_loopback_needs_tls_or_a_proxy_and_a_token() {
    let check = async |behind_proxy: bool, needs_token: bool| {
        let bind = "0.0.0.0:0".parse().unwrap();
        let world = Arc::new(World::default());
        web(WebOptions { bind, behind_proxy, ..options() }, &world, needs_token).bind().await.map(|_| ())
    };
    assert!(check(false, true).await.unwrap_err().message().contains("without TLS"));
    assert!(check(true, false).await.unwrap_err().message().contains("needs a token"));
    assert!(check(true, true).await.is_ok());
}

#[tokio::test]
async fn a_token_works_over_one_connection_as_often_as_it_likes() {
    let server = Server::guarded().await;
    let mut connection = Connection::open(server.address).await;
    for _ in 0..200 {
        assert_eq!(connection.send("POST /call/echo", &[JSON, TOKEN], r#"{"words":"x"}"#).await.status, 200);
    }
    assert_eq!(
        connection.send("POST /call/echo", &[JSON], "{}").await.status,
        401,
        "the next request shows none"
    );
}
