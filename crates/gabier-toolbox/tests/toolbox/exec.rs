//! Commands through the dispatch, on hosts that answer as they are told.

use std::sync::Arc;
use std::time::Duration;

use gabier_host::{Command, End, Execution, Output, Stopped};
use gabier_tool::{Envelope, ErrorKind};
use gabier_toolbox::Services;
use gabier_toolbox::testing::{FakeHost, os_user, services_over, token_bearer};
use serde_json::{Value, json};

use crate::{call, code, data};

async fn over(hosts: &[&FakeHost]) -> Arc<Services> {
    let hosts: Vec<FakeHost> = hosts.iter().map(|host| (*host).clone()).collect();
    Arc::new(services_over(&hosts).await)
}

async fn exec(services: &Arc<Services>, tool: &str, arguments: Value) -> (String, Value) {
    let envelope = call(services, os_user(), tool, arguments).await;
    (code(&envelope), envelope.to_value())
}

fn timed_out() -> Execution {
    let (stdout, stderr) = (Output::whole("half\n"), Output::default());
    let end = End::TimedOut { limit: Duration::from_secs(3), stopped: Stopped::Verified };
    Execution { end, stdout, stderr, duration: Duration::from_secs(3), notes: Vec::new(), prompt: None }
}

#[tokio::test]
async fn another_exit_code_than_zero_is_a_result_with_a_warning() {
    let host = FakeHost::named("web1").ending("grep", 1, "", "nothing\n");
    let (status, envelope) =
        exec(&over(&[&host]).await, "task_exec", json!({"alias": "web1", "cmd": "grep x"})).await;
    assert_eq!((status.as_str(), &envelope["data"]["exit_code"]), ("warning", &json!(1)));
    assert_eq!((&envelope["data"]["stdout"], &envelope["data"]["stderr"]), (&json!(""), &json!("nothing\n")));
    assert_eq!(envelope["message"], "the command ended with exit code 1");
}

#[tokio::test]
async fn a_command_out_of_time_is_a_failure_that_keeps_its_output() {
    let host = FakeHost::named("web1").with("sleep", |_| Ok(timed_out()));
    let (code, envelope) =
        exec(&over(&[&host]).await, "task_exec", json!({"alias": "web1", "cmd": "sleep 9"})).await;
    assert_eq!(code, "COMMAND_TIMEOUT");
    assert_eq!(
        (&envelope["details"]["stopped"], &envelope["details"]["stdout"]),
        (&json!("verified"), &json!("half\n"))
    );
}

#[tokio::test]
async fn a_failure_before_the_first_command_was_sent_says_that_nothing_was_begun() {
    let host = FakeHost::named("web1")
        .answering("good", "1\n")
        .failing("away", ErrorKind::Unavailable)
        .with("sleep", |_| Ok(timed_out()));
    let services = over(&[&host]).await;
    let is_untouched = async |tool: &str, rest: Value| {
        let mut arguments = rest;
        arguments["alias"] = "web1".into();
        match call(&services, os_user(), tool, arguments).await {
            Envelope::Failure { error, .. } => error.is_untouched(),
            Envelope::Success { .. } => panic!("{tool} succeeds"),
        }
    };
    assert!(is_untouched("task_exec", json!({"cmd": "away"})).await);
    assert!(is_untouched("task_exec_interactive", json!({"cmd": "away"})).await);
    assert!(is_untouched("task_exec_sequence", json!({"commands": ["away", "good"]})).await);
    assert!(!is_untouched("task_exec", json!({"cmd": "sleep 9"})).await);
    assert!(!is_untouched("task_exec_interactive", json!({"cmd": "sleep 9"})).await);
    assert!(!is_untouched("task_exec_sequence", json!({"commands": ["good", "away"]})).await);
}

#[tokio::test]
async fn what_is_no_text_is_given_as_it_was_beside_its_escaped_form() {
    let bytes = |_: &Command| {
        let (stdout, stderr) = (Output::whole(b"\xff\n".as_slice()), Output::whole("\u{e9}\n"));
        let end = End::Exited(0);
        Ok(Execution { end, stdout, stderr, duration: Duration::ZERO, notes: Vec::new(), prompt: None })
    };
    let services = over(&[&FakeHost::named("web1").with("raw", bytes)]).await;
    for (tool, arguments, at) in [
        ("task_exec", json!({"alias": "web1", "cmd": "raw"}), "/data"),
        ("task_exec_interactive", json!({"alias": "web1", "cmd": "raw"}), "/data"),
        ("task_exec_sequence", json!({"alias": "web1", "commands": ["raw"]}), "/data/results/0"),
    ] {
        let (_, envelope) = exec(&services, tool, arguments).await;
        let found = envelope.pointer(at).unwrap();
        assert_eq!(
            (&found["stdout"], &found["stdout_base64"]),
            (&json!("\\xff\n"), &json!("/wo=")),
            "{tool}"
        );
        assert_eq!((&found["stderr"], found.get("stderr_base64")), (&json!("\u{e9}\n"), None), "{tool}");
    }
}

