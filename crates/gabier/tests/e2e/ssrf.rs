//! `http_request` and the addresses that an HTTP caller must not reach, by any spelling.

use serde_json::json;

use crate::harness::{Home, Trap, Web};

/// Spellings of loopback, of this machine and of metadata services; `PORT` is the trap's.
const HOSTS: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.127.127.127",
    "127.0.0.1.",
    "0.0.0.0",
    "0",
    "0x0",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7F.0x0.0x0.0x1",
    "0177.0.0.1",
    "0177.0.0.01",
    "017700000001",
    "00000177.0.0.1",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::5efe:7f00:1]",
    "localhost",
    "LOCALHOST",
    "LocalHost",
    "localhost.",
    "user@127.0.0.1",
    "user:password@localhost",
    "example.com@127.0.0.1",
    "%31%32%37.0.0.1",
    "１２７.0.0.1",
    "127。0。0。1",
    "ⓛocalhost",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]",
    "168.63.129.16",
    "100.100.100.200",
    "10.0.0.1",
    "192.168.0.1",
    "172.16.0.1",
    "[fc00::1]",
    "[fe80::1]",
];

#[test]
fn no_spelling_reaches_a_forbidden_address_over_http() {
    assert!(HOSTS.len() >= 40);
    let home = Home::new();
    let server = home.serve(&[]);
    let trap = Trap::set();
    for host in HOSTS {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{}/", trap.port);
            let answer = server.call("http_request", &json!({"url": url, "timeout_s": 2}));
            // A name that this machine cannot resolve is no way in either.
            let is_refused = matches!(answer.code().as_str(), "FORBIDDEN" | "INVALID_ARGUMENT");
            let is_unknown = *host == "localhost." && answer.code() == "CONNECTION_FAILED";
            assert!(is_refused || is_unknown, "{url}: {answer:?}");
            assert!(!answer.text().contains("caught"), "{url}: {answer:?}");
        }
    }
    for scheme in ["file", "ftp", "gopher", "dict", "unix", "data", "javascript", "HTTP+unix"] {
        let url = format!("{scheme}://127.0.0.1:{}/", trap.port);
        let answer = server.call("http_request", &json!({"url": url}));
        assert!(matches!(answer.code().as_str(), "FORBIDDEN" | "INVALID_ARGUMENT"), "{url}: {answer:?}");
    }
    assert_eq!(trap.caught(), 0, "the trap was reached");
    server.assert_alive();
}

#[test]
fn a_method_that_changes_things_needs_the_right_to_write() {
    let home = Home::new();
    let server = home.serve(&[]);
    let trap = Trap::set();
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let arguments = json!({"url": format!("http://127.0.0.1:{}/", trap.port), "method": method});
        let answer = server.call("http_request", &arguments);
        assert!(matches!(answer.status, 401 | 403), "{method}: {answer:?}");
    }
    assert_eq!(trap.caught(), 0);
}

#[test]
fn the_user_himself_may_reach_his_own_machine() {
    let home = Home::new();
    let trap = Trap::set();
    let arguments = json!({"url": format!("http://127.0.0.1:{}/", trap.port)});
    let envelope = home.call("http_request", &arguments);
    assert_eq!(
        (&envelope["status"], &envelope["data"]["body"]),
        (&json!("ok"), &json!("caught")),
        "{envelope}"
    );
    assert_eq!(trap.caught(), 1);
}

#[test]
fn an_opening_opens_one_port_and_no_other() {
    let (opened, closed) = (Trap::set(), Trap::set());
    let home =
        Home::with_config(&format!("[[egress.allow]]\ncidr = \"127.0.0.1\"\nport = {}\n", opened.port));
    let server = home.serve(&[]);
    let get = |port: u16| server.call("http_request", &json!({"url": format!("http://127.0.0.1:{port}/")}));
    assert_eq!(get(opened.port).status, 200);
    assert_eq!(get(closed.port).status, 403);
    assert_eq!((opened.caught(), closed.caught()), (1, 0));
}

#[test]
fn no_redirect_leads_from_an_open_address_to_a_closed_one() {
    let trap = Trap::set();
    let hosts = ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "[::ffff:127.0.0.1]"];
    let mut targets: Vec<String> = hosts.map(|host| format!("http://{host}:{}/", trap.port)).into();
    targets.extend(["file:///etc/passwd".to_owned(), format!("//127.0.0.1:{}/", trap.port)]);
    let statuses = ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"];
    let heads = targets.iter().flat_map(|to| statuses.map(|status| format!("{status}\r\nLocation: {to}")));
    let webs: Vec<(String, Web)> = heads
        .map(|head| (head.clone(), Web::answering(&format!("{head}\r\nContent-Length: 0"), "")))
        .collect();
    let opening =
        |web: &Web| format!("[[egress.allow]]\ncidr = \"127.0.0.1\"\nport = {}\n", web.address.port());
    let home = Home::with_config(&webs.iter().map(|(_, web)| opening(web)).collect::<String>());
    let server = home.serve(&[]);
    for (head, web) in &webs {
        let answer = server.call("http_request", &json!({"url": web.url()}));
        assert_eq!((answer.status, answer.code()), (403, "FORBIDDEN".to_owned()), "{head}: {answer:?}");
    }
    assert_eq!(trap.caught(), 0, "the trap was reached");
}
