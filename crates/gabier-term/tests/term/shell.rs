//! The shell on piped input.

use std::sync::Arc;

use gabier_term::{Backend, Globals, Shell};
use serde_json::{Value, json};

use crate::fixture::{Fake, cli, terminal};

/// Lines in; exit code, stdout, stderr and the calls that were made out.
async fn run(lines: &str) -> (u8, String, String, Value) {
    let (terminal, captured) = terminal(lines, &[("PASS", "secret")]);
    let fake = Arc::new(Fake::default());
    let backend: Arc<dyn Backend> = Arc::clone(&fake) as _;
    let code = Shell::new(&cli(), &terminal, &backend, &Globals::default()).selects("host").run().await;
    let calls = fake.calls.lock().unwrap().iter().map(|(name, arguments)| json!([name, arguments])).collect();
    (code, captured.out(), captured.err(), calls)
}

#[tokio::test]
async fn every_tool_is_a_command_and_the_last_exit_code_is_the_shells() {
    let (code, out, err, calls) = run("# a comment\n\nping host a --count 2\ncalculator '1 + 1'\n").await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        calls,
        json!([["ping_host", {"host": "a", "count": 2}], ["calculator", {"expression": "1 + 1"}]])
    );
    assert_eq!(out, "host   a\ncount  2\nexpression  1 + 1\n");
    assert_eq!(run("calculator 1\ncall nope\n").await.0, 4);
    assert_eq!(run("call nope\ncalculator 1").await.0, 0);
}

#[tokio::test]
async fn nothing_after_exit_is_run() {
    for word in ["exit", "quit", "q"] {
        assert_eq!(run(&format!("{word}\nping host a\n")).await.3, json!([]));
    }
}

#[tokio::test]
async fn json_is_a_flag_only_as_a_whole_word() {
    let (_, out, _, calls) = run("calculator 'x --json y'\ncalculator 1 --json\n").await;
    assert_eq!(calls[0][1], json!({"expression": "x --json y"}));
    assert!(out.ends_with("{\"status\":\"ok\",\"data\":{\"expression\":\"1\"}}\n"), "{out}");
    let (code, _, err, _) = run("calculator 1 --jso\n").await;
    assert!(code == 2 && err.contains("--json"), "{err}");
}

#[tokio::test]
async fn an_open_quote_waits_for_its_end() {
    assert_eq!(run("calculator '1\n+1'\n").await.3, json!([["calculator", {"expression": "1\n+1"}]]));
    let (code, _, err, calls) = run("calculator '1\n").await;
    assert_eq!((code, calls), (2, json!([])));
    assert!(err.contains("a quote is not closed"), "{err}");
}

#[tokio::test]
async fn an_unknown_word_is_answered_with_the_nearest_and_the_shell_goes_on() {
    let (code, _, err, calls) = run("pign host a\ncalculatr 1\nserve\nshell\ncalculator 1\n").await;
    assert_eq!((code, calls.as_array().map(Vec::len)), (0, Some(1)));
    assert!(err.contains("\"pign\"\nnext: did you mean ping") && err.contains("calculator"), "{err}");
}

#[tokio::test]
async fn use_fills_the_host_that_a_line_does_not_name() {
    let (_, _, _, calls) = run("use web1\nping host\nping host b\nuse\nping host\n").await;
    assert_eq!(calls, json!([["ping_host", {"host": "web1"}], ["ping_host", {"host": "b"}]]));
}

#[tokio::test]
async fn after_use_a_line_may_begin_with_the_word_behind_the_host() {
    let (_, _, _, calls) = run("use web1\ntask exec uptime\ntask exec b uptime\n").await;
    let ran = |alias: &str| json!(["task_exec", {"alias": alias, "cmd": "uptime"}]);
    assert_eq!(calls, json!([ran("web1"), ran("b")]));
}

#[tokio::test]
async fn help_lists_and_explains() {
    let (_, out, _, _) = run("help\n").await;
    assert!(out.contains("ping host") && out.contains("Does ping_host.") && out.contains("clear"), "{out}");
    let (_, out, _, _) = run("help ping host\n").await;
    assert!(out.contains("<HOST>") && out.contains("[default: 4]"), "{out}");
    assert_eq!(run("help quit\n").await.1, "Leave\n");
}

#[tokio::test]
async fn no_parameter_reads_the_shells_own_lines() {
    let (code, _, err, calls) = run("calculator -\n").await;
    assert_eq!((code, calls), (2, json!([])));
    assert!(err.contains("the shell reads it"), "{err}");
    assert_eq!(run("server add a b --password env:PASS\n").await.3[0][1]["password"], "secret");
}
