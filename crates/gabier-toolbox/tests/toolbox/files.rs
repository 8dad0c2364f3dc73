//! Confinement of files against a real file system.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gabier_tool::Caller;
use gabier_toolbox::testing::{os_user, token_bearer};
use gabier_toolbox::{Services, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{call, code, data, services};

/// A root with a file in it, and a secret beside it.
struct Place {
    folder: TempDir,
    settings: Settings,
    data_dir: Option<PathBuf>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("root/inner")).unwrap();
        std::fs::write(folder.path().join("root/inner/note.txt"), "a note\n").unwrap();
        std::fs::write(folder.path().join("secret.txt"), "SECRET").unwrap();
        let mut settings = Settings::default();
        settings.files.roots = vec![folder.path().join("root")];
        Self { folder, settings, data_dir: None }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    async fn read(&self, caller: Caller, path: &str) -> Value {
        let services = Arc::new(Services::open(&self.settings, self.data_dir.as_deref()).unwrap());
        call(&services, caller, "read_file", json!({"file_path": path})).await.to_value()
    }

    async fn check(&self, caller: Caller, path: &str, expected: &str) {
        let answer = self.read(caller, path).await;
        let told = answer["data"]["content"].as_str().or(answer["code"].as_str()).unwrap();
        assert_eq!(told, expected, "{path}: {answer}");
    }
}

#[tokio::test]
async fn files_below_a_root_are_read_and_no_others() {
    let place = Place::new();
    for path in ["root/inner/note.txt", "root/./inner//note.txt", "root/inner/../inner/note.txt"] {
        place.check(os_user(), &place.path(path), "a note\n").await;
    }
    place.check(os_user(), "inner/note.txt", "a note\n").await;
    let outside = [
        place.path("secret.txt"),
        place.path("root/../secret.txt"),
        place.path("root/inner/../../secret.txt"),
        "../secret.txt".to_owned(),
        "/etc/passwd".to_owned(),
        "/proc/self/environ".to_owned(),
        place.path("root-of-another-name"),
    ];
    for path in outside {
        place.check(os_user(), &path, "FORBIDDEN").await;
    }
    place.check(os_user(), &place.path("root/missing"), "NOT_FOUND").await;
    place.check(os_user(), &place.path("root/inner/note.txt/more"), "NOT_FOUND").await;
    place.check(os_user(), &place.path("root/inner"), "INVALID_ARGUMENT").await;
    place.check(os_user(), &place.path("root"), "INVALID_ARGUMENT").await;
    place.check(os_user(), &place.path("root/a\0b"), "INVALID_ARGUMENT").await;
}

#[tokio::test]
async fn a_refusal_lists_the_roots() {
    let place = Place::new();
    let answer = place.read(os_user(), "/etc/passwd").await;
    assert_eq!(answer["details"], json!({"rule": "files.roots", "roots": [place.path("root")]}));
}

#[tokio::test]
async fn symbolic_links_are_refused_unless_allowed_and_never_lead_out() {
    let mut place = Place::new();
    symlink("inner/note.txt", place.path("root/inside")).unwrap();
    symlink("inner", place.path("root/folder")).unwrap();
    symlink("../secret.txt", place.path("root/relative")).unwrap();
    symlink(place.path("secret.txt"), place.path("root/absolute")).unwrap();
    symlink("/proc/self/root", place.path("root/magic")).unwrap();
    symlink("loop", place.path("root/loop")).unwrap();
    let leading_out =
        ["root/relative", "root/absolute", "root/magic/etc/passwd", "root/loop"].map(|name| place.path(name));
    for path in leading_out.iter().chain(&[place.path("root/inside"), place.path("root/folder/note.txt")]) {
        place.check(os_user(), path, "FORBIDDEN").await;
    }
    place.settings.files.follow_symlinks = true;
    place.check(os_user(), &place.path("root/inside"), "a note\n").await;
    place.check(os_user(), &place.path("root/folder/note.txt"), "a note\n").await;
    for path in &leading_out {
        place.check(os_user(), path, "FORBIDDEN").await;
    }
}

#[tokio::test]
async fn without_roots_only_the_user_of_the_process_reaches_files() {
    let mut place = Place::new();
    place.settings.files.roots.clear();
    place.check(os_user(), &place.path("secret.txt"), "SECRET").await;
    place.check(token_bearer(&["*"]), &place.path("secret.txt"), "FORBIDDEN").await;
    let own = format!("root:{}", place.path(""));
    place.check(token_bearer(&[&own]), &place.path("secret.txt"), "FORBIDDEN").await;
}

#[tokio::test]
async fn a_callers_own_roots_narrow_the_configured_ones() {
    let place = Place::new();
    std::fs::write(place.path("root/top.txt"), "top").unwrap();
    let (note, top) = (place.path("root/inner/note.txt"), place.path("root/top.txt"));
    let inner = format!("root:{}", place.path("root/inner"));
    place.check(token_bearer(&["*"]), &top, "top").await;
    place.check(token_bearer(&[&inner]), &note, "a note\n").await;
    place.check(token_bearer(&[&inner]), &top, "FORBIDDEN").await;
    place.check(token_bearer(&[&inner]), &place.path("root/inner/../top.txt"), "FORBIDDEN").await;
    let above = format!("root:{}", place.path(""));
    place.check(token_bearer(&[&above]), &note, "a note\n").await;
    place.check(token_bearer(&[&above]), &place.path("secret.txt"), "FORBIDDEN").await;
    let dotted = format!("root:{}", place.path("root/inner/.."));
    for resources in [&[][..], &["host:web1"], &["inner"], &[&dotted]] {
        place.check(token_bearer(resources), &note, "FORBIDDEN").await;
    }
}

