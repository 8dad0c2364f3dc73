//! The files of a host, as tools see them.

use bytes::Bytes;
use gabier_host::{FileKind, Files, Move, RemotePath};
use gabier_ssh::sftp::{Options, SftpFiles, Verify};
use gabier_tool::ErrorKind;
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, content, hash_of};
use gabier_ssh::sftp::hex;

fn path(bench: &Bench, name: &str) -> RemotePath {
    RemotePath::from(bench.remote(name).to_str().unwrap())
}

fn job(bench: &Bench, name: &str) -> Move {
    Move {
        local: bench.local_path(name).into(),
        remote: path(bench, name),
        force: false,
        skip_unchanged: false,
        progress: None,
        cancel: CancellationToken::new(),
    }
}

#[tokio::test]
async fn files_are_written_read_listed_and_looked_at() {
    let bench = Bench::start().await;
    let files = SftpFiles::new(bench.session.clone(), Options::default());
    let whole = content(600 << 10);
    files.write(&path(&bench, "a"), Bytes::from(whole.clone())).await.unwrap();
    assert!(files.read(&path(&bench, "a"), 0, usize::MAX).await.unwrap() == whole);
    assert_eq!(files.read(&path(&bench, "a"), 10, 5).await.unwrap(), whole[10..15]);
    assert_eq!(files.read(&path(&bench, "a"), 1 << 30, 5).await.unwrap(), Bytes::new());
    let found = files.stat(&path(&bench, "a")).await.unwrap();
    assert_eq!((found.kind, found.size, found.mode), (FileKind::File, 600 << 10, Some(0o644)));

    bench.set_remote("a", 0o640, 1_000_000_000);
    files.write(&path(&bench, "a"), Bytes::from_static(b"new")).await.unwrap();
    let entries = files.list(&path(&bench, "")).await.unwrap();
    assert_eq!((entries.len(), &entries[0].name[..], entries[0].metadata.size), (1, &b"a"[..], 3));
    assert_eq!(entries[0].metadata.mode, Some(0o640), "a replaced file keeps its mode");
    assert_ne!(entries[0].metadata.modified, Some(1_000_000_000), "and is changed now");
}

#[tokio::test]
async fn moves_go_both_ways_with_their_hash_and_by_patterns() {
    let bench = Bench::start().await;
    let verify = Verify::Remote(Bench::hasher());
    let files = SftpFiles::new(bench.session.clone(), Options { verify, ..Options::default() });
    bench.write_local("a", &content(1000));
    let moved = files.upload(job(&bench, "a")).await.unwrap();
    assert_eq!((moved.files, moved.sha256), (1, Some(hex(&hash_of(&content(1000))))));
    let moved =
        files.download(Move { local: bench.local_path("b").into(), ..job(&bench, "a") }).await.unwrap();
    assert_eq!((moved.files, moved.bytes), (1, 1000));
    let up =
        Move { local: bench.local_path("[ab]").into(), remote: path(&bench, "both"), ..job(&bench, "a") };
    assert_eq!(files.upload(up).await.unwrap().files, 2);
    let down =
        Move { local: bench.local_path("back").into(), remote: path(&bench, "b*/?"), ..job(&bench, "a") };
    assert_eq!(files.download(down).await.unwrap().files, 2);
    assert_eq!(std::fs::read(bench.local_path("back/both/a")).unwrap(), content(1000));
}

#[tokio::test]
async fn failures_reach_a_tool_with_their_kind_and_reason() {
    let bench = Bench::start().await;
    let files = SftpFiles::new(bench.session.clone(), Options::default());
    let missing = files.stat(&path(&bench, "none")).await.unwrap_err();
    assert_eq!((missing.kind(), &missing.details()["reason"]), (ErrorKind::NotFound, &"missing".into()));
    bench.write_local("a", b"a");
    bench.write_remote("a", b"a");
    let exists = files.upload(job(&bench, "a")).await.unwrap_err();
    assert_eq!((exists.kind(), &exists.details()["reason"]), (ErrorKind::Conflict, &"exists".into()));
    bench.write_local("tree/a", b"a");
    std::fs::create_dir_all(bench.remote("tree/a")).unwrap();
    let tree = Move { force: true, remote: path(&bench, ""), ..job(&bench, "tree") };
    let failed = files.upload(tree).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::TransferFailed);
    assert_eq!(failed.details()["failed_files"][0]["reason"], "is_directory");
}
