//! Single files from a real server.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use gabier_ssh::sftp::{
    LocalFolder, Options, Reach, Reason, RemotePath, Report, Result, TargetLinks, Verify, download,
};

use crate::bench::{Bench, content, hash_of};
use crate::remote;

async fn fetch(bench: &Bench, source: &str, target: &str, options: &Options) -> Result<Report> {
    let source = remote(bench.remote(source));
    download(&bench.session, &source, &bench.local, Path::new(target), options).await
}

fn forced() -> Options {
    Options { force: true, ..Options::default() }
}

#[tokio::test]
async fn files_of_every_size_arrive_whole_with_mode_and_time() {
    let bench = Bench::start().await;
    for size in [0, 1, 32 * 1024, 255 * 1024, 255 * 1024 + 1, 5 << 20] {
        bench.write_remote("a", &content(size));
        bench.set_remote("a", 0o640, 1_000_000_000);
        let report = fetch(&bench, "a", "a", &Options::default()).await.unwrap();
        assert_eq!((report.files, report.bytes), (1, size as u64));
        let copy = bench.local_path("a");
        assert!(std::fs::read(&copy).unwrap() == content(size));
        let metadata = std::fs::metadata(&copy).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (0o640, 1_000_000_000));
        assert_eq!(bench.local_names(), ["a"]);
        std::fs::remove_file(copy).unwrap();
    }
}

#[tokio::test]
async fn every_way_to_compare_finds_a_sound_copy_right_and_a_wrong_one_wrong() {
    let bench = Bench::start().await;
    std::fs::write(bench.local_path("a"), "old").unwrap();
    for size in [1000, 3 << 20] {
        bench.write_remote("a", &content(size));
        let options = Options { verify: Verify::Remote(Bench::lying_hasher()), ..forced() };
        let error = fetch(&bench, "a", "a", &options).await.unwrap_err();
        assert_eq!((error.reason(), bench.local_names()), (Reason::Mismatch, vec!["a".to_owned()]));
    }
    assert_eq!(std::fs::read(bench.local_path("a")).unwrap(), b"old");
    for verify in [Verify::ReadBack, Verify::Remote(Bench::hasher())] {
        let report = fetch(&bench, "a", "a", &Options { verify, ..forced() }).await.unwrap();
        assert_eq!(report.sha256, Some(hash_of(&content(3 << 20))));
    }
}

#[tokio::test]
async fn files_without_a_size_are_read_to_their_end() {
    let bench = Bench::start().await;
    let source = RemotePath::from("/proc/cpuinfo");
    let report =
        download(&bench.session, &source, &bench.local, Path::new("c"), &Options::default()).await.unwrap();
    let copy = std::fs::read_to_string(bench.local_path("c")).unwrap();
    assert!(copy.contains("processor") && report.bytes == copy.len() as u64);
}

#[tokio::test]
async fn an_existing_target_is_refused_unless_forced_and_then_keeps_its_mode() {
    let bench = Bench::start().await;
    bench.write_remote("a", b"new");
    std::fs::write(bench.local_path("a"), "old").unwrap();
    std::fs::set_permissions(bench.local_path("a"), std::fs::Permissions::from_mode(0o604)).unwrap();
    for target in ["a", "", "."] {
        let error = fetch(&bench, "a", target, &Options::default()).await.unwrap_err();
        assert_eq!(error.reason(), Reason::Exists, "{target}");
    }
    fetch(&bench, "a", "", &forced()).await.unwrap();
    assert_eq!(std::fs::read(bench.local_path("a")).unwrap(), b"new");
    assert_eq!(std::fs::metadata(bench.local_path("a")).unwrap().mode() & 0o7777, 0o604);
}

#[tokio::test]
async fn missing_folders_above_the_target_are_made() {
    let bench = Bench::start().await;
    bench.write_remote("a", b"a");
    fetch(&bench, "a", "x/y/b", &Options::default()).await.unwrap();
    fetch(&bench, "a", "x/z/", &Options::default()).await.unwrap();
    assert_eq!(std::fs::read(bench.local_path("x/y/b")).unwrap(), b"a");
    assert_eq!(std::fs::read(bench.local_path("x/z/a")).unwrap(), b"a");
}

