//! Transfers that cannot be done: what is seen afterwards, and whether the answer says what to do.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::{Value, json};

use super::bench::{Bench, Disk, unfinished, wait_until};
use super::{home, serve};
use crate::harness::{Home, Running, program};
use crate::sshd::{Sshd, is_root};

/// The bytes of a small file system.
const ROOM: usize = 2 << 20;

/// More than it holds.
const TOO_MUCH: usize = 8 << 20;

const PASSWORD: &str = "Passw0rd-of-alice";

/// Calls a tool and compares the exit code with the envelope; gives the envelope.
#[track_caller]
fn call(home: &Home, tool: &str, arguments: &Value) -> Value {
    let words = ["call", tool, "--input", &arguments.to_string(), "--json", "--yes"];
    let done = home.run(&words);
    let envelope = done.json();
    let expected = match (envelope["status"].as_str(), envelope["code"].as_str()) {
        (Some("ok"), _) => 0,
        (Some("warning"), _) => 3,
        (_, Some("TRANSFER_FAILED")) => 1,
        (_, Some("NOT_FOUND")) => 4,
        (_, Some("CONFLICT")) => 8,
        other => panic!("{other:?}: {envelope}"),
    };
    assert_eq!(done.code, expected, "{envelope}");
    envelope
}

/// A failure names its reason, the parameter it is about, the path, and what to do.
#[track_caller]
fn check_failure(failed: &Value, reason: &str, parameter: &str, path: &Path) {
    let details = &failed["details"];
    assert_eq!(
        (&failed["code"], &details["reason"], &details["parameter"]),
        (&json!("TRANSFER_FAILED"), &json!(reason), &json!(parameter)),
        "{failed}"
    );
    let message = failed["message"].as_str().unwrap();
    assert!(message.contains(path.to_str().unwrap()) && !failed.to_string().contains(".part"), "{failed}");
    assert!(failed["next"].as_str().is_some_and(|next| !next.is_empty()), "{failed}");
}

/// What lies in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_full_disk_is_named_and_the_old_content_stays_until_there_is_room() {
    let bench = Bench::start();
    let _disks = [Disk::mount(bench.here("disk"), ROOM), Disk::mount(bench.there("disk"), ROOM)];
    for direction in ["upload", "download"] {
        let (source, target) = bench.ends(direction, "disk/a");
        let source = source.parent().unwrap().with_file_name("large");
        std::fs::write(&source, vec![7; TOO_MUCH]).unwrap();
        std::fs::write(&target, "old").unwrap();
        let mut arguments = bench.arguments(direction, "disk/a", true);
        arguments[if direction == "upload" { "local" } else { "remote" }] = json!(source);
        let failed = call(&bench.home, "task_transfer", &arguments);
        let parameter = if direction == "upload" { "remote" } else { "local" };
        check_failure(&failed, "disk_full", parameter, &target);
        assert!(failed["details"]["free_bytes"].as_u64().unwrap() > 1 << 20, "{direction}: {failed}");
        assert_eq!(names(target.parent().unwrap()), ["a"], "{direction}");
        assert_eq!(std::fs::read(&target).unwrap(), b"old", "{direction}");

        // Many small files: those that find room arrive whole, of the others nothing is seen.
        let many = source.with_file_name("many");
        std::fs::create_dir(&many).unwrap();
        for number in 0..80 {
            std::fs::write(many.join(number.to_string()), vec![number; 50_000]).unwrap();
        }
        let (local, remote) = match direction {
            "upload" => (many.join("*"), target.with_file_name("many")),
            _ => (target.with_file_name("many"), many.join("*")),
        };
        let pair = json!([{"local": local, "remote": remote}]);
        let arguments = json!({"alias": "web1", "direction": direction, "files": pair});
        let partial = call(&bench.home, "task_transfer_multi", &arguments);
        let arrived = names(&target.with_file_name("many"));
        let data = &partial["data"];
        assert_eq!((&partial["status"], &data["total"]), (&json!("warning"), &json!(80)), "{partial}");
        assert!(!arrived.is_empty() && arrived.len() < 80, "{direction}: {arrived:?}");
        assert_eq!(data["transferred"], arrived.len(), "{direction}: {partial}");
        let message = data["failed_files"][0]["message"].as_str().unwrap();
        assert!(message.contains("the file system is full"), "{partial}");
        assert!(
            partial["message"].as_str().unwrap().contains(&format!("{} of 80", 80 - arrived.len())),
            "{partial}"
        );
        for name in &arrived {
            let copy = std::fs::read(target.with_file_name("many").join(name)).unwrap();
            assert!(copy == vec![name.parse::<u8>().unwrap(); 50_000], "{direction}: {name}");
        }
        std::fs::remove_dir_all(target.with_file_name("many")).unwrap();
        std::fs::remove_dir_all(&many).unwrap();

        std::fs::write(&source, "small").unwrap();
        let mut arguments = bench.arguments(direction, "disk/a", true);
        arguments[if direction == "upload" { "local" } else { "remote" }] = json!(source);
        assert_eq!(call(&bench.home, "task_transfer", &arguments)["status"], "ok");
        assert_eq!(std::fs::read(&target).unwrap(), b"small", "{direction}");
    }
}

