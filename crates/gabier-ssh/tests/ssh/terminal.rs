//! Commands on a terminal and their questions.

use std::time::Duration;

use gabier_host::{Answer, Command, End, Prompts, Response, Stopped};
use gabier_tool::Secret;

use crate::fleet::Fleet;
use crate::sshd::Sshd;

const ASKS: &str = r#"printf 'Continue? [y/N] '; read a; printf 'Name: '; read n; echo "<$a $n>"; exit 4"#;

fn secret(pattern: &str, value: &str) -> Response {
    Response::once(pattern, Answer::Secret(Secret::from(value.to_owned()))).unwrap()
}

#[tokio::test]
async fn questions_are_answered_and_the_real_exit_code_told() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let name = Response::once("name:", Answer::Text("bob".into())).unwrap();
    let command = Command::new(ASKS).within(Duration::from_secs(20));
    let ran = host.interact(command, Prompts::new(vec![name], true)).await.unwrap();
    assert_eq!(ran.end, End::Exited(4), "{ran:?}");
    assert!(ran.stdout.text().contains("<y bob>\n"), "{}", ran.stdout.text());
    assert!(!ran.stdout.text().contains('\r'));
    assert_eq!(server.logins(), 1, "a terminal has a connection of its own");
}

#[tokio::test]
async fn a_question_nobody_answers_is_named_when_the_time_is_up() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let command = Command::new(ASKS).within(Duration::from_secs(2));
    let ran = host.interact(command, Prompts::new(Vec::new(), false)).await.unwrap();
    assert_eq!((ran.prompt.as_deref(), ran.stopped()), (Some("Continue? [y/N]"), Some(Stopped::Verified)));
    assert_eq!(ran.check("web1").unwrap_err().details()["prompt"], "Continue? [y/N]");
}

#[tokio::test]
async fn a_password_is_typed_once_and_seen_nowhere() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    // The echo stays on, so that a careless program would show the password twice.
    let script = r#"printf 'Password: '; read p; [ "$p" = hunter22 ] && echo "right $p""#;
    let command = Command::new(script).within(Duration::from_secs(20));
    let ran = host.interact(command, Prompts::new(vec![secret("password", "hunter22")], true)).await.unwrap();
    assert_eq!(ran.end, End::Exited(0), "{ran:?}");
    assert!(ran.stdout.text().contains("right [REDACTED]") && !ran.stdout.text().contains("hunter22"));
}

#[tokio::test]
async fn a_password_question_without_a_password_or_asked_again_stops_the_command() {
    let server = Sshd::new().start();
    let fleet = Fleet::new();
    let host = fleet.add("web1", &server).await;
    let script = "while :; do printf 'Password: '; read p; echo; echo Sorry; done";
    for responses in [Vec::new(), vec![secret("password", "hunter22")]] {
        let count = responses.len();
        let command = Command::new(script).within(Duration::from_secs(20));
        let ran = host.interact(command, Prompts::new(responses, true)).await.unwrap();
        let End::Unanswered { reason, stopped } = &ran.end else { panic!("{ran:?}") };
        assert_eq!((*stopped, ran.prompt.as_deref()), (Stopped::Verified, Some("Password:")));
        assert_eq!(reason.contains("refused"), count == 1, "{reason}");
        assert!(ran.stdout.text().matches("Sorry").count() == count);
    }
}