#[tokio::test]
async fn what_would_never_end_runs_as_given_and_is_answered_with_advice() {
    let host = FakeHost::named("web1").answering("tail -f", "line\n");
    let services = over(&[&host]).await;
    let (_, envelope) = exec(&services, "task_exec", json!({"alias": "web1", "cmd": "tail -f /x"})).await;
    assert!(envelope["data"]["notes"][0].as_str().unwrap().contains("tail_file"), "{envelope}");
    assert_eq!(host.asked(), ["tail -f /x"]);
}

#[tokio::test]
async fn results_of_many_hosts_are_put_together() {
    let hosts = ["a", "b", "c", "d"].map(FakeHost::named);
    let [a, b, c, d] = hosts;
    let (a, b, c) = (a.answering("up", "1\n"), b.answering("up", "1\n"), c.ending("up", 2, "9\n", ""));
    let d = d.failing("up", ErrorKind::ConnectionFailed);
    let services = over(&[&a, &b, &c, &d]).await;
    let (status, envelope) =
        exec(&services, "task_exec", json!({"alias": ["a", "b", "c", "d"], "cmd": "up"})).await;
    assert_eq!(
        (status.as_str(), &envelope["message"]),
        ("warning", &json!("2 identical · 1 differ · 1 failed"))
    );
    let data = &envelope["data"];
    assert_eq!((&data["targets"], &data["identical"], &data["failed"]), (&json!(4), &json!(2), &json!(1)));
    let groups: Vec<&Value> =
        data["groups"].as_array().unwrap().iter().map(|group| &group["aliases"]).collect();
    assert_eq!(groups, [&json!(["a", "b"]), &json!(["c"]), &json!(["d"])]);
    assert_eq!(data["groups"][1]["diff"], "exit code 2 instead of 0\n-1\n+9");
    assert_eq!(data["groups"][2]["code"], "CONNECTION_FAILED");
    let (status, envelope) = exec(&services, "task_exec", json!({"alias": "a,b", "cmd": "up"})).await;
    assert_eq!((status.as_str(), &envelope["message"]), ("ok", &json!("2 identical")));
}

#[tokio::test]
async fn after_too_many_failures_no_further_host_is_begun() {
    let hosts = ["a", "b", "c"].map(|name| FakeHost::named(name).failing("up", ErrorKind::ConnectionFailed));
    let services = over(&hosts.each_ref()).await;
    let arguments = json!({"alias": "all", "cmd": "up", "max_parallel": 1, "max_failures": 1});
    let (_, envelope) = exec(&services, "task_exec", arguments).await;
    let codes: Vec<&Value> =
        envelope["data"]["groups"].as_array().unwrap().iter().map(|group| &group["code"]).collect();
    assert_eq!(codes, ["CONNECTION_FAILED", "CANCELLED"], "{envelope}");
    assert!(hosts[2].asked().is_empty());
}

#[tokio::test]
async fn who_may_use_one_host_reaches_no_other_by_any_name() {
    let (web1, db1) =
        (FakeHost::named("web1").answering("id", "x"), FakeHost::named("db1").answering("id", "x"));
    let services = over(&[&web1, &db1]).await;
    let run = async |alias: &str, tool: &str, key: &str, value: Value| {
        let mut arguments = json!({"alias": alias});
        arguments[key] = value;
        call(&services, token_bearer(&["host:web1"]), tool, arguments).await
    };
    let all = run("all", "task_exec", "cmd", json!("id")).await;
    assert_eq!(data(&all)["alias"], "web1", "all means the hosts of the caller");
    for alias in ["db1", "web1,db1", "nowhere"] {
        assert_eq!(code(&run(alias, "task_exec", "cmd", json!("id")).await), "FORBIDDEN", "{alias}");
        assert_eq!(
            code(&run(alias, "task_exec_interactive", "cmd", json!("id")).await),
            "FORBIDDEN",
            "{alias}"
        );
        assert_eq!(
            code(&run(alias, "task_exec_sequence", "commands", json!(["id"])).await),
            "FORBIDDEN",
            "{alias}"
        );
    }
    assert!(db1.asked().is_empty(), "{:?}", db1.asked());
}

