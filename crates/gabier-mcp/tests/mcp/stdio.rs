//! One client on a pipe.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fixture::{Bench, call, caller, initialize, modern, until};

struct Client {
    bench: Bench,
    input: Option<WriteHalf<DuplexStream>>,
    output: Lines<BufReader<ReadHalf<DuplexStream>>>,
    server: JoinHandle<()>,
}

impl Client {
    fn new() -> Self {
        let bench = Bench::new();
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (input, output) = tokio::io::split(theirs);
        let mcp = bench.mcp.clone();
        let server = tokio::spawn(async move {
            mcp.serve_io(caller("alice"), input, output, CancellationToken::new()).await.unwrap();
        });
        let (output, input) = tokio::io::split(ours);
        Self { bench, input: Some(input), output: BufReader::new(output).lines(), server }
    }

    async fn say(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line.as_bytes()).await.unwrap();
        input.write_all(b"\n").await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(5), self.output.next_line()).await.unwrap();
        serde_json::from_str(&line.unwrap().expect("a line")).unwrap()
    }

    async fn ask(&mut self, message: &Value) -> Value {
        self.say(&message.to_string()).await;
        self.hear().await
    }

    /// Ends the input and gives how long the server took to end.
    async fn leave(mut self) -> Duration {
        self.input.take().unwrap().shutdown().await.unwrap();
        let left = Instant::now();
        tokio::time::timeout(Duration::from_secs(5), self.server).await.unwrap().unwrap();
        left.elapsed()
    }
}

#[tokio::test]
async fn nothing_that_comes_first_ends_the_pipe() {
    let mut client = Client::new();
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    client.say("").await;
    assert_eq!(client.ask(&json!("garbage")).await["error"]["code"], -32600);
    client.say("{not json").await;
    assert_eq!(client.hear().await["error"]["code"], -32700);
    let ping = json!({"jsonrpc": "2.0", "id": "p", "method": "ping"});
    assert_eq!(client.ask(&ping).await, json!({"jsonrpc": "2.0", "id": "p", "result": {}}));
    let answer = client.ask(&call(9, "echo", json!({"text": "hi"}))).await;
    assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(9), &json!(false)));
}

#[tokio::test]
async fn both_eras_share_a_pipe_in_any_order() {
    let mut client = Client::new();
    let discover = client.ask(&modern("server/discover", json!({}))).await;
    assert_eq!(discover["result"]["supportedVersions"].as_array().map(Vec::len), Some(5));
    let call_now = modern("tools/call", json!({"name": "echo", "arguments": {"text": "hi"}}));
    assert_eq!(client.ask(&call_now).await["result"]["resultType"], "complete");
    assert_eq!(client.ask(&initialize("2025-06-18")).await["result"]["protocolVersion"], "2025-06-18");
    let list = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/list"});
    assert_eq!(client.ask(&list).await["result"].get("ttlMs"), None);
    assert_eq!(client.ask(&modern("tools/list", json!({}))).await["result"]["ttlMs"], 60_000);
}

