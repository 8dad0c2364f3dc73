//! Tools over REST: routes, statuses and forms.

use crate::client::Connection;
use crate::fixture::{JSON, Server, TOKEN};

#[tokio::test]
async fn a_tool_answers_on_each_of_its_routes() {
    let server = Server::open().await;
    let body = r#"{"words": "hi"}"#;
    for route in ["/api/v1/tools/echo", "/call/echo", "/tools/say", "/api/v1/tools/say", "/call/say"] {
        let answer = server.send(&format!("POST {route}"), &[JSON], body).await;
        assert_eq!(answer.status, 200, "{route}: {}", answer.text());
        assert_eq!(answer.text(), r#"{"status":"ok","data":{"said":[{"words":"hi"}]}}"#);
    }
    for route in ["/api/v1/tools/echo", "/tools/echo", "/api/v1/tools/say"] {
        let answer = server.get(&format!("{route}?words=h%C3%A9+you&how_often=2&loud=true")).await;
        assert_eq!(
            answer.text(),
            r#"{"status":"ok","data":{"said":[{"words":"HÉ YOU"},{"words":"HÉ YOU"}]}}"#
        );
    }
}

#[tokio::test]
async fn a_query_takes_every_spelling_and_refuses_the_rest() {
    let server = Server::open().await;
    let check = async |query: &str, status: u16, said: &str| {
        let answer = server.get(&format!("/api/v1/tools/echo?{query}")).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        assert!(answer.text().contains(said), "{query}: {}", answer.text());
    };
    check("text=hi", 200, "hi").await;
    check("words=hi&howOften=2", 200, "hi").await;
    check("words=hi&how-often=2", 200, "hi").await;
    check("", 422, "words").await;
    check("words=hi&how_often=x", 422, "how_often").await;
    check("words=hi&how_often=21", 422, "at most 20").await;
    check("words=hi&how_often=1&how_often=2", 422, "more than once").await;
    check("words=hi&loud=perhaps", 422, "loud").await;
    check("words=hi&wrods=x", 422, "did you mean words").await;
}

#[tokio::test]
async fn what_may_not_be_a_link_is_no_link() {
    let server = Server::open().await;
    for tool in ["thing_keep", "packet_send", "door_open"] {
        let answer = server.get(&format!("/api/v1/tools/{tool}")).await;
        assert_eq!((answer.status, answer.header("allow").as_deref()), (405, Some("POST")), "{tool}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let server = Server::open().await;
    let check = async |line: &str, allow: &str| {
        let answer = server.send(line, &[], "").await;
        assert_eq!((answer.status, answer.word().as_str()), (405, "METHOD_NOT_ALLOWED"), "{line}");
        assert_eq!(answer.header("allow").as_deref(), Some(allow), "{line}");
    };
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        check(&format!("{method} /api/v1/tools/echo"), "POST,GET,HEAD").await;
        check(&format!("{method} /api/v1/tools/thing_keep"), "POST").await;
        check(&format!("{method} /tools"), "GET,HEAD").await;
    }
    check("GET /call/echo", "POST").await;
    check("POST /health", "GET,HEAD").await;
}

#[tokio::test]
async fn a_head_request_gets_the_head_alone() {
    let server = Server::open().await;
    let mut connection = Connection::open(server.address).await;
    connection.write("HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let text = String::from_utf8(connection.closed().await).unwrap();
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("\r\n\r\n"), "{text}");
}

#[tokio::test]
async fn each_fault_has_its_status() {
    let server = Server::open().await;
    let check = async |tool: &str, body: &str, status: u16, code: &str| {
        let answer = server.call(tool, body).await;
        assert_eq!(
            (answer.status, answer.word().as_str()),
            (status, code),
            "{tool} {body}: {}",
            answer.text()
        );
    };
    check("ecko", "{}", 404, "NOT_FOUND").await;
    check("echo", "{", 400, "BAD_REQUEST").await;
    check("echo", "\u{0}", 400, "BAD_REQUEST").await;
    check("echo", "[1]", 422, "INVALID_ARGUMENT").await;
    check("echo", "null", 422, "INVALID_ARGUMENT").await;
    check("echo", "{}", 422, "INVALID_ARGUMENT").await;
    check("echo", r#"{"words": 1}"#, 422, "INVALID_ARGUMENT").await;
    check("echo", r#"{"words": "x", "more": 1}"#, 422, "INVALID_ARGUMENT").await;
    check("echo", &"[".repeat(200), 400, "BAD_REQUEST").await;
    check("thing_keep", r#"{"name": "x"}"#, 201, "created").await;
    check("fail", r#"{"code": "INTERNAL"}"#, 500, "INTERNAL").await;
    check("fail", r#"{"code": "NOT_AVAILABLE"}"#, 501, "NOT_AVAILABLE").await;
    check("fail", r#"{"code": "TIMEOUT"}"#, 504, "TIMEOUT").await;
    let near = server.call("ecko", "{}").await;
    assert_eq!(near.json()["details"]["nearest"][0], "echo");
}

#[tokio::test]
async fn a_body_that_is_no_utf_8_is_a_bad_request() {
    let server = Server::open().await;
    let mut connection = Connection::open(server.address).await;
    connection
        .write(format!("POST /call/echo HTTP/1.1\r\nHost: localhost\r\n{JSON}\r\nContent-Length: 13\r\n\r\n"))
        .await;
    connection.write(b"{\"words\":\"\xff\"}").await;
    assert_eq!(connection.answer().await.status, 400);
}

#[tokio::test]
async fn no_body_is_no_arguments() {
    let server = Server::open().await;
    assert_eq!(server.send("POST /call/greet", &[], "").await.status, 200);
}

#[tokio::test]
async fn too_many_says_when_to_come_back() {
    let server = Server::open().await;
    let answer = server.call("fail", r#"{"code": "RATE_LIMITED"}"#).await;
    assert_eq!((answer.status, answer.header("retry-after").as_deref()), (429, Some("3")));
}

#[tokio::test]
async fn the_accept_header_chooses_the_form() {
    let server = Server::open().await;
    let check = async |accept: &str, media: &str, parts: &[&str]| {
        let line = "POST /api/v1/tools/echo";
        let answer = server
            .send(line, &[JSON, &format!("Accept: {accept}")], r#"{"words":"<b>x","how_often":2}"#)
            .await;
        assert_eq!(answer.status, 200);
        assert!(answer.header("content-type").unwrap().starts_with(media), "{accept}");
        for part in parts {
            assert!(answer.text().contains(part), "{accept}: {part} not in {}", answer.text());
        }
    };
    check("*/*", "application/json", &[r#""status":"ok""#]).await;
    check("text/markdown", "text/markdown", &["| words |", r"\<b\>x"]).await;
    check("text/html", "text/html", &["<table>", "&lt;b&gt;x", "<h1>"]).await;
    check("application/x-ndjson", "application/x-ndjson", &["{\"words\":\"<b>x\"}\n{\"words\":\"<b>x\"}\n"])
        .await;
    let view = "application/vnd.gabier.view+json";
    check(view, view, &[r#""exit_code":0"#, r#""block":"table""#, r#""envelope":{"status":"ok""#]).await;
}

#[tokio::test]
async fn a_failure_is_the_envelope_in_every_form_for_people() {
    let server = Server::open().await;
    for accept in ["text/html", "text/markdown", "application/json"] {
        let answer = server.send("POST /call/echo", &[JSON, &format!("Accept: {accept}")], "{}").await;
        assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
        assert_eq!(answer.json()["details"]["errors"][0]["flag"], "--words");
    }
    let view =
        server.send("POST /call/echo", &[JSON, "Accept: application/vnd.gabier.view+json"], "{}").await;
    assert_eq!((view.status, view.json()["exit_code"].as_i64()), (422, Some(2)));
}

#[tokio::test]
async fn an_event_stream_shows_progress_and_then_the_result() {
    let server = Server::open().await;
    let answer = server.send("POST /call/work", &[JSON, "Accept: text/event-stream"], "{}").await;
    assert_eq!(answer.header("content-type").as_deref(), Some("text/event-stream"));
    let text = answer.text();
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names, ["progress", "log", "result"]);
    assert!(text.contains(r#"data: {"done":1.0,"total":2.0,"message":"half"}"#), "{text}");
    assert!(text.contains(r#"data: {"envelope":{"status":"ok","data":{}},"#), "{text}");
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_its_call() {
    let server = Server::open().await;
    for accept in ["application/json", "text/event-stream"] {
        let mut connection = Connection::open(server.address).await;
        let request = crate::client::request("POST /call/wait", &[JSON, &format!("Accept: {accept}")], "{}");
        connection.write(request).await;
        server.world.waiting.notified().await;
        drop(connection);
        server.world.recorded.notified().await;
        let (tool, outcome) = server.world.ended.lock().unwrap().pop().unwrap();
        assert_eq!(tool, "wait");
        assert!(["CANCELLED", "ok"].contains(&outcome), "{outcome}");
    }
}

#[tokio::test]
async fn the_list_holds_what_the_caller_may_use_and_names_itself() {
    let server = Server::guarded().await;
    let list = server.send("GET /api/v1/tools", &[TOKEN], "").await;
    let value = list.json();
    let names: Vec<&str> = value["data"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["echo", "thing_keep", "packet_send", "door_open", "wait", "work", "fail", "greet"]);
    let etag = list.header("etag").unwrap();
    assert_eq!(server.send("GET /tools", &[TOKEN], "").await.header("etag").unwrap(), etag);
    let again = server.send("GET /tools", &[TOKEN, &format!("If-None-Match: {etag}")], "").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
}
