//! Folders and patterns, both ways.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures::future::BoxFuture;
use gabier_ssh::sftp::{
    Error, Hashed, Options, Reason, RemoteHash, RemotePath, Report, Result, TreeLinks, Verify, download,
    download_matching, upload, upload_matching,
};

use crate::bench::{Bench, content};
use crate::remote;

/// All files below a folder with their content, and its folders.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let inner = path.strip_prefix(folder).unwrap().to_owned();
            if path.is_dir() && !path.is_symlink() {
                found.insert(inner, None);
                waiting.push(path);
            } else {
                found.insert(inner, Some(std::fs::read(path).unwrap_or_default()));
            }
        }
    }
    found
}

/// A tree with empty, small and large files, odd names and empty folders.
fn make_tree(folder: &Path) {
    for (number, path) in
        ["a", "b/a", "b/c/a", "b/c/d/e/f", ".hidden/a", "b/-rf", "b/$(x)"].iter().enumerate()
    {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content(number * 300 * 1024)).unwrap();
    }
    for number in 0..300 {
        std::fs::write(folder.join("b").join(number.to_string()), content(number)).unwrap();
    }
    std::fs::create_dir_all(folder.join("empty/inner")).unwrap();
    std::fs::write(folder.join(OsStr::from_bytes(b"caf\xe9")), "latin").unwrap();
}

async fn send(bench: &Bench, source: &str, target: &str, options: &Options) -> Result<Report> {
    upload(&bench.session, &bench.local, Path::new(source), &remote(bench.remote(target)), options).await
}

async fn fetch(bench: &Bench, source: &str, target: &str, options: &Options) -> Result<Report> {
    let source = remote(bench.remote(source));
    download(&bench.session, &source, &bench.local, Path::new(target), options).await
}

fn forced() -> Options {
    Options { force: true, ..Options::default() }
}

#[tokio::test]
async fn a_folder_goes_there_and_back_unchanged() {
    let bench = Bench::start().await;
    make_tree(&bench.local_path("tree"));
    bench.set_local("tree/b/a", 0o600, 1_000_000_000);
    let before = snapshot(&bench.local_path("tree"));
    for verify in [Verify::Size, Verify::Remote(Bench::hasher()), Verify::ReadBack] {
        let options = Options { verify, ..Options::default() };
        let sent = send(&bench, "tree", "there", &options).await.unwrap();
        assert_eq!((sent.files, sent.failed.len(), sent.skipped.len()), (308, 0, 0));
        assert!(snapshot(&bench.remote("there")) == before);
        let fetched = fetch(&bench, "there", "back", &options).await.unwrap();
        assert_eq!((fetched.files, fetched.failed.len(), fetched.bytes), (308, 0, sent.bytes));
        assert!(snapshot(&bench.local_path("back")) == before);
        let metadata = std::fs::metadata(bench.local_path("back/b/a")).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (0o600, 1_000_000_000));
        std::fs::remove_dir_all(bench.remote("there")).unwrap();
        std::fs::remove_dir_all(bench.local_path("back")).unwrap();
    }
}

#[tokio::test]
async fn folders_keep_their_mode_and_time() {
    let bench = Bench::start().await;
    make_tree(&bench.local_path("tree"));
    bench.set_local("tree/b/c", 0o500, 1_000_000_000);
    send(&bench, "tree", "there", &Options::default()).await.unwrap();
    fetch(&bench, "there", "back", &Options::default()).await.unwrap();
    for path in [bench.remote("there/b/c"), bench.local_path("back/b/c")] {
        let metadata = std::fs::metadata(path).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (0o500, 1_000_000_000));
    }
}

#[tokio::test]
async fn a_folder_that_is_there_is_refused_or_filled() {
    let bench = Bench::start().await;
    make_tree(&bench.local_path("tree"));
    std::fs::create_dir_all(bench.remote("tree/b")).unwrap();
    std::fs::write(bench.remote("tree/b/a"), "old").unwrap();
    std::fs::write(bench.remote("tree/kept"), "kept").unwrap();
    let error = send(&bench, "tree", "", &Options::default()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Exists);
    let report = send(&bench, "tree", "", &forced()).await.unwrap();
    assert_eq!((report.files, report.failed.len()), (308, 0));
    assert_eq!(std::fs::read(bench.remote("tree/kept")).unwrap(), b"kept");
    std::fs::remove_file(bench.remote("tree/kept")).unwrap();
    assert!(snapshot(&bench.remote("tree")) == snapshot(&bench.local_path("tree")));

    let error = fetch(&bench, "tree", "", &Options::default()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Exists);
    assert_eq!(fetch(&bench, "tree", "", &forced()).await.unwrap().files, 308);
}

