//! Servers on loopback, as scripted answers.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use gabier_term::{Answer, Backend, Remote, Server};
use gabier_tool::{Effect, Feedback, Level, Progress, Secret};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::fixture::{StoppedClock, tools};

/// A request as a server sees it.
struct Request {
    line: String,
    headers: String,
    body: Value,
}

/// What a server answers; `None` closes the connection without a word.
type Script = dyn Fn(&Request) -> Option<String> + Send + Sync;

/// A server of these answers; gives its address.
async fn serve(script: impl Fn(&Request) -> Option<String> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let script: Arc<Script> = Arc::new(script);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(attend(stream, Arc::clone(&script)));
        }
    });
    format!("http://{address}")
}

async fn attend(mut stream: TcpStream, script: Arc<Script>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let Ok(read @ 1..) = stream.read(&mut buffer).await else { return };
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        if body.len() < length.parse::<usize>().unwrap() {
            continue;
        }
        let (line, headers) = head.split_once("\r\n").unwrap();
        let request = Request {
            line: line.to_owned(),
            headers: headers.to_owned(),
            body: serde_json::from_str(body).unwrap_or_default(),
        };
        if let Some(answer) = script(&request) {
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        return;
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an answer of the script as it stands")]
fn http(status: &str, media: &str, body: &str) -> Option<String> {
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {length}\r\nconnection: close\r\netag: \"v1\"\r\n\r\n{body}"
    ))
}

fn json_answer(body: &Value) -> Option<String> {
    http("200 OK", "application/json", &body.to_string())
}

/// Keeps what a call said on its way.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Feedback for Heard {
    fn progress(&self, progress: Progress) {
        self.0.lock().unwrap().push(format!("{}/{:?} {:?}", progress.done, progress.total, progress.message));
    }

    fn log(&self, _: Level, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

fn remote(url: &str) -> Remote {
    let token = Some(Secret::from("t0ken".to_owned()));
    Remote::new(Server { url: url.to_owned(), token, cache: None }, Arc::new(StoppedClock)).unwrap()
}

async fn call(remote: &Remote, name: &str) -> (Answer, Vec<String>) {
    let heard = Arc::new(Heard::default());
    let arguments = Map::from_iter([("host".to_owned(), "a".into())]);
    let answer = remote.call(name, arguments, Arc::clone(&heard) as _, CancellationToken::new()).await;
    let lines = heard.0.lock().unwrap().clone();
    (answer, lines)
}

/// gabier's own REST.
fn rest(request: &Request) -> Option<String> {
    if !request.headers.contains("authorization: bearer t0ken") {
        let refusal = json!({"status": "error", "error": true, "code": "UNAUTHENTICATED", "message": "no token",
            "details": {}, "retriable": false});
        return http("401 Unauthorized", "application/json", &refusal.to_string());
    }
    match request.line.as_str() {
        "get /api/v1/tools http/1.1" if request.headers.contains("if-none-match: \"v1\"") => {
            http("304 Not Modified", "application/json", "")
        }
        "get /api/v1/tools http/1.1" => json_answer(&json!({"status": "ok", "data": {"tools": tools()}})),
        "post /api/v1/tools/ping_host http/1.1" => {
            let result = json!({"envelope": {"status": "warning", "message": "m", "data": request.body},
                "view": {"blocks": [{"block": "text", "text": "a\u{1b}[31mb"}]}, "exit_code": 3});
            let stream = format!(
                "event: progress\ndata: {{\"done\":1,\"total\":2,\"message\":\"half\"}}\n\n: still here\n\n\
                 event: log\ndata: {{\"level\":\"warn\",\"message\":\"slow\\u001b\"}}\n\nevent: result\ndata: {result}\n\n"
            );
            http("200 OK", "text/event-stream", &stream)
        }
        "post /api/v1/tools/cut http/1.1" => {
            http("200 OK", "text/event-stream", "event: progress\ndata: {}\n\n")
        }
        _ => http(
            "404 Not Found",
            "application/json",
            &json!({"status": "error", "error": true, "code": "NOT_FOUND", "message": "no such tool"})
                .to_string(),
        ),
    }
}

#[tokio::test]
async fn a_gabier_server_is_driven_with_live_progress_and_its_own_view() {
    let remote = remote(&serve(rest).await);
    let listed = remote.tools().await.unwrap();
    assert_eq!(listed.len(), tools().len());
    let (answer, heard) = call(&remote, "ping_host").await;
    assert_eq!((answer.exit_code, &answer.envelope["data"]), (3, &json!({"host": "a"})));
    assert_eq!(heard, ["1/Some(2.0) Some(\"half\")", "slow␛"]);
    let view = serde_json::to_string(&answer.view).unwrap();
    assert!(view.contains("a␛[31mb"), "{view}");
    let (answer, _) = call(&remote, "gone").await;
    assert_eq!((answer.exit_code, &answer.envelope["code"]), (4, &json!("NOT_FOUND")));
    let (answer, _) = call(&remote, "cut").await;
    assert_eq!((answer.exit_code, &answer.envelope["code"]), (5, &json!("CONNECTION_FAILED")));
}

#[tokio::test]
async fn a_server_that_refuses_the_token_says_so() {
    let url = serve(rest).await;
    let server = Server { url, token: None, cache: None };
    let remote = Remote::new(server, Arc::new(StoppedClock)).unwrap();
    let error = remote.tools().await.unwrap_err();
    assert_eq!((error.kind().code(), error.kind().row().exit), ("UNAUTHENTICATED", 7));
}

#[tokio::test]
async fn the_list_is_kept_under_its_etag() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(rest).await;
    let again = |cache: PathBuf| {
        let server =
            Server { url: url.clone(), token: Some(Secret::from("t0ken".to_owned())), cache: Some(cache) };
        Remote::new(server, Arc::new(StoppedClock)).unwrap()
    };
    let first = again(folder.path().to_owned()).tools().await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let second = again(folder.path().to_owned()).tools().await.unwrap();
    assert_eq!(first.len(), second.len());
}

