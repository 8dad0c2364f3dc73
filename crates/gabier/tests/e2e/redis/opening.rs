//! How a store on Redis is found, and what is said of it.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Redis, TOKEN};
use crate::harness::{Home, Server};

#[track_caller]
fn wait_until_ready(server: &Server, status: u16) {
    let end = std::time::Instant::now() + crate::harness::PATIENCE;
    while server.get("/ready").status != status {
        assert!(std::time::Instant::now() < end, "/ready is not {status}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn a_server_starts_without_its_redis_says_so_and_recovers() {
    let mut redis = Redis::start();
    redis.kill();
    let server = redis.home().serve(&[]).with_token(TOKEN);
    wait_until_ready(&server, 503);
    redis.restart();
    wait_until_ready(&server, 200);
    let health = server.call("system_health", &json!({})).json();
    assert_eq!(health["data"]["services"]["store"]["status"], "ok", "{health}");
    redis.signal(Signal::KILL);
    wait_until_ready(&server, 503);
    let health = server.call("system_health", &json!({})).json();
    assert_eq!(health["services"]["store"]["status"], "error", "{health}");
}

#[test]
fn the_variables_of_older_set_ups_lead_to_redis_and_its_password_is_never_shown() {
    let password = "correct-horse-redis-battery";
    let redis = Redis::with(&["--requirepass", password]);
    let home = Home::new()
        .with("GABIER_STORE_URL", "redis://")
        .with("REDIS_HOST", "127.0.0.1")
        .with("REDIS_PORT", &redis.port().to_string())
        .with("REDIS_PASSWORD", password);
    let made = home.call("admin_create_token", &json!({"client_name": "ci", "permissions": ["read"]}));
    assert_eq!(made["status"], "created", "{made}");
    assert!(!home.data_dir().join("gabier.db").exists());
    let url = home.with("GABIER_STORE_URL", &format!("redis://:{password}@127.0.0.1:{}", redis.port()));
    for words in [
        &["doctor", "--json"][..],
        &["config", "show", "--origin"],
        &["config", "check"],
        &["-vv", "token", "list"],
    ] {
        let done = url.run(words);
        assert_eq!(done.code, 0, "{words:?}: {done:?}");
        assert!(!done.stdout.contains(password) && !done.stderr.contains(password), "{words:?}: {done:?}");
    }
    let checked = url.json(&["config", "check"]);
    let warnings = checked["data"]["warnings"].to_string();
    for name in ["HOST", "PORT", "PASSWORD"] {
        assert!(warnings.contains(&format!("$REDIS_{name}: store.redis_")), "{warnings}");
    }
}

#[test]
fn an_address_that_is_none_is_refused_at_start_by_its_field() {
    for url in ["redis://:hunter2@host:port", "mongodb://:hunter2@host"] {
        let done = Home::new().with("GABIER_STORE_URL", url).run(&["serve", "--port", "0"]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stderr.contains("store.url") && !done.stderr.contains("hunter2"), "{done:?}");
    }
}

#[test]
fn a_redis_that_loses_or_evicts_is_told_of_at_start_and_by_doctor() {
    let redis =
        Redis::with(&["--appendonly", "no", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let home = redis.home();
    let server = home.serve(&[]);
    server.wait_for("throws tasks away without a word");
    server.wait_for("A restart of Redis loses everything since its last snapshot");
    let report = home.json(&["doctor"]);
    let warned: Vec<&Value> = report["data"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["subject"] == "store" && finding["state"] == "warn")
        .collect();
    let cures: Vec<&str> = warned.iter().filter_map(|finding| finding["cure"].as_str()).collect();
    let url = redis.url();
    assert_eq!(
        cures,
        [
            format!("redis-cli -u {url} CONFIG SET appendonly yes"),
            format!("redis-cli -u {url} CONFIG SET maxmemory-policy noeviction"),
        ],
        "{report}"
    );
}

#[test]
fn a_redis_that_keeps_everything_is_told_of_in_one_sentence_a_setting() {
    let redis = Redis::start();
    let server = redis.home().serve(&[]);
    server.wait_for("An acknowledged task survives a power cut of the Redis machine.");
    assert!(!server.stderr().contains(" WARN "), "{}", server.stderr());
}
