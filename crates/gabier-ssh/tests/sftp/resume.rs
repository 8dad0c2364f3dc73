//! Servers that die, disks that fill, and going on afterwards.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use gabier_ssh::sftp::{
    Channels, Options, Progress, Reason, Report, Result, Resume, Session, Settings, Verify, download, upload,
};

use crate::bench::{Bench, Memory, content};
use crate::remote;
use crate::server::Server;
use crate::slow::Slow;

const SIZE: usize = 48 << 20;

/// Kills the server once so much of the transfer has arrived.
fn killing(server: Server, percent: u64) -> Options {
    let server = Mutex::new(server);
    let limit = SIZE as u64 * percent / 100;
    let kill = move |progress: Progress| {
        if progress.bytes >= limit {
            server.lock().unwrap().kill();
        }
    };
    Options { force: true, progress: Some(Arc::new(kill)), ..Options::default() }
}

/// A server behind a link that lets a kill come between two words of progress.
async fn slow_session() -> (Server, Session) {
    let (server, stream) = Server::start(&[]);
    let slow = Slow::rate(stream, 60 << 20);
    (server, Session::open(slow, Settings::default()).await.unwrap())
}

fn resuming(options: Options, journal: &Arc<Memory>) -> Options {
    Options { resume: Some(Resume { journal: journal.clone(), server: "a server".to_owned() }), ..options }
}

async fn send(bench: &Bench, session: &Session, options: &Options) -> Result<Report> {
    upload(session, &bench.local, Path::new("a"), &remote(bench.remote("a")), options).await
}

async fn fetch(bench: &Bench, session: &Session, options: &Options) -> Result<Report> {
    download(session, &remote(bench.remote("a")), &bench.local, Path::new("a"), options).await
}

#[tokio::test]
async fn a_killed_upload_leaves_the_old_content_and_goes_on_where_it_ended() {
    for percent in [25, 50, 90] {
        let bench = Bench::start().await;
        bench.write_local("a", &content(SIZE));
        bench.write_remote("a", b"old");
        let journal = Arc::new(Memory::default());
        let (server, session) = slow_session().await;
        let error = send(&bench, &session, &resuming(killing(server, percent), &journal)).await.unwrap_err();
        assert_eq!(error.reason(), Reason::Lost);
        assert_eq!(std::fs::read(bench.remote("a")).unwrap(), b"old");

        let options = resuming(Options { force: true, ..Options::default() }, &journal);
        let report = send(&bench, &bench.session, &options).await.unwrap();
        assert!(report.resumed * 100 >= SIZE as u64 * (percent - 20), "{percent} %: {}", report.resumed);
        assert_eq!(report.bytes, SIZE as u64);
        assert!(std::fs::read(bench.remote("a")).unwrap() == content(SIZE));
        assert_eq!((bench.remote_names(), journal.only()), (vec!["a".to_owned()], None));
    }
}

#[tokio::test]
async fn a_killed_download_leaves_the_old_content_and_goes_on_where_it_ended() {
    for percent in [25, 50, 90] {
        let bench = Bench::start().await;
        bench.write_remote("a", &content(SIZE));
        bench.write_local("a", b"old");
        let journal = Arc::new(Memory::default());
        let (server, session) = slow_session().await;
        let error = fetch(&bench, &session, &resuming(killing(server, percent), &journal)).await.unwrap_err();
        assert_eq!(error.reason(), Reason::Lost);
        assert_eq!(std::fs::read(bench.local_path("a")).unwrap(), b"old");

        let options = resuming(Options { force: true, ..Options::default() }, &journal);
        let report = fetch(&bench, &bench.session, &options).await.unwrap();
        assert!(report.resumed * 100 >= SIZE as u64 * (percent - 20), "{percent} %: {}", report.resumed);
        assert!(std::fs::read(bench.local_path("a")).unwrap() == content(SIZE));
        assert_eq!((bench.local_names(), journal.only()), (vec!["a".to_owned()], None));
    }
}

/// A session that a transfer of these bytes does not get to its end over while a test lasts.
async fn stuck_session(bytes: usize) -> (Server, Session) {
    let (server, stream) = Server::start(&[]);
    let slow = Slow::rate(stream, u32::try_from(bytes / 8).unwrap());
    (server, Session::open(slow, Settings::default()).await.unwrap())
}

/// Small enough for one request, and for several.
const SMALL: [usize; 2] = [40_000, 3 << 20];

#[tokio::test]
async fn what_a_dead_process_left_of_a_small_upload_is_removed_by_the_next_one() {
    for size in SMALL {
        let bench = Arc::new(Bench::start().await);
        bench.write_local("a", &content(size));
        bench.write_remote("a", b"old");
        let options = resuming(Options { force: true, ..Options::default() }, &Arc::default());
        let (_server, session) = stuck_session(size).await;
        // Who dies removes nothing: what was never polled again has not been dropped either.
        let _dead = tokio::spawn({
            let (bench, options) = (Arc::clone(&bench), options.clone());
            async move { send(&bench, &session, &options).await }
        });
        while bench.remote_names().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        send(&bench, &bench.session, &options).await.unwrap();
        assert_eq!(bench.remote_names(), ["a"], "{size}");
        assert!(std::fs::read(bench.remote("a")).unwrap() == content(size));
    }
}

