//! Logging in: every credential, each offered once, and what a refusal says.

use std::path::PathBuf;
use std::process::{Child, Command as Process, Stdio};

use gabier_host::{Command, Fleet as _, HostChange, Strength};
use gabier_ssh::Settings;

use crate::fleet::{Fleet, key, password, why};
use crate::sshd::{Server, Sshd, run};

async fn log_in(fleet: &Fleet, alias: &str) -> String {
    let host = fleet.ssh.host(alias).await.unwrap();
    match host.exec(Command::new("echo in")).await {
        Ok(ran) => ran.stdout.text().trim().to_owned(),
        Err(error) => why(&error),
    }
}

#[tokio::test]
async fn keys_of_every_kind_log_in() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    for kind in ["ed25519", "rsa", "ecdsa"] {
        let file = server.make_key(&format!("own_{kind}"), kind, "");
        server.authorize(&file);
        fleet.add_with(kind, &server, key(file)).await;
        assert_eq!(log_in(&fleet, kind).await, "in", "{kind}");
    }
}

#[tokio::test]
async fn an_encrypted_key_needs_its_passphrase_and_says_which_it_lacks() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let file = server.make_key("locked", "ed25519", "open sesame");
    server.authorize(&file);
    fleet.keep("vault:right", "open sesame");
    fleet.keep("vault:wrong", "open barley");
    let with = |name: Option<&str>| HostChange { passphrase: name.map(str::to_owned), ..key(file.clone()) };
    fleet.add_with("right", &server, with(Some("vault:right"))).await;
    fleet.add_with("wrong", &server, with(Some("vault:wrong"))).await;
    fleet.add_with("none", &server, with(None)).await;
    assert_eq!(log_in(&fleet, "right").await, "in");
    assert_eq!(log_in(&fleet, "wrong").await, "AUTH_FAILED KEY_PASSPHRASE_WRONG");
    assert_eq!(log_in(&fleet, "none").await, "AUTH_FAILED KEY_PASSPHRASE_MISSING");
}

#[tokio::test]
async fn a_refused_key_is_offered_once_and_never_again_by_itself() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let file = server.make_key("stranger", "ed25519", "");
    fleet.add_with("web1", &server, key(file)).await;
    assert_eq!(log_in(&fleet, "web1").await, "AUTH_FAILED LOGIN_REFUSED");
    let failures = server.log().matches("Failed publickey").count();
    assert_eq!((server.connections(), failures), (1, 1), "{}", server.log());
    let host = fleet.ssh.host("web1").await.unwrap();
    let error = host.exec(Command::new("true")).await.unwrap_err();
    assert!(!error.is_retriable());
    assert_eq!(error.details()["methods"][0], "publickey");
}

#[tokio::test]
async fn a_key_outside_the_folders_for_keys_is_not_read() {
    let server = Sshd::new().start();
    let elsewhere = tempfile::tempdir().unwrap();
    let fleet = Fleet::with(Settings { key_roots: vec![elsewhere.path().to_owned()], ..Settings::default() });
    fleet.add("web1", &server).await;
    std::os::unix::fs::symlink(&server.key, elsewhere.path().join("link")).unwrap();
    fleet.add_with("link", &server, key(elsewhere.path().join("link"))).await;
    fleet.add_with("missing", &server, key(elsewhere.path().join("none"))).await;
    assert_eq!(log_in(&fleet, "web1").await, "AUTH_FAILED KEY_FORBIDDEN");
    assert_eq!(log_in(&fleet, "link").await, "AUTH_FAILED KEY_FORBIDDEN");
    assert_eq!(log_in(&fleet, "missing").await, "AUTH_FAILED KEY_UNREADABLE");
}

#[tokio::test]
async fn passwords_log_in_by_either_method_and_wrong_ones_do_not() {
    for line in ["KbdInteractiveAuthentication no", "PasswordAuthentication no"] {
        let server = Sshd::new().with(line).with_account("alice", "correct horse").start();
        let fleet = Fleet::new();
        fleet.keep("vault:right", "correct horse");
        fleet.keep("vault:wrong", "battery staple");
        fleet.add_with("right", &server, password("alice", "vault:right")).await;
        fleet.add_with("wrong", &server, password("alice", "vault:wrong")).await;
        fleet.add_with("gone", &server, password("alice", "vault:none")).await;
        assert_eq!(log_in(&fleet, "right").await, "in", "{line}");
        assert_eq!(log_in(&fleet, "wrong").await, "AUTH_FAILED LOGIN_REFUSED", "{line}");
        assert_eq!(log_in(&fleet, "gone").await, "AUTH_FAILED SECRET_MISSING", "{line}");
        assert_eq!(server.log().matches("Failed ").count(), 1, "{line}: {}", server.log());
        assert!(!server.log().contains("battery staple"));
    }
}

#[tokio::test]
async fn a_key_and_a_password_together_are_both_used_where_both_are_demanded() {
    let server = Sshd::new()
        .with("AuthenticationMethods publickey,password")
        .with_account("alice", "correct horse")
        .start();
    let fleet = Fleet::new();
    fleet.keep("vault:right", "correct horse");
    let both = HostChange { key_path: Some(server.key.clone()), ..password("alice", "vault:right") };
    fleet.add_with("web1", &server, both).await;
    assert_eq!(log_in(&fleet, "web1").await, "in");
}