#[tokio::test]
async fn a_second_run_moves_only_what_changed() {
    let bench = Bench::start().await;
    make_tree(&bench.local_path("tree"));
    let options = Options { skip_unchanged: true, force: true, ..Options::default() };
    for (target, count) in [("there", 308), ("", 308)] {
        assert_eq!(send(&bench, "tree", target, &options).await.unwrap().files, count);
    }
    bench.write_local("tree/b/a", b"other");
    let report = send(&bench, "tree", "", &options).await.unwrap();
    assert_eq!((report.files, report.skipped.len()), (1, 307));
    let report = fetch(&bench, "tree", "", &options).await.unwrap();
    assert_eq!((report.files, report.skipped.len()), (0, 308));
}

#[tokio::test]
async fn links_in_a_tree_are_left_out_or_copied_as_files_and_that_is_said() {
    let bench = Bench::start().await;
    bench.write_local("tree/a", b"a");
    symlink("a", bench.local_path("tree/link")).unwrap();
    symlink("/etc", bench.local_path("tree/out")).unwrap();
    symlink(".", bench.local_path("tree/loop")).unwrap();
    let report = send(&bench, "tree", "skipping", &Options::default()).await.unwrap();
    assert_eq!((report.files, report.skipped.len()), (1, 3));
    let copying = Options { tree_links: TreeLinks::CopyFiles, ..Options::default() };
    let report = send(&bench, "tree", "copying", &copying).await.unwrap();
    assert_eq!((report.files, report.skipped.len()), (2, 2));
    assert_eq!(std::fs::read(bench.remote("copying/link")).unwrap(), b"a");
    symlink("a", bench.remote("copying/again")).unwrap();
    assert_eq!(fetch(&bench, "copying", "one", &Options::default()).await.unwrap().files, 2);
    assert_eq!(fetch(&bench, "copying", "two", &copying).await.unwrap().files, 3);
}

#[tokio::test]
async fn a_link_in_the_local_target_leads_nowhere_else() {
    let bench = Bench::start().await;
    bench.write_remote("tree/sub/a", b"a");
    bench.write_remote("tree/b", b"b");
    let outside = tempfile::tempdir().unwrap();
    std::fs::create_dir(bench.local_path("tree")).unwrap();
    symlink(outside.path(), bench.local_path("tree/sub")).unwrap();
    let outcome = fetch(&bench, "tree", "", &forced()).await;
    assert!(outcome.is_err() || !outcome.unwrap().failed.is_empty());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_fails_alone_is_reported_and_the_rest_arrives() {
    let bench = Bench::start().await;
    make_tree(&bench.local_path("tree"));
    std::fs::create_dir_all(bench.remote("tree/b/7")).unwrap();
    let report = send(&bench, "tree", "", &forced()).await.unwrap();
    assert_eq!((report.files, report.failed.len()), (307, 1));
    assert_eq!(report.failed[0].error.reason(), Reason::IsDirectory);
    assert!(report.failed[0].target.ends_with("tree/b/7"));
}

#[tokio::test]
async fn two_thousand_small_files_go_both_ways() {
    let bench = Bench::start().await;
    for number in 0..2_000 {
        bench.write_local(format!("many/{}/{number}", number % 10), &content(4096)[number..]);
    }
    assert_eq!(send(&bench, "many", "many", &Options::default()).await.unwrap().files, 2_000);
    assert_eq!(fetch(&bench, "many", "back", &Options::default()).await.unwrap().files, 2_000);
    assert!(snapshot(&bench.local_path("back")) == snapshot(&bench.local_path("many")));
}

/// Answers the first question about many files as if one had been another when it was hashed, or as if it had not been
/// there.
struct EarlyHasher {
    asked: AtomicUsize,
    fails: bool,
}

impl RemoteHash for EarlyHasher {
    fn sha256(&self, files: Vec<Hashed>) -> BoxFuture<'_, Result<Vec<[u8; 32]>>> {
        let is_first = files.len() > 1 && self.asked.fetch_add(1, Relaxed) == 0;
        if is_first && self.fails {
            return Box::pin(async { Err(Error::new(Reason::Missing, "there is no such file")) });
        }
        Box::pin(async move {
            let mut hashes = Bench::hasher().sha256(files).await?;
            if is_first {
                hashes[0] = [7; 32];
            }
            Ok(hashes)
        })
    }
}

