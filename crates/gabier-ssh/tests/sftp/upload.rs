//! Single files to a real server.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use gabier_ssh::sftp::{Options, Reason, Report, Result, Session, Settings, TargetLinks, Verify, upload};

use crate::bench::{Bench, content, hash_of, names_of};
use crate::remote;
use crate::server::Server;

async fn send(bench: &Bench, source: &str, target: &str, options: &Options) -> Result<Report> {
    upload(&bench.session, &bench.local, Path::new(source), &remote(bench.remote(target)), options).await
}

fn forced() -> Options {
    Options { force: true, ..Options::default() }
}

#[tokio::test]
async fn files_of_every_size_arrive_whole_with_mode_and_time() {
    let bench = Bench::start().await;
    for size in [0, 1, 32 * 1024, 255 * 1024, 255 * 1024 + 1, 5 << 20] {
        bench.write_local("a", &content(size));
        bench.set_local("a", 0o640, 1_000_000_000);
        let report = send(&bench, "a", "a", &forced()).await.unwrap();
        assert_eq!((report.files, report.bytes), (1, size as u64));
        assert_eq!(std::fs::read(bench.remote("a")).unwrap(), content(size));
        let metadata = std::fs::metadata(bench.remote("a")).unwrap();
        assert_eq!((metadata.mtime(), bench.remote_names()), (1_000_000_000, vec!["a".to_owned()]));
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
        std::fs::remove_file(bench.remote("a")).unwrap();
    }
}

#[tokio::test]
async fn every_way_to_compare_finds_a_sound_copy_right() {
    let bench = Bench::start().await;
    for size in [1000, 3 << 20] {
        bench.write_local("a", &content(size));
        for verify in [Verify::Size, Verify::ReadBack, Verify::Remote(Bench::hasher())] {
            let hashes = !matches!(verify, Verify::Size);
            let options = Options { verify, ..forced() };
            let report = send(&bench, "a", "a", &options).await.unwrap();
            assert_eq!(report.sha256, hashes.then(|| hash_of(&content(size))));
        }
    }
}

#[tokio::test]
async fn a_copy_that_is_wrong_never_gets_the_name() {
    let bench = Bench::start().await;
    std::fs::write(bench.remote("a"), "old").unwrap();
    for size in [1000, 3 << 20] {
        bench.write_local("a", &content(size));
        let options = Options { verify: Verify::Remote(Bench::lying_hasher()), ..forced() };
        let error = send(&bench, "a", "a", &options).await.unwrap_err();
        assert_eq!(error.reason(), Reason::Mismatch);
        assert_eq!(std::fs::read(bench.remote("a")).unwrap(), b"old");
        assert_eq!(bench.remote_names(), ["a"]);
    }
}

#[tokio::test]
async fn an_existing_target_is_refused_unless_forced() {
    let bench = Bench::start().await;
    bench.write_local("a", b"new");
    std::fs::write(bench.remote("a"), "old").unwrap();
    for target in ["a", "", "./"] {
        let error = send(&bench, "a", target, &Options::default()).await.unwrap_err();
        assert_eq!(error.reason(), Reason::Exists, "{target}");
    }
    assert_eq!(std::fs::read(bench.remote("a")).unwrap(), b"old");
    send(&bench, "a", "", &forced()).await.unwrap();
    assert_eq!(std::fs::read(bench.remote("a")).unwrap(), b"new");
}

#[tokio::test]
async fn a_replaced_target_keeps_its_mode_and_owner() {
    let bench = Bench::start().await;
    bench.write_local("a", b"new");
    bench.set_local("a", 0o777, 1_000_000_000);
    let target = bench.remote("a");
    std::fs::write(&target, "old and longer").unwrap();
    std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o604)).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        std::os::unix::fs::chown(&target, Some(1234), Some(4321)).unwrap();
    }
    let before = std::fs::metadata(&target).unwrap();
    send(&bench, "a", "a", &forced()).await.unwrap();
    let after = std::fs::metadata(&target).unwrap();
    assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
    assert_ne!(after.ino(), before.ino(), "it was replaced, not overwritten");
    assert_eq!(std::fs::read(&target).unwrap(), b"new");
}

#[tokio::test]
async fn missing_folders_above_the_target_are_made() {
    let bench = Bench::start().await;
    bench.write_local("a", b"a");
    send(&bench, "a", "x/y/b", &Options::default()).await.unwrap();
    send(&bench, "a", "x/z/", &Options::default()).await.unwrap();
    assert_eq!(std::fs::read(bench.remote("x/y/b")).unwrap(), b"a");
    assert_eq!(std::fs::read(bench.remote("x/z/a")).unwrap(), b"a");
}

