//! From words to calls.

use serde_json::{Value, json};

use crate::fixture::{Fake, argv, cli, run, run_on, terminal};

/// Words in; the call that was made out, or what stands on stderr.
async fn check(words: &[&str], expected: Value) {
    let fake = Fake::default();
    let (code, _, err) = run(&fake, words).await;
    let calls = fake.calls.lock().unwrap();
    match calls.first() {
        Some((name, arguments)) => assert_eq!(json!([name, arguments]), expected, "{words:?}"),
        None => assert_eq!(json!([code, err.trim_end()]), expected, "{words:?}"),
    }
}

#[tokio::test]
async fn a_tool_is_reached_by_group_and_verb_flat_name_wire_name_alias_and_call() {
    for words in [
        &["ping", "host", "a"][..],
        &["ping-host", "a"],
        &["ping_host", "--host", "a"],
        &["call", "ping_host", "--input", r#"{"host":"a"}"#],
        &["ping", "host", "--input", r#"{"host":"a"}"#],
        &["--input", r#"{"host":"a"}"#, "ping", "host"],
    ] {
        check(words, json!(["ping_host", {"host": "a"}])).await;
    }
    check(&["addServer", "a", "b"], json!(["server_add", {"alias": "a", "host": "b"}])).await;
    check(&["calculator", "1+1"], json!(["calculator", {"expression": "1+1"}])).await;
    check(&["calculator", "--", "-1+1"], json!(["calculator", {"expression": "-1+1"}])).await;
}

#[tokio::test]
async fn words_become_typed_arguments_and_defaults_are_never_sent() {
    check(&["ping", "host", "a", "-c", "3"], json!(["ping_host", {"host": "a", "count": 3}])).await;
    check(
        &["port", "scan", "a", "--ports", "22,80", "--ports=443", "--env", "A=1=2", "--files", r"local=a\,b,remote=c"],
        json!(["port_scan", {
            "host": "a", "ports": [22, 80, 443], "env": {"A": "1=2"}, "files": [{"local": "a,b", "remote": "c"}]}]),
    )
    .await;
    check(
        &["server", "add", "a", "b", "--retry-max", "3", "--auth", "key", "--auth-path", "p", "--groups", "x,y"],
        json!(["server_add", {
            "alias": "a", "host": "b", "groups": ["x,y"], "retry": {"max": 3}, "auth": {"kind": "key", "path": "p"}}]),
    )
    .await;
    check(
        &["server", "add", "a", "b", "--keyPath", "k", "--dry-run"],
        json!(["server_add", {"alias": "a", "host": "b", "key_path": "k", "dry_run": true}]),
    )
    .await;
    check(&["port", "scan", "--target", "a"], json!(["port_scan", {"host": "a"}])).await;
    check(
        &["ping", "host", "--count", "-1", "--input", r#"{"host":"a","count":9}"#],
        json!(["ping_host", {"host": "a", "count": -1}]),
    )
    .await;
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_named_by_its_flag_with_exit_2() {
    check(
        &["server", "add", "--no-input"],
        json!([
            2,
            "error: --alias: is required\nerror: --host: is required\nnext: --help shows every parameter"
        ]),
    )
    .await;
    check(&["ping", "host", "a", "--count", "x"], json!([2, "error: --count: must be a number"])).await;
    check(&["ping", "host", "a", "--host", "b"], json!([2, "error: --host: is given twice"])).await;
    check(&["ping", "host", "a", "--input", "[1]"], json!([2, "error: --input: must be a JSON object"]))
        .await;
    let (code, out, err) = run(&Fake::default(), &["ping", "host", "a", "--cuont", "3"]).await;
    assert!(code == 2 && out.is_empty() && err.contains("--count"), "{err}");
    let (code, out, err) = run(&Fake::default(), &["pign"]).await;
    assert!(code == 2 && out.is_empty() && err.contains("'ping'"), "{err}");
    let (code, out, err) = run(&Fake::default(), &["port", "scan", "a", "--sort", "size"]).await;
    assert!(code == 2 && out.is_empty() && err.contains("cpu, name"), "{err}");
}

#[tokio::test]
async fn a_usage_error_in_json_is_an_envelope_on_stdout() {
    for words in [&["ping", "host", "-j"][..], &["ping", "host", "a", "--nope", "-o", "json"]] {
        let (code, out, err) = run(&Fake::default(), words).await;
        let envelope: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &envelope["code"]), (2, &json!("INVALID_ARGUMENT")));
        assert!(err.starts_with("error: "), "{err}");
    }
}

#[tokio::test]
async fn destroying_needs_yes_where_nobody_can_be_asked() {
    let fake = Fake::default();
    let (code, out, err) = run(&fake, &["server", "remove", "a"]).await;
    assert_eq!((code, out.as_str()), (8, ""));
    assert!(err.contains("--yes"), "{err}");
    assert!(fake.calls.lock().unwrap().is_empty());
    check(&["server", "remove", "a", "--yes"], json!(["server_remove", {"alias": "a"}])).await;
    check(&["server", "remove", "a", "--dry-run"], json!(["server_remove", {"alias": "a", "dry_run": true}]))
        .await;
}

#[tokio::test]
async fn secrets_come_from_sources_and_a_literal_is_refused_without_its_echo() {
    check(
        &["server", "add", "a", "b", "--password", "env:PASS"],
        json!(["server_add", {"alias": "a", "host": "b", "password": "from the environment"}]),
    )
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "from a file\n").unwrap();
    check(
        &["server", "add", "a", "b", "--password", &format!("file:{}", path.display())],
        json!(["server_add", {"alias": "a", "host": "b", "password": "from a file"}]),
    )
    .await;
    let (code, _, err) = run(&Fake::default(), &["server", "add", "a", "b", "--password", "hunter22"]).await;
    assert!(code == 2 && err.contains("env:NAME") && !err.contains("hunter22"), "{err}");
    let (code, _, err) = run(&Fake::default(), &["server", "add", "a", "b", "--password", "prompt"]).await;
    assert!(code == 2 && err.contains("nobody can be asked"), "{err}");
}

#[tokio::test]
async fn standard_input_has_one_reader() {
    let fake = Fake::default();
    let (own, _) = terminal("1+1", &[]);
    assert_eq!(run_on(&own, &fake, &["calculator", "-"]).await, 0);
    assert_eq!(fake.calls.lock().unwrap()[0].1, json!({"expression": "1+1"}));
    let (own, captured) = terminal("{}", &[]);
    assert_eq!(run_on(&own, &fake, &["server", "add", "a", "b", "--password", "-", "--input", "-"]).await, 2);
    assert!(captured.err().contains("password reads it"));
}

#[tokio::test]
async fn the_programs_own_commands_win_over_groups_of_their_name() {
    assert_eq!(run(&Fake::default(), &["serve"]).await.1, "command serve\n");
    assert_eq!(run(&Fake::default(), &["config", "show"]).await.1, "command config\n");
    assert_eq!(run(&Fake::default(), &["shell"]).await.1, "shell\n");
}

#[tokio::test]
async fn help_names_parameters_defaults_and_examples() {
    let (code, out, _) = run(&Fake::default(), &["ping", "host", "--help"]).await;
    assert_eq!(code, 0);
    for part in [
        "Usage: gab ping host [OPTIONS] <HOST>",
        "-c, --count <COUNT>",
        "[default: 4]",
        "gab ping host example.org --count 2",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
    let (_, out, _) = run(&Fake::default(), &["server", "add", "-h"]).await;
    for part in [
        "(with --auth key)",
        "Options of --retry: What to do when it fails",
        "<SOURCE>",
        "Options of every call",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
    assert!(!out.contains("--data-dir"), "rare flags are in the long help");
    let (_, out, _) = run(&Fake::default(), &["--help"]).await;
    assert!(out.contains("server") && out.contains("serve") && !out.contains("ping-host"), "{out}");
    assert_eq!(run(&Fake::default(), &["--version"]).await.1, "gab 1.2.3\n");
}

#[tokio::test]
async fn the_servers_own_failures_keep_their_code_and_next_step() {
    let (code, out, err) = run(&Fake::default(), &["call", "nope"]).await;
    assert_eq!((code, out.as_str()), (4, ""));
    assert_eq!(err, "error: there is no tool \"nope\"\nnext: call ping_host\n");
    let (_, out, err) = run(&Fake::default(), &["call", "nope", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["code"], "NOT_FOUND");
    assert!(err.starts_with("error: there is no tool"));
}

#[tokio::test]
async fn control_c_cancels_the_call_and_a_second_one_leaves() {
    let (own, captured) = terminal("", &[]);
    captured.interrupt();
    assert_eq!(run_on(&own, &Fake::default(), &["shell", "create"]).await, 130);
    let err = captured.err();
    assert!(err.contains("waiting") && err.contains("stopping") && err.contains("it was cancelled"), "{err}");
}

#[test]
fn the_tree_is_sound() {
    cli().tree().debug_assert();
    assert!(!argv(&[]).is_empty());
}
