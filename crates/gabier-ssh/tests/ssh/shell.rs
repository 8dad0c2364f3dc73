//! A shell that stays from step to step.

use std::collections::HashSet;
use std::time::Duration;

use gabier_host::{Command, End, Shell};

use crate::fleet::Fleet;
use crate::sshd::{Sshd, dropbear};

async fn step(shell: &mut Box<dyn Shell>, script: &str) -> (String, String, Option<u32>) {
    let ran = shell.step(Command::new(script).within(Duration::from_secs(10))).await.unwrap();
    (ran.stdout.text(), ran.stderr.text(), ran.exit_code())
}

#[tokio::test]
async fn directory_and_variables_last() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let mut shell = host.shell().await.unwrap();
    assert_eq!(step(&mut shell, "cd /usr && export GX=1").await.2, Some(0));
    assert_eq!(
        step(&mut shell, "pwd; echo $GX; echo err >&2; false").await,
        ("/usr\n1\n".into(), "err\n".into(), Some(1))
    );
    assert_eq!(step(&mut shell, "printf 'no newline'").await.0, "no newline");
    assert_eq!(step(&mut shell, "cat; echo got nothing").await.0, "got nothing\n");
    assert_eq!(step(&mut shell, "f() { return 5; }").await.2, Some(0));
    assert_eq!(step(&mut shell, "f").await.2, Some(5));
    assert_eq!(server.logins(), 1);
}

#[tokio::test]
async fn a_step_can_break_its_own_syntax_and_nothing_else() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let mut shell = host.shell().await.unwrap();
    for script in ["if true; then", "echo 'open", "echo $(", "}", "<<EOF\nx"] {
        let ran = shell.step(Command::new(script).within(Duration::from_secs(5))).await.unwrap();
        assert!(matches!(ran.end, End::Exited(_)), "{script}: {ran:?}");
        assert!(shell.is_alive(), "{script}");
    }
    assert_eq!(step(&mut shell, "echo fine").await.0, "fine\n");
}

#[tokio::test]
async fn a_step_that_ends_the_shell_is_told() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let mut shell = host.shell().await.unwrap();
    assert_eq!(step(&mut shell, "echo bye; exit 3").await, ("bye\n".into(), String::new(), Some(3)));
    assert!(!shell.is_alive());
    assert!(shell.step(Command::new("true")).await.is_err());
}

#[tokio::test]
async fn much_output_passes_through_a_step() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let mut shell = host.shell().await.unwrap();
    let ran =
        shell.step(Command::new("head -c 5000000 /dev/zero; head -c 5000 /dev/zero >&2")).await.unwrap();
    assert_eq!((ran.stdout.bytes, ran.stderr.bytes, ran.end), (5_000_000, 5_000, End::Exited(0)));
    assert_eq!(step(&mut shell, "echo after").await.0, "after\n");
}

#[tokio::test]
async fn fifty_steps_need_one_process() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let mut shell = host.shell().await.unwrap();
    let mut processes = HashSet::new();
    for _ in 0..50 {
        processes.insert(step(&mut shell, "echo $$ $PPID").await.0);
    }
    assert_eq!(processes.len(), 1, "{processes:?}");
}

#[tokio::test]
async fn a_shell_runs_on_dropbear() {
    let server = dropbear(&[]);
    let fleet = Fleet::new();
    let host = fleet.add("router", &server).await;
    let mut shell = host.shell().await.unwrap();
    step(&mut shell, "cd /tmp").await;
    assert_eq!(step(&mut shell, "pwd").await.0, "/tmp\n");
}