#[tokio::test]
async fn what_a_dead_process_left_of_a_small_download_is_removed_by_the_next_one() {
    for size in SMALL {
        let bench = Arc::new(Bench::start().await);
        bench.write_remote("a", &content(size));
        bench.write_local("a", b"old");
        let options = resuming(Options { force: true, ..Options::default() }, &Arc::default());
        let (_server, session) = stuck_session(size).await;
        let _dead = tokio::spawn({
            let (bench, options) = (Arc::clone(&bench), options.clone());
            async move { fetch(&bench, &session, &options).await }
        });
        while bench.local_names().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        fetch(&bench, &bench.session, &options).await.unwrap();
        assert_eq!(bench.local_names(), ["a"], "{size}");
        assert!(std::fs::read(bench.local_path("a")).unwrap() == content(size));
    }
}

#[tokio::test]
async fn a_small_file_that_arrived_leaves_no_page() {
    let bench = Bench::start().await;
    bench.write_local("a", &content(5_000));
    let journal = Arc::new(Memory::default());
    let options = resuming(Options { force: true, ..Options::default() }, &journal);
    send(&bench, &bench.session, &options).await.unwrap();
    assert_eq!(journal.only(), None);
    fetch(&bench, &bench.session, &options).await.unwrap();
    assert_eq!(journal.only(), None);
}

#[tokio::test]
async fn a_small_file_that_is_refused_leaves_no_page_and_one_whose_link_is_lost_leaves_it() {
    let bench = Bench::start().await;
    bench.write_local("a", &content(SMALL[1]));
    let journal = Arc::new(Memory::default());
    let lying = Options { verify: Verify::Remote(Bench::lying_hasher()), ..Options::default() };
    send(&bench, &bench.session, &resuming(lying, &journal)).await.unwrap_err();
    assert_eq!((bench.remote_names(), journal.only()), (vec![], None));
    let (server, session) = stuck_session(SMALL[1]).await;
    let lost = resuming(killing(server, 1), &journal);
    send(&bench, &session, &lost).await.unwrap_err();
    assert_eq!((bench.remote_names().len(), journal.only().is_some()), (1, true));
    send(&bench, &bench.session, &resuming(Options::default(), &journal)).await.unwrap();
    assert_eq!((bench.remote_names(), journal.only()), (vec!["a".to_owned()], None));
}

#[tokio::test]
async fn without_a_journal_nothing_is_left_here_and_the_old_content_there() {
    let bench = Bench::start().await;
    bench.write_remote("a", &content(SIZE));
    bench.write_local("a", b"old");
    let (server, session) = slow_session().await;
    let error = fetch(&bench, &session, &killing(server, 50)).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Lost);
    assert_eq!(
        (bench.local_names(), std::fs::read(bench.local_path("a")).unwrap()),
        (vec!["a".to_owned()], b"old".to_vec())
    );
}

/// What happens to the unfinished copy or to the source between two attempts.
type Tamper = fn(&Path, &Path);

#[tokio::test]
async fn what_no_longer_fits_is_sent_again_from_the_start() {
    let tampers: [Tamper; 4] = [
        |copy, _| std::fs::remove_file(copy).unwrap(),
        |copy, _| std::fs::write(copy, vec![0; SIZE]).unwrap(),
        |copy, _| std::fs::File::options().write(true).open(copy).unwrap().set_len(5 << 20).unwrap(),
        |_, source| {
            let mut other = content(SIZE);
            other[3] ^= 1;
            std::fs::write(source, other).unwrap();
        },
    ];
    for verify in [Verify::Size, Verify::Remote(Bench::hasher())] {
        for (number, tamper) in tampers.iter().enumerate() {
            let bench = Bench::start().await;
            bench.write_local("a", &content(SIZE));
            let journal = Arc::new(Memory::default());
            let (server, session) = slow_session().await;
            let killed = Options { verify: verify.clone(), ..killing(server, 50) };
            send(&bench, &session, &resuming(killed, &journal)).await.unwrap_err();
            let names = bench.remote_names();
            assert_eq!(names.len(), 1);
            tamper(&bench.remote(&names[0]), &bench.local_path("a"));

            let options = Options { verify: verify.clone(), ..Options::default() };
            let report = send(&bench, &bench.session, &resuming(options, &journal)).await.unwrap();
            assert_eq!((report.resumed, number), (0, number));
            let source = std::fs::read(bench.local_path("a")).unwrap();
            assert!(std::fs::read(bench.remote("a")).unwrap() == source, "{number}");
            assert_eq!(bench.remote_names(), ["a"], "{number}");
        }
    }
}

