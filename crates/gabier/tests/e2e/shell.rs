//! The interactive shell, fed by a pipe: the same words, one line each.

use crate::harness::Home;

#[test]
fn lines_are_commands_and_words_of_the_shell_itself() {
    let home = Home::new();
    let script = "calculator '6 * 7'\n\n# a remark\nsystem about --json\nhelp\nhealth\nexit\ncalculator 1\n";
    let done = home.run_with(&["shell"], script).success();
    assert!(done.stdout.contains("42") && done.stdout.contains("\"service_name\""), "{done:?}");
    assert!(!done.stdout.contains("\u{1b}["), "{done:?}");
}

#[test]
fn a_failing_line_does_not_end_the_shell() {
    let home = Home::new();
    let done = home.run_with(&["shell"], "calculator 1/0\nnonsense\ncalculater 1\ncalculator '6 * 7'\n");
    assert!(done.stdout.contains("42"), "{done:?}");
    assert!(done.stderr.contains("calculator"), "an unknown word is answered with the nearest: {done:?}");
}

#[test]
fn json_is_a_whole_word_and_no_part_of_a_text() {
    let home = Home::new();
    let done = home.run_with(&["shell"], "mon-outil-sync 'a --json b'\n").success();
    assert!(done.stdout.contains("A --JSON B") && !done.stdout.contains("{\"status\""), "{done:?}");
}

#[test]
fn the_shell_speaks_to_a_remote_server_too() {
    let home = Home::new();
    let server = home.serve(&[]);
    let done = home.run_with(&["shell", "--url", &server.url], "calculator '6 * 7' --json\n").success();
    assert_eq!(done.json()["data"]["result"], "42", "{done:?}");
}
