//! A receiver on loopback that hears of a task.

use std::collections::HashMap;

use gabier_task::webhook::{verify, verify_legacy};
use gabier_tool::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::fixture::{BEGIN, Machine, WEBHOOK_SECRET};

/// One request as it came.
struct Heard {
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

/// Takes one request and answers it.
async fn hear(listener: &TcpListener, answer: &str) -> Heard {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    loop {
        socket.read_buf(&mut bytes).await.unwrap();
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let headers: HashMap<String, String> = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let body = &bytes[end + 4..];
        if body.len() >= headers["content-length"].parse().unwrap() {
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
            return Heard { headers, body: body.to_vec() };
        }
    }
}

#[tokio::test]
async fn a_receiver_of_either_convention_accepts_what_it_hears_in_order() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let id = server.hand_over("work", json!({"ms": 1, "callback_url": url, "background": true})).await;
    let heard = [hear(&listener, "204 No Content").await, hear(&listener, "200 OK").await];
    let secret = Secret::from(WEBHOOK_SECRET.to_owned());
    for (heard, event) in heard.iter().zip(["processing", "completed"]) {
        let Heard { headers, body } = heard;
        assert_eq!(headers["webhook-id"], format!("msg_{id}_{event}"));
        assert_eq!(
            (headers["x-task-id"].as_str(), headers["content-type"].as_str()),
            (&*id, "application/json")
        );
        let (time, signature) = (&headers["webhook-timestamp"], &headers["webhook-signature"]);
        assert!(verify(&secret, &headers["webhook-id"], time, signature, body, BEGIN / 1000));
        assert!(verify_legacy(&secret, &headers["x-webhook-signature-256"], body));
        let said: Value = serde_json::from_slice(body).unwrap();
        assert_eq!((&said["status"], &said["taskId"]), (&json!(event), &json!(id)));
    }
    let said: Value = serde_json::from_slice(&heard[1].body).unwrap();
    assert_eq!(said["result"], json!({"ms": 1}));
}

#[tokio::test]
async fn a_target_that_may_not_be_reached_is_refused_before_queueing() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    for url in ["http://10.0.0.1/hook", "ftp://example.org/", "http://169.254.169.254/"] {
        let refused = server.ask("work", json!({"ms": 1, "callback_url": url})).await;
        assert_eq!(refused["error"], true, "{url}: {refused}");
    }
    assert!(machine.starts().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    server.hand_over("work", json!({"ms": 1, "callback_url": url, "background": true})).await;
    hear(&listener, "307 Temporary Redirect\r\nlocation: /elsewhere").await;
    let caller = crate::fixture::caller("user:1");
    for _ in 0..100 {
        let page = server.tasks.deliveries(&caller, Some("waiting"), 10, None).await.unwrap();
        if let Some(last) = page.deliveries.iter().find_map(|delivery| delivery.last.as_deref()) {
            assert_eq!(last, "307 Temporary Redirect: redirects are not followed");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the try was not noted");
}
