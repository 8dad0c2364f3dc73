//! Servers and networks that misbehave.

use std::time::{Duration, Instant};

use gabier_host::{Command, End, Fleet as _};
use gabier_ssh::Settings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::fleet::{Fleet, key, why};
use crate::sshd::{Server, Sshd, free_port, signal};

/// What a false server does with each connection.
#[derive(Clone, Copy)]
enum Manner {
    Silent,
    Says(&'static [u8]),
    Closes,
    Resets,
}

async fn false_server(manner: Manner) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                match manner {
                    Manner::Silent => {}
                    Manner::Says(text) => stream.write_all(text).await.unwrap(),
                    Manner::Closes => return,
                    Manner::Resets => return stream.set_zero_linger().unwrap(),
                }
                let mut sink = [0; 1024];
                while matches!(stream.read(&mut sink).await, Ok(count) if count > 0) {}
            });
        }
    });
    port
}

async fn reach(port: u16) -> (String, Duration, gabier_tool::Error) {
    let server = Sshd::new().start();
    let fleet = Fleet::with(Settings { connect_limit: Duration::from_secs(5), ..Settings::default() });
    let change = gabier_host::HostChange { port: Some(port), ..key(server.key.clone()) };
    let base =
        gabier_host::HostChange { host: Some("127.0.0.1".into()), user: Some(server.user.clone()), ..change };
    fleet.inventory.upsert(&"web1".parse().unwrap(), base).await.unwrap();
    let began = Instant::now();
    let error = fleet.ssh.contact("web1").await.unwrap_err();
    (why(&error), began.elapsed(), error)
}

#[tokio::test]
async fn every_way_not_to_answer_has_a_reason_of_its_own_and_ends_in_time() {
    let cases = [
        (free_port(), "ECONNREFUSED"),
        (false_server(Manner::Silent).await, "SILENT"),
        (false_server(Manner::Closes).await, "ECONNRESET"),
        (false_server(Manner::Resets).await, "ECONNRESET"),
        (false_server(Manner::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await, "NOT_SSH"),
        (false_server(Manner::Says(b"SSH-2.0-Tarpit\r\n")).await, "KEY_EXCHANGE_TIMEOUT"),
    ];
    for (port, reason) in cases {
        let (why, elapsed, error) = reach(port).await;
        assert_eq!(why, format!("CONNECTION_FAILED {reason}"), "{error:?}");
        assert!(elapsed < Duration::from_secs(7), "{reason}: {elapsed:?}");
        assert!(error.is_retriable());
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_as_such() {
    let fleet = Fleet::new();
    let change = gabier_host::HostChange {
        host: Some("no-such-host.invalid".into()),
        user: Some("bob".into()),
        ..gabier_host::HostChange::default()
    };
    fleet.inventory.upsert(&"web1".parse().unwrap(), change).await.unwrap();
    let error = fleet.ssh.contact("web1").await.unwrap_err();
    assert!(
        ["CONNECTION_FAILED ENOTFOUND", "CONNECTION_FAILED DNS_TIMEOUT"].contains(&why(&error).as_str()),
        "{error:?}"
    );
}

/// Passes bytes to a server; the first connections are dropped, and all can be frozen.
async fn proxy(server: &Server, drops: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, to) = (listener.local_addr().unwrap().port(), server.address());
    tokio::spawn(async move {
        let mut dropped = 0;
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            if dropped < drops {
                dropped += 1;
                continue;
            }
            tokio::spawn(async move {
                let mut far = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_connection_that_drops_before_the_first_line_is_tried_again() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let port = proxy(&server, 2).await;
    fleet.add("web1", &server).await;
    let moved = gabier_host::HostChange { port: Some(port), ..gabier_host::HostChange::default() };
    fleet.inventory.upsert(&"web1".parse().unwrap(), moved).await.unwrap();
    let host = fleet.ssh.host("web1").await.unwrap();
    assert!(host.exec(Command::new("true")).await.unwrap().is_success());
}

#[tokio::test]
async fn a_command_whose_connection_dies_is_unknown_and_never_a_success() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let marker = server.dir.path().join("started");
    let command = Command::new(format!("echo x >> {}; sleep 20", marker.display()));
    let again = std::sync::Arc::clone(&host);
    let running = tokio::spawn(async move { again.exec(command).await.unwrap() });
    while !marker.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.kill_sessions();
    let ran = running.await.unwrap();
    assert!(matches!(ran.end, End::Lost { .. }), "{ran:?}");
    assert_eq!(ran.check("web1").unwrap_err().kind().code(), "RESULT_UNKNOWN");
    assert_eq!(std::fs::read_to_string(&marker).unwrap(), "x\n", "it is not run again by itself");
    assert!(
        host.exec(Command::new("true")).await.unwrap().is_success(),
        "the next command gets a new connection"
    );
}

#[tokio::test]
async fn an_idempotent_command_is_run_once_more() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let marker = server.dir.path().join("started");
    let script = format!("[ -e {0} ] && echo again && exit 0; touch {0}; sleep 20", marker.display());
    let mut command = Command::new(script);
    command.is_idempotent = true;
    let running = tokio::spawn(async move { host.exec(command).await.unwrap() });
    while !marker.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.kill_sessions();
    assert_eq!(running.await.unwrap().stdout.text(), "again\n");
}

#[tokio::test]
async fn a_connection_that_died_while_idle_costs_nobody_a_command() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    for _ in 0..3 {
        assert!(host.exec(Command::new("true")).await.unwrap().is_success());
        server.kill_sessions();
    }
}

#[tokio::test]
async fn a_frozen_server_is_noticed_by_its_missing_signs_of_life() {
    let server = Sshd::new().start();
    let fleet = Fleet::with(Settings { keep_alive: Duration::from_millis(200), ..Settings::default() });
    let host = fleet.add("web1", &server).await;
    let began = Instant::now();
    let running = host.exec(Command::new("sleep 20"));
    let freezing = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for pid in server.session_pids() {
            signal(pid, "STOP");
        }
    };
    let (ran, ()) = tokio::join!(running, freezing);
    let ran = ran.unwrap();
    assert_eq!(ran.end, End::Lost { reason: "no sign of life".into() });
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_server_that_changes_keys_all_the_time_gives_the_same_bytes() {
    let server = Sshd::new().with("RekeyLimit 1M").start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let mut command = Command::new("seq 1 1500000");
    command.keep = 20_000_000;
    let ran = host.exec(command).await.unwrap();
    let numbers: Vec<String> = (1..=1_500_000).map(|number: u32| number.to_string()).collect();
    assert!(ran.stdout.text().trim_end() == numbers.join("\n"), "{} bytes", ran.stdout.bytes);
}
