//! Requests that a foreign web page could make a browser send: none of them runs anything.

use serde_json::json;

use crate::harness::{Home, Request, Server, get, post};

/// A request on every kind of route.
fn routes() -> Vec<Request> {
    let expression = json!({"expression": "6 * 7"});
    let rpc = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let pages = [
        "/",
        "/health",
        "/healthz",
        "/ready",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/redoc",
        "/tools",
        "/sse",
    ];
    let mut routes: Vec<Request> = pages.iter().map(|path| get(path)).collect();
    routes.extend(["/api/v1/tools", "/tools/system-info", "/api/v1/tools/disk_usage", "/nowhere"].map(get));
    routes.extend(
        ["/api/v1/tools/calculator", "/call/calculator", "/tools/calculator"]
            .map(|path| post(path, &expression)),
    );
    routes.extend(["/mcp", "/stream", "/messages/"].map(|path| post(path, &rpc)));
    routes.extend([get("/mcp"), Request::new("DELETE", "/mcp"), Request::new("OPTIONS", "/mcp")]);
    routes
}

#[track_caller]
fn assert_refused(server: &Server, header: &str, value: &str, status: u16) {
    for request in routes() {
        let answer = server.send(request.clone().with(header, value));
        assert_eq!(answer.status, status, "{header}: {value}: {request:?}: {}", answer.text());
        assert!(answer.header("access-control-allow-origin").is_none(), "{answer:?}");
        assert!(!answer.text().contains("\"42\""), "a tool ran: {request:?}");
    }
}

#[test]
fn a_foreign_host_is_misdirected_on_every_route() {
    let home = Home::new();
    let server = home.serve(&[]);
    for host in ["evil.example", "evil.example:8000", "localhost.evil.example", "169.254.169.254", "[::2]:80"]
    {
        assert_refused(&server, "Host", host, 421);
    }
    server.assert_alive();
}

#[test]
fn a_foreign_or_null_origin_is_forbidden_on_every_route() {
    let home = Home::new();
    let server = home.serve(&[]);
    let port = server.address.port();
    let own_host_other_port = format!("http://127.0.0.1:{}", port - 1);
    let other_scheme = format!("https://127.0.0.1:{port}");
    for origin in ["https://evil.example", "null", "file://", "", &own_host_other_port, &other_scheme] {
        assert_refused(&server, "Origin", origin, 403);
    }
    server.assert_alive();
}

#[test]
fn the_own_origin_and_every_name_of_loopback_are_served() {
    let home = Home::new();
    let server = home.serve(&[]);
    let port = server.address.port();
    let expression = json!({"expression": "6 * 7"});
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let origin = format!("http://{host}");
        let answer =
            server.send(post("/call/calculator", &expression).with("Host", &host).with("Origin", &origin));
        assert_eq!(answer.status, 200, "{host}: {answer:?}");
    }
}

#[test]
fn two_hosts_or_none_are_a_bad_request() {
    let home = Home::new();
    let server = home.serve(&[]);
    let host = server.address.to_string();
    let answer = server.send(get("/health").with("Host", &host).with("Host", "evil.example"));
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[test]
fn forms_and_plain_text_are_no_calls() {
    let home = Home::new();
    let server = home.serve(&[]);
    let rpc = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"calculator","arguments":{"expression":"6 * 7"}}}"#;
    let kinds = [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "text/plain; charset=application/json",
        "application/jsonp",
        "text/json",
        "",
    ];
    for kind in kinds {
        for (path, body) in
            [("/call/calculator", r#"{"expression":"6 * 7"}"#), ("/mcp", rpc), ("/stream", rpc)]
        {
            let answer = server.send(Request::new("POST", path).with("Content-Type", kind).bytes(body));
            assert_eq!(answer.status, 415, "{path} {kind:?}: {answer:?}");
            assert!(!answer.text().contains("\"42\""), "a tool ran: {path} {kind:?}");
        }
    }
    let bare = server.send(Request::new("POST", "/call/calculator").bytes(r#"{"expression":"6 * 7"}"#));
    assert_eq!(bare.status, 415, "a body without a type: {bare:?}");
}

#[test]
fn a_request_that_a_browser_marks_as_cross_site_is_forbidden() {
    let home = Home::new();
    let server = home.serve(&[]);
    for site in ["cross-site", "same-site"] {
        let answer = server.send(get("/tools/system-info").with("Sec-Fetch-Site", site));
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    assert_eq!(server.send(get("/tools/system-info").with("Sec-Fetch-Site", "same-origin")).status, 200);
}

#[test]
fn every_answer_carries_the_headers_that_keep_browsers_in_check() {
    let home = Home::new();
    let server = home.serve(&[]);
    for path in ["/", "/health", "/docs", "/redoc", "/tools", "/nowhere", "/openapi.json"] {
        let answer = server.get(path);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert!(
            answer
                .header("content-security-policy")
                .is_some_and(|policy| policy.starts_with("default-src 'none'"))
        );
        assert!(answer.header("x-request-id").is_some(), "{path}");
        assert!(answer.header("server").is_none(), "{path}");
    }
}

#[test]
fn a_wrong_verb_is_405_and_names_the_right_ones() {
    let home = Home::new();
    let server = home.serve(&[]);
    for (method, path) in [
        ("PUT", "/call/calculator"),
        ("DELETE", "/api/v1/tools/calculator"),
        ("POST", "/health"),
        ("PUT", "/mcp"),
    ] {
        let answer = server.send(Request::new(method, path));
        assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
        assert!(answer.header("allow").is_some_and(|allow| !allow.is_empty()), "{answer:?}");
    }
}