#[tokio::test]
async fn the_data_directory_is_excluded_even_inside_a_root() {
    let mut place = Place::new();
    std::fs::create_dir(place.path("root/data")).unwrap();
    std::fs::write(place.path("root/data/store.db"), "TOKENS").unwrap();
    symlink("data", place.path("root/alias")).unwrap();
    place.data_dir = Some(place.path("root/data").into());
    place.settings.files.follow_symlinks = true;
    place.check(os_user(), &place.path("root/data/store.db"), "FORBIDDEN").await;
    place.check(os_user(), &place.path("root/alias/store.db"), "FORBIDDEN").await;
    place.check(os_user(), &place.path("root/inner/note.txt"), "a note\n").await;
    place.settings.files.roots.clear();
    place.check(os_user(), &place.path("root/data/store.db"), "FORBIDDEN").await;
}

#[tokio::test]
async fn pipes_and_devices_are_refused_without_waiting() {
    let mut place = Place::new();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place.path("root/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.path("root/socket")).unwrap();
    place.check(os_user(), &place.path("root/pipe"), "INVALID_ARGUMENT").await;
    place.check(os_user(), &place.path("root/socket"), "INVALID_ARGUMENT").await;
    place.settings.files.roots.clear();
    for device in ["/dev/zero", "/dev/null", "/dev/tty"] {
        place.check(os_user(), device, "INVALID_ARGUMENT").await;
    }
}

#[tokio::test]
async fn ten_mebibytes_pass_and_one_byte_more_is_refused() {
    let place = Place::new();
    let most = 10 * 1024 * 1024;
    let path = place.path("root/large.txt");
    std::fs::write(&path, vec![b'x'; most]).unwrap();
    let answer = place.read(os_user(), &path).await;
    assert_eq!(
        (&answer["data"]["size"], answer["data"]["content"].as_str().unwrap().len()),
        (&json!(most), most)
    );
    std::fs::write(&path, vec![b'x'; most + 1]).unwrap();
    place.check(os_user(), &path, "INVALID_ARGUMENT").await;
}

#[tokio::test]
async fn files_whose_size_is_told_as_zero_are_read_within_bounds() {
    let envelope = call(&services(), os_user(), "read_file", json!({"file_path": "/proc/self/status"})).await;
    assert!(data(&envelope)["content"].as_str().unwrap().starts_with("Name:"));
}

#[tokio::test]
async fn encodings_are_honoured_and_binaries_are_no_text() {
    let place = Place::new();
    let path = place.path("root/latin.txt");
    std::fs::write(&path, b"caf\xe9\n").unwrap();
    let services = Arc::new(Services::open(&place.settings, None).unwrap());
    let read = async |encoding: &str| {
        call(&services, os_user(), "read_file", json!({"file_path": path, "encoding": encoding})).await
    };
    assert_eq!(data(&read("latin1").await)["content"], "café\n");
    let binary = read("utf-8").await;
    let expected = json!({"path": path, "content": "", "size": 5, "encoding": "binary"});
    assert_eq!((code(&binary).as_str(), data(&binary)), ("warning", expected));
    assert_eq!(code(&read("klingon").await), "INVALID_ARGUMENT");
}

/// While a folder and a link to the outside keep taking each other's name, no read ever sees the outside.
#[tokio::test(flavor = "multi_thread")]
async fn a_race_of_renames_never_leads_out() {
    let mut place = Place::new();
    place.settings.files.follow_symlinks = true;
    let root = place.folder.path().join("root");
    std::fs::create_dir(root.join("folder")).unwrap();
    std::fs::write(root.join("folder/secret.txt"), "harmless").unwrap();
    symlink("..", root.join("link")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let racing = std::thread::spawn({
        let (root, stop) = (root.clone(), Arc::clone(&stop));
        move || exchange(&root, &stop)
    });
    let services = Arc::new(Services::open(&place.settings, None).unwrap());
    let (mut harmless, mut refused) = (0, 0);
    while (harmless < 500 || refused < 500) && harmless + refused < 200_000 {
        let arguments = json!({"file_path": root.join("folder/secret.txt")});
        let answer = call(&services, os_user(), "read_file", arguments).await.to_value();
        match answer["data"]["content"].as_str() {
            Some("harmless") => harmless += 1,
            Some(other) => panic!("the outside was read: {other:?}"),
            None => refused += 1,
        }
    }
    stop.store(true, Ordering::Relaxed);
    let swaps = racing.join().unwrap();
    assert!(harmless > 0 && refused > 0 && swaps > 0, "{harmless} read, {refused} refused, {swaps} swaps");
}

/// Exchanges a folder and a link until told to stop, and counts.
fn exchange(root: &Path, stop: &AtomicBool) -> u64 {
    let mut swaps = 0;
    while !stop.load(Ordering::Relaxed) {
        let (folder, link, flags) =
            (root.join("folder"), root.join("link"), rustix::fs::RenameFlags::EXCHANGE);
        rustix::fs::renameat_with(rustix::fs::CWD, folder, rustix::fs::CWD, link, flags).unwrap();
        swaps += 1;
    }
    swaps
}