#[tokio::test]
async fn links_are_written_through_or_refused() {
    let bench = Bench::start().await;
    bench.write_local("a", b"new");
    std::fs::create_dir(bench.remote("elsewhere")).unwrap();
    std::fs::write(bench.remote("elsewhere/real"), "old").unwrap();
    symlink("elsewhere/real", bench.remote("link")).unwrap();
    symlink("nowhere", bench.remote("dangling")).unwrap();
    let refusing = Options { target_links: TargetLinks::Refuse, ..forced() };
    for (target, options) in [("link", &refusing), ("dangling", &refusing), ("dangling", &forced())] {
        let error = send(&bench, "a", target, options).await.unwrap_err();
        assert_eq!(error.reason(), Reason::SymbolicLink, "{target}");
    }
    send(&bench, "a", "link", &forced()).await.unwrap();
    assert!(bench.remote("link").is_symlink());
    assert_eq!(std::fs::read(bench.remote("elsewhere/real")).unwrap(), b"new");
    assert_eq!(names_of(&bench.remote("elsewhere")), ["real"]);
}

#[tokio::test]
async fn targets_that_are_no_files_are_refused_with_the_reason() {
    let bench = Bench::start().await;
    bench.write_local("a", b"a");
    std::fs::create_dir_all(bench.remote("folder/a")).unwrap();
    std::fs::write(bench.remote("file"), "").unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        bench.remote("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let cases =
        [("folder", Reason::IsDirectory), ("pipe", Reason::Special), ("file/below", Reason::NotADirectory)];
    for (target, reason) in cases {
        let error = send(&bench, "a", target, &forced()).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{target}: {error}");
    }
    let error = send(&bench, "none", "x", &forced()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Missing);
}

#[tokio::test]
async fn two_writers_leave_one_of_the_two_contents_and_a_reader_never_sees_less() {
    let bench = Bench::start().await;
    let (_other_server, other) = Server::session().await;
    let (one, two) = (vec![1_u8; 1 << 20], vec![2_u8; 1 << 20]);
    bench.write_local("one", &one);
    bench.write_local("two", &two);
    let target = bench.remote("target");
    std::fs::write(&target, &one).unwrap();
    let reader = {
        let (target, one, two) = (target.clone(), one.clone(), two.clone());
        std::thread::spawn(move || {
            for _ in 0..300 {
                let seen = std::fs::read(&target).unwrap();
                assert!(seen == one || seen == two, "{} bytes of {:?}", seen.len(), seen.first());
            }
        })
    };
    let options = forced();
    let path = remote(&target);
    for _ in 0..10 {
        let (first, second) = tokio::join!(
            upload(&bench.session, &bench.local, Path::new("one"), &path, &options),
            upload(&other, &bench.local, Path::new("two"), &path, &options),
        );
        first.unwrap();
        second.unwrap();
    }
    reader.join().unwrap();
    assert_eq!(bench.remote_names(), ["target"]);
}

#[tokio::test]
async fn of_two_writers_that_may_not_replace_one_is_refused() {
    let bench = Bench::start().await;
    let (_other_server, other) = Server::session().await;
    bench.write_local("one", &vec![1; 3 << 20]);
    bench.write_local("two", &vec![2; 3 << 20]);
    let (path, options) = (remote(bench.remote("target")), Options::default());
    let (first, second) = tokio::join!(
        upload(&bench.session, &bench.local, Path::new("one"), &path, &options),
        upload(&other, &bench.local, Path::new("two"), &path, &options),
    );
    let (winner, loser) = if first.is_ok() { (1, second) } else { (2, first) };
    assert_eq!(loser.unwrap_err().reason(), Reason::Exists);
    assert_eq!(std::fs::read(bench.remote("target")).unwrap(), vec![winner; 3 << 20]);
    assert_eq!(bench.remote_names(), ["target"]);
}

#[tokio::test]
async fn a_source_that_grows_is_copied_as_it_was_and_that_is_said() {
    let bench = Bench::start().await;
    bench.write_local("log", &content(4 << 20));
    let path = bench.local_path("log");
    let told = Arc::new(AtomicU64::new(0));
    let options = Options {
        progress: Some(Arc::new(move |_| {
            if told.fetch_add(1, Relaxed) == 0 {
                let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
                std::io::Write::write_all(&mut file, b"more").unwrap();
            }
        })),
        ..Options::default()
    };
    let report = send(&bench, "log", "log", &options).await.unwrap();
    assert_eq!(std::fs::read(bench.remote("log")).unwrap(), content(4 << 20));
    let note =
        "the source grew from 4194304 to 4194308 bytes while it was copied; the copy has 4194304 bytes";
    assert_eq!(report.notes, [note]);
}

#[tokio::test]
async fn a_source_without_a_size_is_read_to_its_end() {
    let bench = Bench::start().await;
    let source = Path::new("/proc/self/status");
    let target = remote(bench.remote("status"));
    let report = upload(&bench.session, &bench.local, source, &target, &Options::default()).await.unwrap();
    let copy = std::fs::read_to_string(bench.remote("status")).unwrap();
    assert!(copy.starts_with("Name:") && report.bytes == copy.len() as u64);
}

#[tokio::test]
async fn an_unchanged_file_is_left_out_where_asked() {
    let bench = Bench::start().await;
    bench.write_local("a", b"12345");
    let options = Options { skip_unchanged: true, force: true, ..Options::default() };
    assert_eq!(send(&bench, "a", "a", &options).await.unwrap().files, 1);
    let again = send(&bench, "a", "a", &options).await.unwrap();
    assert_eq!((again.files, again.skipped.len()), (0, 1));
    bench.write_local("a", b"54321");
    bench.set_local("a", 0o600, 1_000_000_000);
    assert_eq!(send(&bench, "a", "a", &options).await.unwrap().files, 1);
}

#[tokio::test]
async fn a_cancelled_upload_leaves_nothing_behind() {
    let bench = Bench::start().await;
    bench.write_local("a", &content(64 << 20));
    std::fs::write(bench.remote("a"), "old").unwrap();
    let options = forced();
    let cancel = options.cancel.clone();
    let options = Options { progress: Some(Arc::new(move |_| cancel.cancel())), ..options };
    let error = send(&bench, "a", "a", &options).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Cancelled);
    assert_eq!(bench.remote_names(), ["a"]);
    assert_eq!(std::fs::read(bench.remote("a")).unwrap(), b"old");
}

