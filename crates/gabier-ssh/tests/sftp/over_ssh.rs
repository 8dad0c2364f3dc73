//! The same over a real SSH connection.

use std::path::PathBuf;
use std::sync::Arc;

use gabier_host::{Move, RemotePath};
use gabier_ssh::sftp::hex;
use tokio_util::sync::CancellationToken;

use crate::bench::{content, hash_of};
use crate::fleet::Fleet;
use crate::sshd::Sshd;

#[tokio::test]
async fn files_and_folders_go_both_ways_over_ssh() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let files = host.files().await.unwrap();

    let (local, remote) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir(local.path().join("tree")).unwrap();
    std::fs::write(local.path().join("tree/large"), content(32 << 20)).unwrap();
    for number in 0..200 {
        std::fs::write(local.path().join(format!("tree/{number}")), content(number)).unwrap();
    }
    let job = |local: &str, remote_name: &str| Move {
        local: PathBuf::from(local).into(),
        remote: RemotePath::from(remote.path().join(remote_name).to_str().unwrap()),
        force: false,
        skip_unchanged: false,
        progress: None,
        cancel: CancellationToken::new(),
    };
    let tree = local.path().join("tree");
    let moved = files.upload(job(tree.to_str().unwrap(), "there")).await.unwrap();
    assert_eq!((moved.files, moved.bytes), (201, (32 << 20) + (0..200).sum::<u64>()));
    assert!(std::fs::read(remote.path().join("there/large")).unwrap() == content(32 << 20));
    let back = local.path().join("back");
    assert_eq!(files.download(job(back.to_str().unwrap(), "there")).await.unwrap().files, 201);
    for name in ["large", "199", "0"] {
        assert!(std::fs::read(back.join(name)).unwrap() == std::fs::read(tree.join(name)).unwrap());
    }
}

#[tokio::test]
async fn a_file_is_hashed_on_both_sides_and_a_session_is_shared() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let (files, again) = (host.files().await.unwrap(), host.files().await.unwrap());
    assert!(Arc::ptr_eq(&files, &again));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a\nb"), content(70_000)).unwrap();
    let job = Move {
        local: folder.path().join("a\nb").into(),
        remote: RemotePath::from(folder.path().join("copy\n").to_str().unwrap()),
        force: false,
        skip_unchanged: false,
        progress: None,
        cancel: CancellationToken::new(),
    };
    let moved = files.upload(job.clone()).await.unwrap();
    assert_eq!((moved.sha256, moved.notes), (Some(hex(&hash_of(&content(70_000)))), Vec::<String>::new()));
    let back = Move { local: folder.path().join("back").into(), ..job };
    assert_eq!(files.download(back).await.unwrap().sha256, Some(hex(&hash_of(&content(70_000)))));
    let names = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 3, "nothing unfinished is left");
}

#[tokio::test]
async fn an_account_without_commands_moves_files_and_says_what_was_compared() {
    let server = Sshd::new().with("ForceCommand internal-sftp").start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), b"a").unwrap();
    let job = Move {
        local: folder.path().join("a").into(),
        remote: RemotePath::from(folder.path().join("copy").to_str().unwrap()),
        force: false,
        skip_unchanged: false,
        progress: None,
        cancel: CancellationToken::new(),
    };
    let moved = host.files().await.unwrap().upload(job).await.unwrap();
    assert_eq!((moved.files, moved.sha256), (1, None));
    assert!(moved.notes[0].contains("sizes alone"), "{:?}", moved.notes);
}

#[tokio::test]
async fn without_the_subsystem_the_hosts_own_program_serves_and_that_is_said() {
    let server = Sshd::new().without_sftp().start();
    let fleet = Fleet::new();
    let files = fleet.add("web1", &server).await.files().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), content(70_000)).unwrap();
    let job = Move {
        local: folder.path().join("a").into(),
        remote: RemotePath::from(folder.path().join("b").to_str().unwrap()),
        force: false,
        skip_unchanged: false,
        progress: None,
        cancel: CancellationToken::new(),
    };
    let moved = files.upload(job).await.unwrap();
    assert!(moved.notes[0].contains("no SFTP subsystem"), "{:?}", moved.notes);
    assert!(std::fs::read(folder.path().join("b")).unwrap() == content(70_000));
}
