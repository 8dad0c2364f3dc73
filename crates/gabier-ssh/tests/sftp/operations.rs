//! Single operations against `sftp-server`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use futures::future::try_join_all;
use gabier_ssh::sftp::{Attributes, FileKind, Mode, Reason};
use tempfile::tempdir;

use crate::remote;
use crate::server::Server;

/// Every byte that a name may hold, a few to a name, so that each also begins and ends one.
fn every_name() -> BTreeSet<Vec<u8>> {
    let bytes = (1..=255_u8).filter(|byte| *byte != b'/');
    bytes.flat_map(|byte| [vec![byte, b'x'], vec![b'x', byte], vec![b'x', byte, b'x']]).collect()
}

#[tokio::test]
async fn names_of_every_byte_are_made_listed_and_removed() {
    let folder = tempdir().unwrap();
    let (_server, session) = Server::session().await;
    let base = remote(folder.path());
    for name in every_name() {
        let file = session.open_file(&base.join(&name), Mode::CreateNew, 0o600).await.unwrap();
        file.write(0, &name).await.unwrap();
        file.close().await.unwrap();
        assert_eq!(std::fs::read(folder.path().join(OsStr::from_bytes(&name))).unwrap(), name);
    }
    let listed = session.list(&base).await.unwrap();
    let listed: BTreeSet<Vec<u8>> = listed.into_iter().map(|entry| entry.name.to_vec()).collect();
    assert_eq!(listed, every_name());
    try_join_all(listed.iter().map(|name| {
        let path = base.join(name);
        let session = &session;
        async move { session.remove(&path).await }
    }))
    .await
    .unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn three_hundred_files_are_open_at_once() {
    let folder = tempdir().unwrap();
    let (server, session) = Server::session().await;
    let base = remote(folder.path());
    let opening = (0..300).map(|number: u32| {
        let path = base.join(number.to_string().as_bytes());
        let session = session.clone();
        async move { session.open_file(&path, Mode::Create, 0o600).await }
    });
    let files = try_join_all(opening).await.unwrap();
    assert_eq!(server.open_files(folder.path()), 300);
    for (number, file) in files.iter().enumerate() {
        file.write(0, number.to_string().as_bytes()).await.unwrap();
    }
    drop(files);
    assert!(session.stat(&base).await.is_ok(), "answers come in order, so the files are closed now");
    assert_eq!(server.open_files(folder.path()), 0);
    assert_eq!(std::fs::read(folder.path().join("299")).unwrap(), b"299");
}

#[tokio::test]
async fn a_folder_of_a_hundred_thousand_entries_is_listed_whole() {
    let folder = tempdir().unwrap();
    let first = folder.path().join("0");
    std::fs::write(&first, "").unwrap();
    // A second name is cheaper than a second file; a file system bounds how many one file may have.
    for number in 1..100_000 {
        if number % 30_000 == 0 {
            std::fs::write(folder.path().join(number.to_string()), "").unwrap();
            continue;
        }
        let original = folder.path().join((number / 30_000 * 30_000).to_string());
        std::fs::hard_link(original, folder.path().join(number.to_string())).unwrap();
    }
    let (_server, session) = Server::session().await;
    let listed = session.list(&remote(folder.path())).await.unwrap();
    let names: BTreeSet<&[u8]> = listed.iter().map(|entry| &entry.name[..]).collect();
    assert_eq!((listed.len(), names.len()), (100_000, 100_000));
    assert!(listed.iter().all(|entry| entry.attributes.kind() == FileKind::Regular));
}

#[tokio::test]
async fn attributes_are_told_and_changed() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "12345").unwrap();
    let (_server, session) = Server::session().await;
    let path = remote(folder.path().join("a"));
    session.set_attributes(&path, &Attributes::of_copy(0o640, 1_000_000_000)).await.unwrap();
    let attributes = session.stat(&path).await.unwrap();
    assert_eq!((attributes.size, attributes.permissions()), (Some(5), 0o640));
    assert_eq!((attributes.modified(), attributes.kind()), (Some(1_000_000_000), FileKind::Regular));
    let metadata = std::fs::metadata(folder.path().join("a")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
}

#[tokio::test]
async fn folders_links_and_names_are_made_changed_and_removed() {
    let folder = tempdir().unwrap();
    let (_server, session) = Server::session().await;
    let base = remote(folder.path());
    let deep = base.join(b"a/b/c");
    session.make_directories(&deep, 0o755).await.unwrap();
    session.make_directories(&deep, 0o755).await.unwrap();
    let link = base.join(b"link");
    session.make_link(&link, &deep).await.unwrap();
    assert_eq!(session.read_link(&link).await.unwrap(), deep);
    assert_eq!(session.lstat(&link).await.unwrap().kind(), FileKind::Link);
    assert_eq!(session.stat(&link).await.unwrap().kind(), FileKind::Directory);
    assert_eq!(
        session.real_path(&link.join(b"..")).await.unwrap(),
        session.real_path(&base.join(b"a/b")).await.unwrap()
    );

    let (old, new) = (base.join(b"old"), base.join(b"new"));
    for path in [&old, &new] {
        session.open_file(path, Mode::Create, 0o600).await.unwrap().close().await.unwrap();
    }
    assert_eq!(session.rename(&old, &new).await.unwrap_err().reason(), Reason::Refused(4));
    session.replace(&old, &new).await.unwrap();
    session.hard_link(&new, &old).await.unwrap();
    session.remove(&old).await.unwrap();
    session.remove_directory(&deep).await.unwrap();
    assert!(!folder.path().join("a/b/c").exists() && folder.path().join("new").exists());
    assert!(session.file_system(&base).await.unwrap().free > 0);
}

#[tokio::test]
async fn refusals_name_the_path_and_the_reason() {
    let folder = tempdir().unwrap();
    let (_server, session) = Server::session().await;
    let missing = session.stat(&remote(folder.path().join("none"))).await.unwrap_err();
    assert_eq!(missing.reason(), Reason::Missing);
    let shown =
        format!("looking at {}: there is no such file or folder", folder.path().join("none").display());
    assert_eq!(missing.to_string(), shown);
    let through = remote(folder.path()).join(b"a/b");
    std::fs::write(folder.path().join("a"), "").unwrap();
    let denied = session.make_directories(&through, 0o755).await.unwrap_err();
    assert_eq!(denied.reason(), Reason::NotADirectory);
}

#[tokio::test]
async fn a_file_given_up_while_it_opens_is_closed() {
    let folder = tempdir().unwrap();
    let (server, session) = Server::session().await;
    let path = remote(folder.path().join("a"));
    for _ in 0..50 {
        let opening = session.open_file(&path, Mode::Create, 0o600);
        tokio::select! { biased; _ = opening => {}, () = std::future::ready(()) => {} }
    }
    for _ in 0..2 {
        session.stat(&remote(folder.path())).await.unwrap();
    }
    assert_eq!(server.open_files(folder.path()), 0);
}

#[tokio::test]
async fn a_dead_server_fails_what_waits_and_what_comes() {
    let (mut server, session) = Server::session().await;
    server.kill();
    let error = session.stat(&remote("/")).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Lost);
    assert_eq!(session.list(&remote("/")).await.unwrap_err().reason(), Reason::Lost);
    assert_eq!(session.ending().unwrap().reason(), Reason::Lost);
}
