//! Tokens that are none, garbled, over, taken back, doubled or in the wrong place.

use serde_json::json;

use crate::harness::{Home, Request, Server, expire, get, mint, post};

/// Everything that needs a caller.
fn guarded() -> Vec<Request> {
    let expression = json!({"expression": "6 * 7"});
    let rpc = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let mut requests: Vec<Request> =
        ["/tools", "/api/v1/tools", "/metrics", "/tools/system-info"].map(get).into();
    requests.extend(
        ["/api/v1/tools/calculator", "/call/calculator", "/tools/calculator"]
            .map(|path| post(path, &expression)),
    );
    requests.extend(["/mcp", "/stream"].map(|path| post(path, &rpc)));
    requests.extend([get("/sse"), get("/mcp")]);
    requests
}

#[track_caller]
fn assert_unauthenticated(server: &Server, what: &str, change: impl Fn(Request) -> Request) {
    for (number, request) in guarded().into_iter().enumerate() {
        // Each from an address of its own: who guesses is turned away, which is another test.
        let source = [127, 7, u8::try_from(what.len()).unwrap(), u8::try_from(number + 1).unwrap()].into();
        let request = change(request).from(source);
        let answer = server.send(request.clone());
        assert_eq!(answer.status, 401, "{what}: {request:?}: {answer:?}");
        let asks = answer.header("www-authenticate").is_some_and(|asks| asks.starts_with("Bearer"));
        assert!(asks, "{what}: {answer:?}");
    }
}

#[test]
fn no_wrong_or_ended_token_opens_any_route() {
    let home = Home::new();
    let good = mint(&home, "good", &["read", "net", "write", "admin"]);
    let (over, revoked) = (mint(&home, "over", &["read"]), mint(&home, "taken back", &["read"]));
    expire(&home, "over");
    home.call("admin_revoke_token", &json!({"token_hash_prefix": revoked["token_hash_prefix"]}));
    let text = |token: &serde_json::Value| token["token"].as_str().unwrap().to_owned();
    let good = text(&good);
    let server = home.serve(&[]);

    assert_unauthenticated(&server, "none", |request| request);
    assert_unauthenticated(&server, "random words", |request| request.bearer("open sesame"));
    assert_unauthenticated(&server, "truncated token", |request| request.bearer(&good[..good.len() - 1]));
    let garbled = format!("{}{}", &good[..good.len() - 1], if good.ends_with('x') { 'y' } else { 'x' });
    assert_unauthenticated(&server, "bad checksum here", |request| request.bearer(&garbled));
    assert_unauthenticated(&server, "expired", |request| request.bearer(&text(&over)));
    assert_unauthenticated(&server, "revoked token", |request| request.bearer(&text(&revoked)));
    assert_unauthenticated(&server, "basic scheme", |request| request.with("Authorization", "Basic YTpi"));
    assert_unauthenticated(&server, "no scheme at all", |request| request.with("Authorization", &good));
    assert_unauthenticated(&server, "empty bearer token", |request| request.with("Authorization", "Bearer "));
    assert_unauthenticated(&server, "the token given twice", |request| request.bearer(&good).bearer(&good));
    assert_unauthenticated(&server, "a good one and a bad one", |request| {
        request.bearer(&good).bearer("bad")
    });

    let server = server.with_token(&good);
    server.assert_alive();
    assert_eq!(server.get("/tools").status, 200);
}

#[test]
fn a_wrong_token_is_refused_even_where_none_is_needed() {
    let home = Home::new();
    mint(&home, "any", &["read"]);
    let server = home.serve(&[]);
    assert_eq!(server.post("/call/system_about", &json!({})).status, 200, "public needs no token");
    let answer = server.send(post("/call/system_about", &json!({})).bearer("wrong"));
    assert_eq!((answer.status, answer.code()), (401, "UNAUTHENTICATED".to_owned()));
    for path in ["/health", "/ready", "/openapi.json", "/docs", "/redoc", "/"] {
        assert_eq!(server.get(path).status, 200, "{path} shows nothing of anybody");
    }
}

#[test]
fn a_token_in_the_url_is_refused_and_written_nowhere() {
    let home = Home::new().with("LOG_LEVEL", "trace");
    let good = mint(&home, "good", &["read", "net"]);
    let token = good["token"].as_str().unwrap();
    let server = home.serve(&[]);
    let encoded = token.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}"));
    let queries = [
        format!("token={token}"),
        format!("access_token={token}"),
        format!("a=b&token={token}"),
        format!("token={encoded}"),
        format!("%74oken={token}"),
    ];
    for query in &queries {
        for path in ["/tools", "/mcp", "/sse", "/health", "/api/v1/tools/disk_usage", "/docs"] {
            let answer = server.get(&format!("{path}?{query}"));
            assert_eq!(answer.status, 401, "{path}?{query}: {answer:?}");
            assert!(
                answer.json()["next"].as_str().is_some_and(|next| next.contains("Authorization")),
                "{answer:?}"
            );
        }
    }
    // A guess that looks like a token must not be written either.
    server.get("/tools?token=gabier_pat_guess");
    server.wait_for("token_in_url");
    let written = server.stderr();
    for secret in [token, &encoded, "gabier_pat_guess"] {
        assert!(!written.contains(secret), "standard error holds {secret}");
    }
    assert!(!server.stdout().contains(token));
}

#[test]
fn tokens_rest_nowhere_in_the_data_directory() {
    let home = Home::new();
    let tokens: Vec<String> = (0..5)
        .map(|number| mint(&home, &format!("t{number}"), &["read"])["token"].as_str().unwrap().to_owned())
        .collect();
    for entry in std::fs::read_dir(home.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            for token in &tokens {
                let secret = &token.as_bytes()[11..54];
                assert!(
                    !bytes.windows(secret.len()).any(|window| window == secret),
                    "{} holds it",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn a_token_sees_and_calls_what_its_rights_allow() {
    let home = Home::new();
    let reader = mint(&home, "reader", &["read"]);
    let server = home.serve(&[]).with_token(reader["token"].as_str().unwrap());
    let listed = server.get("/tools").text();
    assert!(listed.contains("\"calculator\"") && !listed.contains("\"admin_create_token\""), "{listed}");
    assert!(!listed.contains("\"port_scan\""), "{listed}");
    let answer = server.call("admin_create_token", &json!({"client_name": "mine", "permissions": ["admin"]}));
    assert_eq!((answer.status, answer.code()), (403, "FORBIDDEN".to_owned()), "{answer:?}");
    assert!(answer.text().contains("admin"), "it names what is missing: {answer:?}");
    // A bare call of a hidden tool over MCP meets the same guard.
    let params = json!({"name": "admin_list_tokens", "arguments": {}});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let answer = server.post("/mcp", &message).json();
    assert_eq!(answer["result"]["structuredContent"]["code"], "FORBIDDEN", "{answer}");
}