#[tokio::test]
async fn a_dry_run_shows_targets_and_the_very_bytes_and_runs_nothing() {
    let host = FakeHost::named("web1");
    let services = over(&[&host]).await;
    let cmd = "rm -rf '/tmp/x y' && echo \"$HOME\"";
    for (tool, key, value) in [
        ("task_exec", "cmd", json!(cmd)),
        ("task_exec_interactive", "cmd", json!(cmd)),
        ("task_exec_sequence", "commands", json!([{"command": cmd}])),
    ] {
        let mut arguments = json!({"alias": "web1", "dry_run": true});
        arguments[key] = value;
        let (_, envelope) = exec(&services, tool, arguments).await;
        let data = &envelope["data"];
        assert_eq!((&data["steps"], &data["targets"]), (&json!([cmd]), &json!(["web1"])), "{tool}");
        assert_eq!(data["decision"], "allow", "{tool}");
    }
    assert!(host.asked().is_empty());
}

#[tokio::test]
async fn a_sequence_stops_at_the_first_failure_unless_told_otherwise() {
    let host = FakeHost::named("web1").answering("a", "1\n").ending("b", 4, "", "no\n").answering("c", "3\n");
    let services = over(&[&host]).await;
    let run = async |commands: Value, goes_on: bool| {
        let arguments = json!({"alias": "web1", "commands": commands, "continueOnError": goes_on});
        exec(&services, "task_exec_sequence", arguments).await
    };
    let (status, envelope) = run(json!(["a", "b", "c"]), false).await;
    assert_eq!(
        (status.as_str(), &envelope["message"]),
        ("warning", &json!("step 2 of 3: it ended with exit code 4; 1 not run"))
    );
    let results = envelope["data"]["results"].as_array().unwrap();
    assert_eq!(
        (results.len(), &results[1]["stderr"], &results[1]["success"]),
        (2, &json!("no\n"), &json!(false))
    );
    assert_eq!((&envelope["data"]["exit_code"], &envelope["data"]["total"]), (&json!(4), &json!(3)));
    assert_eq!(run(json!(["a", "b", "c"]), true).await.1["data"]["results"][2]["stdout"], "3\n");
    let ruled = json!(["a", {"command": "b", "continueOnError": true}, "c"]);
    assert_eq!(run(ruled, false).await.1["data"]["results"].as_array().unwrap().len(), 3);
    assert_eq!(run(json!(["a", "c"]), false).await.0, "ok");
}

#[tokio::test]
async fn a_step_out_of_time_fails_the_sequence_and_keeps_what_was_done() {
    let host = FakeHost::named("web1").answering("a", "1\n").with("slow", |_| Ok(timed_out()));
    let services = over(&[&host]).await;
    let arguments = json!({"alias": "web1", "commands": ["a", "slow", "a"]});
    let (code, envelope) = exec(&services, "task_exec_sequence", arguments).await;
    assert_eq!((code.as_str(), &envelope["details"]["not_run"]), ("COMMAND_TIMEOUT", &json!(1)));
    assert_eq!(envelope["details"]["results"][0]["stdout"], "1\n");
}

#[tokio::test]
async fn what_no_shell_can_be_told_is_refused_before_anything_runs() {
    let host = FakeHost::named("web1");
    let services = over(&[&host]).await;
    for (tool, arguments) in [
        ("task_exec", json!({"alias": "web1", "cmd": "a\u{0}b"})),
        ("task_exec", json!({"alias": "", "cmd": "a"})),
        ("task_exec", json!({"alias": "web1", "cmd": ""})),
        ("task_exec_sequence", json!({"alias": "web1", "commands": ["true", "a\u{0}b"]})),
        ("task_exec_sequence", json!({"alias": "web1", "commands": []})),
        ("task_exec_interactive", json!({"alias": "web1", "cmd": "a", "responses": {"/(/": "x"}})),
        ("task_exec_interactive", json!({"alias": "web1", "cmd": "a", "responses": {"x": {"secret": "-"}}})),
    ] {
        assert_eq!(
            exec(&services, tool, arguments.clone()).await.0,
            "INVALID_ARGUMENT",
            "{tool} {arguments}"
        );
    }
    assert!(host.asked().is_empty());
}
