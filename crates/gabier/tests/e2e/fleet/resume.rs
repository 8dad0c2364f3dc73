//! Transfers that break off: what is seen until the next attempt, and what that one still sends.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::bench::{Bench, unfinished, wait_until};
use crate::harness::Running;

const SIZE: usize = 128 << 20;

/// Bytes that no two places of a file share.
fn content() -> Vec<u8> {
    (0..SIZE as u64 / 8)
        .flat_map(|number| (number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes())
        .collect()
}

/// Breaks a forced transfer of a large file off at so many percent, looks at what is seen, and does it again.
#[track_caller]
fn check(bench: &Bench, direction: &str, percent: u64, break_off: impl FnOnce(&mut Running)) {
    let name = format!("{direction}-{percent}");
    let (source, target) = bench.ends(direction, &name);
    std::fs::write(&source, content()).unwrap();
    std::fs::write(&target, "old").unwrap();
    let arguments = bench.arguments(direction, &name, true);
    let mut first = bench.begin(&arguments);
    let enough = SIZE as u64 * percent / 100;
    wait_until("nothing arrives", || unfinished(&target).first().is_some_and(|length| *length >= enough));
    break_off(&mut first);
    let _ = first.child().wait();
    assert_eq!(std::fs::read(&target).unwrap(), b"old", "{name}");

    let done = bench.call(&arguments);
    let resumed = done["data"]["resumed"].as_u64().unwrap_or(0);
    assert_eq!(done["status"], "ok", "{name}: {done}");
    assert!(resumed >= SIZE as u64 * (percent - 20) / 100, "{name}: {done}");
    assert_eq!(done["data"]["bytes"], SIZE, "{done}");
    assert!(std::fs::read(&target).unwrap() == content(), "{name}");
    assert_eq!(unfinished(&target), [0; 0], "{name}");
    std::fs::remove_file(&source).unwrap();
    std::fs::remove_file(&target).unwrap();
}

#[test]
fn a_client_killed_on_the_way_sends_only_the_rest_the_next_time() {
    let bench = Bench::start();
    for direction in ["upload", "download"] {
        for percent in [25, 50, 90] {
            check(&bench, direction, percent, |client| client.child().kill().unwrap());
        }
    }
}

#[test]
fn a_server_killed_on_the_way_gets_only_the_rest_the_next_time() {
    let bench = Bench::start();
    for direction in ["upload", "download"] {
        check(&bench, direction, 50, |_| bench.server.kill_sessions());
    }
}

#[test]
fn a_cancelled_transfer_goes_on_where_it_was_cancelled() {
    let bench = Bench::start();
    for direction in ["upload", "download"] {
        check(&bench, direction, 50, |client| client.signal(Signal::INT));
    }
}

#[test]
fn a_broken_transfer_says_how_it_goes_on() {
    let bench = Bench::start();
    let (source, target) = bench.ends("upload", "a");
    std::fs::write(source, content()).unwrap();
    let first = bench.begin(&bench.arguments("upload", "a", false));
    wait_until("nothing arrives", || unfinished(&target).first().is_some_and(|length| *length > 1 << 20));
    bench.server.kill_sessions();
    let failed = first.finish(b"").json();
    assert_eq!(
        (&failed["code"], &failed["details"]["resumable"]),
        (&json!("TRANSFER_FAILED"), &json!(true)),
        "{failed}"
    );
    assert_eq!(failed["next"], "the same call sends only the rest", "{failed}");
}

#[test]
fn a_changed_source_is_sent_from_the_start_and_leaves_nothing_behind() {
    let bench = Bench::start();
    let (source, target) = bench.ends("upload", "a");
    std::fs::write(&source, content()).unwrap();
    let arguments = bench.arguments("upload", "a", false);
    let mut first = bench.begin(&arguments);
    wait_until("nothing arrives", || unfinished(&target).first().is_some_and(|length| *length > 20 << 20));
    first.child().kill().unwrap();
    first.child().wait().unwrap();
    std::fs::write(&source, "another").unwrap();
    let done = bench.call(&arguments);
    assert_eq!((&done["status"], &done["data"]["resumed"]), (&json!("ok"), &Value::Null), "{done}");
    assert_eq!(std::fs::read(&target).unwrap(), b"another");
}

#[test]
fn a_small_file_whose_client_was_killed_leaves_nothing_after_the_next_call() {
    let bench = Bench::start();
    for direction in ["upload", "download"] {
        let (source, target) = bench.ends(direction, direction);
        let small = &content()[..4_000_000];
        std::fs::write(&source, small).unwrap();
        let arguments = bench.arguments(direction, direction, true);
        let mut tries = 0;
        while unfinished(&target).is_empty() {
            tries += 1;
            assert!(tries < 50, "{direction}: no client was killed in time");
            let mut client = bench.begin(&arguments);
            wait_until("nothing begins", || {
                !unfinished(&target).is_empty() || client.child().try_wait().unwrap().is_some()
            });
            client.child().kill().unwrap();
            client.child().wait().unwrap();
        }
        let done = bench.call(&arguments);
        assert_eq!(done["status"], "ok", "{done}");
        assert!(std::fs::read(&target).unwrap() == small, "{direction}");
        assert_eq!(unfinished(&target), [0; 0], "{direction}");
    }
}

#[test]
fn two_that_send_the_same_file_never_share_an_unfinished_copy() {
    let bench = Bench::start();
    let (source, target) = bench.ends("upload", "a");
    std::fs::write(source, content()).unwrap();
    let arguments = bench.arguments("upload", "a", true);
    let first = bench.begin(&arguments);
    wait_until("nothing arrives", || unfinished(&target).first().is_some_and(|length| *length > 16 << 20));
    let second = bench.begin(&arguments);
    wait_until("the second does not begin", || target.exists() || unfinished(&target).len() == 2);
    for done in [first, second] {
        let done = done.finish(b"").json();
        assert_eq!((&done["status"], &done["data"]["resumed"]), (&json!("ok"), &Value::Null), "{done}");
    }
    assert!(std::fs::read(&target).unwrap() == content());
    assert_eq!(unfinished(&target), [0; 0]);
}

#[test]
fn a_folder_broken_off_is_filled_up_by_the_same_call_without_force() {
    let bench = Bench::start();
    for direction in ["upload", "download"] {
        let (source, target) = bench.ends(direction, direction);
        std::fs::create_dir(&source).unwrap();
        for number in 0..3_000 {
            std::fs::write(source.join(number.to_string()), format!("{number}").repeat(800)).unwrap();
        }
        let arguments = bench.arguments(direction, direction, false);
        let mut first = bench.begin(&arguments);
        // Unfinished copies have names of their own.
        let is_whole = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.parse::<u32>().is_ok());
        let arrived = || {
            let entries = std::fs::read_dir(&target).into_iter().flatten().flatten();
            entries.filter(|entry| is_whole(&entry.file_name())).count()
        };
        wait_until("nothing arrives", || arrived() > 300);
        first.child().kill().unwrap();
        first.child().wait().unwrap();
        let before = arrived();
        assert!(before < 3_000, "{direction}: it ended too early");

        let done = bench.call(&arguments);
        assert_eq!(
            (&done["status"], &done["data"]["files"]),
            (&json!("ok"), &json!(3_000)),
            "{direction}: {done}"
        );
        assert!(done["data"]["resumed"].as_u64().unwrap_or(0) > 0, "{direction}: {done}");
        assert_eq!(unfinished(&target.join("any")), [0; 0], "{direction}");
        for number in 0..3_000 {
            let copy = std::fs::read_to_string(target.join(number.to_string())).unwrap();
            assert_eq!(copy, format!("{number}").repeat(800), "{direction}");
        }
        let again = bench.call(&arguments);
        assert_eq!(again["data"]["resumed"], Value::Null, "what is whole is not gone on with: {again}");
    }
}
