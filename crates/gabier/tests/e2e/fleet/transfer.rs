//! Files to hosts and back, through the real binary over a real server.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{home_with, serve};
use crate::harness::{Home, PATIENCE, Running};
use crate::sshd::{Sshd, run};

/// A server, a home that knows it as `web1`, and a folder of the server's side.
struct Bench {
    home: Home,
    _server: crate::sshd::Server,
    there: tempfile::TempDir,
}

impl Bench {
    fn start() -> Self {
        let server = Sshd::new().start();
        let home = home_with(&[("web1", &server)]);
        Self { home, _server: server, there: tempfile::tempdir().unwrap() }
    }

    fn there(&self, name: &str) -> String {
        self.there.path().join(name).to_str().unwrap().to_owned()
    }

    fn transfer(&self, direction: &str, local: &str, remote: &str, force: bool) -> Value {
        let arguments = json!({
            "alias": "web1", "direction": direction, "local": local, "remote": remote, "force": force,
        });
        self.home.call("task_transfer", &arguments)
    }
}

fn sha256(path: impl AsRef<Path>) -> String {
    #[expect(clippy::disallowed_methods, reason = "the test asks another program")]
    let line = run(Command::new("sha256sum").arg(path.as_ref()));
    line.split(' ').next().unwrap().to_owned()
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 7 + at / 251) % 256).unwrap()).collect()
}

#[test]
fn a_file_goes_there_and_back_unchanged_and_is_not_replaced_by_itself() {
    let bench = Bench::start();
    let local = bench.home.write("data.bin", content(3_000_000));
    let remote = bench.there("new/folder/copy.bin");
    let up = bench.transfer("upload", &local, &remote, false);
    let data = &up["data"];
    assert_eq!(
        (&up["status"], &data["status"], &data["type"]),
        (&json!("ok"), &json!("completed"), &json!("sftp")),
        "{up}"
    );
    assert_eq!((&data["files"], &data["bytes"]), (&json!(1), &json!(3_000_000)), "{up}");
    assert_eq!(data["sha256"], sha256(&local).as_str(), "{up}");
    assert_eq!(sha256(&remote), sha256(&local));

    let again = bench.transfer("upload", &local, &remote, false);
    assert_eq!(
        (&again["code"], &again["details"]["reason"]),
        (&json!("CONFLICT"), &json!("exists")),
        "{again}"
    );
    let into_folder = bench.transfer("upload", &local, &bench.there("new/folder"), false);
    assert_eq!(into_folder["status"], "ok", "the folder has no file of that name: {into_folder}");
    let into_folder = bench.transfer("upload", &local, &bench.there("new/folder"), false);
    assert_eq!(into_folder["code"], "CONFLICT", "now it has: {into_folder}");
    std::fs::write(&remote, b"other").unwrap();
    assert_eq!(bench.transfer("upload", &local, &remote, true)["status"], "ok");
    assert_eq!(sha256(&remote), sha256(&local));

    let back = bench.home.text_path("down/back.bin");
    let down = bench.transfer("download", &back, &remote, false);
    assert_eq!(down["data"]["sha256"], sha256(&local).as_str(), "{down}");
    assert_eq!(sha256(&back), sha256(&local));
    let refused = bench.transfer("download", &back, &remote, false);
    assert_eq!(refused["code"], "CONFLICT", "{refused}");
    let missing = bench.transfer("download", &back, &bench.there("none"), true);
    assert_eq!(missing["code"], "NOT_FOUND", "{missing}");
}

#[test]
fn a_folder_keeps_its_tree_its_modes_and_its_times() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let bench = Bench::start();
    bench.home.write("site/index.html", "<p>");
    let script = bench.home.write("site/bin/run", "#!/bin/sh\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o750)).unwrap();
    std::fs::create_dir(bench.home.path("site/empty")).unwrap();
    let up = bench.transfer("upload", &bench.home.text_path("site"), &bench.there("www"), false);
    assert_eq!((&up["data"]["files"], &up["data"]["sha256"]), (&json!(2), &Value::Null), "{up}");
    let copy = std::fs::metadata(bench.there("www/bin/run")).unwrap();
    let source = std::fs::metadata(&script).unwrap();
    assert_eq!((copy.mode() & 0o777, copy.mtime()), (0o750, source.mtime()));
    assert!(Path::new(&bench.there("www/empty")).is_dir());
    let down = bench.transfer("download", &bench.home.text_path("back"), &bench.there("www"), false);
    assert_eq!(down["status"], "ok", "{down}");
    assert_eq!(std::fs::read(bench.home.path("back/index.html")).unwrap(), b"<p>");
}

