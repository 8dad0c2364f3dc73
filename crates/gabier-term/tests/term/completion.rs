//! Candidates, as a shell asks for them.

use gabier_term::complete;

use crate::fixture::{argv, cli};

/// What fish shows for a line that ends at the last word.
fn candidates(words: &[&str]) -> String {
    let mut line = argv(&["--"]);
    line.extend(argv(words));
    complete::candidates(Some("fish"), cli().tree(), &line, None).unwrap().unwrap().trim_end().to_owned()
}

#[test]
fn commands_flags_closed_words_and_live_values_complete() {
    assert!(candidates(&["ser"]).contains("server\t"));
    assert_eq!(candidates(&["server", "r"]), "remove\tDoes server_remove.");
    assert!(candidates(&["ping", "host", "--co"]).starts_with("--count\tEchoes"));
    assert_eq!(candidates(&["ping", "host", "w"]), "web1\tthe web");
    assert_eq!(candidates(&["port", "scan", "a", "--sort", ""]), "cpu\tBy processor\nname\tBy name");
    assert_eq!(candidates(&["call", "ping"]), "ping_host\tDoes ping_host.");
    assert!(candidates(&["server", "add", "a", "b", "--password", ""]).contains("env:"));
}

#[test]
fn a_run_that_no_shell_asked_for_is_none() {
    assert!(complete::candidates(None, cli().tree(), &argv(&["ping"]), None).unwrap().is_none());
}

#[test]
fn the_scripts_ask_this_program() {
    for shell in ["bash", "zsh", "fish"] {
        let script = complete::completions(shell, "gab", "/opt/gab").unwrap();
        assert!(script.contains("/opt/gab") && script.contains("COMPLETE"), "{script}");
    }
    assert!(complete::completions("tcsh", "gab", "gab").is_err());
}
