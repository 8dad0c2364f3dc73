//! The same over a real SSH connection.

use gabier_host::{Files, Move, RemotePath};
use gabier_ssh::sftp::{Options, Session, Settings, SftpFiles};
use tokio_util::sync::CancellationToken;

use crate::bench::content;
use crate::fleet::Fleet;
use crate::sshd::Sshd;

#[tokio::test]
async fn files_and_folders_go_both_ways_over_ssh() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    fleet.add("web1", &server).await;
    let stream = fleet.find("web1").await.sftp_stream().await.unwrap();
    let session = Session::open(stream, Settings::default()).await.unwrap();
    let files = SftpFiles::new(session, Options::default());

    let (local, remote) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir(local.path().join("tree")).unwrap();
    std::fs::write(local.path().join("tree/large"), content(32 << 20)).unwrap();
    for number in 0..200 {
        std::fs::write(local.path().join(format!("tree/{number}")), content(number)).unwrap();
    }
    let job = |local: &str, remote_name: &str| Move {
        local: local.into(),
        remote: RemotePath::from(remote.path().join(remote_name).to_str().unwrap()),
        force: false,
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
