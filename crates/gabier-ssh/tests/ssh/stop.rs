//! Stopping: time limits, cancels and dropped callers leave nothing running.

use std::time::{Duration, Instant};

use gabier_host::{Command, End, Fleet as _, Prompts, Stopped};

use crate::fleet::Fleet;
use crate::sshd::{Sshd, dropbear, processes_with};

/// A number that no other process has on its command line.
fn tag(server_port: u16, index: u32) -> String {
    format!("{}.{server_port}{index}", 30 + index)
}

async fn until_gone(tag: &str) {
    let deadline = Instant::now() + Duration::from_secs(8);
    while !processes_with(tag).is_empty() {
        assert!(Instant::now() < deadline, "still there: {:?}", processes_with(tag));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_there(tag: &str) {
    let deadline = Instant::now() + Duration::from_secs(8);
    while processes_with(tag).is_empty() {
        assert!(Instant::now() < deadline, "never started");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_time_limit_leaves_no_process_whatever_the_command_does() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let scripts = [
        "sleep TAG",
        "sleep TAG & sleep TAG & wait",
        "trap '' TERM HUP INT; sleep TAG; sleep TAG",
        "sh -c 'trap \"\" TERM; while :; do sleep TAG; done' & echo begun; wait",
        "yes | sleep TAG",
    ];
    for (index, script) in scripts.into_iter().enumerate() {
        let tag = tag(server.port, u32::try_from(index).unwrap());
        let command = Command::new(script.replace("TAG", &tag)).within(Duration::from_millis(700));
        let ran = host.exec(command).await.unwrap();
        let limit = Duration::from_millis(700);
        assert_eq!(ran.end, End::TimedOut { limit, stopped: Stopped::Verified }, "{script}");
        assert_eq!(processes_with(&tag), Vec::<u32>::new(), "{script}");
        assert_eq!(ran.check("web1").unwrap_err().details()["stopped"], "verified");
    }
    assert!(host.exec(Command::new("true")).await.unwrap().is_success());
    assert_eq!(server.logins(), 1, "a time limit kills no shared connection");
}

#[tokio::test]
async fn output_until_the_limit_is_kept() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let ran =
        host.exec(Command::new("echo half; sleep 20").within(Duration::from_millis(500))).await.unwrap();
    assert!(ran.is_timed_out());
    assert_eq!(ran.stdout.text(), "half\n");
}

#[tokio::test]
async fn silence_has_a_limit_of_its_own() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let mut command = Command::new("for i in 1 2 3 4; do echo $i; sleep 0.2; done; sleep 20");
    command.idle_limit = Some(Duration::from_secs(2));
    let ran = host.exec(command).await.unwrap();
    assert_eq!((ran.stdout.text().as_str(), ran.stopped()), ("1\n2\n3\n4\n", Some(Stopped::Verified)));
}

#[tokio::test]
async fn a_cancel_tells_how_it_went() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let tag = tag(server.port, 7);
    let command = Command::new(format!("sleep {tag}"));
    let cancel = command.cancel.clone();
    let running = tokio::spawn(async move { host.exec(command).await.unwrap() });
    until_there(&tag).await;
    cancel.cancel();
    assert_eq!(running.await.unwrap().end, End::Cancelled { stopped: Stopped::Verified });
    assert!(processes_with(&tag).is_empty());
}

#[tokio::test]
async fn a_dropped_caller_stops_its_command() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    for (index, script) in ["sleep TAG", "yes TAG", "cat /dev/zero | sleep TAG"].into_iter().enumerate() {
        let tag = tag(server.port, 10 + u32::try_from(index).unwrap());
        let host = std::sync::Arc::clone(&host);
        let command = Command::new(script.replace("TAG", &tag));
        let running = tokio::spawn(async move { host.exec(command).await });
        until_there(&tag).await;
        running.abort();
        until_gone(&tag).await;
    }
    assert!(host.exec(Command::new("true")).await.unwrap().is_success());
}

#[tokio::test]
async fn a_command_on_a_terminal_is_stopped_as_well() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let tag = tag(server.port, 8);
    let command = Command::new(format!("trap '' HUP TERM; sleep {tag}")).within(Duration::from_secs(1));
    let ran = host.interact(command, Prompts::default()).await.unwrap();
    assert_eq!(ran.stopped(), Some(Stopped::Verified), "{ran:?}");
    assert!(processes_with(&tag).is_empty());
}

#[tokio::test]
async fn a_step_of_a_shell_is_stopped_with_the_shell() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let mut shell = host.shell().await.unwrap();
    let tag = tag(server.port, 9);
    let command = Command::new(format!("sleep {tag} & sleep {tag}")).within(Duration::from_millis(500));
    let ran = shell.step(command).await.unwrap();
    assert_eq!((ran.stopped(), shell.is_alive()), (Some(Stopped::Verified), false));
    assert!(processes_with(&tag).is_empty());
}

#[tokio::test]
async fn on_dropbear_the_stop_comes_over_another_connection() {
    let server = dropbear(&[]);
    let fleet = Fleet::new();
    let host = fleet.add("router", &server).await;
    let tag = tag(server.port, 6);
    let command = Command::new(format!("sleep {tag} & sleep {tag}")).within(Duration::from_millis(500));
    let ran = host.exec(command).await.unwrap();
    assert_eq!(ran.stopped(), Some(Stopped::Verified));
    assert!(processes_with(&tag).is_empty());
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_any_more_is_told_as_such() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let tag = tag(server.port, 5);
    let command = Command::new(format!("sleep {tag}")).within(Duration::from_secs(4));
    let running = tokio::spawn(async move { host.exec(command).await.unwrap() });
    until_there(&tag).await;
    for pid in server.session_pids() {
        crate::sshd::signal(pid, "STOP");
    }
    crate::sshd::signal(server.pid(), "STOP");
    let ran = running.await.unwrap();
    assert!(matches!(ran.stopped(), Some(Stopped::Unreachable | Stopped::Unverified)), "{ran:?}");
    for pid in processes_with(&tag) {
        crate::sshd::signal(pid, "KILL");
    }
}

#[tokio::test]
async fn closing_a_host_leaves_no_connection() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    host.exec(Command::new("true")).await.unwrap();
    assert!(!server.session_pids().is_empty() && fleet.ssh.state().len() == 1);
    fleet.ssh.close("web1").await;
    let deadline = Instant::now() + Duration::from_secs(5);
    while !server.session_pids().is_empty() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(fleet.ssh.state().is_empty());
}
