//! Servers that break the rules.

use std::time::{Duration, Instant};

use gabier_ssh::sftp::{Error, LocalFolder, Mode, Options, Reach, Reason, RemotePath, download};
use tempfile::tempdir;

use crate::stub::Stub;

const LONG: Duration = Duration::from_secs(30);

/// The failure of one question to a server that sends this in answer.
async fn answered_by(bytes: &[u8]) -> Error {
    let (mut stub, session) = Stub::session(LONG).await;
    let path = RemotePath::from("a");
    let (failure, ()) = tokio::join!(session.stat(&path), async {
        stub.asked().await;
        stub.raw(bytes).await;
    });
    let failure = failure.unwrap_err();
    assert_eq!(session.ending().is_some(), failure.reason() == Reason::Protocol);
    failure
}

#[tokio::test]
async fn an_unknown_status_ends_one_request_and_not_the_session() {
    let (mut stub, session) = Stub::session(LONG).await;
    let path = RemotePath::from("a");
    for code in [4711, u32::MAX] {
        let (failure, ()) = tokio::join!(session.stat(&path), async {
            let id = stub.asked().await.id;
            stub.status(id, code).await;
        });
        assert_eq!(failure.unwrap_err().reason(), Reason::Refused(code));
    }
    let (found, ()) = tokio::join!(session.stat(&path), async {
        let id = stub.asked().await.id;
        stub.attributes(id, 7, 0o100_644).await;
    });
    assert_eq!(found.unwrap().size, Some(7));
}