#[tokio::test]
async fn a_dropped_upload_leaves_nothing_behind() {
    let bench = Bench::start().await;
    bench.write_local("a", &content(64 << 20));
    let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let options = Options {
        progress: Some(Arc::new(move |_| {
            let _ = begun.send(());
        })),
        ..Options::default()
    };
    tokio::select! {
        outcome = send(&bench, "a", "a", &options) => panic!("{outcome:?}"),
        _ = has_begun.recv() => {}
    }
    bench.session.stat(&remote(bench.remote(""))).await.unwrap();
    assert_eq!(bench.remote_names(), Vec::<String>::new());
}

#[tokio::test]
async fn a_transfer_can_be_spawned() {
    let bench = Bench::start().await;
    bench.write_local("a", b"a");
    let (session, local, target) = (bench.session.clone(), bench.local.clone(), remote(bench.remote("a")));
    let uploading =
        tokio::spawn(
            async move { upload(&session, &local, Path::new("a"), &target, &Options::default()).await },
        );
    assert_eq!(uploading.await.unwrap().unwrap().files, 1);
}

/// A session of an account that owns nothing; root is needed to become it.
async fn as_nobody() -> (Server, Session) {
    assert!(rustix::process::geteuid().is_root(), "this test runs as root");
    let (server, stream) = Server::start_as(&[], NOBODY);
    (server, Session::open(stream, Settings::default()).await.unwrap())
}

const NOBODY: u32 = 65_534;

#[tokio::test]
async fn a_file_in_a_folder_that_cannot_be_written_is_written_in_place_and_that_is_said() {
    let bench = Bench::start().await;
    let (_server, session) = as_nobody().await;
    std::fs::set_permissions(bench.remote(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    bench.write_remote("a", &content(4 << 20));
    bench.set_remote("a", 0o604, 1_000_000_000);
    std::os::unix::fs::chown(bench.remote("a"), Some(NOBODY), None).unwrap();
    for size in [1000, 2 << 20] {
        bench.write_local("a", &content(size)[1..]);
        let target = remote(bench.remote("a"));
        let report = upload(&session, &bench.local, Path::new("a"), &target, &forced()).await.unwrap();
        assert!(std::fs::read(bench.remote("a")).unwrap() == content(size)[1..]);
        assert!(report.notes[0].ends_with("in place (atomic: false): its folder is not writable"));
        let metadata = std::fs::metadata(bench.remote("a")).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.uid()), (0o604, NOBODY));
    }
    let error = upload(&session, &bench.local, Path::new("a"), &remote(bench.remote("b")), &forced())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::Permission);
}

#[tokio::test]
async fn a_file_of_another_owner_keeps_him_by_being_written_in_place() {
    let bench = Bench::start().await;
    let (_server, session) = as_nobody().await;
    std::fs::set_permissions(bench.remote(""), std::fs::Permissions::from_mode(0o777)).unwrap();
    bench.write_remote("a", b"old and longer");
    bench.set_remote("a", 0o666, 1_000_000_000);
    bench.write_local("a", b"new");
    let target = remote(bench.remote("a"));
    let outcome = upload(&session, &bench.local, Path::new("a"), &target, &forced()).await;
    // The time of change is the owner's alone to set, and the old end must not stay.
    let metadata = std::fs::metadata(bench.remote("a")).unwrap();
    assert_eq!(metadata.uid(), 0);
    let report = outcome.unwrap();
    assert!(report.notes[0].ends_with("its owner cannot be kept"), "{:?}", report.notes);
    assert_eq!(std::fs::read(bench.remote("a")).unwrap(), b"new");
    assert_eq!(bench.remote_names(), ["a"]);
}
