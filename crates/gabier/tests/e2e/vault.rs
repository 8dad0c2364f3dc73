//! The vault on the real binary: what goes in never comes out, and nothing gets lost.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Home, PATIENCE, Running};

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
    for kill in 0..25_u64 {
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