#[tokio::test]
async fn links_are_written_through_only_by_who_may_go_anywhere() {
    let bench = Bench::start().await;
    bench.write_remote("a", b"new");
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("real"), "old").unwrap();
    symlink(outside.path().join("real"), bench.local_path("link")).unwrap();
    let source = remote(bench.remote("a"));
    for reach in [Reach::Below, Reach::BelowWithoutLinks] {
        let confined = LocalFolder::open(&bench.local_path(""), reach).unwrap();
        let outcome = download(&bench.session, &source, &confined, Path::new("link"), &forced()).await;
        assert_eq!(outcome.unwrap_err().reason(), Reason::SymbolicLink);
    }
    let refusing = Options { target_links: TargetLinks::Refuse, ..forced() };
    assert_eq!(fetch(&bench, "a", "link", &refusing).await.unwrap_err().reason(), Reason::SymbolicLink);
    assert_eq!(std::fs::read(outside.path().join("real")).unwrap(), b"old");
    fetch(&bench, "a", "link", &forced()).await.unwrap();
    assert_eq!(std::fs::read(outside.path().join("real")).unwrap(), b"new");
    assert!(bench.local_path("link").is_symlink());
}

#[tokio::test]
async fn no_target_leads_out_of_the_folder() {
    let bench = Bench::start().await;
    bench.write_remote("a", b"a");
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), bench.local_path("out")).unwrap();
    let confined = LocalFolder::open(&bench.local_path(""), Reach::Below).unwrap();
    let source = remote(bench.remote("a"));
    let absolute = outside.path().join("a");
    for target in [Path::new("../a"), Path::new("out/a"), &absolute, Path::new("x/../../a")] {
        let outcome = download(&bench.session, &source, &confined, target, &Options::default()).await;
        let reason = outcome.unwrap_err().reason();
        assert!(
            matches!(reason, Reason::Outside | Reason::BadName | Reason::Exists),
            "{target:?} {reason:?}"
        );
    }
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn sources_that_cannot_be_read_have_their_reasons() {
    let bench = Bench::start().await;
    let missing = fetch(&bench, "none", "x", &Options::default()).await.unwrap_err();
    assert_eq!(missing.reason(), Reason::Missing);
    let special = RemotePath::from("/dev/null");
    let outcome = download(&bench.session, &special, &bench.local, Path::new("x"), &Options::default()).await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Special);
    assert_eq!(bench.local_names(), Vec::<String>::new());
}

#[tokio::test]
async fn a_source_that_changes_is_copied_as_far_as_it_goes_and_that_is_said() {
    for shrinks in [false, true] {
        let bench = Bench::start().await;
        bench.write_remote("log", &content(32 << 20));
        let path = bench.remote("log");
        let told = Arc::new(AtomicU64::new(0));
        let change = move |_| {
            if told.fetch_add(1, Relaxed) == 0 {
                let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                file.set_len(if shrinks { 31 << 20 } else { 33 << 20 }).unwrap();
            }
        };
        let options = Options { progress: Some(Arc::new(change)), ..Options::default() };
        let report = fetch(&bench, "log", "log", &options).await.unwrap();
        let length = if shrinks { 31 << 20 } else { 32 << 20 };
        assert!(std::fs::read(bench.local_path("log")).unwrap() == content(32 << 20)[..length]);
        let verb =
            if shrinks { "shrank from 33554432 to 32505856" } else { "grew from 33554432 to 34603008" };
        assert!(report.notes[0].contains(verb), "{:?}", report.notes);
    }
}

#[tokio::test]
async fn a_cancelled_download_leaves_nothing_behind() {
    let bench = Bench::start().await;
    bench.write_remote("a", &content(64 << 20));
    std::fs::write(bench.local_path("a"), "old").unwrap();
    let options = forced();
    let cancel = options.cancel.clone();
    let options = Options { progress: Some(Arc::new(move |_| cancel.cancel())), ..options };
    let error = fetch(&bench, "a", "a", &options).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Cancelled);
    assert_eq!(bench.local_names(), ["a"]);
    assert_eq!(std::fs::read(bench.local_path("a")).unwrap(), b"old");
}

#[tokio::test]
async fn an_unchanged_file_is_left_out_where_asked() {
    let bench = Bench::start().await;
    bench.write_remote("a", b"12345");
    let options = Options { skip_unchanged: true, force: true, ..Options::default() };
    assert_eq!(fetch(&bench, "a", "a", &options).await.unwrap().files, 1);
    let again = fetch(&bench, "a", "a", &options).await.unwrap();
    assert_eq!((again.files, again.skipped[0].why), (0, "unchanged"));
}

#[tokio::test]
async fn progress_ends_with_the_whole() {
    let bench = Bench::start().await;
    bench.write_remote("a", &content(3 << 20));
    let last = Arc::new(std::sync::Mutex::new(None));
    let heard = last.clone();
    let progress = move |progress| *heard.lock().unwrap() = Some(progress);
    let options = Options { progress: Some(Arc::new(progress)), ..Options::default() };
    fetch(&bench, "a", "a", &options).await.unwrap();
    let last = last.lock().unwrap().unwrap();
    assert_eq!((last.bytes, last.total_bytes, last.files, last.total_files), (3 << 20, 3 << 20, 1, 1));
}
