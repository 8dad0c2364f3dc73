//! The command line: words, outputs, exit codes, help, completion.

use std::io::Read as _;
use std::process::Stdio;

use serde_json::json;

use crate::harness::{Home, Running, mint, program};

#[test]
fn a_tool_has_one_answer_by_each_of_its_spellings() {
    let home = Home::new();
    let spellings: [&[&str]; 6] = [
        &["mon", "outil-sync", "abc", "--json"],
        &["mon-outil-sync", "abc", "--json"],
        &["mon-outil-sync", "--donnee-entree", "abc", "--json"],
        &["monOutilSync", "--donnee-entree=abc", "-j"],
        &["call", "monOutilSync", "--input", r#"{"donneeEntree": "abc"}"#, "--json"],
        &["mon-outil-sync", "--input", r#"{"donnee_entree": "xyz"}"#, "--donnee-entree", "abc", "-o", "json"],
    ];
    for words in spellings {
        let envelope = home.run(words).success().json();
        assert_eq!(envelope["data"]["valeurTraitee"], "ABC", "{words:?}: {envelope}");
    }
}

#[test]
fn arguments_come_from_a_file_or_from_standard_input() {
    let home = Home::new();
    let file = home.write("arguments.json", r#"{"expression": "6 * 7"}"#);
    let from_file = home.json(&["calculator", "--input", &format!("@{file}")]);
    assert_eq!(from_file["data"]["result"], "42");
    let done = home.run_with(&["calculator", "--input", "-", "--json"], r#"{"expression": "6 * 7"}"#);
    assert_eq!(done.success().json()["data"]["result"], "42");
}

#[test]
fn exit_codes_tell_what_went_wrong() {
    let home = Home::new();
    let check = |words: &[&str], code: i32| {
        let done = home.run(words);
        assert_eq!(done.code, code, "{words:?}: {done:?}");
        if code != 0 {
            assert_eq!(done.stdout, "", "nothing of a failure is on stdout: {words:?}");
            assert!(!done.stderr.trim().is_empty(), "{words:?} says nothing");
        }
    };
    let missing = home.text_path("absent");
    check(&["calculator", "1 + 1"], 0);
    check(&["calculator", "1 / 0"], 2);
    check(&["calculator"], 2);
    check(&["calculator", "1", "--nonsense"], 2);
    check(&["no-such-command"], 2);
    check(&["ping", "host", "127.0.0.1", "--count", "many"], 2);
    check(&["read", "file", &missing], 4);
    check(&["call", "no_such_tool"], 4);
    check(&["http", "request", "http://127.0.0.1:1/"], 5);
    check(&["check", "service", "ssh"], 1);
    check(&["calculator", "1", "--url", "http://127.0.0.1:1"], 5);
    check(&["admin", "revoke-token", "0123456789abcdef", "--no-input"], 8);
    check(&["config", "check"], 0);
}

#[test]
fn json_keeps_the_envelope_on_stdout_and_the_sentence_on_stderr() {
    let home = Home::new();
    let done = home.run(&["calculator", "1 / 0", "--json"]);
    let envelope = done.json();
    assert_eq!(
        (envelope["status"].as_str(), envelope["code"].as_str()),
        (Some("error"), Some("INVALID_ARGUMENT"))
    );
    let message = envelope["message"].as_str().unwrap();
    assert!(done.stderr.contains(message), "{done:?}");
    assert_eq!(done.stdout.lines().count(), 1, "one line in a pipe, never cut: {done:?}");
    let done = home.run(&["calculator", "1 + 1", "--json"]).success();
    assert_eq!(done.stderr, "", "a success says nothing besides its data");
}

#[test]
fn every_output_form_shows_the_same_result() {
    let home = Home::new();
    for (form, sign) in
        [("table", "42"), ("json", "\"42\""), ("ndjson", "\"42\""), ("markdown", "42"), ("html", "42")]
    {
        let done = home.run(&["calculator", "6 * 7", "-o", form]).success();
        assert!(done.stdout.contains(sign), "{form}: {done:?}");
        assert!(!done.stdout.contains('\u{1b}'), "{form} holds colours in a pipe: {done:?}");
    }
    let rows = home.run(&["disk", "usage", "-o", "ndjson"]).success();
    for line in rows.stdout.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).unwrap().is_object(), "{line}");
    }
}

#[test]
fn a_reader_that_leaves_ends_it_quietly_with_0() {
    let home = Home::new();
    let words = ["network", "interfaces", "--json"];
    for words in [&words[..], &["tools"], &["openapi"], &["--help"]] {
        let mut command = home.command(words);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The reader is gone before the first byte is written.
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "{words:?}");
    }
}

