//! What an app may add besides its tools, seen from outside.

use serde_json::{Value, json};

use crate::program::{Program, request};

const LETTERS: &str = env!("CARGO_BIN_EXE_hello-letters");

fn data(program: &Program, words: &[&str]) -> Value {
    let output = program.run(words);
    let envelope: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(envelope["status"], "ok", "{output:?}");
    envelope["data"].clone()
}

#[test]
fn a_command_of_the_app_runs_with_its_arguments_and_is_in_the_help() {
    let program = Program::new(LETTERS);
    assert_eq!(data(&program, &["people", "--json"]), json!({"people": ["ada", "grace"]}));
    assert_eq!(data(&program, &["people", "London", "--json"]), json!({"people": ["ada"]}));
    let text = |words: &[&str]| String::from_utf8(program.run(words).stdout).unwrap();
    assert!(text(&["--help"]).contains("List whom letters may go to"), "{}", text(&["--help"]));
    assert!(text(&["people", "--help"]).contains("Only those who live there"));
    let wrong = program.run(&["people", "London", "Paris"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    // It is no tool: nobody calls it from afar.
    let (_server, address) = program.serve();
    assert_eq!(request(&address, "POST /api/v1/tools/people", "{}").0, 404);
}

#[test]
fn a_part_of_the_app_decides_whether_the_server_is_ready() {
    let program = Program::new(LETTERS);
    let (_server, address) = program.serve();
    let ready = || {
        let (status, body) = request(&address, "GET /ready", "");
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    let (status, empty) = ready();
    assert_eq!((status, &empty["ready"]), (200, &json!(true)), "{empty}");
    let health = |status: &str, words: &[&str]| {
        let output = program.run(words);
        let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(envelope["services"]["letter box"]["status"], status, "{output:?}");
    };
    health("ok", &["system", "health", "--json"]);
    std::fs::write(program.home().join("full"), "").unwrap();
    let (status, full) = ready();
    assert_eq!((status, &full["ready"]), (503, &json!(false)), "{full}");
    health("error", &["system", "health", "--json"]);
}

#[test]
fn live_values_of_the_app_are_completed_with_their_help() {
    let program = Program::new(LETTERS);
    let candidates = |shell: &str, words: &[&str]| {
        let mut command = program.command(&[&["--", "hello-letters"], words].concat());
        command.envs([
            ("COMPLETE", shell),
            ("_CLAP_COMPLETE_INDEX", &words.len().to_string()),
            ("_CLAP_IFS", "\n"),
        ]);
        command.envs([("_CLAP_COMPLETE_TYPE", "9"), ("_CLAP_COMPLETE_SPACE", "true")]);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert_eq!(candidates("fish", &["letter", "begin", "a"]).trim(), "ada\tin London");
    let all = candidates("bash", &["letter-begin", "--person", ""]);
    assert!(all.contains("ada") && all.contains("grace"), "{all}");
    assert!(candidates("bash", &["peo"]).contains("people"));
}

#[test]
fn use_in_the_shell_chooses_what_the_app_names() {
    let program = Program::new(LETTERS);
    let lines = "use ada\nletter begin\nletter begin grace\nuse\nletter begin\n";
    let output = program.print_for(&["shell"], lines);
    let first: Vec<&str> = output.lines().collect();
    assert_eq!(first.len(), 2, "{output}");
    assert!(first[0].contains("Dear ada,") && first[1].contains("Dear grace,"), "{output}");
}
