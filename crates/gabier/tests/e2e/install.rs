//! `install`: the file of every client, as that client would read it.

use serde_json::{Value, json};

use crate::harness::{Home, Pipe, program};

const CLIENTS: [&str; 8] =
    ["claude-desktop", "claude-code", "cursor", "vscode", "gemini", "codex", "windsurf", "zed"];

#[test]
fn every_client_gets_a_server_that_starts_once_and_loses_it_again() {
    for client in CLIENTS {
        let home = Home::new();
        let done = home.json(&["install", client]);
        let file = done["data"]["file"].as_str().unwrap().to_owned();
        assert!(file.starts_with(&home.text_path("")), "{done}");
        let text = std::fs::read_to_string(&file).unwrap();
        let server = if client == "codex" {
            assert!(text.starts_with("[mcp_servers.gabier]\n"), "{text}");
            let line = text.lines().find_map(|line| line.strip_prefix("command = ")).unwrap();
            json!({"command": line.trim_matches('"'), "args": ["mcp"]})
        } else {
            let read: Value = serde_json::from_str(&text).unwrap();
            let (_, servers) = read.as_object().unwrap().iter().next().unwrap();
            servers["gabier"].clone()
        };
        assert_eq!(server["args"], json!(["mcp"]), "{text}");

        // The client starts what stands there.
        let mut command = program(server["command"].as_str().unwrap());
        command.arg("mcp");
        home.surround(&mut command);
        assert!(Pipe::start(&mut command).initialize("2025-06-18")["serverInfo"].is_object(), "{client}");

        assert_eq!(home.json(&["install", client])["data"]["changed"], false, "{client}");
        assert_eq!(home.json(&["install", client, "--undo"])["data"]["changed"], true, "{client}");
        assert!(!std::fs::read_to_string(&file).unwrap().contains("gabier"), "{client}");
        assert_eq!(home.json(&["install", client, "--undo"])["data"]["changed"], false, "{client}");
    }
}

#[test]
fn what_a_person_wrote_stays_and_is_copied_first() {
    let home = Home::new();
    let before = "{\n  // my servers\n  \"mcpServers\": {\"other\": {\"command\": \"x\"}}\n}\n";
    let file = home.write(".cursor/mcp.json", before);
    let shown = home.run(&["install", "cursor", "--dry-run"]);
    assert!(shown.stdout.contains("+++") && shown.stdout.contains("\"gabier\""), "{shown:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before, "a dry run changes nothing");

    let done = home.json(&["install", "cursor", "--http", "http://127.0.0.1:8000/mcp", "--profile", "lean"]);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("// my servers") && text.contains("\"other\""), "{text}");
    assert!(text.contains("\"url\": \"http://127.0.0.1:8000/mcp?profile=lean\""), "{text}");
    let copy = done["data"]["copy_of_before"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(copy).unwrap(), before);
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let home = Home::new();
    let file = home.write(".cursor/mcp.json", "{\"mcpServers\": ");
    let refused = home.run(&["install", "cursor", "--json"]).json();
    assert_eq!(refused["code"], "CONFLICT", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("mcp.json"), "{refused}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"mcpServers\": ");
    for words in [
        &["install", "cursor", "--http", "ftp://x/"][..],
        &["install", "cursor", "--http", "http://me:secret@127.0.0.1/mcp"],
        &["install", "claude-desktop", "--http", "http://127.0.0.1:8000/mcp"],
        &["install", "codex", "--scope", "project"],
        &["install", "notepad"],
    ] {
        let refused = home.run(words);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(!refused.stderr.contains("secret@"), "{refused:?}");
    }
    let printed = home.run(&["install", "codex", "--print"]).stdout;
    assert!(printed.starts_with("[mcp_servers.gabier]\ncommand = \"/"), "{printed}");
}
