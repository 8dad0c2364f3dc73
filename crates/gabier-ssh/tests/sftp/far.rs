//! Hosts behind links with a delay, which are told early what they will be asked for.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use gabier_host::{Fleet as _, HostChange, Move, RemotePath};
use gabier_ssh::sftp::{Hashed, Options, Reason, RemoteHash, Result, Session, Settings, Verify, upload};
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, content};
use crate::fleet::{Fleet, key};
use crate::remote;
use crate::server::Server;
use crate::slow::Slow;
use crate::sshd::Sshd;

/// How long a byte is on its way, in milliseconds.
const DELAY: u64 = 8;

/// Counts the questions that were announced, and may answer them wrongly.
#[derive(Default)]
struct Announced {
    questions: AtomicUsize,
    lies: bool,
}

impl RemoteHash for Announced {
    fn sha256(&self, files: Vec<Hashed>) -> BoxFuture<'_, Result<Vec<[u8; 32]>>> {
        let hasher = if self.lies { Bench::lying_hasher() } else { Bench::hasher() };
        async move { hasher.sha256(files).await }.boxed()
    }

    fn sha256_later(&self, files: BoxFuture<'static, Vec<Hashed>>) -> BoxFuture<'_, Result<Vec<[u8; 32]>>> {
        self.questions.fetch_add(1, Relaxed);
        async move { self.sha256(files.await).await }.boxed()
    }
}

#[tokio::test]
async fn a_far_host_gets_ready_to_hash_and_nothing_it_finds_wrong_is_published() {
    let bench = Bench::start().await;
    for number in 0..600 {
        bench.write_local(format!("tree/{}/{}/{number}", number % 7, number % 3), &content(number));
    }
    let (_server, stream) = Server::start(&[]);
    let far = Session::open(Slow::delay(stream, DELAY), Settings::default()).await.unwrap();
    for (target, lies) in [("missing/parents/there", false), ("wrong", true)] {
        let hasher = Arc::new(Announced { lies, ..Announced::default() });
        let options = Options { verify: Verify::Remote(Arc::clone(&hasher) as _), ..Options::default() };
        let path = remote(bench.remote(target));
        let report = upload(&far, &bench.local, Path::new("tree"), &path, &options).await.unwrap();
        assert_eq!(hasher.questions.load(Relaxed), 2, "512 files and the rest");
        assert_eq!((report.files, report.failed.len()), if lies { (0, 600) } else { (600, 0) });
        assert!(report.failed.iter().all(|failed| failed.error.reason() == Reason::Mismatch));
        for number in 0..600 {
            let copy =
                std::fs::read(bench.remote(format!("{target}/{}/{}/{number}", number % 7, number % 3)));
            assert_eq!(copy.ok(), (!lies).then(|| content(number)));
        }
    }
}

#[tokio::test]
async fn names_that_cannot_be_announced_are_hashed_all_the_same() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    fleet.add_with("far", &server, key(server.key.clone())).await;
    let line = HostChange { port: Some(Slow::line(server.port, DELAY).await), ..HostChange::default() };
    fleet.inventory.upsert(&"far".parse().unwrap(), line).await.unwrap();
    let files = fleet.ssh.host("far").await.unwrap().files().await.unwrap();
    let (local, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (target, name) in [("plain", "a b'\"$x"), ("odd", "a\nb")] {
        std::fs::create_dir(local.path().join(target)).unwrap();
        for name in [name, "c", "d"] {
            std::fs::write(local.path().join(target).join(name), content(9_000)).unwrap();
        }
        let job = Move {
            local: local.path().join(target).into(),
            remote: RemotePath::from(there.path().join(target).to_str().unwrap()),
            force: false,
            skip_unchanged: false,
            progress: None,
            cancel: CancellationToken::new(),
        };
        let moved = files.upload(job).await.unwrap();
        assert_eq!((moved.files, moved.notes), (3, Vec::new()));
        assert!(std::fs::read(there.path().join(target).join(name)).unwrap() == content(9_000));
    }
}