#[test]
fn control_sequences_of_foreign_text_do_not_reach_the_terminal() {
    let home = Home::new();
    let file = home.write("evil.txt", "\u{1b}[31mred\u{1b}]0;title\u{7}\n");
    for words in
        [&["read", "file", &file][..], &["read", "file", &file, "--color", "never", "-o", "markdown"]]
    {
        let done = home.run(words).success();
        assert!(done.stdout.contains("red") && !done.stdout.contains(['\u{1b}', '\u{7}']), "{done:?}");
    }
}

#[test]
fn every_tool_explains_itself() {
    let home = Home::new();
    let tools = home.json(&["tools"]);
    let tools = tools["data"]["tools"].as_array().unwrap();
    let names = |key: &'static str| tools.iter().map(move |tool| tool[key].as_str().unwrap().to_owned());
    let overview = home.run(&["--help"]).success().stdout;
    for word in ["serve", "mcp", "shell", "doctor", "config", "token", "completions", "call"] {
        assert!(overview.contains(word), "{word} is not in --help");
    }
    for (name, summary) in names("name").zip(names("summary")) {
        let help = home.run(&[&name, "--help"]).success().stdout;
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        assert!(words(&help).contains(&words(summary.trim_end_matches('.'))), "{name}: {help}");
    }
    let help = home.run(&["ping", "host", "--help"]).success().stdout;
    for word in ["--count", "default", "Usage", "HOST"] {
        assert!(help.contains(word), "{word}: {help}");
    }
}

#[test]
fn an_unknown_word_is_answered_with_the_nearest() {
    let home = Home::new();
    for (words, near) in
        [(&["calculater", "1"][..], "calculator"), (&["ping", "hots", "x"], "host"), (&["serv"], "serve")]
    {
        let done = home.run(words);
        assert!(done.stderr.contains(near), "{done:?}");
    }
    let done = home.run(&["ping", "host", "127.0.0.1", "--cuont", "1"]);
    assert!(done.stderr.contains("--count"), "{done:?}");
}

/// The candidates that a shell gets for the last of these words.
fn candidates(home: &Home, shell: &str, words: &[&str]) -> String {
    let index = words.len().to_string();
    let mut command = home.command(&[&["--", "gabier"], words].concat());
    command.envs([("COMPLETE", shell), ("_CLAP_COMPLETE_INDEX", index.as_str()), ("_CLAP_IFS", "\n")]);
    command.envs([("_CLAP_COMPLETE_TYPE", "9"), ("_CLAP_COMPLETE_SPACE", "true")]);
    Running::start(&mut command).finish(b"").success().stdout
}

#[test]
fn shells_complete_commands_flags_and_values() {
    let home = Home::new();
    let check = |shell: &str, words: &[&str], expected: &[&str]| {
        let found = candidates(&home, shell, words);
        for word in expected {
            assert!(found.contains(word), "{shell} {words:?}: {word} is not in {found}");
        }
    };
    check("bash", &["pi"], &["ping"]);
    check("bash", &["ping", ""], &["host"]);
    check("bash", &["ping", "host", "--"], &["--count", "--json"]);
    check("bash", &["system", "info", "--info-type", ""], &["cpu", "memory"]);
    check("bash", &["call", "calc"], &["calculator"]);
    check("zsh", &["process", "list", "--sort", ""], &["cpu", "memory"]);
    check("fish", &["system", ""], &["info", "health", "about"]);
}

