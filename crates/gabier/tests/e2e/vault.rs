//! The vault on the real binary: what goes in never comes out, and nothing gets lost.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Done, Home, PATIENCE, Running, number};

const CANARY: &str = "canary/\"5€cret\" of vaults";

/// The canary as it may leave: raw, JSON, percent, hexadecimal, base64 at every alignment.
fn spellings() -> Vec<String> {
    let hex: Vec<String> = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = CANARY
        .bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() => (byte as char).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let json = json!(CANARY).to_string();
    let mut spellings = vec![CANARY.to_owned(), json[1..json.len() - 1].to_owned(), percent, hex.concat()];
    spellings.extend(["", "x", "xy"].map(|before| base64(format!("{before}{CANARY}!").as_bytes())));
    spellings
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits = (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(*group.get(at).unwrap_or(&0)));
        let digits = (0..=group.len()).map(|at| DIGITS[bits >> (18 - 6 * at) & 63] as char);
        digits.chain(std::iter::repeat('=')).take(4).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

/// The middle of a spelling: enough to be sure, whatever was cut at its ends.
fn core(spelling: &str) -> &str {
    let at = |at: usize| (at..=spelling.len()).find(|at| spelling.is_char_boundary(*at)).unwrap();
    &spelling[at(8)..at(spelling.len() - 8)]
}

fn set(home: &Home, name: &str, value: &str) -> Value {
    home.run_with(&["vault", "set", name, "--json"], value).success().json()["data"].clone()
}

fn names(home: &Home) -> Vec<Value> {
    let listed = home.json(&["vault", "list"]);
    listed["data"]["secrets"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect()
}

#[test]
fn a_secret_goes_in_and_never_comes_out() {
    let home = Home::new();
    assert_eq!(home.json(&["vault", "list"])["data"]["count"], 0);
    let made = set(&home, "db/prod", CANARY);
    assert_eq!((&made["created"], &made["vault"]["made"]), (&json!(true), &json!(true)), "{made}");
    assert_eq!(set(&home, "db/prod", &format!("{CANARY}\n"))["created"], false);
    let mut said = String::new();
    for words in [
        &["vault", "list"][..],
        &["vault", "rotate", "-v"],
        &["vault", "rekey", "-vv"],
        &["config", "show"],
        &["doctor"],
        &["vault", "set", "db/prod", "--from", CANARY],
        &["vault", "remove", "db/prod"],
    ] {
        let done = home.run(words);
        said.push_str(&done.stdout);
        said.push_str(&done.stderr);
    }
    let files = files_below(&home.path(""));
    assert!(files.len() > 2, "{files:?}");
    for spelling in spellings() {
        let core = core(&spelling);
        assert!(!said.contains(core), "{core} in {said}");
        for (file, bytes) in &files {
            assert!(!bytes.windows(core.len()).any(|part| part == core.as_bytes()), "{core} in {file}");
        }
    }
    assert_eq!(names(&home), Vec::<Value>::new());
    assert_eq!(home.run(&["vault", "remove", "db/prod"]).code, 4);
}

fn files_below(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.is_file() {
            files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    files
}

#[test]
fn a_value_on_the_command_line_is_refused_and_not_repeated() {
    let home = Home::new();
    let done = home.run(&["vault", "set", "web", "--from", "hunter2hunter2"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(!format!("{done:?}").contains("hunter2"), "{done:?}");
    let home = home.with("WEB_PASSWORD", "hunter2hunter2");
    home.run(&["vault", "set", "web", "--from", "env:WEB_PASSWORD"]).success();
    let file = home.write("secret", "hunter3hunter3\n");
    home.run(&["vault", "set", "db", "--from", &format!("file:{file}")]).success();
    assert_eq!(names(&home), ["db", "web"]);
}

#[test]
fn a_server_that_runs_redacts_what_another_process_sets() {
    let home = Home::new();
    let file = home.write("log", spellings().join("\n"));
    let mut client = home.mcp(&[]);
    client.initialize("2025-06-18");
    let arguments = json!({"file_path": file});
    let before = client.call("read_file", &arguments).to_string();
    assert!(before.contains(core(&spellings()[3])), "{before}");
    set(&home, "db/prod", CANARY);
    let begun = Instant::now();
    let after = loop {
        let answer = client.call("read_file", &arguments).to_string();
        if answer.contains("REDACTED") {
            break answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{answer}");
        std::thread::sleep(Duration::from_millis(20));
    };
    for spelling in spellings() {
        assert!(!after.contains(core(&spelling)), "{spelling} in {after}");
    }
}

#[test]
fn kills_while_rotating_lose_nothing() {
    let home = Home::new();
    for number in 0..5 {
        set(&home, &format!("s{number}"), "some value");
    }
    for kill in 0..u64::from(number("GABIER_VAULT_KILLS", 25)) {
        let mut rotating = Running::start(&mut home.command(&["vault", "rotate"]));
        std::thread::sleep(Duration::from_micros(kill * 7_919 % 120_000));
        let _ = rotating.child().kill();
        rotating.child().wait().unwrap();
        // The list opens every secret before it names them.
        assert_eq!(names(&home), ["s0", "s1", "s2", "s3", "s4"], "kill {kill}");
    }
    home.run(&["vault", "rotate"]).success();
    let keys = std::fs::read_to_string(home.path(".config/gabier/vault/key")).unwrap();
    assert_eq!(
        keys.lines().filter(|line| !line.starts_with('#')).count(),
        1,
        "keys of killed rotations are gone"
    );
}

/// Refused for a reason that a person can act on: no crash, no bug, no secret.
#[track_caller]
fn assert_refused(done: &Done, what: &str) {
    // 5 where the store itself finds its record to be none.
    assert!(matches!(done.code, 1 | 5), "{what}: {done:?}");
    assert!(done.stderr.contains("vault") && !done.stderr.contains("panicked"), "{what}: {done:?}");
    assert!(!format!("{done:?}").contains("some value"), "{what}: {done:?}");
}

/// A home with two secrets, and its sealed record.
fn sealed_home() -> (Home, rusqlite::Connection, Vec<u8>) {
    let home = Home::new();
    set(&home, "a", "some value 1");
    set(&home, "b", "some value 2");
    let store = rusqlite::Connection::open(home.data_dir().join("gabier.db")).unwrap();
    let query = "SELECT value FROM record WHERE kind = 'vault' AND key = 'vault'";
    let record: String = store.query_row(query, [], |row| row.get(0)).unwrap();
    (home, store, record.into_bytes())
}

/// Puts other bytes in the place of the record.
fn replace_record(store: &rusqlite::Connection, bytes: &[u8]) {
    let change = "UPDATE record SET value = CAST(?1 AS TEXT), version = version + 1 WHERE kind = 'vault'";
    assert_eq!(store.execute(change, [bytes]).unwrap(), 1);
}

#[test]
fn a_damaged_record_is_refused_wherever_it_is_damaged() {
    let (home, store, whole) = sealed_home();
    let rounds = number("GABIER_VAULT_FLIPS", 40) as usize;
    let bits = whole.len() * 8;
    for round in 0..rounds.min(bits) {
        // Spread over the record, and over the bits of a byte.
        let bit = (round * bits / rounds + round % 8).min(bits - 1);
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        replace_record(&store, &flipped);
        assert_refused(&home.run(&["vault", "list"]), &format!("bit {bit} of {bits}"));
    }
    for round in 0..rounds / 4 {
        let length = round * whole.len() / (rounds / 4);
        replace_record(&store, &whole[..length]);
        assert_refused(&home.run(&["vault", "list"]), &format!("{length} bytes of {}", whole.len()));
    }
    let parts: Value = serde_json::from_slice(&whole).unwrap();
    let mut swapped = parts.clone();
    swapped["secrets"]["a"] = parts["secrets"]["b"].clone();
    swapped["secrets"]["b"] = parts["secrets"]["a"].clone();
    let mut dropped = parts.clone();
    dropped["secrets"].as_object_mut().unwrap().remove("a");
    let (_other, _, foreign) = sealed_home();
    for (what, bytes) in [
        ("two secrets swapped", swapped.to_string().into_bytes()),
        ("a secret dropped", dropped.to_string().into_bytes()),
        ("the record of another vault", foreign),
    ] {
        replace_record(&store, &bytes);
        assert_refused(&home.run(&["vault", "list"]), what);
        assert_refused(&home.run_with(&["vault", "set", "c"], "some value 3"), what);
        assert_refused(&home.run(&["vault", "rotate"]), what);
    }
    replace_record(&store, &whole);
    assert_eq!(names(&home), ["a", "b"], "nothing was written over it");
}

#[test]
fn a_damaged_key_file_is_refused_or_harmless_and_never_written_over() {
    let (home, _store, _) = sealed_home();
    let file = home.path(".config/gabier/vault/key");
    let whole = std::fs::read(&file).unwrap();
    let rounds = number("GABIER_VAULT_FLIPS", 40) as usize;
    let mut refused = 0;
    for round in 0..rounds {
        let at = round * whole.len() / rounds;
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (round % 8);
        std::fs::write(&file, &flipped).unwrap();
        let done = home.run(&["vault", "list"]);
        if done.code != 0 {
            assert_refused(&done, &format!("byte {at}"));
            refused += 1;
        }
        assert_eq!(std::fs::read(&file).unwrap(), flipped, "byte {at}");
    }
    assert!(refused > rounds / 4, "only {refused} of {rounds}: the file is more than its comment");
    for length in [0, whole.len() / 2, whole.len() - 10] {
        std::fs::write(&file, &whole[..length]).unwrap();
        assert_refused(&home.run(&["vault", "list"]), &format!("{length} bytes"));
    }
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(names(&home), ["a", "b"]);
}

#[test]
fn a_key_file_or_its_folder_of_a_wrong_mode_is_refused() {
    let (home, _store, _) = sealed_home();
    let mode = |path: &str, mode: u32| {
        std::fs::set_permissions(home.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let (file, folder) = (".config/gabier/vault/key", ".config/gabier/vault");
    for wrong in [0o640, 0o604, 0o620, 0o602, 0o666, 0o777] {
        mode(file, wrong);
        assert_refused(&home.run(&["vault", "list"]), &format!("the file at {wrong:o}"));
        assert_refused(&home.run_with(&["vault", "set", "c"], "some value 3"), &format!("set at {wrong:o}"));
    }
    mode(file, 0o600);
    for wrong in [0o770, 0o707, 0o777] {
        mode(folder, wrong);
        assert_refused(&home.run(&["vault", "list"]), &format!("the folder at {wrong:o}"));
    }
    mode(folder, 0o700);
    assert_eq!(names(&home), ["a", "b"]);
}

#[test]
fn a_key_that_others_can_read_is_refused_with_its_cure() {
    let home = Home::new();
    set(&home, "web", "some value");
    let key = home.path(".config/gabier/vault/key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let done = home.run(&["vault", "list"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("chmod 600"), "{done:?}");
    assert!(home.run(&["doctor"]).stdout.contains("chmod 600"));
    std::fs::remove_file(&key).unwrap();
    let done = home.run_with(&["vault", "set", "db"], "some value");
    assert_eq!(done.code, 1, "a vault whose key is gone is left alone: {done:?}");
    assert!(!key.exists());
}

#[test]
fn a_vault_moves_to_a_passphrase_and_to_another_file() {
    let home = Home::new().with("NEW", "a long passphrase");
    set(&home, "web", "some value");
    home.run(&["vault", "rekey", "--passphrase", "env:NEW"]).success();
    let done = home.run(&["vault", "list"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("--unlock"), "{done:?}");
    home.run(&["vault", "list", "--unlock", "env:NEW"]).success();
    let wrong = home.run_with(&["vault", "list", "--unlock", "-"], "another passphrase");
    assert!(wrong.code == 1 && wrong.stderr.contains("passphrase is another"), "{wrong:?}");

    let file = home.text_path("elsewhere/key");
    home.run(&["vault", "rekey", "--unlock", "env:NEW", "--key-file", &file]).success();
    let home = home.with("GABIER_VAULT_KEY_FILE", &file);
    assert_eq!(names(&home), ["web"]);
    assert_eq!(home.run(&["vault", "init"]).code, 8);
}