#[tokio::test]
async fn what_is_piped_right_behind_initialize_is_answered_after_it() {
    let mut client = Client::new();
    let call = call(9, "echo", json!({"text": "hi"}));
    client.say(&format!("{}\n{call}", initialize("2025-06-18"))).await;
    assert_eq!(client.hear().await["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(client.hear().await["id"], 9);
}

#[tokio::test]
async fn a_line_that_is_too_long_is_answered_and_the_next_one_served() {
    let mut client = Client::new();
    let long = call(1, "echo", json!({"text": "x".repeat(1024 * 1024)}));
    let answer = client.ask(&long).await;
    assert_eq!(answer["error"]["code"], -32600);
    assert!(answer["error"]["message"].as_str().unwrap().contains("1048576 bytes"));
    assert_eq!(client.ask(&call(2, "echo", json!({"text": "hi"}))).await["id"], 2);
}

#[tokio::test]
async fn a_batch_is_answered_as_one_line_in_the_revision_that_knows_it() {
    let mut client = Client::new();
    let batch = json!([
        call(1, "echo", json!({"text": "a"})),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 5},
        call("b", "echo", json!({"text": "b"})),
    ]);
    assert_eq!(client.ask(&batch).await["error"]["code"], -32600);
    client.ask(&initialize("2025-03-26")).await;
    let answers = client.ask(&batch).await;
    let mut ids: Vec<String> =
        answers.as_array().unwrap().iter().map(|answer| answer["id"].to_string()).collect();
    ids.sort();
    assert_eq!(ids, ["\"b\"", "1", "5"]);
    client.ask(&initialize("2025-06-18")).await;
    assert_eq!(client.ask(&batch).await["error"]["code"], -32600);
}

#[tokio::test]
async fn a_question_is_asked_while_the_call_waits() {
    let mut client = Client::new();
    client.ask(&initialize("2025-11-25")).await;
    let question = client.ask(&call(1, "remove", json!({"name": "x"}))).await;
    assert_eq!(question["method"], "elicitation/create");
    let answer = client
        .ask(&json!({
            "jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"yes": true}},
        }))
        .await;
    assert_eq!(answer["result"]["structuredContent"]["data"]["name"], "x");
}

#[tokio::test]
async fn what_a_tool_says_comes_in_order_before_its_answer() {
    let mut client = Client::new();
    client.ask(&initialize("2025-06-18")).await;
    let mut speak = call(1, "speak", json!({}));
    speak["params"]["_meta"] = json!({"progressToken": 7});
    client.say(&speak.to_string()).await;
    let mut heard = Vec::new();
    for _ in 0..5 {
        heard.push(client.hear().await);
    }
    let methods: Vec<&str> = heard.iter().map(|one| one["method"].as_str().unwrap_or("answer")).collect();
    assert_eq!(
        methods,
        [
            "notifications/progress",
            "notifications/message",
            "notifications/tool/streamContent",
            "notifications/progress",
            "answer",
        ],
    );
    assert_eq!(heard[1]["params"]["level"], "warning");
    assert_eq!(heard[2]["params"]["toolName"], "speak");
}

#[tokio::test]
async fn a_cancelled_call_stops() {
    let mut client = Client::new();
    client.ask(&initialize("2025-06-18")).await;
    client.say(&call(1, "wait", json!({})).to_string()).await;
    let world = client.bench.world.clone();
    until(|| world.started.load(Ordering::SeqCst) == 1).await;
    client
        .say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"enough"}}"#)
        .await;
    until(|| world.ended.load(Ordering::SeqCst) == 1).await;
    let ping = json!({"jsonrpc": "2.0", "id": "p", "method": "ping"});
    assert_eq!(client.ask(&ping).await["id"], "p", "a call that was taken back has no answer");
    assert_eq!(client.ask(&call(1, "echo", json!({"text": "hi"}))).await["id"], 1);
}

#[tokio::test]
async fn a_call_is_answered_alike_with_and_without_a_handshake() {
    let (mut known, mut stranger) = (Client::new(), Client::new());
    known.ask(&initialize("2025-06-18")).await;
    let mut deep = call("d", "echo", json!({"text": "hi"}));
    deep["params"]["_meta"] = json!({"io.modelcontextprotocol/logLevel": "loud"});
    let bare = json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "echo"}});
    for message in [
        call(1, "echo", json!({"text": "hi"})),
        call("two", "echo", json!({"text": 2})),
        call(3, "echo", json!({"text": "hi", "tone": "low"})),
        call(4, "ecko", json!({})),
        deep,
        bare,
        modern("tools/call", json!({"name": "echo", "arguments": {"text": "hi"}})),
    ] {
        let mut answers = [known.ask(&message).await, stranger.ask(&message).await];
        for answer in &mut answers {
            // What differs between any two calls.
            forget(answer, &["request_id", "duration_ms", "timestamp", "text"]);
        }
        assert_eq!(answers[0], answers[1], "{message}");
    }
}

/// Takes these fields out, wherever they are.
fn forget(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !names.contains(&name.as_str()));
            fields.values_mut().for_each(|field| forget(field, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| forget(item, names)),
        _ => {}
    }
}

#[tokio::test]
async fn the_end_of_the_input_ends_the_server_within_a_second_though_a_call_runs() {
    for has_handshake in [false, true] {
        let mut client = Client::new();
        if has_handshake {
            client.ask(&initialize("2025-06-18")).await;
        }
        client.say(&call(1, "wait", json!({})).to_string()).await;
        let world = client.bench.world.clone();
        until(|| world.started.load(Ordering::SeqCst) == 1).await;
        let took = client.leave().await;
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(world.ended.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_call_just_before_the_end_of_the_input_is_still_answered() {
    for has_handshake in [false, true] {
        let mut client = Client::new();
        if has_handshake {
            client.ask(&initialize("2025-06-18")).await;
        }
        client.say(&call(1, "echo", json!({"text": "last"})).to_string()).await;
        client.input.take().unwrap().shutdown().await.unwrap();
        assert_eq!(client.hear().await["result"]["structuredContent"]["data"]["said"], "last");
    }
}
