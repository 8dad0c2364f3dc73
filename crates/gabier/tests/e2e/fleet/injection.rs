//! Every text that a tool for hosts takes, against texts that would run something if any shell read them.

use serde_json::{Map, Value, json};

use super::{home_with, serve};
use crate::sshd::Sshd;

/// Texts that leave the file behind where a shell, or an option parser, reads them as more than a word.
fn hostile(canary: &str) -> Vec<String> {
    let touch = format!("touch {canary}");
    let mut texts = vec![
        format!("$({touch})"),
        format!("`{touch}`"),
        format!("; {touch} ;"),
        format!("x; {touch}; x"),
        format!("x && {touch} && x"),
        format!("x || {touch} || x"),
        format!("| {touch} |"),
        format!("&{touch}&"),
        format!("'; {touch}; '"),
        format!("\"; {touch}; \""),
        format!("'$({touch})'"),
        format!("\"$({touch})\""),
        format!("\\'; {touch}; \\'"),
        format!("\n{touch}\n"),
        format!("x\r\n{touch}\r\n"),
        format!("${{IFS}}$({touch})"),
        format!("$'\\n{touch}'"),
        format!("<({touch})"),
        format!("web1,$({touch})"),
        format!("/etc/hostname; {touch}"),
        format!("é\u{202e}$({touch})"),
        format!("x\u{0}; {touch}"),
        format!("-oProxyCommand={touch}"),
        format!("--checkpoint-action=exec={touch}"),
        format!("-exec {touch} ;"),
        format!("}}; {touch}; {{"),
        format!("#\n{touch}"),
        format!("%({touch})"),
    ];
    texts.extend(
        ["", "-", "--", "-n", "*", "~", "~root", "..", "/", "\u{0}", "é", "日本", "\u{1b}[31m", "'", "\""]
            .map(str::to_owned),
    );
    texts
}

/// A right value of a parameter, so that a wrong one beside it is all that is wrong.
fn sane(name: &str, schema: &Value, folder: &str) -> Value {
    match name {
        "alias" => "web1".into(),
        "cmd" | "command" => "true".into(),
        "commands" => json!(["true"]),
        "host" => "127.0.0.1".into(),
        "user" => "nobody".into(),
        "port" => 1.into(),
        "direction" => "download".into(),
        "local" => format!("{folder}/local").into(),
        "files" => json!([{"local": format!("{folder}/local"), "remote": "/etc/hostname"}]),
        "remote" | "path" | "file" | "file_path" | "log_file" => "/etc/hostname".into(),
        "timeout" => 5.into(),
        _ => match schema["enum"].as_array().and_then(|words| words.first()) {
            Some(word) => word.clone(),
            None if schema["type"] == "integer" => schema.get("minimum").cloned().unwrap_or(1.into()),
            None if schema["type"] == "boolean" => false.into(),
            None if schema["type"] == "array" => json!([]),
            None if schema["type"] == "object" => json!({}),
            None => "ssh".into(),
        },
    }
}

/// What a hostile text can be at the place of a parameter: itself, in a list, as a key, as a value.
fn forms(name: &str, schema: &Value, text: &str) -> Vec<Value> {
    match (name, schema["type"].as_str()) {
        // These are commands: whoever gives one has it run.
        ("cmd" | "command" | "commands", _) => Vec::new(),
        ("files", _) => vec![
            json!([{"local": text, "remote": "/etc/hostname"}]),
            json!([{"local": "/nowhere/x", "remote": text}]),
        ],
        (_, Some("string")) => vec![text.into()],
        (_, Some("array")) => vec![json!([text])],
        (_, Some("object")) => vec![json!({text: "x"}), json!({"x": text}), json!({"x": {"secret": text}})],
        _ => Vec::new(),
    }
}

#[test]
fn no_text_of_any_tool_for_hosts_runs_anything() {
    let sshd = Sshd::new().start();
    let home = home_with(&[("web1", &sshd)]);
    let folder = home.text_path("work");
    std::fs::create_dir_all(&folder).unwrap();
    home.configure(&format!(
        "[ssh]\nkey_roots = [{:?}]\nknown_hosts = [\"/nowhere\"]\n[files]\nroots = [{folder:?}]\n",
        std::env::temp_dir(),
    ));
    let canary = home.path("canary");
    let texts = hostile(canary.to_str().unwrap());
    let server = serve(&home);
    let listed = server.get("/api/v1/tools").json();
    let (mut calls, mut tools) = (0, 0);
    for tool in listed["data"]["tools"].as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        let properties = tool["input"]["properties"].as_object().unwrap();
        let is_remote = properties.values().any(|schema| schema["x-complete"] == "host");
        if !is_remote {
            continue;
        }
        tools += 1;
        let required: Vec<&str> =
            tool["input"]["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let is_needed = |key: &str| required.contains(&key) || key == "alias" || key == "timeout";
        let base: Map<String, Value> = properties
            .iter()
            .filter(|(key, _)| is_needed(key))
            .map(|(key, schema)| (key.clone(), sane(key, schema, &folder)))
            .collect();
        for (key, schema) in properties.iter().filter(|(_, schema)| schema["x-common"] != true) {
            for text in &texts {
                for form in forms(key, schema, text) {
                    let mut arguments = base.clone();
                    arguments.insert(key.clone(), form);
                    // A new host of a good name would be in the way of the others.
                    if name == "server_add" && key != "alias" {
                        arguments.insert("alias".to_owned(), "spare".into());
                    }
                    let arguments = Value::Object(arguments);
                    let answer = server.call(name, &arguments);
                    calls += 1;
                    assert_ne!(answer.code(), "INTERNAL", "{name} {arguments}: {answer:?}");
                    assert!(!canary.exists(), "{name} {arguments}: {answer:?}");
                }
            }
        }
    }
    assert!(tools >= 7 && calls > 300, "{tools} tools, {calls} calls");
    // The trap works: the same text as a command does leave the file.
    server.call("task_exec", &json!({"alias": "web1", "cmd": texts[0]}));
    assert!(canary.exists());
}

#[test]
fn the_host_gets_every_byte_of_a_command_as_it_was_given() {
    let sshd = Sshd::new().start();
    let home = home_with(&[("web1", &sshd)]);
    let server = serve(&home);
    for text in hostile("/nowhere/canary") {
        if text.contains('\u{0}') {
            continue;
        }
        let hex: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let hex = hex.concat();
        let cmd = format!("printf %s {} | od -An -v -tx1 | tr -d ' \\n'", quote(&text));
        for (tool, key, value, place) in [
            ("task_exec", "cmd", json!(cmd), "/data/stdout"),
            ("task_exec_sequence", "commands", json!([cmd]), "/data/results/0/stdout"),
        ] {
            let mut arguments = json!({"alias": "web1"});
            arguments[key] = value;
            let answer = server.call(tool, &arguments).json();
            assert_eq!(answer.pointer(place), Some(&json!(hex)), "{tool} {text:?}: {answer}");
        }
    }
}

/// The text as one word of a POSIX shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