#[test]
fn what_the_remote_account_may_not_do_is_named_and_leaves_nothing() {
    let sshd = Sshd::new().with_account("alice", PASSWORD).start();
    let home = home();
    let alice = json!({
        "alias": "web1", "host": "127.0.0.1", "port": sshd.port, "user": "alice", "password": PASSWORD,
    });
    assert_eq!(home.call("server_add", &alice)["status"], "created");
    let there = tempfile::tempdir().unwrap();
    let mode = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(there.path(), 0o755);
    let local = home.write("a", "new");
    let secret = there.path().join("secret");
    std::fs::write(&secret, "old").unwrap();
    mode(&secret, 0o600);
    let transfer = |direction: &str, local: &str, remote: &Path| {
        let arguments = json!({
            "alias": "web1", "direction": direction, "local": local, "remote": remote, "force": true,
        });
        call(&home, "task_transfer", &arguments)
    };
    for (remote, refused) in [("a", "a"), ("secret", "secret"), ("new/folder/a", "new")] {
        let failed = transfer("upload", &local, &there.path().join(remote));
        check_failure(&failed, "permission", "remote", &there.path().join(refused));
    }
    let back = home.path("back");
    check_failure(&transfer("download", back.to_str().unwrap(), &secret), "permission", "remote", &secret);
    assert!(!back.exists());
    assert_eq!(
        (names(there.path()), std::fs::read(&secret).unwrap()),
        (vec!["secret".into()], b"old".into())
    );
    assert!(unfinished(&back).is_empty());
}

/// The program without the rights that root has over every file.
fn confined(home: &Home, words: &[&str]) -> Running {
    if !is_root() {
        return Running::start(&mut home.command(words));
    }
    let mut command = program("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all", env!("CARGO_BIN_EXE_gabier")]).args(words);
    home.surround(&mut command);
    Running::start(&mut command)
}

#[test]
fn what_the_own_account_may_not_do_is_named_and_leaves_nothing() {
    let bench = Bench::start();
    let mode = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let transfer = |direction: &str, name: &str| {
        let arguments = bench.arguments(direction, name, true).to_string();
        let words = ["call", "task_transfer", "--input", &arguments, "--json", "--yes"];
        let done = confined(&bench.home, &words).finish(b"");
        assert_eq!(done.code, 1, "{done:?}");
        done.json()
    };
    std::fs::write(bench.here("unread"), "x").unwrap();
    mode(&bench.here("unread"), 0);
    check_failure(&transfer("upload", "unread"), "permission", "local", &bench.here("unread"));
    assert!(!bench.there("unread").exists());

    for folder in [bench.here("locked"), bench.there("locked")] {
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("a"), "old").unwrap();
    }
    std::fs::write(bench.there("locked/a"), "new").unwrap();
    mode(&bench.here("locked"), 0o555);
    check_failure(&transfer("download", "locked/a"), "permission", "local", &bench.here("locked/a"));
    assert_eq!(names(&bench.here("locked")), ["a"]);
    assert_eq!(std::fs::read(bench.here("locked/a")).unwrap(), b"old");
    mode(&bench.here("locked"), 0o755);
}

#[test]
fn a_folder_in_the_way_of_a_file_and_a_file_in_the_way_of_a_folder_stay_as_they_are() {
    let bench = Bench::start();
    for direction in ["upload", "download"] {
        let (source, target) = bench.ends(direction, direction);
        std::fs::write(&source, "new").unwrap();
        // The folder takes the file under its own name, where a folder lies already.
        std::fs::create_dir_all(target.join(direction)).unwrap();
        std::fs::write(target.join(direction).join("kept"), "old").unwrap();
        let parameter = if direction == "upload" { "remote" } else { "local" };
        for force in [false, true] {
            let failed = call(&bench.home, "task_transfer", &bench.arguments(direction, direction, force));
            check_failure(&failed, "is_directory", parameter, &target.join(direction));
        }
        assert_eq!(names(&target), [direction]);
        assert_eq!(std::fs::read(target.join(direction).join("kept")).unwrap(), b"old");

        std::fs::remove_file(&source).unwrap();
        std::fs::remove_dir_all(&target).unwrap();
        std::fs::create_dir(&source).unwrap();
        std::fs::write(source.join("a"), "new").unwrap();
        std::fs::write(&target, "old").unwrap();
        let failed = call(&bench.home, "task_transfer", &bench.arguments(direction, direction, true));
        check_failure(&failed, "not_a_directory", parameter, &target);
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        std::fs::remove_file(&target).unwrap();
        std::fs::remove_dir_all(&source).unwrap();
    }
}