#[tokio::test]
async fn packets_that_cannot_be_end_the_session_with_the_reason() {
    let cases: [(&[u8], &str); 6] = [
        (&[0, 0, 0, 0], "the server sent a packet of 0 bytes"),
        (&[0xff, 0, 0, 0], "the server sent a packet of 4278190080 bytes"),
        (&[0, 0, 0, 1, 101], "the server sent a packet that ends too early"),
        (&[0, 0, 0, 7, 105, 0, 0, 0, 0, 0, 0], "the server sent a packet that ends too early"),
        (&[0, 0, 0, 5, 77, 0, 0, 0, 0], "the server sent a packet of kind 77"),
        (&[0, 0, 0, 9, 101, 0, 0, 0, 9, 0, 0, 0, 0], "the server answered what nobody asked"),
    ];
    for (bytes, message) in cases {
        let failure = answered_by(bytes).await;
        assert_eq!((failure.reason(), failure.to_string().as_str()), (Reason::Protocol, message));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_fails_its_question_alone() {
    let failure = answered_by(&[0, 0, 0, 9, 102, 0, 0, 0, 0, 0, 0, 0, 0]).await;
    assert_eq!(failure.reason(), Reason::Refused(5));
}

#[tokio::test]
async fn a_login_script_that_prints_is_named_as_the_cause() {
    let (mut stub, opening) = Stub::greeted_by(LONG);
    let (failure, ()) = tokio::join!(opening, stub.raw(b"Welcome to web1!\n"));
    let failure = failure.err().unwrap();
    assert_eq!(failure.to_string(), "the server sent text instead of packets: Welcome to web1!\\n");
}

#[tokio::test]
async fn another_version_is_refused() {
    let (mut stub, opening) = Stub::greeted_by(LONG);
    let (failure, ()) = tokio::join!(opening, stub.send(&[2, 0, 0, 0, 6]));
    assert_eq!(failure.err().unwrap().reason(), Reason::Protocol);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_by_all_at_once() {
    let stall = Duration::from_millis(200);
    let (_stub, session) = Stub::session(stall).await;
    let path = RemotePath::from("a");
    let (one, other) = tokio::join!(session.stat(&path), session.list(&path));
    assert_eq!((one.unwrap_err().reason(), other.unwrap_err().reason()), (Reason::Stalled, Reason::Stalled));
    let (_silent, opening) = Stub::greeted_by(stall);
    assert_eq!(opening.await.err().unwrap().reason(), Reason::Stalled);
}

#[tokio::test]
async fn a_slow_answer_counts_from_the_last_byte_and_not_from_the_question() {
    let stall = Duration::from_millis(300);
    let (mut stub, session) = Stub::session(stall).await;
    let start = Instant::now();
    let path = RemotePath::from("a");
    let (found, ()) = tokio::join!(session.stat(&path), async {
        let id = stub.asked().await.id;
        let packet =
            [&[0, 0, 0, 13, 105][..], &id.to_be_bytes(), &4_u32.to_be_bytes(), &0_u32.to_be_bytes()].concat();
        for byte in packet {
            tokio::time::sleep(Duration::from_millis(60)).await;
            stub.raw(&[byte]).await;
        }
    });
    assert!(found.is_ok() && start.elapsed() > 3 * stall);
}

#[tokio::test]
async fn a_closed_stream_fails_what_waits() {
    let (mut stub, session) = Stub::session(LONG).await;
    let path = RemotePath::from("a");
    let (failure, ()) = tokio::join!(session.stat(&path), async move {
        stub.asked().await;
        drop(stub);
    });
    assert_eq!(failure.unwrap_err().reason(), Reason::Lost);
}

#[tokio::test]
async fn handles_are_bytes() {
    let (mut stub, session) = Stub::session(LONG).await;
    let handle: Vec<u8> = (0..=255).collect();
    let path = RemotePath::from("a");
    let (file, ()) = tokio::join!(session.open_file(&path, Mode::Read, 0), async {
        let id = stub.asked().await.id;
        stub.string(102, id, &handle).await;
    });
    let file = file.unwrap();
    let (content, asked) = tokio::join!(file.read(0, 9), async {
        let asked = stub.asked().await;
        stub.string(103, asked.id, b"short").await;
        asked
    });
    assert_eq!((asked.kind, &asked.rest[4..260]), (5, &handle[..]));
    assert_eq!(&content.unwrap().unwrap()[..], b"short");
}

/// Serves one folder whose listing has these names, all files with one byte.
async fn serve_listing(mut stub: Stub, names: &[&[u8]]) {
    let mut is_listed = false;
    loop {
        let asked = stub.asked().await;
        match asked.kind {
            16 => stub.names(asked.id, &[b"/srv/folder"]).await,
            17 | 7 => stub.attributes(asked.id, 0, 0o040_755).await,
            11 | 3 => stub.string(102, asked.id, b"h").await,
            12 if is_listed => stub.status(asked.id, 1).await,
            12 => {
                is_listed = true;
                stub.names(asked.id, names).await;
            }
            8 => stub.attributes(asked.id, 1, 0o100_644).await,
            5 if asked.rest[5..13] == [0; 8] => stub.string(103, asked.id, b"x").await,
            5 => stub.status(asked.id, 1).await,
            _ => stub.status(asked.id, 0).await,
        }
    }
}

#[tokio::test]
async fn names_that_lead_out_of_the_folder_are_refused_and_the_others_arrive() {
    let local = tempdir().unwrap();
    let folder = LocalFolder::open(local.path(), Reach::Anywhere).unwrap();
    let (stub, session) = Stub::session(LONG).await;
    let names: [&[u8]; 8] =
        [b"good", b"../evil", b"..", b"/etc/evil", b"a/b", b"a\0b", b"\x1b[2Jevil", b"caf\xe9"];
    let options = Options::default();
    let source = RemotePath::from("folder");
    let report = tokio::select! {
        report = download(&session, &source, &folder, "in".as_ref(), &options) => report.unwrap(),
        () = serve_listing(stub, &names) => unreachable!(),
    };
    assert_eq!(report.files, 2);
    assert!(report.failed.iter().all(|failed| failed.error.reason() == Reason::BadName));
    assert_eq!(report.failed.len(), 5, "`..` is in every listing");
    let mut arrived: Vec<_> =
        std::fs::read_dir(local.path().join("in")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    arrived.sort();
    assert_eq!(arrived.len(), 2, "{arrived:?}");
    assert_eq!(std::fs::read_dir(local.path()).unwrap().count(), 1, "nothing is beside the folder");
}
