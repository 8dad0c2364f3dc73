//! Many at once: sessions that nobody closes, connections that say nothing.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use crate::harness::{Home, Server, connect, post, program};

const EVENTS: &str = "application/json, text/event-stream";

#[test]
fn five_thousand_openings_leave_bounded_memory() {
    let home = Home::new();
    let server = home.serve(&[]);
    let client = json!({"name": "e2e", "version": "1"});
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    let open = |count: usize| {
        std::thread::scope(|scope| {
            for worker in 0..4_u8 {
                let request = post("/mcp", &body).with("Accept", EVENTS).from([127, 0, 3, worker + 1].into());
                let address = server.address;
                scope.spawn(move || {
                    for _ in 0..count / 4 {
                        let answer = request.send(address);
                        assert_eq!(answer.status, 200, "{answer:?}");
                        assert!(answer.header("mcp-session-id").is_some());
                    }
                });
            }
        });
        server.memory_mib()
    };
    // The first thousand fill what sessions may take; the others must take their places.
    let filled = open(1_000);
    let grown = open(4_000) - filled;
    assert!(grown < 32.0, "4,000 sessions more took {grown:.1} MiB more than {filled:.1}");
    server.assert_alive();
}

/// A client that was there before the crowd, on the connection it has.
struct Regular(TcpStream, SocketAddr);

impl Regular {
    fn new(address: SocketAddr) -> Self {
        Self(connect(address, None), address)
    }

    #[track_caller]
    fn assert_served(&mut self, crowd: usize) {
        let begin = Instant::now();
        let head = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\nAccept: text/plain\r\n\r\n", self.1);
        self.0.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        assert!(begin.elapsed() < Duration::from_secs(3), "beside {crowd}: {:?}", begin.elapsed());
    }
}

#[test]
fn two_thousand_slow_connections_do_not_keep_others_waiting() {
    let (own, usual) = (getrlimit(Resource::Nofile).maximum, 1_024);
    setrlimit(Resource::Nofile, Rlimit { current: own, maximum: own }).unwrap();
    let home = Home::new();
    // What a shell gives a program on most machines: it may ask for more.
    let mut shell = program("sh");
    shell.args(["-c", &format!("ulimit -Sn {usual}; exec \"$@\""), "sh", env!("CARGO_BIN_EXE_gabier")]);
    shell.args(["serve", "--port", "0"]);
    home.surround(&mut shell);
    let server = Server::start(&mut shell);
    server.assert_alive();
    let fragment = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: app";
    let mut slow: Vec<TcpStream> = Vec::new();
    let assert_prompt = |what: &str| {
        let begin = Instant::now();
        server.assert_alive();
        assert!(begin.elapsed() < Duration::from_secs(3), "{what}: {:?}", begin.elapsed());
    };
    let mut regular = Regular::new(server.address);
    for number in 0..2_000_u16 {
        // Forty addresses with fifty connections each: within what one address may hold.
        let source = IpAddr::from([127, 0, 4, u8::try_from(number / 50 + 1).unwrap()]);
        let mut stream = connect(server.address, Some(source));
        // Those beyond the total are closed at once, which a write may notice.
        let _ = stream.write_all(&fragment[..usize::from(number) % fragment.len()]);
        slow.push(stream);
        if number % 400 == 399 && number < 1_000 {
            assert_prompt(&format!("with {} slow connections", slow.len()));
        }
        if number % 200 == 199 {
            regular.assert_served(slow.len());
        }
    }
    // All are ended by the time a request may take, without a word from them.
    let until = Instant::now() + Duration::from_secs(20);
    for stream in &mut slow {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left)).unwrap();
        let ended = stream.read_to_end(&mut Vec::new());
        let timed_out = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!timed_out, "a silent connection was still held after 20 s");
    }
    assert_prompt("after all of them");
}
