//! The catalogue of APIs, through the real binary, from here and through a real host.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::json;

use super::home_with;
use crate::harness::Home;
use crate::sshd::Sshd;

const KEY: &str = "key-of-the-api-hunter2hunter2";

/// An HTTP server that answers every request so, and tells the head of each.
fn api(answer: &'static str) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, heads) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut head = String::new();
            let mut lines = BufReader::new(&stream);
            while lines.read_line(&mut head).is_ok_and(|count| count > 2) {}
            let _ = (&stream).write_all(answer.as_bytes());
            if tell.send(head).is_err() {
                return;
            }
        }
    });
    (port, heads)
}

const WELL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

#[test]
fn an_api_is_kept_without_its_key_checked_and_removed() {
    let (port, heads) = api(WELL);
    let home = Home::new();
    let added = home.call(
        "api_add",
        &json!({"alias": "shop", "url": format!("http://127.0.0.1:{port}/v1"), "health_check_endpoint": "/health",
            "auth_method": "api_key", "api_key": KEY, "auth_header_name": "X-Api-Key", "auth_scheme": ""}),
    );
    assert_eq!(added["status"], "created", "{added}");
    let again = home.call("api_add", &json!({"alias": "shop", "url": format!("http://127.0.0.1:{port}/v1")}));
    assert_eq!(again["status"], "already_exists", "{again}");
    let listed = home.json(&["api", "list"]);
    assert_eq!(listed["data"]["count"], 1, "{listed}");
    assert!(
        listed["data"]["apis"]["shop"]["auth"].as_str().unwrap().starts_with("api_key (set 2"),
        "{listed}"
    );
    let checked = home.call("api_check", &json!({"alias": "shop"}));
    assert_eq!(
        (&checked["data"]["status"], &checked["data"]["http_code"]),
        (&json!("UP"), &json!(200)),
        "{checked}"
    );
    let head = heads.recv().unwrap().to_lowercase();
    assert!(
        head.starts_with("get /v1/health http/1.1\r\n") && head.contains(&format!("x-api-key: {KEY}")),
        "{head}"
    );
    for said in [added, again, listed, checked] {
        assert!(!said.to_string().contains("hunter2"), "{said}");
    }
    let found = std::fs::read_dir(home.data_dir()).unwrap().flatten().any(|entry| {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes())
    });
    assert!(!found, "the key lies in the data directory");
    assert_eq!(home.call("api_remove", &json!({"alias": "shop"}))["status"], "deleted");
    assert_eq!(home.call("api_remove", &json!({"alias": "shop"}))["status"], "not_found");
    assert_eq!(home.json(&["vault", "list"])["data"]["count"], 0, "its secret is gone too");
    assert_eq!(home.call("api_check", &json!({"alias": "shop"}))["code"], "NOT_FOUND");
}

#[test]
fn an_answer_of_another_sort_is_down_and_none_is_an_error() {
    let (port, _heads) = api("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let home = Home::new();
    home.call("api_add", &json!({"alias": "busy", "url": format!("http://127.0.0.1:{port}/")}));
    home.call("api_add", &json!({"alias": "gone", "url": "http://127.0.0.1:1/"}));
    let busy = home.call("api_check", &json!({"alias": "busy"}));
    assert_eq!(
        (&busy["data"]["status"], &busy["data"]["http_code"]),
        (&json!("DOWN"), &json!(503)),
        "{busy}"
    );
    let gone = home.call("api_check", &json!({"alias": "gone"}));
    assert_eq!((&gone["status"], &gone["data"]["status"]), (&json!("ok"), &json!("ERROR")), "{gone}");
    assert_eq!(gone["data"]["http_code"], json!(null), "{gone}");
}

#[test]
fn a_host_asks_over_its_own_connection_and_no_secret_is_on_its_command_lines() {
    let (port, heads) = api(WELL);
    let server = Sshd::new().start();
    let home = home_with(&[("web1", &server)]);
    let url = format!("http://127.0.0.1:{port}/");
    home.call(
        "api_add",
        &json!({"alias": "shop", "url": url, "auth_method": "htpasswd", "htpasswd_user": "bob", "htpasswd_pass": KEY}),
    );
    let checked = home.call("api_check", &json!({"alias": "shop", "server_alias": "web1"}));
    assert_eq!(checked["data"]["status"], "UP", "{checked}");
    assert!(heads.recv().unwrap().to_lowercase().contains("authorization: basic "));
    let log = server.log();
    assert!(!log.contains(KEY) && !log.contains("Starting session: command"), "{log}");
    let probed = home.call("check_api_health", &json!({"alias": "web1", "url": url}));
    assert_eq!(
        (&probed["data"]["status"], &probed["data"]["http_code"]),
        (&json!("UP"), &json!(200)),
        "{probed}"
    );
    let gone = home.call("check_api_health", &json!({"alias": "web1", "url": "http://127.0.0.1:1/"}));
    assert_eq!(gone["data"]["status"], "ERROR", "{gone}");
}
