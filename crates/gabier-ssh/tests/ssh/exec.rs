//! Commands: output, exit codes, input, limits of what is kept.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gabier_host::{Command, End, Sink, Stream};
use gabier_tool::ErrorKind;

use crate::fleet::Fleet;
use crate::sshd::{Sshd, dropbear};

#[tokio::test]
async fn output_errors_and_exit_code_arrive_apart() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let ran = host.exec(Command::new("echo out; echo err >&2; exit 7")).await.unwrap();
    assert_eq!((ran.stdout.text().as_str(), ran.stderr.text().as_str()), ("out\n", "err\n"));
    assert_eq!((ran.end, ran.notes.len()), (End::Exited(7), 0));
    let ran = host.exec(Command::new("printf 'caf\\351\\000'")).await.unwrap();
    assert_eq!(ran.stdout.head, b"caf\xe9\0");
    assert_eq!(server.logins(), 1, "one connection serves both");
}

#[tokio::test]
async fn a_signal_is_told_and_no_exit_code_invented() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let ran = host.exec(Command::new("kill -KILL $$")).await.unwrap();
    assert_eq!((ran.exit_code(), ran.signal()), (None, Some("KILL")));
}

#[tokio::test]
async fn a_command_that_reads_gets_its_input_or_the_end_at_once() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let ran = host.exec(Command::new("cat")).await.unwrap();
    assert_eq!((ran.end, ran.stdout.bytes), (End::Exited(0), 0));
    let input = vec![b'x'; 3_000_000];
    let ran = host.exec(Command::new("cksum").reading(input)).await.unwrap();
    assert!(ran.stdout.text().contains(" 3000000"), "{}", ran.stdout.text());
}

#[tokio::test]
async fn input_that_nobody_reads_holds_nothing_up() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let began = Instant::now();
    let ran = host.exec(Command::new("true").reading(vec![0_u8; 50_000_000])).await.unwrap();
    assert_eq!(ran.end, End::Exited(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(host.exec(Command::new("true")).await.unwrap().is_success());
}

#[tokio::test]
async fn fifty_megabytes_are_counted_and_only_their_ends_kept() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let ran =
        host.exec(Command::new("echo begin; head -c 50000000 /dev/zero; echo; echo end")).await.unwrap();
    assert_eq!((ran.end.clone(), ran.stdout.bytes, ran.stdout.lines), (End::Exited(0), 50_000_011, 3));
    assert!(ran.stdout.head.len() + ran.stdout.tail.len() <= Command::KEEP);
    assert!(ran.stdout.head.starts_with(b"begin\n") && ran.stdout.tail.ends_with(b"\nend\n"));
}

#[tokio::test]
async fn what_a_background_process_holds_is_not_waited_for() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let began = Instant::now();
    let ran = host.exec(Command::new("sleep 4 & echo ok")).await.unwrap();
    assert_eq!((ran.end.clone(), ran.stdout.text().as_str()), (End::Exited(0), "ok\n"));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(ran.notes, ["something it started still holds its output"]);
}

#[tokio::test]
async fn directory_and_variables_arrive_whatever_they_hold() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let folder = server.dir.path().join("it's $(touch canary) a dir");
    std::fs::create_dir(&folder).unwrap();
    let command = Command::new("pwd; printf %s \"$GX\"")
        .in_dir(folder.to_str().unwrap())
        .with_env("GX", "`id`\n'\"$HOME");
    let ran = host.exec(command).await.unwrap();
    assert_eq!(ran.stdout.text(), format!("{}\n`id`\n'\"$HOME", folder.display()));
    let missing = host.exec(Command::new("true").in_dir("/nowhere")).await.unwrap();
    assert!(!missing.is_success());
}

#[tokio::test]
async fn a_syntax_error_is_the_commands_own_failure() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let ran = host.exec(Command::new("if true; then")).await.unwrap();
    assert!(!ran.is_success() && ran.notes.is_empty(), "{ran:?}");
}

#[derive(Default)]
struct Heard(Mutex<Vec<(Stream, Vec<u8>)>>);

impl Sink for Heard {
    fn write(&self, stream: Stream, bytes: &Bytes) {
        self.0.lock().unwrap().push((stream, bytes.to_vec()));
    }
}

#[tokio::test]
async fn a_listener_hears_output_while_it_comes() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let heard = Arc::new(Heard::default());
    let script = format!(
        "echo one; while [ ! -e {0}/go ]; do sleep 0.02; done; echo two >&2",
        server.dir.path().display()
    );
    let command = Command::new(script).heard_by(Arc::clone(&heard) as _).within(Duration::from_secs(20));
    let running = tokio::spawn(async move { host.exec(command).await.unwrap() });
    while heard.0.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(heard.0.lock().unwrap()[0], (Stream::Stdout, b"one\n".to_vec()));
    std::fs::write(server.dir.path().join("go"), "").unwrap();
    assert!(running.await.unwrap().is_success());
    assert_eq!(heard.0.lock().unwrap()[1], (Stream::Stderr, b"two\n".to_vec()));
}

#[tokio::test]
async fn an_account_without_commands_is_told_apart_from_one_with_a_fixed_command() {
    let server = Sshd::new().with("Match all\nForceCommand internal-sftp").start();
    let fleet = Fleet::new();
    let host = fleet.add("files", &server).await;
    let error = host.exec(Command::new("uptime")).await.unwrap_err();
    assert_eq!((error.kind(), &error.details()["reason"]), (ErrorKind::NotAvailable, &"NO_SHELL".into()));

    let server = Sshd::new().start();
    let key = server.make_key("fixed", "ed25519", "");
    server.authorize_with(&key, "command=\"echo fixed\"");
    fleet.add_with("fixed", &server, crate::fleet::key(key)).await;
    let ran = fleet.find("fixed").await;
    let ran = gabier_host::Host::exec(&ran, Command::new("uptime")).await.unwrap();
    assert_eq!(ran.stdout.text(), "fixed\n");
    assert_eq!(ran.notes, ["the account runs a fixed command instead of the one given"]);
}

#[tokio::test]
async fn dropbear_runs_commands_one_connection_each() {
    let server = dropbear(&[]);
    let fleet = Fleet::new();
    let host = fleet.add("router", &server).await;
    let commands = (0..8).map(|number| host.exec(Command::new(format!("sleep 0.1; echo {number}"))));
    let results = futures::future::join_all(commands).await;
    for (number, ran) in results.into_iter().enumerate() {
        assert_eq!(ran.unwrap().stdout.text(), format!("{number}\n"));
    }
}
