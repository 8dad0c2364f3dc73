//! Files over REST: what is below the allowed roots, and nothing else by any path.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::harness::{Answer, Home, Server, mint, program};

const LIMIT: usize = 10 * 1024 * 1024;

/// A home with an allowed root `open` and a file beside it.
fn set_up() -> (Home, Server) {
    let home = Home::new();
    home.write("open/a.txt", "first\nsecond\nthird\n");
    home.write("open/deep/b.txt", "deep");
    home.write("closed/secret.txt", "treasure");
    home.write("open-sesame/c.txt", "treasure");
    let home = {
        let roots = home.text_path("open");
        home.with("MCP_ALLOWED_ROOTS", &roots)
    };
    let reader = mint(&home, "reader", &["read"]);
    let server = home.serve(&[]).with_token(reader["token"].as_str().unwrap());
    (home, server)
}

fn read(server: &Server, path: &str) -> Answer {
    server.call("read_file", &json!({"file_path": path}))
}

#[track_caller]
fn assert_refused(server: &Server, path: &str) {
    for (tool, arguments) in [
        ("read_file", json!({"file_path": path})),
        ("log_analysis", json!({"log_file": path, "pattern": "."})),
    ] {
        let answer = server.call(tool, &arguments);
        assert!(matches!(answer.status, 403 | 404 | 422), "{tool} {path}: {answer:?}");
        assert!(!answer.text().contains("treasure"), "{tool} {path}: {answer:?}");
    }
}

#[test]
fn what_is_below_a_root_is_read() {
    let (home, server) = set_up();
    let answer = read(&server, &home.text_path("open/a.txt"));
    assert_eq!(answer.json()["data"]["content"], "first\nsecond\nthird\n", "{answer:?}");
    let answer = read(&server, &home.text_path("open/deep/b.txt"));
    assert_eq!(answer.json()["data"]["content"], "deep", "{answer:?}");
    let part = json!({"file_path": home.text_path("open/a.txt"), "offset": 1, "limit": 1});
    let answer = server.call("read_file", &part);
    assert_eq!(answer.json()["data"]["content"].as_str().map(str::trim_end), Some("second"), "{answer:?}");
    let arguments = json!({"log_file": home.text_path("open/a.txt"), "pattern": "SECOND"});
    let answer = server.call("log_analysis", &arguments);
    assert_eq!(answer.json()["data"]["matches"], json!([{"line_no": 2, "text": "second"}]), "{answer:?}");
}

#[test]
fn no_spelling_of_a_path_leaves_the_roots() {
    let (home, server) = set_up();
    let open = home.text_path("open");
    symlink(home.path("closed/secret.txt"), home.path("open/link.txt")).unwrap();
    symlink(home.path("closed"), home.path("open/folder")).unwrap();
    symlink("../closed/secret.txt", home.path("open/relative.txt")).unwrap();
    symlink("/proc/self/root", home.path("open/root")).unwrap();
    symlink("loop", home.path("open/loop")).unwrap();
    let closed = home.text_path("closed/secret.txt");
    let paths = [
        closed.clone(),
        home.text_path("open-sesame/c.txt"),
        format!("{open}/../closed/secret.txt"),
        format!("{open}/deep/../../closed/secret.txt"),
        format!("{open}/./../closed/./secret.txt"),
        format!("{open}/link.txt"),
        format!("{open}/folder/secret.txt"),
        format!("{open}/relative.txt"),
        format!("{open}/root{closed}"),
        format!("{open}/loop"),
        format!("{open}/a.txt/../../closed/secret.txt"),
        format!("{open}/a.txt\0.png"),
        format!("file://{closed}"),
        "../closed/secret.txt".to_owned(),
        "closed/secret.txt".to_owned(),
        "~/closed/secret.txt".to_owned(),
        "/proc/self/environ".to_owned(),
        "/etc/passwd".to_owned(),
        String::new(),
        "/".to_owned(),
        open,
    ];
    for path in &paths {
        assert_refused(&server, path);
    }
    let answer = read(&server, &closed);
    assert_eq!(answer.code(), "FORBIDDEN");
    assert!(answer.text().contains(&home.text_path("open")), "it lists the roots: {answer:?}");
}