#[test]
fn a_transfer_that_is_killed_leaves_nothing_under_the_final_name() {
    let bench = Bench::start();
    let local = bench.home.path("large");
    let file = std::fs::File::create(&local).unwrap();
    file.set_len(6 << 30).unwrap();
    let remote = bench.there("large");
    let local = local.to_str().unwrap();
    let words = ["task", "transfer", "web1", "upload", local, remote.as_str(), "--json", "--yes"];
    let mut sending = Running::start(&mut bench.home.command(&words));
    let begun = Instant::now();
    let has_begun = || {
        std::fs::read_dir(bench.there.path())
            .unwrap()
            .flatten()
            .any(|entry| entry.metadata().is_ok_and(|found| found.len() > 1 << 20))
    };
    while !has_begun() {
        assert!(begun.elapsed() < PATIENCE, "nothing arrives");
        assert!(sending.child().try_wait().unwrap().is_none(), "it ended too early");
        std::thread::sleep(Duration::from_millis(5));
    }
    sending.child().kill().unwrap();
    sending.child().wait().unwrap();
    assert!(!Path::new(&remote).exists());
}

#[test]
fn globs_keep_the_tree_below_their_fixed_part_and_say_what_did_not_arrive() {
    let bench = Bench::start();
    for name in ["logs/a/app.log", "logs/b/app.log", "logs/b/note.txt"] {
        bench.home.write(name, name);
    }
    let there = bench.there("got");
    let files = json!([
        {"local": bench.home.text_path("logs/**/*.log"), "remote": there},
        {"local": bench.home.text_path("none"), "remote": there},
    ]);
    let arguments = json!({"alias": "web1", "direction": "upload", "files": files});
    let sent = bench.home.call("task_transfer_multi", &arguments);
    let data = &sent["data"];
    assert_eq!((&sent["status"], &data["status"]), (&json!("warning"), &json!("partial")), "{sent}");
    assert_eq!((&data["total"], &data["transferred"]), (&json!(3), &json!(2)), "{sent}");
    assert_eq!(
        (&data["failed_files"][0]["code"], data["failed_files"].as_array().unwrap().len()),
        (&json!("NOT_FOUND"), 1),
        "{sent}"
    );
    for name in ["a/app.log", "b/app.log"] {
        assert_eq!(std::fs::read_to_string(Path::new(&there).join(name)).unwrap(), format!("logs/{name}"));
    }
    assert!(!Path::new(&there).join("b/note.txt").exists());

    // A second run sends only what is missing.
    bench.home.write("none", "now there");
    std::fs::write(Path::new(&there).join("mark"), "").unwrap();
    let sent = bench.home.call("task_transfer_multi", &arguments);
    assert_eq!((&sent["status"], &sent["data"]["transferred"]), (&json!("ok"), &json!(1)), "{sent}");
    let nothing = json!([{"local": bench.home.text_path("*.none"), "remote": there}]);
    let arguments = json!({"alias": "web1", "direction": "upload", "files": nothing});
    assert_eq!(bench.home.call("task_transfer_multi", &arguments)["code"], "NOT_FOUND");
}

#[test]
fn over_http_only_the_allowed_roots_are_read_and_written() {
    let server = Sshd::new().start();
    let roots = tempfile::tempdir().unwrap();
    let root = roots.path().to_str().unwrap().to_owned();
    let home = home_with(&[("web1", &server)]).with("MCP_ALLOWED_ROOTS", &root);
    std::fs::write(roots.path().join("in"), "in").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", roots.path().join("link")).unwrap();
    let there = tempfile::tempdir().unwrap();
    let remote = there.path().join("x");
    let gabier = serve(&home);
    let transfer = |direction: &str, local: &str| {
        let arguments =
            json!({"alias": "web1", "direction": direction, "local": local, "remote": remote, "force": true});
        let answer = gabier.call("task_transfer", &arguments).json();
        answer.get("code").or_else(|| answer.get("status")).unwrap().as_str().unwrap().to_owned()
    };
    let below = |name: &str| format!("{root}/{name}");
    assert_eq!(transfer("upload", &below("in")), "ok");
    assert_eq!(std::fs::read(&remote).unwrap(), b"in");
    assert_eq!(transfer("download", &below("new/out")), "ok");
    assert_eq!(std::fs::read(roots.path().join("new/out")).unwrap(), b"in");
    for (direction, local) in [
        ("upload", "/etc/hostname".to_owned()),
        ("upload", below("../../etc/hostname")),
        ("download", "/tmp/gabier-e2e-outside".to_owned()),
        ("download", below("../gabier-e2e-outside")),
    ] {
        assert_eq!(transfer(direction, &local), "FORBIDDEN", "{direction} {local}");
    }
    assert_ne!(transfer("upload", &below("link")), "ok");
    assert!(!Path::new("/tmp/gabier-e2e-outside").exists());
}
