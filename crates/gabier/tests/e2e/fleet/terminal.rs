//! Questions of commands, answered by the rules and by nothing else.

use serde_json::{Value, json};

use super::home_with;
use crate::sshd::Sshd;

#[test]
fn questions_are_answered_by_responses_and_rules_and_a_password_only_when_supplied() {
    let sshd = Sshd::new().start();
    let home = home_with(&[("web1", &sshd)]);
    let run = |cmd: &str, rest: Value| {
        let mut arguments = json!({"alias": "web1", "cmd": cmd, "timeout": 20});
        arguments.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        home.call("task_exec_interactive", &arguments)
    };
    let asks = r#"printf 'Continue? [y/N] '; read a; printf 'Your name: '; read b; echo "<$a $b>"; exit 4"#;
    let answered = run(asks, json!({"responses": {"/name:$/": "bob"}}));
    assert_eq!(
        (&answered["status"], &answered["data"]["exit_code"]),
        (&json!("warning"), &json!(4)),
        "{answered}"
    );
    assert!(answered["data"]["stdout"].as_str().unwrap().contains("<y bob>\n"), "{answered}");
    assert_eq!(answered["data"]["type"], "ssh_interactive");

    let silent = run(asks, json!({"auto_respond": false, "timeout": 2}));
    assert_eq!(
        (&silent["code"], &silent["details"]["prompt"]),
        (&json!("COMMAND_TIMEOUT"), &json!("Continue? [y/N]")),
        "{silent}"
    );

    let secret = "stty -echo; printf 'Password: '; read p; [ \"$p\" = \"hunter2 hunter2\" ] && echo right";
    let refused = run(secret, json!({}));
    assert_eq!(
        (&refused["code"], &refused["details"]["stopped"]),
        (&json!("COMMAND_TIMEOUT"), &json!("verified")),
        "{refused}"
    );
    home.run_with(&["vault", "set", "sudo/web1"], "hunter2 hunter2").success();
    let right = run(secret, json!({"responses": {"password": {"secret": "sudo/web1"}}}));
    assert!(right["data"]["stdout"].as_str().unwrap().contains("right"), "{right}");
    let missing = run(secret, json!({"responses": {"password": {"secret": "none"}}}));
    assert_eq!(missing["code"], "NOT_FOUND", "{missing}");
}
