//! Few connections for many commands.

use std::time::{Duration, Instant};

use futures::future::join_all;
use gabier_host::{Command, Fleet as _};
use gabier_ssh::Settings;

use crate::fleet::{Fleet, key, why};
use crate::sshd::Sshd;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_commands_at_once_take_five_connections() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let results = join_all((0..200).map(|number| host.exec(Command::new(format!("echo {number}"))))).await;
    for (number, ran) in results.into_iter().enumerate() {
        assert_eq!(ran.unwrap().stdout.text(), format!("{number}\n"));
    }
    assert!(server.connections() <= 5, "{}", server.connections());
    let state = fleet.ssh.state();
    assert!(
        state.iter().all(|connection| connection.in_use == 0 && connection.lane == "control"),
        "{state:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_queued_commands_run_on_a_server_that_takes_two_sessions() {
    let server = Sshd::new().with("MaxSessions 2").start();
    // How long the last one waits depends on the machine; that it runs must not.
    let fleet = Fleet::with(Settings { wait_limit: Duration::from_mins(2), ..Settings::default() });
    let host = fleet.add("web1", &server).await;
    let results = join_all((0..500).map(|number| host.exec(Command::new(format!("echo {number}"))))).await;
    for (number, ran) in results.into_iter().enumerate() {
        assert_eq!(ran.unwrap().stdout.text(), format!("{number}\n"));
    }
    assert!(server.connections() <= 5, "{}", server.connections());
}

#[tokio::test]
async fn two_names_of_one_target_share_a_connection() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    for alias in ["web1", "web-one"] {
        fleet.add(alias, &server).await.exec(Command::new("true")).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_failed_login_is_shared_by_who_waits_and_not_remembered() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let file = server.make_key("late", "ed25519", "");
    fleet.add_with("web1", &server, key(file.clone())).await;
    let host = fleet.ssh.host("web1").await.unwrap();
    for result in join_all((0..5).map(|_| host.exec(Command::new("true")))).await {
        assert_eq!(why(&result.unwrap_err()), "AUTH_FAILED LOGIN_REFUSED");
    }
    assert_eq!(server.connections(), 1, "one offer for all five");
    server.authorize(&file);
    assert!(host.exec(Command::new("true")).await.unwrap().is_success());
}

#[tokio::test]
async fn idle_connections_close() {
    let server = Sshd::new().start();
    let fleet = Fleet::with(Settings { idle_limit: Duration::from_millis(300), ..Settings::default() });
    let host = fleet.add("web1", &server).await;
    host.exec(Command::new("true")).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while !fleet.ssh.state().is_empty() || !server.session_pids().is_empty() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(host.exec(Command::new("true")).await.unwrap().is_success());
}

#[tokio::test]
async fn a_wait_for_a_connection_ends_with_the_calls_own_limit() {
    let server = Sshd::new().start();
    let fleet = Fleet::with(Settings { max_connections: 1, ..Settings::default() });
    let host = fleet.add("web1", &server).await;
    let cancel = tokio_util::sync::CancellationToken::new();
    let long = join_all((0..5).map(|_| {
        let mut command = Command::new("sleep 20");
        command.cancel = cancel.clone();
        host.exec(command)
    }));
    let waiting = async {
        let until_full = async || {
            while fleet.ssh.state().first().is_none_or(|state| state.in_use < 5) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        until_full().await;
        let error = host.exec(Command::new("true").within(Duration::from_millis(300))).await.unwrap_err();
        assert_eq!(why(&error), "COMMAND_TIMEOUT DEADLINE");
        cancel.cancel();
    };
    tokio::join!(long, waiting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_nobody_follows_slows_no_other_command() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    host.exec(Command::new("true")).await.unwrap();
    let flood = Command::new("cat /dev/zero");
    let cancel = flood.cancel.clone();
    let flooding = host.exec(flood);
    let others = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let began = Instant::now();
        for _ in 0..20 {
            host.exec(Command::new("true").within(Duration::from_secs(10))).await.unwrap();
        }
        cancel.cancel();
        began.elapsed()
    };
    let (flooded, elapsed) = tokio::join!(flooding, others);
    assert!(flooded.unwrap().stdout.bytes > 1_000_000);
    assert!(fleet.ssh.state().len() >= 2, "the flood has a connection to itself");
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
}
