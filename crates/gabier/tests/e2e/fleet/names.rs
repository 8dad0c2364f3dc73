//! Many files and odd names through the transfer tools.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bench::Bench;
use crate::harness::{Running, program};

/// The files of a folder by name.
fn contents(folder: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let file =
        |entry: std::fs::DirEntry| (entry.file_name().into_vec(), std::fs::read(entry.path()).unwrap());
    entries.map(file).collect()
}

#[test]
fn names_of_every_byte_are_kept_and_those_that_would_break_a_terminal_are_not_brought_here() {
    let bench = Bench::start();
    let expected: BTreeMap<Vec<u8>, Vec<u8>> = (1..=u8::MAX)
        .filter(|byte| *byte != b'/')
        .flat_map(|byte| [vec![byte], vec![b'-', byte, b'x'], [byte; 200].to_vec()])
        .filter(|name| name != b".")
        .map(|name| (name.clone(), name))
        .collect();
    std::fs::create_dir(bench.here("odd")).unwrap();
    for (name, content) in &expected {
        std::fs::write(bench.here("odd").join(OsStr::from_bytes(name)), content).unwrap();
    }
    let up = bench.call(&bench.arguments("upload", "odd", false));
    assert_eq!((&up["status"], &up["data"]["files"]), (&json!("ok"), &json!(expected.len())), "{up}");
    assert_eq!(contents(&bench.there("odd")), expected);

    let arguments = json!({
        "alias": "web1", "direction": "download", "local": bench.here("back"), "remote": bench.there("odd"),
    });
    let down = bench.call(&arguments);
    let admitted: BTreeMap<Vec<u8>, Vec<u8>> = expected
        .iter()
        .filter(|(name, _)| !name.iter().any(u8::is_ascii_control))
        .map(|(name, content)| (name.clone(), content.clone()))
        .collect();
    let refused = expected.len() - admitted.len();
    assert_eq!(
        (&down["code"], &down["details"]["failed"], &down["details"]["files"]),
        (&json!("TRANSFER_FAILED"), &json!(refused), &json!(admitted.len())),
        "{down}"
    );
    let failed = down["details"]["failed_files"].as_array().unwrap();
    assert!(failed.iter().all(|file| file["reason"] == "bad_name"), "{down}");
    assert_eq!(contents(&bench.here("back")), admitted);
}

#[test]
fn a_few_of_a_hundred_thousand_entries_are_found_on_either_side() {
    let bench = Bench::start();
    let (here, there) = (bench.here("crowd"), bench.there("crowd"));
    std::fs::create_dir(&here).unwrap();
    for number in 0..100_000 {
        std::fs::File::create(here.join(format!("{number:05}"))).unwrap();
    }
    for number in 0..5 {
        std::fs::write(here.join(format!("{number}7777")), number.to_string()).unwrap();
    }
    // The same folder on the other side, without making it twice.
    std::fs::rename(&here, &there).unwrap();
    let begun = Instant::now();
    let multi = |direction: &str, local: &Path, remote: &Path| {
        let files = json!([{"local": local, "remote": remote}]);
        let arguments = json!({"alias": "web1", "direction": direction, "files": files});
        let done = bench.home.call("task_transfer_multi", &arguments);
        assert_eq!((&done["status"], &done["data"]["total"]), (&json!("ok"), &json!(10)), "{done}");
    };
    multi("download", &bench.here("few"), &there.join("**/?7777"));
    std::fs::rename(&there, &here).unwrap();
    multi("upload", &here.join("?7777"), &bench.there("few"));
    assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
    let expected: BTreeMap<Vec<u8>, Vec<u8>> = (0..10)
        .map(|number| {
            let content = if number < 5 { number.to_string() } else { String::new() };
            (format!("{number}7777").into_bytes(), content.into_bytes())
        })
        .collect();
    assert_eq!(contents(&bench.here("few")), expected);
    assert_eq!(contents(&bench.there("few")), expected);
}