#[tokio::test]
async fn a_dead_server_is_connection_failed_with_exit_5() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let remote = remote(&url);
    assert_eq!(remote.tools().await.unwrap_err().kind().code(), "CONNECTION_FAILED");
    let (answer, _) = call(&remote, "ping_host").await;
    assert_eq!((answer.exit_code, &answer.envelope["code"]), (5, &json!("CONNECTION_FAILED")));
    assert!(answer.envelope["message"].as_str().unwrap().contains("refused"), "{}", answer.envelope);
}

#[tokio::test]
async fn a_cancelled_call_ends_at_once_although_the_server_is_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = remote(&format!("http://{}/mcp", listener.local_addr().unwrap()));
    let cancel = CancellationToken::new();
    cancel.cancel();
    let answer = remote.call("x", Map::new(), Arc::new(gabier_tool::Silent), cancel).await;
    assert_eq!((answer.exit_code, &answer.envelope["code"]), (130, &json!("CANCELLED")));
}

/// A foreign MCP server; one that keeps sessions wants `initialize` first.
fn foreign(request: &Request, keeps_sessions: bool) -> Option<String> {
    let id = request.body["id"].clone();
    let method = request.body["method"].as_str().unwrap_or_default();
    if !request.line.starts_with("post /mcp") {
        return http("404 Not Found", "text/plain", "nothing here");
    }
    if keeps_sessions && method != "initialize" && !request.headers.contains("mcp-session-id: s1") {
        return http("400 Bad Request", "application/json", "{}");
    }
    let result = match method {
        "initialize" => {
            let body =
                json!({"jsonrpc": "2.0", "id": id, "result": {"protocolVersion": "2025-06-18"}}).to_string();
            return http("200 OK\r\nmcp-session-id: s1", "application/json", &body);
        }
        "notifications/initialized" => return http("202 Accepted", "text/plain", ""),
        "tools/list" if request.body["params"]["cursor"].is_null() => {
            json!({"tools": [{"name": "getWeather", "description": "Weather\u{202e}.", "annotations": {"readOnlyHint": true},
                "inputSchema": {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}}],
                "nextCursor": "2"})
        }
        "tools/list" => json!({"tools": [{"name": "drop", "annotations": {"destructiveHint": true}}]}),
        _ => match request.body["params"]["name"].as_str() {
            Some("getWeather") => {
                json!({"content": [{"type": "text", "text": "sunny\u{1b}[0m"}, {"type": "image", "mimeType": "image/png"}]})
            }
            Some("drop") => json!({"content": [{"type": "text", "text": "no rights"}], "isError": true}),
            _ => {
                let body =
                    json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32602, "message": "unknown tool"}});
                return json_answer(&body);
            }
        },
    };
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}});
    let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
    http("200 OK", "text/event-stream", &format!("data: {progress}\n\ndata: {answer}\n\n"))
}

async fn check_foreign(url: &str) {
    let remote = remote(url);
    let listed = remote.tools().await.unwrap();
    let names: Vec<(&str, Effect)> = listed.iter().map(|tool| (tool.name.as_str(), tool.effect)).collect();
    assert_eq!(names, [("getWeather", Effect::Read), ("drop", Effect::Destroy)]);
    assert_eq!(listed[0].description, "Weather\\u{202e}.");
    let (answer, heard) = call(&remote, "getWeather").await;
    assert_eq!((answer.exit_code, heard.len()), (0, 1));
    let view = serde_json::to_string(&answer.view).unwrap();
    assert!(view.contains("sunny␛[0m") && view.contains("[image: image/png]"), "{view}");
    let (answer, _) = call(&remote, "drop").await;
    assert_eq!((answer.exit_code, &answer.envelope["message"]), (1, &json!("no rights")));
    let (answer, _) = call(&remote, "other").await;
    assert_eq!((answer.exit_code, &answer.envelope["code"]), (2, &json!("INVALID_ARGUMENT")));
}

#[tokio::test]
async fn a_foreign_mcp_server_is_driven_bare_or_with_an_introduction() {
    let bare = serve(|request| foreign(request, false)).await;
    check_foreign(&format!("{bare}/mcp")).await;
    check_foreign(&bare).await;
    let shy = serve(|request| foreign(request, true)).await;
    check_foreign(&format!("{shy}/mcp")).await;
}

#[test]
fn a_token_never_leaves_in_the_clear() {
    let refused = |url: &str| {
        let token = Some(Secret::from("t".to_owned()));
        let server = Server { url: url.to_owned(), token, cache: None };
        Remote::new(server, Arc::new(StoppedClock)).is_err()
    };
    assert!(refused("http://example.org"));
    assert!(refused("http://user:pass@127.0.0.1"));
    assert!(refused("ftp://127.0.0.1") && refused("nonsense"));
    assert!(
        !refused("https://example.org") && !refused("http://localhost:8000") && !refused("http://[::1]:1")
    );
}
