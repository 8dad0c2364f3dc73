//! Bodies and silence: bounded.

use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use gabier_egress::{BODY_LIMIT, Reach, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::stub::{Stub, ended, get, opening};

fn gzipped(megabytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..megabytes {
        encoder.write_all(&zeros).unwrap();
    }
    let body = encoder.finish().unwrap();
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len())
            .into_bytes();
    answer.extend(body);
    answer
}

#[tokio::test]
async fn a_gzip_bomb_is_cut_at_the_limit() {
    let bomb = gzipped(64);
    let stub = Stub::start(move |_| bomb.clone()).await;
    let page = get(&opening(&[stub.port]), Reach::Public, &stub.url("/")).await.unwrap();
    assert_eq!((page.body.len(), page.truncated), (BODY_LIMIT, true));
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_whole() {
    let exact = gzipped(1);
    let stub = Stub::start(move |_| exact.clone()).await;
    let page = get(&opening(&[stub.port]), Reach::Public, &stub.url("/")).await.unwrap();
    assert_eq!((page.body.len(), page.truncated), (BODY_LIMIT, false));
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 16_000]).await.is_ok() {}
    });
    let page = get(&opening(&[port]), Reach::Public, &format!("http://127.0.0.1:{port}/")).await.unwrap();
    assert_eq!((page.body.len(), page.truncated), (BODY_LIMIT, true));
}

#[tokio::test]
async fn silence_before_and_within_a_body_ends_at_the_time_limit() {
    for head in ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(head.as_bytes()).await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        });
        let mut request = Request::get("http_request", Reach::Public, format!("http://127.0.0.1:{port}/"));
        request.limit = Duration::from_millis(200);
        let began = Instant::now();
        assert_eq!(ended(&opening(&[port]).send(request).await), "TIMEOUT");
        assert!(began.elapsed() < Duration::from_secs(5));
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_a_failed_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.read(&mut [0; 1024]).await;
    });
    let result = get(&opening(&[port]), Reach::Public, &format!("https://127.0.0.1:{port}/")).await;
    assert_eq!(ended(&result), "CONNECTION_FAILED");
}

#[tokio::test]
async fn a_broken_answer_and_a_closed_port_are_failed_connections() {
    let stub = Stub::start(|_| b"no http at all\r\n\r\n".to_vec()).await;
    assert_eq!(ended(&get(&opening(&[stub.port]), Reach::Public, &stub.url("/")).await), "CONNECTION_FAILED");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error =
        get(&opening(&[port]), Reach::Public, &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert_eq!(error.details()["reason"], "connection refused");
    assert_eq!(error.details()["host"], "127.0.0.1");
}