#[test]
fn a_link_at_the_target_stays_and_what_it_leads_to_is_replaced() {
    let bench = Bench::start();
    for direction in ["upload", "download"] {
        let (source, target) = bench.ends(direction, direction);
        let real = target.with_file_name("real");
        let parameter = if direction == "upload" { "remote" } else { "local" };
        std::fs::write(&source, "new").unwrap();
        std::fs::write(&real, "old").unwrap();
        symlink("real", &target).unwrap();
        let refused = call(&bench.home, "task_transfer", &bench.arguments(direction, direction, false));
        assert_eq!(
            (&refused["code"], &refused["details"]["reason"], &refused["details"]["parameter"]),
            (&json!("CONFLICT"), &json!("exists"), &json!(parameter)),
            "{refused}"
        );
        assert_eq!(std::fs::read(&real).unwrap(), b"old");
        let done = call(&bench.home, "task_transfer", &bench.arguments(direction, direction, true));
        assert_eq!(done["status"], "ok", "{done}");
        assert_eq!(std::fs::read_link(&target).unwrap(), Path::new("real"));
        assert_eq!(std::fs::read(&real).unwrap(), b"new");

        std::fs::remove_file(&real).unwrap();
        let failed = call(&bench.home, "task_transfer", &bench.arguments(direction, direction, true));
        check_failure(&failed, "symbolic_link", parameter, &target);
        assert!(!real.exists());
        assert_eq!(std::fs::read_link(&target).unwrap(), Path::new("real"));

        // One that leads to a folder is that folder.
        std::fs::create_dir(&real).unwrap();
        let done = call(&bench.home, "task_transfer", &bench.arguments(direction, direction, false));
        assert_eq!(done["status"], "ok", "{done}");
        assert_eq!(std::fs::read(real.join(direction)).unwrap(), b"new");
        assert!(unfinished(&target).is_empty() && unfinished(&real.join("a")).is_empty());
        std::fs::remove_dir_all(&real).unwrap();
    }
}

#[test]
fn a_link_below_the_allowed_roots_leads_no_download_elsewhere() {
    let sshd = Sshd::new().start();
    let roots = tempfile::tempdir().unwrap();
    let home = super::home_with(&[("web1", &sshd)]).with("MCP_ALLOWED_ROOTS", roots.path().to_str().unwrap());
    let outside = home.write("outside", "old");
    symlink(&outside, roots.path().join("link")).unwrap();
    let remote = sshd.dir.path().join("a");
    std::fs::write(&remote, "new").unwrap();
    let arguments = json!({
        "alias": "web1", "direction": "download", "local": roots.path().join("link"), "remote": remote,
        "force": true,
    });
    let answer = serve(&home).call("task_transfer", &arguments);
    let envelope = answer.json();
    assert!(
        matches!((answer.status, answer.code().as_str()), (502, "TRANSFER_FAILED") | (403, "FORBIDDEN")),
        "{envelope}"
    );
    assert_eq!(std::fs::read(&outside).unwrap(), b"old");
}

#[test]
fn a_source_that_grows_is_copied_as_it_was_and_that_is_said() {
    const SIZE: usize = 64 << 20;
    let bench = Bench::start();
    for direction in ["upload", "download"] {
        let (source, target) = bench.ends(direction, direction);
        std::fs::write(&source, vec![7; SIZE]).unwrap();
        std::fs::write(&target, "old").unwrap();
        let running = bench.begin(&bench.arguments(direction, direction, true));
        wait_until("nothing arrives", || unfinished(&target).first().is_some_and(|length| *length > 1 << 20));
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        let mut growing = std::fs::File::options().append(true).open(&source).unwrap();
        std::io::Write::write_all(&mut growing, &[8; 4096]).unwrap();
        let done = running.finish(b"");
        let envelope = done.json();
        assert_eq!((done.code, &envelope["status"]), (0, &json!("ok")), "{envelope}");
        let said = envelope["data"]["notes"].to_string();
        assert!(said.contains(&format!("grew from {SIZE} to {} bytes", SIZE + 4096)), "{envelope}");
        assert_eq!(envelope["data"]["bytes"], SIZE, "{envelope}");
        assert!(std::fs::read(&target).unwrap() == vec![7; SIZE], "{direction}");
        assert!(unfinished(&target).is_empty(), "{direction}");
        std::fs::remove_file(&source).unwrap();
        std::fs::remove_file(&target).unwrap();
    }
}