#[tokio::test]
async fn too_many_refusals_are_told_as_an_aborted_login() {
    let server = Sshd::new().with("MaxAuthTries 1").start();
    let fleet = Fleet::new();
    let file = server.make_key("stranger", "ed25519", "");
    fleet.add_with("web1", &server, key(file)).await;
    assert_eq!(log_in(&fleet, "web1").await, "AUTH_FAILED LOGIN_ABORTED");
}

struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    #[expect(clippy::disallowed_methods, reason = "tests start the agent they talk to")]
    fn start(server: &Server, keys: &[PathBuf]) -> Self {
        let socket = server.dir.path().join("agent");
        let mut command = Process::new("ssh-agent");
        let child = command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        while !socket.exists() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        for key in keys {
            run(Process::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &socket));
        }
        Self { child, socket }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_keys_of_an_agent_log_in() {
    let server = Sshd::new().start();
    let stranger = server.make_key("stranger", "rsa", "");
    let agent = Agent::start(&server, &[stranger, server.key.clone()]);
    let fleet = Fleet::with(Settings { agent: Some(agent.socket.clone()), ..Settings::default() });
    let by_agent = || HostChange { agent: Some(true), ..HostChange::default() };
    fleet.add_with("web1", &server, by_agent()).await;
    assert_eq!(log_in(&fleet, "web1").await, "in");
    drop(agent);
    let fleet = Fleet::with(Settings { agent: Some(server.dir.path().join("none")), ..Settings::default() });
    fleet.add_with("web1", &server, by_agent()).await;
    assert_eq!(log_in(&fleet, "web1").await, "AUTH_FAILED AGENT_UNREACHABLE");
}

#[expect(clippy::disallowed_methods, reason = "tests sign their certificates")]
fn sign(server: &Server, ca: &PathBuf, key: &std::path::Path, options: &[&str]) {
    let public = key.with_extension("pub");
    let _ = server;
    run(Process::new("ssh-keygen").args(["-q", "-I", "test", "-s"]).arg(ca).args(options).arg(public));
}

#[tokio::test]
async fn certificates_of_users_log_in_unless_expired_or_revoked() {
    let keys = Sshd::new().start();
    let ca = keys.make_key("ca", "ed25519", "");
    let revoked_list = keys.dir.path().join("revoked");
    std::fs::write(&revoked_list, "").unwrap();
    let server = Sshd::new()
        .with(&format!("TrustedUserCAKeys {}", ca.with_extension("pub").display()))
        .with(&format!("RevokedKeys {}", revoked_list.display()))
        .start();
    let fleet = Fleet::new();
    let good = keys.make_key("good", "ed25519", "");
    sign(&keys, &ca, &good, &["-n", &server.user, "-V", "+1h"]);
    let expired = keys.make_key("expired", "ed25519", "");
    sign(&keys, &ca, &expired, &["-n", &server.user, "-V", "20200101:20200102"]);
    let other = keys.make_key("other", "ecdsa", "");
    sign(&keys, &ca, &other, &["-n", "somebody", "-V", "+1h"]);
    for (name, file) in [("good", &good), ("expired", &expired), ("other", &other)] {
        fleet.add_with(name, &server, key(file.clone())).await;
    }
    assert_eq!(log_in(&fleet, "good").await, "in");
    assert_eq!(log_in(&fleet, "expired").await, "AUTH_FAILED LOGIN_REFUSED");
    assert_eq!(log_in(&fleet, "other").await, "AUTH_FAILED LOGIN_REFUSED");
    std::fs::copy(good.with_extension("pub"), &revoked_list).unwrap();
    fleet.ssh.close("good").await;
    assert_eq!(log_in(&fleet, "good").await, "AUTH_FAILED LOGIN_REFUSED");
}

#[tokio::test]
async fn a_server_of_yesterday_needs_the_legacy_profile() {
    let server = Sshd::new()
        .with("KexAlgorithms diffie-hellman-group14-sha1")
        .with("Ciphers aes128-cbc")
        .with("MACs hmac-sha1")
        .with("HostKeyAlgorithms ssh-rsa")
        .with("PubkeyAcceptedAlgorithms +ssh-rsa")
        .with_host_keys(&["rsa"])
        .start();
    let fleet = Fleet::new();
    fleet.add("modern", &server).await;
    let host = fleet.ssh.host("modern").await.unwrap();
    let error = host.exec(Command::new("true")).await.unwrap_err();
    assert_eq!(
        (why(&error).as_str(), error.is_retriable()),
        ("CONNECTION_FAILED NO_COMMON_ALGORITHM", false)
    );
    assert_eq!(error.details()["theirs"][0], "diffie-hellman-group14-sha1");
    let legacy = HostChange { strength: Some(Strength::Legacy), ..key(server.key.clone()) };
    fleet.add_with("legacy", &server, legacy).await;
    assert_eq!(log_in(&fleet, "legacy").await, "in");
}

#[tokio::test]
async fn a_host_without_any_credential_says_so() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    fleet.add_with("web1", &server, HostChange::default()).await;
    assert_eq!(log_in(&fleet, "web1").await, "AUTH_FAILED NO_CREDENTIAL");
}
