//! Hosts behind hosts, and streams through them.

use gabier_host::{Command, Fleet as _, HostChange};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::fleet::{Fleet, key, why};
use crate::sshd::{Sshd, free_port};

fn through(jump: &str, path: std::path::PathBuf) -> HostChange {
    HostChange { jump: Some(jump.parse().unwrap()), ..key(path) }
}

#[tokio::test]
async fn a_chain_of_hosts_leads_to_the_last_and_every_key_is_recorded() {
    let (gate, middle, last) = (Sshd::new().start(), Sshd::new().start(), Sshd::new().start());
    let fleet = Fleet::new();
    fleet.add("gate", &gate).await;
    fleet.add_with("middle", &middle, through("gate", middle.key.clone())).await;
    fleet.add_with("last", &last, through("middle", last.key.clone())).await;
    let host = fleet.ssh.host("last").await.unwrap();
    let ran = host.exec(Command::new("echo $SSH_CONNECTION")).await.unwrap();
    assert!(ran.stdout.text().trim().ends_with(&last.port.to_string()));
    for (alias, server) in [("gate", &gate), ("middle", &middle), ("last", &last)] {
        assert_eq!(fleet.inventory.get(alias).await.unwrap().pinned.len(), 1, "{alias}");
        assert_eq!(server.logins(), 1, "{alias}");
    }
}

#[tokio::test]
async fn a_failure_names_the_host_on_the_way() {
    let (gate, last) = (Sshd::new().start(), Sshd::new().start());
    let fleet = Fleet::new();
    let stranger = gate.make_key("stranger", "ed25519", "");
    fleet.add_with("gate", &gate, key(stranger)).await;
    fleet.add_with("last", &last, through("gate", last.key.clone())).await;
    let host = fleet.ssh.host("last").await.unwrap();
    let error = host.exec(Command::new("true")).await.unwrap_err();
    assert_eq!(
        (why(&error).as_str(), &error.details()["hop"]),
        ("AUTH_FAILED LOGIN_REFUSED", &"gate".into())
    );
    assert_eq!(last.connections(), 0);
}

#[tokio::test]
async fn what_the_host_on_the_way_cannot_reach_is_told() {
    let gate = Sshd::new().start();
    let closed = Sshd::new().with("AllowTcpForwarding no").start();
    let fleet = Fleet::new();
    fleet.add("gate", &gate).await;
    fleet.add("closed", &closed).await;
    for (alias, jump, expected) in [
        ("a", "gate", "CONNECTION_FAILED JUMP_CONNECT_FAILED"),
        ("b", "closed", "CONNECTION_FAILED JUMP_FORBIDDEN"),
    ] {
        let change = HostChange {
            host: Some("127.0.0.1".into()),
            port: Some(free_port()),
            user: Some(gate.user.clone()),
            ..through(jump, gate.key.clone())
        };
        fleet.inventory.upsert(&alias.parse().unwrap(), change).await.unwrap();
        let host = fleet.ssh.host(alias).await.unwrap();
        assert_eq!(why(&host.exec(Command::new("true")).await.unwrap_err()), expected);
    }
}

#[tokio::test]
async fn a_stream_runs_over_a_host_and_ends_with_its_ends() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let mut stream = host.forward("127.0.0.1", server.port).await.unwrap();
    let mut banner = [0; 8];
    stream.read_exact(&mut banner).await.unwrap();
    assert_eq!(&banner, b"SSH-2.0-");
    stream.write_all(b"not ssh\r\n").await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(
        why(&host.forward("127.0.0.1", free_port()).await.err().unwrap()),
        "CONNECTION_FAILED FORWARD_FAILED"
    );
}

#[tokio::test]
async fn a_subsystem_gives_a_stream_or_a_clear_refusal() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    fleet.add("web1", &server).await;
    let mut stream = fleet.find("web1").await.sftp_stream().await.unwrap();
    stream.write_all(&[0, 0, 0, 5, 1, 0, 0, 0, 3]).await.unwrap();
    let mut answer = [0; 9];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[4..], [2, 0, 0, 0, 3], "the server's version");

    let router = crate::sshd::dropbear(&[]);
    fleet.add("router", &router).await;
    let refused = fleet.find("router").await.sftp_stream().await;
    if let Err(error) = refused {
        assert_eq!(why(&error), "NOT_AVAILABLE NO_SUBSYSTEM");
    }
}
