//! Host keys: what is accepted, and that nothing is sent where it is not.

use gabier_host::{Command, Fleet as _, HostChange, HostKeyPolicy};
use gabier_ssh::Settings;

use crate::fleet::{Fleet, key, password, why};
use crate::sshd::{Server, Sshd, fingerprint};

async fn meet(fleet: &Fleet, alias: &str) -> String {
    match fleet.ssh.contact(alias).await {
        Ok(contact) => contact.fingerprint,
        Err(error) => why(&error),
    }
}

/// No login was even begun.
fn nothing_was_sent(server: &Server) -> bool {
    let log = server.log();
    !["Failed", "Accepted", "Postponed", "Invalid user", "authenticating user"]
        .iter()
        .any(|word| log.contains(word))
}

#[tokio::test]
async fn the_first_key_is_recorded_and_another_one_refused_before_anything_is_sent() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let shown = fingerprint(&server.dir.path().join("host_ed25519.pub"));
    let contact = fleet.ssh.contact("web1").await.unwrap();
    assert_eq!((contact.fingerprint.as_str(), contact.is_new), (shown.as_str(), true));
    assert!(contact.software.starts_with("OpenSSH"));
    assert!(!fleet.ssh.contact("web1").await.unwrap().is_new);
    assert_eq!(fleet.inventory.get("web1").await.unwrap().pinned[0].fingerprint, shown);

    let port = server.port;
    drop(server);
    let other = Sshd::new().on_port(port).start();
    let error = host.exec(Command::new("true")).await.unwrap_err();
    assert_eq!(why(&error), "HOST_KEY_MISMATCH CHANGED");
    assert_eq!(error.details()["expected"], shown);
    let offered = fingerprint(&other.dir.path().join("host_ed25519.pub"));
    assert_eq!(error.details()["fingerprint"], offered);
    assert!(nothing_was_sent(&other), "{}", other.log());
    assert_eq!(fleet.ssh.offered("web1").await.unwrap().fingerprint, offered);
    assert!(nothing_was_sent(&other), "{}", other.log());
}

#[tokio::test]
async fn a_key_of_another_algorithm_is_a_changed_key() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    fleet.add("web1", &server).await;
    meet(&fleet, "web1").await;
    let port = server.port;
    drop(server);
    let other = Sshd::new().on_port(port).with_host_keys(&["ecdsa"]).start();
    assert_eq!(meet(&fleet, "web1").await, "HOST_KEY_MISMATCH CHANGED");
    assert!(nothing_was_sent(&other));
}

#[tokio::test]
async fn a_server_with_several_keys_is_asked_for_the_recorded_one() {
    let server = Sshd::new().with_host_keys(&["rsa"]).start();
    let fleet = Fleet::new();
    fleet.add("web1", &server).await;
    let first = meet(&fleet, "web1").await;
    let port = server.port;
    let dir = server.into_dir();
    let _again = Sshd::new().with_host_keys(&["ed25519", "ecdsa", "rsa"]).on_port(port).start_in(dir);
    assert_eq!(meet(&fleet, "web1").await, first);
}

#[tokio::test]
async fn strict_takes_recorded_keys_alone_and_pinned_the_given_one() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    fleet.keep("vault:p", "secret password");
    let strict = HostChange { host_key: Some(HostKeyPolicy::Strict), ..password("alice", "vault:p") };
    fleet.add_with("strict", &server, strict).await;
    assert_eq!(meet(&fleet, "strict").await, "HOST_KEY_UNKNOWN UNKNOWN");
    let shown = fingerprint(&server.dir.path().join("host_ed25519.pub"));
    let pinned = |fingerprint: &str| HostChange {
        host_key: Some(HostKeyPolicy::Pinned),
        fingerprint: Some(fingerprint.to_owned()),
        ..key(server.key.clone())
    };
    fleet.add_with("wrong", &server, pinned("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")).await;
    assert_eq!(meet(&fleet, "wrong").await, "HOST_KEY_MISMATCH CHANGED");
    assert!(nothing_was_sent(&server), "{}", server.log());
    fleet.add_with("right", &server, pinned(&shown)).await;
    assert_eq!(meet(&fleet, "right").await, shown);
}

#[tokio::test]
async fn known_hosts_is_heeded_in_every_policy() {
    let server = Sshd::new().start();
    let file = server.dir.path().join("known_hosts");
    let public = std::fs::read_to_string(server.dir.path().join("host_ed25519.pub")).unwrap();
    let stranger = server.make_key("stranger", "ecdsa", "");
    let other = std::fs::read_to_string(stranger.with_extension("pub")).unwrap();
    let place = format!("[127.0.0.1]:{}", server.port);
    let cases = [
        (format!("{place} {public}"), HostKeyPolicy::Strict, None),
        (format!("{place} {other}"), HostKeyPolicy::AcceptNew, Some("HOST_KEY_MISMATCH CHANGED")),
        (format!("@revoked {place} {public}"), HostKeyPolicy::AcceptNew, Some("HOST_KEY_MISMATCH REVOKED")),
        (
            format!("{place} {public}@revoked * {public}"),
            HostKeyPolicy::AcceptNew,
            Some("HOST_KEY_MISMATCH REVOKED"),
        ),
    ];
    for (text, policy, expected) in cases {
        std::fs::write(&file, &text).unwrap();
        let fleet = Fleet::with(Settings { known_hosts: vec![file.clone()], ..Settings::default() });
        fleet
            .add_with("web1", &server, HostChange { host_key: Some(policy), ..key(server.key.clone()) })
            .await;
        let met = meet(&fleet, "web1").await;
        match expected {
            Some(expected) => assert_eq!(met, expected, "{text}"),
            None => assert!(met.starts_with("SHA256:"), "{met} {text}"),
        }
    }
    let unreadable = Settings { known_hosts: vec![server.dir.path().to_owned()], ..Settings::default() };
    let fleet = Fleet::with(unreadable);
    fleet.add("web1", &server).await;
    assert!(fleet.ssh.contact("web1").await.is_err(), "a folder is no known_hosts file");
    assert_eq!(server.logins(), 1);
}