#[test]
fn three_hundred_files_at_once_need_no_more_open_files_than_there_may_be() {
    let bench = Bench::start();
    let files = |content: usize| -> Vec<Value> {
        (0..300).map(|number| json!({
            "local": bench.here(&format!("{content}/{number}")), "remote": bench.there(&format!("{content}/{number}")),
        })).collect()
    };
    // Small ones are written by one request, larger ones stay open.
    for content in [10, 400_000] {
        std::fs::create_dir(bench.here(&content.to_string())).unwrap();
        for number in 0..300_usize {
            let bytes = number.to_string().into_bytes().into_iter().cycle().take(content);
            std::fs::write(bench.here(&format!("{content}/{number}")), bytes.collect::<Vec<_>>()).unwrap();
        }
        let expected = contents(&bench.here(&content.to_string()));
        for direction in ["upload", "download"] {
            let files = files(content);
            let arguments = json!({"alias": "web1", "direction": direction, "files": files}).to_string();
            let mut command = program("sh");
            command.args(["-c", r#"ulimit -n 100; exec "$0" "$@""#, env!("CARGO_BIN_EXE_gabier")]);
            command.args(["call", "task_transfer_multi", "--input", &arguments, "--json", "--yes"]);
            bench.home.surround(&mut command);
            let done = Running::start(&mut command).finish(b"").json();
            let data = &done["data"];
            assert_eq!((&done["status"], &data["transferred"]), (&json!("ok"), &json!(300)), "{done}");
            let (_, target) = bench.ends(direction, &content.to_string());
            assert!(contents(&target) == expected, "{direction} of {content}");
            std::fs::remove_dir_all(bench.ends(direction, &content.to_string()).0).unwrap();
        }
    }
    // The same of a folder, whose files go many at once.
    std::fs::rename(bench.here("10"), bench.here("folder")).unwrap();
    for direction in ["upload", "download"] {
        let arguments = bench.arguments(direction, "folder", false).to_string();
        let mut command = program("sh");
        command.args(["-c", r#"ulimit -n 100; exec "$0" "$@""#, env!("CARGO_BIN_EXE_gabier")]);
        command.args(["call", "task_transfer", "--input", &arguments, "--json", "--yes"]);
        bench.home.surround(&mut command);
        let done = Running::start(&mut command).finish(b"").json();
        assert_eq!((&done["status"], &done["data"]["files"]), (&json!("ok"), &json!(300)), "{done}");
        std::fs::remove_dir_all(bench.ends(direction, "folder").0).unwrap();
    }
}

#[test]
fn files_of_one_name_in_many_folders_all_arrive_on_either_side() {
    let bench = Bench::start();
    let folders = ["", "a/", "a/b/", "a/b/c/", "z/"];
    // Names with a dot are matched where the pattern spells it.
    for folder in folders.into_iter().chain([".hidden/"]) {
        bench.home.write(&format!("here/tree/{folder}app.log"), folder);
    }
    let multi = |direction: &str, local: &Path, remote: &Path| {
        let files = json!([{"local": local, "remote": remote}]);
        let arguments = json!({"alias": "web1", "direction": direction, "files": files});
        bench.home.call("task_transfer_multi", &arguments)
    };
    let up = multi("upload", &bench.here("tree/**/app.log"), &bench.there("up"));
    let down = multi("download", &bench.here("down"), &bench.there("up/**/*.log"));
    for (done, base) in [(up, bench.there("up")), (down, bench.here("down"))] {
        assert_eq!(done["status"], "ok", "{done}");
        let arrived = folders.iter().filter(|folder| {
            let copy = std::fs::read_to_string(base.join(folder).join("app.log"));
            copy.is_ok_and(|copy| copy == **folder)
        });
        assert_eq!(arrived.count(), folders.len(), "{done}");
        assert_eq!(done["data"]["transferred"], folders.len(), "{done}");
        assert!(!base.join(".hidden").exists(), "{done}");
    }
}
