//! The checks before every route.

use axum::Router;
use axum::routing::{get, post};
use gabier_tool::Caller;
use gabier_web::WebOptions;
use http::Request;

use crate::client::Connection;
use crate::fixture::{JSON, Server, TOKEN, World, options, web};

const ROUTES: [&str; 12] = [
    "GET /",
    "GET /health",
    "GET /ready",
    "GET /metrics",
    "GET /openapi.json",
    "GET /docs",
    "GET /redoc",
    "GET /tools",
    "GET /api/v1/tools/echo?words=x",
    "POST /api/v1/tools/echo",
    "GET /no/such/path",
    "POST /mcp",
];

/// A server with a route that another face mounted.
async fn mounted(needs_token: bool) -> Server {
    let world = std::sync::Arc::new(World::default());
    let subject = |request: Request<axum::body::Body>| async move {
        let caller = request.extensions().get::<Caller>().cloned();
        caller.map_or_else(|| "nobody".to_owned(), |caller| format!("{:?}", caller.kind))
    };
    let router = Router::new().route("/mcp", post(subject)).route("/listen", get(subject));
    Server::serve(web(options(), &world, needs_token).mount(router), world).await
}

/// Sends a JSON body where the method takes one.
async fn send(server: &Server, route: &str, headers: &[&str]) -> crate::client::Answer {
    let body = if route.starts_with("POST") { r#"{"words": "x"}"# } else { "" };
    let mut all = headers.to_vec();
    if !body.is_empty() {
        all.push(JSON);
    }
    server.send(route, &all, body).await
}

#[tokio::test]
async fn a_foreign_host_is_refused_on_every_route_and_nothing_runs() {
    let server = mounted(false).await;
    for route in ROUTES {
        for host in ["evil.example", "localhost.evil.example:80", "192.0.2.1"] {
            let answer = send(&server, route, &[&format!("Host: {host}")]).await;
            assert_eq!(answer.status, 421, "{route} {host}");
            assert_eq!(answer.word(), "FORBIDDEN");
        }
        assert_ne!(send(&server, route, &["Host: LOCALHOST:1234"]).await.status, 421, "{route}");
    }
    assert_eq!(server.runs(), 2, "only the two calls to our own name ran");
}

#[tokio::test]
async fn a_second_host_and_a_foreign_target_are_refused() {
    let server = Server::open().await;
    assert_eq!(server.send("GET /health", &["Host: localhost", "Host: evil.example"], "").await.status, 400);
    assert_eq!(server.send("GET http://evil.example/health", &[], "").await.status, 421);
}

#[tokio::test]
async fn a_foreign_origin_is_refused_on_every_route_and_nothing_runs() {
    let server = mounted(false).await;
    for route in ROUTES {
        for origin in ["Origin: http://evil.example", "Origin: null", "Origin: http://localhost.evil.example"]
        {
            assert_eq!(send(&server, route, &[origin]).await.status, 403, "{route} {origin}");
        }
        for site in ["cross-site", "same-site"] {
            assert_eq!(
                send(&server, route, &[&format!("Sec-Fetch-Site: {site}")]).await.status,
                403,
                "{route}"
            );
        }
    }
    assert_eq!(server.runs(), 0);
}

#[tokio::test]
async fn our_own_pages_and_followed_links_pass() {
    let server = Server::open().await;
    let own = send(
        &server,
        "POST /api/v1/tools/echo",
        &["Origin: http://localhost", "Sec-Fetch-Site: same-origin"],
    );
    assert_eq!(own.await.status, 200);
    let link = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
    assert_eq!(server.send("GET /docs", &link, "").await.status, 200);
    assert_eq!(server.send("GET /api/v1/tools/echo?words=x", &link, "").await.status, 403);
}

#[tokio::test]
async fn only_a_configured_page_may_read_answers() {
    let allowed_origins = vec!["https://console.example".to_owned()];
    let server = Server::start(WebOptions { allowed_origins, ..options() }, false).await;
    let answer = send(&server, "POST /api/v1/tools/echo", &["Origin: https://console.example"]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some("https://console.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let preflight = ["Origin: https://console.example", "Access-Control-Request-Method: POST"];
    assert_eq!(server.send("OPTIONS /api/v1/tools/echo", &preflight, "").await.status, 204);
    let foreign = ["Origin: https://console.example.evil.example", "Access-Control-Request-Method: POST"];
    assert_eq!(server.send("OPTIONS /api/v1/tools/echo", &foreign, "").await.status, 403);
    let own = send(&server, "POST /api/v1/tools/echo", &["Origin: http://localhost"]).await;
    assert_eq!(own.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn forms_and_plain_text_run_nothing() {
    let server = mounted(false).await;
    let kinds = [
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/jsonx",
    ];
    for route in ["POST /api/v1/tools/echo", "POST /call/echo", "POST /mcp", "POST /nowhere"] {
        for kind in kinds {
            let answer = server.send(route, &[&format!("Content-Type: {kind}")], r#"{"words":"x"}"#).await;
            assert_eq!(
                (answer.status, answer.word().as_str()),
                (415, "UNSUPPORTED_MEDIA_TYPE"),
                "{route} {kind}"
            );
        }
        assert_eq!(server.send(route, &[], r#"{"words":"x"}"#).await.status, 415, "{route} without a type");
    }
    assert_eq!(server.runs(), 0);
    let charset = "Content-Type: Application/JSON; charset=utf-8";
    assert_eq!(server.send("POST /call/echo", &[charset], r#"{"words":"x"}"#).await.status, 200);
}

#[tokio::test]
async fn a_wrong_credential_is_401_on_every_route_public_ones_too() {
    let server = mounted(true).await;
    let wrong: [&[&str]; 7] = [
        &["Authorization: Bearer wrong"],
        &["Authorization: Bearer goo"],
        &["Authorization: Bearer "],
        &["Authorization: Basic Z29vZDo="],
        &["Authorization: good"],
        &[TOKEN, TOKEN],
        &[TOKEN, "Authorization: Basic Z29vZDo="],
    ];
    for route in ROUTES {
        for headers in wrong {
            let answer = send(&server, route, headers).await;
            assert_eq!(answer.status, 401, "{route} {headers:?}");
            assert_eq!(answer.word(), "UNAUTHENTICATED");
            assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
        }
    }
    assert_eq!(server.runs(), 0);
}

#[tokio::test]
async fn without_a_token_only_what_is_public_answers() {
    let server = mounted(true).await;
    for route in [
        "GET /tools",
        "GET /api/v1/tools",
        "GET /metrics",
        "GET /api/v1/tools/echo?words=x",
        "POST /call/echo",
        "POST /call/nothing",
    ] {
        let answer = send(&server, route, &[]).await;
        assert_eq!(answer.status, 401, "{route}");
        assert!(answer.header("www-authenticate").is_some());
    }
    for route in ["GET /", "GET /health", "GET /ready", "GET /openapi.json", "GET /docs", "GET /redoc"] {
        assert_eq!(send(&server, route, &[]).await.status, 200, "{route}");
    }
    assert_eq!(server.send("POST /call/greet", &[JSON], "{}").await.status, 200);
    assert_eq!(server.runs(), 0);
}

#[tokio::test]
async fn a_mounted_route_finds_the_caller_in_the_request() {
    let server = mounted(true).await;
    let answer = server.send("POST /mcp", &[JSON, TOKEN], "{}").await;
    assert_eq!(answer.text(), "Token");
    assert_eq!(server.send("POST /mcp", &[JSON], "{}").await.text(), "Anonymous");
}

#[tokio::test]
async fn a_token_in_the_url_is_refused_wherever_it_hides() {
    let server = mounted(true).await;
    for query in ["token=good", "access_token=good", "a=1&token=good", "%74oken=good", "token="] {
        for route in ["GET /health", "GET /api/v1/tools/echo", "GET /listen", "GET /nowhere"] {
            let answer = server.send(&format!("{route}?{query}"), &[], "").await;
            assert_eq!(answer.status, 401, "{route} {query}");
            assert!(answer.json()["next"].as_str().unwrap().contains("Authorization: Bearer"));
            assert!(!answer.text().contains("good"));
        }
    }
}

#[tokio::test]
async fn the_opt_in_takes_a_token_from_the_url_of_an_event_stream_alone() {
    let world = std::sync::Arc::new(World::default());
    let kind = |request: Request<axum::body::Body>| async move {
        request.extensions().get::<Caller>().map(|caller| format!("{:?}", caller.kind)).unwrap_or_default()
    };
    let router = Router::new().route("/listen", get(kind).post(kind));
    let options = WebOptions { query_token: true, ..options() };
    let server = Server::serve(web(options, &world, true).mount(router), world).await;
    let stream = "Accept: text/event-stream";
    assert_eq!(server.send("GET /listen?token=%67ood", &[stream], "").await.text(), "Token");
    assert_eq!(server.send("GET /listen?token=good", &[], "").await.status, 401);
    assert_eq!(server.send("POST /listen?token=good", &[stream, JSON], "{}").await.status, 401);
    assert_eq!(server.send("GET /listen?token=good", &[stream, TOKEN], "").await.status, 401, "two places");
}

#[tokio::test]
async fn an_address_that_guesses_is_told_how_long_to_wait() {
    let server = Server::guarded().await;
    let answer = server.send("GET /health", &["Authorization: Bearer guess"], "").await;
    assert_eq!((answer.status, answer.header("retry-after").as_deref()), (429, Some("61")));
}

#[tokio::test]
async fn every_answer_carries_the_headers_of_safety_and_its_id() {
    let server = Server::guarded().await;
    for route in ROUTES {
        let answer = send(&server, route, &[TOKEN]).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{route}");
        assert_eq!(policy.contains("require-trusted-types-for"), route != "GET /docs", "{route}");
        assert_eq!(answer.header("x-content-type-options").as_deref(), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy").as_deref(), Some("no-referrer"));
        assert_eq!(answer.header("cross-origin-opener-policy").as_deref(), Some("same-origin"));
        assert_eq!(answer.header("cross-origin-resource-policy").as_deref(), Some("same-origin"));
        assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
        assert_eq!(answer.header("strict-transport-security"), None);
        assert_eq!(answer.header("server"), None);
        assert_eq!(answer.header("x-request-id").unwrap().len(), 16, "{route}");
    }
    let named = server.send("GET /health", &["X-Request-Id: my-own.1"], "").await;
    assert_eq!(named.header("x-request-id").as_deref(), Some("my-own.1"));
    let odd = server.send("GET /health", &["X-Request-Id: a b"], "").await;
    assert_eq!(odd.header("x-request-id").unwrap().len(), 16);
}

#[tokio::test]
async fn a_refused_request_leaves_its_connection_usable() {
    let server = Server::open().await;
    let mut connection = Connection::open(server.address).await;
    let refused = connection.send("POST /call/echo", &["Content-Type: text/plain"], "x").await;
    assert_eq!(refused.status, 415);
    assert_eq!(connection.send("GET /health", &[], "").await.status, 200);
}
