//! Health, metrics and the pages.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gabier_tool::ErrorKind;
use gabier_web::WebOptions;

use crate::fixture::{Server, TOKEN, options, try_web};

#[tokio::test]
async fn health_says_what_answers() {
    let server = Server::open().await;
    for path in ["/health", "/healthz"] {
        let value = server.get(path).await.json();
        assert_eq!(value["status"], "ok");
        assert_eq!((value["service"].as_str(), value["version"].as_str()), (Some("demo"), Some("1.2.3")));
        assert!(value["uptime_s"].is_u64() && value["transport"] == "http");
        let text = server.send(&format!("GET {path}"), &["Accept: text/plain"], "").await;
        assert_eq!(text.text(), "ok");
    }
}

#[tokio::test]
async fn a_configured_health_path_replaces_the_usual_one() {
    let server = Server::start(WebOptions { health_path: "/alive".to_owned(), ..options() }, false).await;
    assert_eq!(server.get("/alive").await.status, 200);
    assert_eq!(server.get("/healthz").await.status, 200);
    let gone = server.get("/health").await;
    assert_eq!((gone.status, gone.word().as_str()), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn a_configured_path_never_shadows_another() {
    let check = |health_path: &str, mcp_path: &str| {
        let (health_path, mcp_path) = (health_path.to_owned(), mcp_path.to_owned());
        let world = Arc::default();
        try_web(WebOptions { health_path, mcp_path, ..options() }, &world, false).map(|_| ())
    };
    assert!(check("/healthz", "/mcp").is_ok());
    for (health, mcp) in
        [("/docs", "/mcp"), ("health", "/mcp"), ("/a/{b}", "/mcp"), ("/x", "/x"), ("/health", "/tools")]
    {
        assert_eq!(check(health, mcp).unwrap_err().kind(), ErrorKind::InvalidArgument, "{health} {mcp}");
    }
}

#[tokio::test]
async fn ready_means_every_part_is_up() {
    let server = Server::open().await;
    assert_eq!(server.get("/ready").await.json()["ready"], true);
    server.world.unready.store(true, Ordering::SeqCst);
    let answer = server.get("/ready").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.text(), r#"{"ready":false,"status":"1 of 2 parts are ready","total":2}"#);
}

#[tokio::test]
async fn metrics_count_calls_by_closed_words() {
    let server = Server::guarded().await;
    for (route, body) in [("/call/echo", r#"{"words":"x"}"#), ("/call/echo", "{}"), ("/call/greet", "{}")] {
        server.send(&format!("POST {route}"), &[TOKEN, crate::fixture::JSON], body).await;
    }
    let answer = server.send("GET /metrics", &[TOKEN], "").await;
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let text = answer.text();
    for line in [
        r#"gabier_calls_total{tool="echo",face="rest",outcome="ok"} 1"#,
        r#"gabier_calls_total{tool="echo",face="rest",outcome="INVALID_ARGUMENT"} 1"#,
        r#"gabier_call_duration_seconds_count{tool="greet",face="rest"} 1"#,
        "gabier_calls_in_flight 0",
        r#"gabier_build_info{service="demo",version="1.2.3"} 1"#,
    ] {
        assert!(text.contains(line), "{line} not in {text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn the_landing_page_is_json_unless_a_page_is_asked_for() {
    let server = Server::open().await;
    let value = server.get("/").await.json();
    assert_eq!((value["service"].as_str(), value["tools"].as_u64()), (Some("demo"), Some(8)));
    assert_eq!(value["links"]["mcp"], "/mcp");
    let page = server.send("GET /", &["Accept: text/html,*/*;q=0.8"], "").await;
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert!(page.text().contains("<h1>demo</h1>") && page.text().contains(r#"href="/docs""#));
}

/// Every `src` and `href` of a page that is no link for people.
fn assets(page: &str) -> Vec<String> {
    let sources = page.split("src=\"").skip(1);
    let styles = page.split("rel=\"stylesheet\" href=\"").skip(1);
    sources.chain(styles).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_bring_their_own_assets_under_names_that_never_change_meaning() {
    let server = Server::open().await;
    for (path, count) in [("/docs", 4), ("/redoc", 2)] {
        let page = server.get(path).await;
        let text = page.text();
        assert_eq!(page.status, 200);
        assert!(!text.contains("style=") && !text.contains("<script>") && !text.contains("//cdn"), "{path}");
        let assets = assets(&text);
        assert_eq!(assets.len(), count, "{assets:?}");
        for asset in assets {
            assert!(asset.starts_with("/assets/"), "{asset}");
            let plain = server.get(&asset).await;
            assert_eq!(plain.status, 200);
            assert!(plain.header("cache-control").unwrap().contains("immutable"));
            let packed = server.send(&format!("GET {asset}"), &["Accept-Encoding: gzip, br"], "").await;
            assert_eq!(packed.header("content-encoding").as_deref(), Some("gzip"));
            assert!(packed.body.len() < plain.body.len().max(400));
            let etag = format!("If-None-Match: {}", plain.header("etag").unwrap());
            assert_eq!(server.send(&format!("GET {asset}"), &[&etag], "").await.status, 304);
        }
    }
    assert_eq!(server.get("/assets/gabier-0.css").await.status, 404);
}

#[tokio::test]
async fn swagger_ui_is_whole() {
    let server = Server::open().await;
    let page = server.get("/docs").await.text();
    let sizes: Vec<String> = assets(&page).into_iter().filter(|asset| asset.contains("swagger-ui")).collect();
    for asset in sizes {
        let length = server.get(&asset).await.body.len();
        assert!(length > 100_000, "{asset} has {length} bytes");
    }
}

#[tokio::test]
async fn the_reference_shows_tools_parameters_and_codes_as_plain_html() {
    let server = Server::open().await;
    let text = server.get("/redoc").await.text();
    for part in [
        "/api/v1/tools/echo",
        "how_often",
        "How often.",
        "INVALID_ARGUMENT",
        "<caption>",
        "At most: <code>20",
    ] {
        assert!(text.contains(part), "{part}");
    }
}