#[test]
fn pipes_devices_and_folders_are_refused_at_once() {
    let (home, server) = set_up();
    let fifo = home.text_path("open/fifo");
    assert!(program("mkfifo").arg(&fifo).status().unwrap().success());
    assert_refused(&server, &fifo);
    let socket = home.path("open/socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_refused(&server, &home.text_path("open/socket"));
    for device in ["/dev/zero", "/dev/random", "/dev/tty", "/proc/kmsg"] {
        assert_refused(&server, device);
    }
    let free = Home::new().with("MCP_ALLOWED_ROOTS", "/dev");
    let server = free.serve(&[]);
    assert_refused(&server, "/dev/zero");
    server.assert_alive();
}

#[test]
fn ten_mebibytes_pass_and_one_byte_more_does_not() {
    let (home, server) = set_up();
    let exact = home.write("open/exact.txt", "x".repeat(LIMIT));
    let answer = read(&server, &exact);
    let data = &answer.json()["data"];
    assert_eq!((answer.status, data["size"].as_u64()), (200, Some(LIMIT as u64)));
    assert_eq!(data["content"].as_str().map(str::len), Some(LIMIT), "whole over REST");
    let more = home.write("open/more.txt", "x".repeat(LIMIT + 1));
    let answer = read(&server, &more);
    assert_ne!(answer.status, 200);
    assert!(matches!(answer.code().as_str(), "INVALID_ARGUMENT" | "PAYLOAD_TOO_LARGE"), "{}", answer.code());
    server.assert_alive();
}

#[test]
fn a_binary_file_is_a_warning_without_content() {
    let (home, server) = set_up();
    let path = home.write("open/image.bin", [0, 159, 146, 150, 0, 1]);
    let envelope = read(&server, &path).json();
    assert_eq!(envelope["status"], "warning", "{envelope}");
    let data = &envelope["data"];
    assert_eq!((&data["content"], &data["encoding"]), (&json!(""), &json!("binary")), "{envelope}");
}

#[test]
fn control_sequences_in_a_file_are_shown_and_not_executed() {
    let (home, server) = set_up();
    let path = home.write("open/evil.txt", "\u{1b}]0;owned\u{7}text after\u{202e}it\n");
    let envelope = read(&server, &path).json();
    let content = envelope["data"]["content"].as_str().unwrap();
    assert!(
        !content.contains(['\u{1b}', '\u{7}', '\u{202e}']) && content.contains("text after"),
        "{content:?}"
    );
    assert!(envelope["sanitised"].is_object(), "{envelope}");
}

#[test]
fn without_any_token_the_roots_are_open_to_readers_on_loopback() {
    let home = Home::new();
    let path = home.write("open/a.txt", "for everyone here");
    let outside = home.write("closed/b.txt", "treasure");
    let home = {
        let roots = home.text_path("open");
        home.with("MCP_ALLOWED_ROOTS", &roots)
    };
    let server = home.serve(&[]);
    let answer = read(&server, &path);
    assert_eq!(answer.json()["data"]["content"], "for everyone here", "{answer:?}");
    assert_refused(&server, &outside);
}

#[test]
fn a_token_reads_below_the_folder_it_was_given_and_nowhere_else() {
    let (home, server) = set_up();
    let resource = format!("root:{}", home.text_path("open/deep"));
    let arguments = json!({"client_name": "deep", "permissions": ["read"], "resources": [resource]});
    let token = home.call("admin_create_token", &arguments)["data"]["token"].as_str().unwrap().to_owned();
    let server = server.with_token(&token);
    assert_eq!(read(&server, &home.text_path("open/deep/b.txt")).status, 200);
    assert_refused(&server, &home.text_path("open/a.txt"));
    assert_refused(&server, &home.text_path("open/deep/../a.txt"));
}

#[test]
fn without_roots_http_reaches_nothing_and_the_user_everything_of_his() {
    let home = Home::new();
    let path = home.write("mine.txt", "my own");
    let server = home.serve(&[]);
    let answer = read(&server, &path);
    assert_eq!((answer.status, answer.code()), (403, "FORBIDDEN".to_owned()), "{answer:?}");
    let envelope = home.call("read_file", &json!({"file_path": path}));
    assert_eq!(envelope["data"]["content"], "my own", "{envelope}");
    let mut pipe = home.mcp(&[]);
    pipe.initialize("2025-11-25");
    let result = pipe.call("read_file", &json!({"file_path": path}));
    assert_eq!(result["structuredContent"]["data"]["content"], "my own", "{result}");
}

#[test]
fn the_store_is_out_of_reach_even_inside_a_root() {
    let home = Home::new();
    mint(&home, "any", &["read"]);
    let home = {
        let root = home.text_path("");
        home.with("MCP_ALLOWED_ROOTS", &root)
    };
    let path = home.data_dir().join("gabier.db");
    let envelope: Value = home.call("read_file", &json!({"file_path": path}));
    assert_eq!(envelope["code"], "FORBIDDEN", "{envelope}");
}

#[test]
fn a_long_text_over_mcp_is_cut_with_a_notice_that_says_how_to_go_on() {
    let home = Home::new();
    let path = home.write("long.txt", "a line of the long text\n".repeat(20_000));
    let mut pipe = home.mcp(&[]);
    pipe.initialize("2025-11-25");
    let result = pipe.call("read_file", &json!({"file_path": path}));
    let text = result["structuredContent"]["data"]["content"].as_str().unwrap();
    assert!(text.len() < 45_000, "{} bytes", text.len());
    assert!(text.contains("offset"), "the notice names no way on");
}