#[test]
fn the_completion_scripts_are_what_their_shells_read() {
    let home = Home::new();
    let bash = home.run(&["completions", "bash"]).success().stdout;
    let file = home.write("completion.bash", &bash);
    assert!(program("bash").args(["-n", &file]).status().unwrap().success(), "{bash}");
    for shell in ["zsh", "fish"] {
        assert!(home.run(&["completions", shell]).success().stdout.contains("gabier"), "{shell}");
    }
}

#[test]
fn man_pages_are_written_for_every_command() {
    let home = Home::new();
    home.run(&["man", "--dir", &home.text_path("man")]).success();
    let pages: Vec<String> = std::fs::read_dir(home.path("man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for page in ["gabier.1", "gabier-serve.1", "gabier-ping-host.1", "gabier-config-show.1"] {
        assert!(pages.iter().any(|own| own == page), "{page} is not among {pages:?}");
    }
    let text = std::fs::read_to_string(home.path("man/gabier-ping-host.1")).unwrap();
    assert!(text.starts_with('.') && text.contains("count") && !text.contains("**"), "{text}");
}

#[test]
fn version_tools_and_openapi_print_facts() {
    let home = Home::new();
    assert_eq!(home.json(&["version"])["data"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(home.run(&["version", "--licenses"]).success().stdout.contains("MIT"));
    assert!(home.run(&["--version"]).success().stdout.contains(env!("CARGO_PKG_VERSION")));
    let hash = home.json(&["tools", "--hash"])["data"]["sha256"].clone();
    assert_eq!(hash.as_str().map(str::len), Some(64));
    assert_eq!(hash, home.json(&["tools", "--hash"])["data"]["sha256"], "the same in every run");
    let tokens = home.json(&["tools", "--tokens"]);
    assert!(tokens["data"]["total"].as_u64().is_some_and(|total| total > 500), "{tokens}");
    // Without any token the served page asks for none; the printed one is that of a server with tokens.
    mint(&home, "any", &["read"]);
    let printed = home.run(&["openapi"]).success().json();
    let server = home.serve(&[]);
    assert_eq!(server.get("/openapi.json").json(), printed, "the page and the command say the same");
}

#[test]
fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    let home = Home::new();
    let plan = home.json(&["admin", "create-token", "planned", "--dry-run"]);
    assert_eq!(plan["data"]["dry_run"], true, "{plan}");
    assert_eq!(home.call("admin_list_tokens", &json!({}))["data"]["count"], 0);
}

#[test]
fn the_first_administrator_is_minted_once() {
    let home = Home::new();
    let made = home.json(&["admin", "init"]);
    assert!(made["data"]["token"].as_str().is_some_and(|token| token.starts_with("gabier_adm_")), "{made}");
    assert_eq!(home.run(&["admin", "init"]).code, 8);
    assert_eq!(home.run(&["admin", "recover", "--revoke-all"]).code, 8, "it asks for --yes");
    let again = home.json(&["admin", "recover", "--revoke-all", "--yes"]);
    assert_eq!(again["data"]["revoked"], 1, "{again}");
}

#[test]
fn doctor_looks_at_a_fresh_home_and_finds_it_sound() {
    let home = Home::new();
    let report = home.json(&["doctor"]);
    let findings = report["data"]["findings"].as_array().unwrap();
    for subject in ["configuration", "data directory", "store", "port", "clock"] {
        assert!(findings.iter().any(|finding| finding["subject"] == subject), "{subject}: {report}");
    }
    assert_eq!(report["data"]["ok"], true, "{report}");
}
