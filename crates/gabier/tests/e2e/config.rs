//! Where settings come from, which one wins, and which are refused.

use serde_json::Value;

use crate::harness::{Done, Home, mint};

/// The value and the origin of a setting.
#[track_caller]
fn setting(home: &Home, words: &[&str], key: &str) -> (Value, String) {
    let shown = home.json(&[&["config", "show", "--origin"], words].concat());
    let rows = shown["data"]["settings"].as_array().unwrap_or_else(|| panic!("{shown}"));
    let row = rows.iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("no {key} in {shown}"));
    (row["value"].clone(), row["origin"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_flag_wins_over_the_environment_over_the_env_file_over_files() {
    let home = Home::new();
    let level = |home: &Home, words: &[&str]| setting(home, words, "log.level");
    assert_eq!(level(&home, &[]), ("info".into(), "default".to_owned()));

    home.configure("[log]\nlevel = \"warn\"\n");
    let (value, origin) = level(&home, &[]);
    assert_eq!(value, "warn");
    assert!(origin.ends_with("config.toml"), "{origin}");

    let chosen = home.write("other/chosen.toml", "[log]\nlevel = \"error\"\n");
    let (value, origin) = level(&home, &["--config", &chosen]);
    assert_eq!(value, "error");
    assert!(origin.ends_with("chosen.toml"), "{origin}");

    home.write(".config/gabier/.env", "LOG_LEVEL=debug\n");
    let (value, origin) = level(&home, &[]);
    assert_eq!(value, "debug");
    assert!(origin.contains(".env"), "{origin}");

    let env_file = home.write("named.env", "LOG_LEVEL=fatal\n");
    assert_eq!(level(&home, &["--env-file", &env_file]).0, "fatal");

    let home = home.with("LOG_LEVEL", "TRACE");
    let (value, origin) = level(&home, &[]);
    assert_eq!(value, "trace", "in any case");
    assert!(origin.contains("LOG_LEVEL"), "{origin}");

    let home = home.with("GABIER_DATA_DIR", "/from/environment");
    assert_eq!(setting(&home, &[], "data_dir").0, "/from/environment");
    let (value, origin) = setting(&home, &["--data-dir", "/from/flag"], "data_dir");
    assert_eq!((value, origin.contains("data-dir")), ("/from/flag".into(), true), "{origin}");
}

#[test]
fn the_flag_of_serve_wins_over_port_and_its_older_names() {
    let home = Home::new().with("PORT", "1").with("MCP_SERVER_PORT", "2").with("MCP_HTTP_PORT", "3");
    assert_eq!(setting(&home, &[], "server.port").0, 1);
    home.serve(&[]).assert_alive();
    let home = Home::new().with("MCP_SERVER_PORT", "2").with("MCP_HTTP_PORT", "3");
    assert_eq!(setting(&home, &[], "server.port").0, 2);
    let home = Home::new().with("MCP_HTTP_PORT", "3");
    assert_eq!(setting(&home, &[], "server.port").0, 3);
}

#[track_caller]
fn assert_refused(done: &Done, words: &[&str]) {
    assert_eq!(done.code, 1, "{done:?}");
    for word in words {
        assert!(done.stderr.contains(word) || done.stdout.contains(word), "{word} is not in {done:?}");
    }
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_one() {
    let home = Home::with_config("[server]\nprot = 8001\n\n[lgo]\nlevel = \"info\"\n");
    for words in [&["config", "check"][..], &["serve", "--port", "0"], &["calculator", "1"]] {
        assert_refused(&home.run(words), &["server.prot", "server.port", "lgo"]);
    }
}

#[test]
fn every_bad_value_is_named_at_once() {
    let home = Home::with_config("[server]\nport = 99999\nendpoint = \"stream\"\n").with("LOG_LEVEL", "loud");
    assert_refused(&home.run(&["config", "check"]), &["server.port", "server.endpoint", "log.level"]);
    assert_refused(&home.run(&["serve"]), &["server.port", "server.endpoint", "log.level"]);
    let broken = Home::with_config("[server\n");
    assert_refused(&broken.run(&["config", "check"]), &["config.toml"]);
}

#[test]
fn a_weak_token_is_refused_by_the_name_of_its_field_and_never_shown() {
    for (field, weak) in
        [("AUTH_TOKEN", "tooshort"), ("ADMIN_BOOTSTRAP_KEY", "changemechangeme"), ("AUTH_TOKEN", "")]
    {
        let home = Home::new().with(field, weak);
        for words in [&["serve", "--port", "0"][..], &["config", "check"]] {
            let done = home.run(words);
            assert_refused(&done, &[field]);
            assert!(weak.is_empty() || !format!("{done:?}").contains(weak), "{done:?}");
        }
    }
}

#[test]
fn a_short_token_is_a_warning_and_opens_the_server() {
    let home = Home::new().with("AUTH_TOKEN", "sixteen-letters!");
    let done = home.run(&["config", "check"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("AUTH_TOKEN") && !done.stdout.contains("sixteen-letters!"), "{done:?}");
    home.serve(&[]).with_token("sixteen-letters!").assert_alive();
}

#[test]
fn variables_without_effect_and_unknown_ones_of_ours_are_told() {
    let home =
        Home::new().with("SAVE_INTERVAL", "5000").with("REDIS_HOST", "cache").with("GABIER_SERVER_PROT", "1");
    let done = home.run(&["config", "check"]);
    assert_eq!(done.code, 0, "{done:?}");
    for word in ["SAVE_INTERVAL", "REDIS_HOST", "GABIER_SERVER_PROT", "GABIER_SERVER_PORT"] {
        assert!(done.stdout.contains(word), "{word}: {done:?}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let secret = "a-secret-that-nobody-may-read-here";
    let home = Home::with_config(&format!("[client]\ntoken = \"{secret}-2\"\n"))
        .with("AUTH_TOKEN", secret)
        .with("ADMIN_BOOTSTRAP_KEY", &format!("{secret}-3"));
    for words in [
        &["config", "show"][..],
        &["config", "show", "--origin"],
        &["config", "show", "--origin", "--json"],
        &["config", "show", "-o", "markdown"],
        &["config", "check"],
        &["config", "check", "--json"],
        &["doctor"],
        &["doctor", "--json"],
    ] {
        let done = home.run(words);
        assert!(!done.stdout.is_empty(), "{done:?}");
        assert!(!format!("{done:?}").contains(secret), "{words:?} shows a secret: {done:?}");
    }
    assert_eq!(setting(&home, &[], "auth.token").0, "[REDACTED]");
}

#[test]
fn beyond_loopback_it_needs_a_token_and_tls_or_a_proxy() {
    let open = ["serve", "--port", "0", "--host", "0.0.0.0"];
    let home = Home::new();
    let done = home.run(&open);
    assert_ne!(done.code, 0, "{done:?}");
    assert!(done.stderr.contains("token"), "{done:?}");
    mint(&home, "any", &["read"]);
    let done = home.run(&open);
    assert_ne!(done.code, 0, "{done:?}");
    assert!(done.stderr.contains("TLS") || done.stderr.contains("tls"), "{done:?}");
    let done = home.run(&["serve", "--port", "0", "--host", "no.address"]);
    assert_ne!(done.code, 0, "{done:?}");
}

#[test]
fn the_paths_of_the_configuration_are_honoured() {
    let home = Home::with_config("[server]\nname = \"harbour\"\n")
        .with("HTTP_STREAM_ENDPOINT", "/other")
        .with("HEALTH_CHECK_PATH", "/alive");
    let server = home.serve(&[]);
    assert_eq!(server.get("/alive").json()["service"], "harbour");
    assert_eq!(server.get("/health").status, 404);
    assert_eq!(server.get("/healthz").status, 200);
    let list = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    assert_eq!(server.post("/other", &list).status, 200);
    assert_eq!(server.post("/mcp", &list).status, 200);
    assert_eq!(server.post("/stream", &list).status, 404);
}

#[test]
fn the_data_directory_is_where_it_is_told_to_be() {
    let home = Home::new();
    let place = home.text_path("elsewhere");
    home.run(&["token", "create", "x", "--data-dir", &place]).success();
    assert!(home.path("elsewhere/gabier.db").is_file());
    assert!(!home.data_dir().exists());
    let home = Home::new().with("XDG_DATA_HOME", &home.text_path("xdg"));
    mint(&home, "x", &["read"]);
    assert!(!home.data_dir().exists());
}
