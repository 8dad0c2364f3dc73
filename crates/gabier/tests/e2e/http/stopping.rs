//! The end of a server: what runs is finished, nothing new is begun.

use std::io::Write as _;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Answer, Home, connect, silent};

#[test]
fn sigterm_finishes_the_running_call_and_ends_with_0() {
    let upstream = silent();
    let home =
        Home::with_config(&format!("[[egress.allow]]\ncidr = \"127.0.0.1\"\nport = {}\n", upstream.port()));
    let server = home.serve(&[]);
    let address = server.address;
    let body = json!({"url": format!("http://{upstream}/"), "timeout_s": 2}).to_string();
    let mut stream = connect(address, None);
    let head = format!(
        "POST /call/http_request HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len(),
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A later answer on another connection shows that the call has been taken in.
    server.assert_alive();
    let begin = Instant::now();
    server.signal(Signal::TERM);
    let answer = Answer::read(&mut stream).unwrap();
    assert_eq!(answer.code(), "TIMEOUT", "the call came to its own end: {answer:?}");
    assert_eq!(server.end(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
}

#[test]
fn an_idle_server_with_open_streams_ends_at_once() {
    let home = Home::new();
    for signal in [Signal::TERM, Signal::INT] {
        let server = home.serve(&[]);
        let mut stream = connect(server.address, None);
        stream
            .write_all(
                format!("GET /sse HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n\r\n", server.address)
                    .as_bytes(),
            )
            .unwrap();
        server.assert_alive();
        let begin = Instant::now();
        server.signal(signal);
        assert_eq!(server.end(), Some(0));
        assert!(begin.elapsed() < Duration::from_secs(5), "{signal:?}: {:?}", begin.elapsed());
    }
}

#[test]
fn stdout_stays_empty_and_stderr_says_how_to_begin() {
    let home = Home::new();
    let server = home.serve(&[]);
    server.wait_for("curl ");
    server.assert_alive();
    let said = server.stderr();
    assert!(said.contains(&format!("{}/mcp", server.url)) && said.contains("/docs"), "{said}");
    assert_eq!(server.stdout(), "");
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_it() {
    let home = Home::new();
    let server = home.serve(&[]);
    let port = server.address.port().to_string();
    let done = home.run(&["serve", "--port", &port]);
    assert_ne!(done.code, 0, "{done:?}");
    assert!(done.stderr.contains(&port), "{done:?}");
}