#[tokio::test]
async fn a_journal_that_names_another_file_touches_it_not() {
    let bench = Bench::start().await;
    bench.write_local("a", &content(SIZE));
    bench.write_remote("precious", &content(SIZE));
    let journal = Arc::new(Memory::default());
    let (server, session) = slow_session().await;
    send(&bench, &session, &resuming(killing(server, 50), &journal)).await.unwrap_err();
    journal.change(|checkpoint| checkpoint.temporary = b"precious".to_vec());
    let report = send(&bench, &bench.session, &resuming(Options::default(), &journal)).await.unwrap();
    assert_eq!(report.resumed, 0);
    assert!(std::fs::read(bench.remote("precious")).unwrap() == content(SIZE));
}

/// A small file system of its own.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount(bytes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={bytes}");
        run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", folder.path().to_str().unwrap()]);
        Self(folder)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-l", self.0.path().to_str().unwrap()]);
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests mount the disk that they fill, as root")]
fn run(program: &str, arguments: &[&str]) {
    assert!(std::process::Command::new(program).args(arguments).status().unwrap().success());
}

#[tokio::test]
async fn a_full_disk_is_named_with_its_free_bytes_and_keeps_the_old_content() {
    let bench = Bench::start().await;
    let disk = Disk::mount(2 << 20);
    let target = disk.0.path().join("a");
    std::fs::write(&target, content(300 << 10)).unwrap();
    let options = Options { force: true, ..Options::default() };
    for size in [200 << 10, 8 << 20] {
        if size < 1 << 20 {
            std::fs::write(disk.0.path().join("filler"), content((2 << 20) - (400 << 10))).unwrap();
        }
        bench.write_local("a", &content(size));
        let outcome = upload(&bench.session, &bench.local, Path::new("a"), &remote(&target), &options).await;
        let error = outcome.unwrap_err();
        let Reason::DiskFull { free } = error.reason() else { panic!("{size}: {error}") };
        assert!((64 << 10..2 << 20).contains(&free), "{size}: {free}");
        assert_eq!(std::fs::read(&target).unwrap(), content(300 << 10));
        assert!(
            !disk
                .0
                .path()
                .read_dir()
                .unwrap()
                .any(|entry| { entry.unwrap().file_name().to_string_lossy().ends_with(".part") })
        );
        let _ = std::fs::remove_file(disk.0.path().join("filler"));
    }

    let local = gabier_ssh::sftp::LocalFolder::open(disk.0.path(), gabier_ssh::sftp::Reach::Below).unwrap();
    bench.write_remote("a", &content(8 << 20));
    let outcome =
        download(&bench.session, &remote(bench.remote("a")), &local, Path::new("a"), &options).await;
    assert!(matches!(outcome.unwrap_err().reason(), Reason::DiskFull { free } if free > 1 << 20));
    assert_eq!(std::fs::read(&target).unwrap(), content(300 << 10));
}

/// More servers behind links as slow as the first.
#[derive(Default)]
struct More {
    servers: Mutex<Vec<Server>>,
    opened: AtomicU64,
}

impl Channels for More {
    fn open(&self) -> BoxFuture<'_, Result<Session>> {
        Box::pin(async {
            self.opened.fetch_add(1, Relaxed);
            let (server, stream) = Server::start(&[]);
            self.servers.lock().unwrap().push(server);
            Session::open(Slow::delay(stream, 15), Settings::default()).await
        })
    }
}

#[tokio::test]
async fn a_large_file_on_a_long_link_goes_in_several_channels_and_resumes_in_each() {
    let bench = Bench::start().await;
    bench.write_local("a", &content(SIZE));
    let journal = Arc::new(Memory::default());
    let more = Arc::new(More::default());
    let long = async || {
        let (server, stream) = Server::start(&[]);
        (server, Session::open(Slow::delay(stream, 15), Settings::default()).await.unwrap())
    };
    let (server, session) = long().await;
    let options = Options { channels: Some(more.clone()), ..killing(server, 70) };
    let error = send(&bench, &session, &resuming(options, &journal)).await.unwrap_err();
    assert_eq!((error.reason(), more.opened.load(Relaxed)), (Reason::Lost, 2));
    assert_eq!(journal.only().unwrap().segments.len(), 3);

    let (_server, session) = long().await;
    let options = Options {
        channels: Some(more.clone()),
        verify: Verify::Remote(Bench::hasher()),
        ..Options::default()
    };
    let report = send(&bench, &session, &resuming(options, &journal)).await.unwrap();
    assert!(report.resumed > SIZE as u64 / 4, "{}", report.resumed);
    assert!(std::fs::read(bench.remote("a")).unwrap() == content(SIZE));
    assert_eq!(bench.remote_names(), ["a"]);
}
