//! Planted secrets: a password, a passphrase, the key of an API and the answer to a prompt are found nowhere afterwards.

use serde_json::json;

use super::{files_below, home, serve};
use crate::harness::Home;
use crate::redis::Redis;
use crate::sshd::Sshd;

const PASSWORD: &str = "planted-Passw0rd-of-alice";
const ANSWER: &str = "planted-Answ3r-to-sudo";
const PHRASE: &str = "planted-Phras3-of-a-key";
const API_KEY: &str = "planted-Ap1-key-of-the-shop";

/// A secret as it may leave: raw, as JSON (once and twice), percent-encoded, in hexadecimal, in base64 at every
/// alignment.
pub(super) fn spellings(secret: &str) -> Vec<String> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let hex: Vec<String> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let json = |text: &str| json!(text).to_string().trim_matches('"').to_owned();
    let percent: String = secret.bytes().map(percent).collect();
    let mut spellings = vec![secret.to_owned(), json(secret), json(&json(secret)), percent, hex.concat()];
    for skipped in 0..3 {
        let whole = &secret.as_bytes()[skipped..];
        let digits = whole.chunks_exact(3).flat_map(|group| {
            let bits = usize::from(group[0]) << 16 | usize::from(group[1]) << 8 | usize::from(group[2]);
            [18, 12, 6, 0].map(|shift| DIGITS[bits >> shift & 63] as char)
        });
        spellings.push(digits.collect());
    }
    spellings
}

#[test]
fn planted_secrets_are_found_nowhere() {
    check(home(), Vec::new);
}

#[test]
fn planted_secrets_are_found_nowhere_in_redis_either() {
    let options = "--appendonly yes --rdbcompression no --auto-aof-rewrite-percentage 0";
    let redis = Redis::with(&options.split(' ').collect::<Vec<_>>());
    let home = home().with("GABIER_STORE_URL", &redis.url());
    check(home, || {
        redis.ask(&["SAVE"]);
        let mut kept = files_below(redis.folder());
        kept.push(("the keys".to_owned(), redis.ask(&["EVAL", ALL_KEYS, "0"])));
        // What is not secret is found, so the search would find a secret.
        for place in ["dump.rdb", ".incr.aof", "the keys"] {
            let is_found = kept.iter().any(|(name, bytes)| name.ends_with(place) && holds(bytes, "echo hi"));
            assert!(is_found, "{place} holds no task");
        }
        kept
    });
}

/// Every key with all that is under it.
const ALL_KEYS: &str = "local all = {}
    for _, key in ipairs(redis.call('KEYS', '*')) do
      local read = {string = {'GET', key}, hash = {'HGETALL', key}, list = {'LRANGE', key, 0, -1}, set = {'SMEMBERS', key},
        zset = {'ZRANGE', key, 0, -1}, stream = {'XRANGE', key, '-', '+'}}
      all[#all + 1] = {key, redis.call(unpack(read[redis.call('TYPE', key).ok]))}
    end
    return all";

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// Uses secrets in every way, and looks for them in everything that was said and in all that is kept.
fn check(home: Home, kept: impl FnOnce() -> Vec<(String, Vec<u8>)>) {
    let sshd = Sshd::new().with_account("alice", PASSWORD).start();
    let locked = sshd.make_key("locked", "ed25519", PHRASE);
    sshd.authorize(&locked);
    let home = home.with("GABIER_LOG_LEVEL", "trace");
    let mut said = String::new();
    let mut hear = |what: &str, status: &str, text: String| {
        assert!(text.contains(status), "{what}: {text}");
        said.push_str(&text);
    };
    let address = json!({"host": "127.0.0.1", "port": sshd.port});
    let with = |rest: serde_json::Value| {
        let mut arguments = address.clone();
        arguments.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        arguments
    };
    let server = serve(&home);
    let alice = with(json!({"alias": "alice", "user": "alice", "password": PASSWORD}));
    hear("adding alice", "created", server.call("server_add", &alice).text());
    let key = with(
        json!({"alias": "key", "user": sshd.user, "key_path": locked.to_str().unwrap(), "passphrase": PHRASE}),
    );
    hear("adding the key", "created", server.call("server_add", &key).text());
    let bad = with(json!({"alias": "bad", "user": "-x", "password": PASSWORD}));
    hear("a refusal", "INVALID_ARGUMENT", server.call("server_add", &bad).text());
    let misspelt = with(json!({"alias": "bad", "user": "x", "passwd": PASSWORD}));
    hear("a misspelling", "INVALID_ARGUMENT", server.call("server_add", &misspelt).text());

    for alias in ["alice", "key"] {
        hear(alias, "ok", server.call("task_exec", &json!({"alias": alias, "cmd": "echo hi"})).text());
    }
    // A host that tells the password by itself is cleaned like everything else.
    std::fs::write(sshd.dir.path().join("told"), format!("{PASSWORD}\n")).unwrap();
    let told = sshd.dir.path().join("told");
    let echo = json!({"alias": "alice", "cmd": format!("cat {0}; cat {0} >&2; exit 1", told.display())});
    let echoed = server.call("task_exec", &echo).json();
    assert_eq!(
        (&echoed["data"]["stdout"], &echoed["data"]["stderr"]),
        (&json!("[REDACTED]\n"), &json!("[REDACTED]\n")),
        "{echoed}"
    );

    let ask = |timeout: u32| {
        json!({
            "alias": "alice", "timeout": timeout,
            "cmd": "stty -echo; printf 'Password: '; read p; echo \"got ${#p}: $p\"; printf 'Really? '; read q",
            "responses": {"password": ANSWER}, "auto_respond": false,
        })
    };
    hear("an answer", "[REDACTED]", server.call("task_exec_interactive", &ask(3)).text());
    hear("a plan", "dry_run", {
        let mut plan = ask(3);
        plan["dry_run"] = true.into();
        server.call("task_exec_interactive", &plan).text()
    });
    let mut later = ask(3);
    later["background"] = true.into();
    hear("in the background", "INVALID_ARGUMENT", server.call("task_exec_interactive", &later).text());
    let follower = json!({
        "alias": "alice", "cmd": "true",
        "then": [{"on": "any", "tool": "task_exec_interactive", "arguments": ask(3)}],
    });
    hear("as a follower", "INVALID_ARGUMENT", server.call("task_exec", &follower).text());
    let shop = json!({
        "alias": "shop", "url": "http://127.0.0.1:1/", "auth_method": "api_key", "api_key": API_KEY,
        "auth_header_name": "X-Api-Key",
    });
    hear("adding an API", "created", server.call("api_add", &shop).text());
    hear("checking it", "ERROR", server.call("api_check", &json!({"alias": "shop"})).text());
    for tool in ["server_list", "api_list", "task_queue", "task_history", "queue_stats"] {
        hear(tool, "ok", server.call(tool, &json!({})).text());
    }
    let done = home.run(&["server", "list", "-vv"]);
    said.push_str(&done.stdout);
    said.push_str(&done.stderr);
    said.push_str(&server.stderr());
    said.push_str(&server.stdout());
    drop(server);

    let mut files = files_below(&home.path(""));
    assert!(files.len() > 2, "{files:?}");
    files.extend(kept());
    for secret in [PASSWORD, ANSWER, PHRASE, API_KEY] {
        for spelling in spellings(secret) {
            assert!(!said.contains(&spelling), "{spelling} was said: {said}");
            for (file, bytes) in &files {
                assert!(!holds(bytes, &spelling), "{spelling} is in {file}");
            }
        }
    }
}
