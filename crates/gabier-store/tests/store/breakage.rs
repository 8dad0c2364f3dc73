//! Stores that cannot be opened say why, by name, and are left as they are.

use std::error::Error as _;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use gabier_store::{Embedded, ErrorKind, Expect, Records};
use rusqlite::Connection;
use serde_json::json;

/// What opening gives: the kind, and the message with the directory shortened.
fn check(directory: &Path) -> String {
    match Embedded::open(directory, None) {
        Ok(_) => "open".to_owned(),
        Err(error) => format!("{:?}: {error}", error.kind()).replace(&directory.display().to_string(), "DIR"),
    }
}

async fn filled(directory: &Path) {
    let store = Embedded::open(directory, None).unwrap();
    for number in 0..200 {
        let value = json!({"text": "x".repeat(500)});
        store.put("host", &format!("web{number:03}"), value, Expect::Absent).await.unwrap();
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_by_name_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let file = directory.path().join("gabier.db");
    fs::write(&file, "not a database at all, but long enough to be looked at as one".repeat(100)).unwrap();
    let before = fs::read(&file).unwrap();
    assert_eq!(check(directory.path()), "Damaged: open DIR/gabier.db");
    assert_eq!(fs::read(&file).unwrap(), before);
    let error = Embedded::open(directory.path(), None).unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "file is not a database");
}

#[tokio::test]
async fn damage_in_the_middle_is_found_by_the_check() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let file = directory.path().join("gabier.db");
    let mut opened = fs::OpenOptions::new().write(true).open(&file).unwrap();
    for page in 45..fs::metadata(&file).unwrap().len() / 4_096 {
        opened.seek(SeekFrom::Start(page * 4_096)).unwrap();
        opened.write_all(&[0xa5; 64]).unwrap();
    }
    drop(opened);
    let store = Embedded::open(directory.path(), None).unwrap();
    assert!(!store.check().await.unwrap().is_empty());
    assert_eq!(store.list("host").await.unwrap_err().kind(), ErrorKind::Damaged);
}

#[tokio::test]
async fn a_record_that_is_not_json_is_named() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let connection = Connection::open(directory.path().join("gabier.db")).unwrap();
    connection.execute("UPDATE record SET value = '{' WHERE key = 'web007'", []).unwrap();
    let store = Embedded::open(directory.path(), None).unwrap();
    let error = store.get("host", "web007").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Damaged, "read the host record web007")
    );
    assert_eq!(store.check().await.unwrap(), ["the host record web007 is not JSON"]);
    assert!(store.get("host", "web008").await.unwrap().is_some());
}

#[tokio::test]
async fn a_newer_format_is_refused_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let connection = Connection::open(directory.path().join("gabier.db")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    assert_eq!(
        check(directory.path()),
        "Newer: open DIR/gabier.db: its format is 99 and this program knows formats up to 2; use the newer gabier \
         that wrote it, or another data directory"
    );
    let count: i64 = connection.query_row("SELECT count(*) FROM record", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 200);
}

#[test]
fn a_database_of_another_program_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gabier.db");
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(check(directory.path()), "Damaged: open DIR/gabier.db: it is a database of another program");
}

#[test]
fn an_empty_file_of_format_0_becomes_a_store() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gabier.db");
    Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 0; VACUUM").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(check(directory.path()), "open");
}

#[tokio::test]
async fn what_others_could_read_is_refused_with_the_cure() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path(), None).unwrap();
    store.put("host", "web1", json!(1), Expect::Any).await.unwrap();
    for entry in fs::read_dir(directory.path()).unwrap().map(Result::unwrap) {
        let mode = entry.metadata().unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
    for name in ["gabier.db", "gabier.db-wal", "gabier.db-shm"] {
        let file = directory.path().join(name);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let expected = format!(
            "Exposed: use DIR/{name}: others have access to it (mode 644); run: chmod 600 'DIR/{name}'"
        );
        assert_eq!(check(directory.path()), expected);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o770)).unwrap();
    assert_eq!(
        check(directory.path()),
        "Exposed: use DIR: others have access to it (mode 770); run: chmod 700 'DIR'"
    );
}

#[tokio::test]
async fn closing_in_order_leaves_one_file_that_holds_everything() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    assert!(!directory.path().join("gabier.db-wal").exists());
    let copy = tempfile::tempdir().unwrap();
    fs::copy(directory.path().join("gabier.db"), copy.path().join("gabier.db")).unwrap();
    let store = Embedded::open(copy.path(), None).unwrap();
    assert_eq!(store.list("host").await.unwrap().len(), 200);
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(check(&file.join("data")), "Io: create the directory DIR");
}