#[tokio::test]
async fn a_hash_of_another_moment_is_no_proof_for_or_against_a_file() {
    let bench = Bench::start().await;
    make_tree(&bench.remote("tree"));
    for (target, fails) in [("changed", false), ("gone", true)] {
        let hasher = Arc::new(EarlyHasher { asked: AtomicUsize::new(0), fails });
        let options = Options { verify: Verify::Remote(Arc::clone(&hasher) as _), ..Options::default() };
        let report = fetch(&bench, "tree", target, &options).await.unwrap();
        assert_eq!((report.files, report.failed.len()), (308, 0));
        assert!(snapshot(&bench.local_path(target)) == snapshot(&bench.remote("tree")));
        assert!(hasher.asked.load(Relaxed) > 0, "many are hashed by one question");
    }
    let options = Options { verify: Verify::Remote(Bench::lying_hasher()), ..Options::default() };
    let report = fetch(&bench, "tree", "wrong", &options).await.unwrap();
    assert!(report.failed.iter().all(|failed| failed.error.reason() == Reason::Mismatch));
    assert!(report.failed.len() > 300, "{} failed", report.failed.len());
}

#[tokio::test]
async fn patterns_keep_the_tree_below_their_fixed_part() {
    let bench = Bench::start().await;
    for path in
        ["logs/a.log", "logs/x/a.log", "logs/x/y/a.log", "logs/x/a.txt", "logs/.z/a.log", "other/a.log"]
    {
        bench.write_local(path, path.as_bytes());
        bench.write_remote(path, path.as_bytes());
    }
    let cases: [(&str, &[&str]); 4] = [
        ("logs/**/*.log", &["a.log", "x/a.log", "x/y/a.log"]),
        ("logs/*.log", &["a.log"]),
        ("lo*/x/*.log", &["logs/x/a.log"]),
        ("l[a-o]gs/x/*", &["logs/x/a.log", "logs/x/a.txt"]),
    ];
    for (number, (pattern, expected)) in cases.into_iter().enumerate() {
        let target = format!("up{number}");
        let there = remote(bench.remote(&target));
        let report =
            upload_matching(&bench.session, &bench.local, pattern, &there, &Options::default()).await;
        assert_eq!(report.unwrap().files, expected.len() as u64, "{pattern}");
        let files = |folder: PathBuf| -> Vec<String> {
            let found = snapshot(&folder);
            let files = found.iter().filter(|(_, content)| content.is_some());
            files.map(|(path, _)| path.display().to_string()).collect()
        };
        assert_eq!(files(bench.remote(&target)), expected, "{pattern}");

        let pattern = remote(bench.remote(pattern));
        let target = format!("down{number}");
        let (session, local, options) = (&bench.session, &bench.local, Options::default());
        let report =
            download_matching(session, pattern.as_bytes(), local, Path::new(&target), &options).await;
        assert_eq!(report.unwrap().files, expected.len() as u64, "{pattern}");
        assert_eq!(files(bench.local_path(&target)), expected, "{pattern}");
    }
}

#[tokio::test]
async fn more_matches_than_a_call_may_name_are_refused() {
    let bench = Bench::start().await;
    std::fs::create_dir(bench.local_path("many")).unwrap();
    for number in 0..10_010 {
        std::fs::File::create(bench.local_path(format!("many/{number}"))).unwrap();
    }
    bench.write_local("many/sub/a", b"");
    let target = remote(bench.remote("many"));
    let outcome =
        upload_matching(&bench.session, &bench.local, "many/**", &target, &Options::default()).await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::TooMany);
}

#[tokio::test]
async fn a_folder_without_its_name_gets_its_own() {
    let bench = Bench::start().await;
    bench.write_remote("tree/a", b"a");
    let source = RemotePath::new(format!("{}/.", bench.remote("tree").display()));
    let report = download(&bench.session, &source, &bench.local, Path::new("."), &Options::default()).await;
    assert_eq!(report.unwrap().files, 1);
    assert_eq!(std::fs::read(bench.local_path("tree/a")).unwrap(), b"a");
}
