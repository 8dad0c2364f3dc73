//! `webhook verify` and `webhook listen`, as whoever builds a receiver uses them.

use regex::Regex;
use serde_json::{Value, json};

use crate::harness::{Home, PATIENCE, Running, Watched};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &str = r#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

/// The verdict on the vector of Standard Webhooks with these words instead of its own, and the exit code.
#[track_caller]
fn check(words: &[&str], body: &str) -> (Value, i32) {
    let home = Home::new().with("SECRET", SECRET);
    let done =
        home.run_with(&[&["webhook", "verify", "--json", "--secret", "env:SECRET"], words].concat(), body);
    assert!(!done.stdout.contains(SECRET) && !done.stderr.contains(SECRET), "{done:?}");
    (done.json()["data"]["valid"].clone(), done.code)
}

#[test]
fn the_vector_of_standard_webhooks_verifies_and_nothing_near_it_does() {
    let id = ["--id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "--timestamp", "1614265330"];
    let with = |signature: &'static str| [&id[..], &["--any-time", "--signature", signature]].concat();
    assert_eq!(check(&with(SIGNATURE), BODY), (json!(true), 0));
    assert_eq!(
        check(&with("v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="), BODY),
        (json!(true), 0)
    );
    assert_eq!(check(&with(SIGNATURE), r#"{"test": 2432232315}"#), (json!(false), 1));
    for malformed in ["", "v1", "v1,", "g0hM9SsE", "-", "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="] {
        assert_eq!(check(&with(malformed), BODY), (json!(false), 1), "{malformed}");
    }
    // It is from 2021.
    let old = [&id[..], &["--signature", SIGNATURE]].concat();
    assert_eq!(check(&old, BODY), (json!(false), 1));
    let never = ["--id", "x", "--timestamp", "soon", "--any-time", "--signature", SIGNATURE];
    assert_eq!(check(&never, BODY), (json!(false), 1));
}

#[test]
fn the_older_signature_is_over_the_body_alone() {
    // HMAC-SHA256 of the body under the raw text of the secret.
    let signature = "80ec8a89ce3cd22133a1066caecb4d04fea7467657c8514d717ec42c38a5c94c";
    assert_eq!(check(&["--signature", signature], BODY), (json!(true), 0));
    assert_eq!(check(&["--signature", signature], "{}"), (json!(false), 1));
    assert_eq!(check(&["--signature", &signature[1..]], BODY), (json!(false), 1));
}

#[test]
fn a_secret_is_not_written_on_the_command_line() {
    let done = Home::new().run_with(&["webhook", "verify", "--secret", SECRET, "--signature", "x"], BODY);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(!done.stderr.contains(SECRET), "{done:?}");
    let done = Home::new().run_with(&["webhook", "verify", "--secret", "-", "--signature", "x"], BODY);
    assert_eq!(done.code, 2, "{done:?}");
}

/// `webhook listen --json`, from the line with its address on.
fn listen(home: &Home, count: &str) -> (Running, Watched, std::sync::mpsc::Receiver<()>, u16) {
    let mut running = Running::start(&mut home.command(&["webhook", "listen", "--json", "--count", count]));
    let (stdout, ends) = Watched::read(running.child().stdout.take().unwrap());
    let (stderr, _) = Watched::read(running.child().stderr.take().unwrap());
    let named = Regex::new(r"http://127\.0\.0\.1:([0-9]+)/").unwrap();
    let port = stderr.wait_for("the address", |text| named.captures(text)?.get(1)?.as_str().parse().ok());
    (running, stdout, ends, port)
}

#[test]
fn the_webhooks_of_a_task_arrive_in_order_and_both_signatures_hold() {
    let home = Home::new().with("WEBHOOK_SECRET", "r7Kq2-xT9vW4-bN6mZ1-cJ8dL5-hF3gS0");
    let (mut running, stdout, ends, port) = listen(&home, "2");
    home.configure(&format!("[[egress.allow]]\ncidr = \"127.0.0.1\"\nport = {port}\ntool = \"webhook\"\n"));
    let token = "J2K9x4Qp77aBz1-J2K9x4Qp77aBz1-99";
    let home = home.with("AUTH_TOKEN", token);
    let server = home.serve(&[]).with_token(token);
    let arguments = json!({
        "durationMs": 200, "value1": 2, "value2": 40, "callback_url": format!("http://127.0.0.1:{port}/hook"),
    });
    let answer = server.call("asynchronousTaskSimulatorEnhanced", &arguments);
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["data"]["id"].clone();
    let status = running.end_within(PATIENCE, &ends);
    assert_eq!(status.code(), Some(0));
    let text = stdout.text();
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<&str> = told.iter().filter_map(|delivery| delivery["type"].as_str()).collect();
    assert_eq!(types, ["task.processing", "task.completed"], "{text}");
    for delivery in &told {
        assert_eq!(
            (&delivery["signature"], &delivery["legacy_signature"]),
            (&json!("valid"), &json!("valid"))
        );
        assert_eq!((&delivery["task"], &delivery["body"]["taskId"]), (&id, &id), "{delivery}");
    }
    assert_eq!(told[1]["body"]["result"]["calcRes"].as_f64(), Some(42.0), "{}", told[1]);
}

#[test]
fn a_webhook_under_another_secret_is_told_from_ours() {
    let home = Home::new().with("WEBHOOK_SECRET", "another-secret-Zq8-of-32-characters");
    let (mut running, stdout, ends, port) = listen(&home, "1");
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let forged = crate::harness::post("/", &json!({"type": "task.completed"}))
        .with("webhook-id", "msg_1")
        .with("webhook-timestamp", "1614265330")
        .with("webhook-signature", SIGNATURE);
    assert_eq!(crate::harness::get("/").send(address).status, 405);
    assert_eq!(forged.send(address).status, 204);
    assert_eq!(running.end_within(PATIENCE, &ends).code(), Some(0));
    let told: Value = serde_json::from_str(&stdout.text()).unwrap();
    assert_eq!((&told["signature"], &told["legacy_signature"]), (&json!("invalid"), &json!("absent")));
}

#[test]
fn a_short_webhook_secret_is_refused_by_its_name_and_a_middling_one_is_told_of() {
    let check = |secret: &str| Home::new().with("WEBHOOK_SECRET", secret).run(&["config", "check", "--json"]);
    let short = Home::new().with("WEBHOOK_SECRET", "hunter2").run(&["serve", "--port", "0"]);
    assert_eq!(short.code, 1, "{short:?}");
    assert!(short.stderr.contains("WEBHOOK_SECRET: must have at least 16 characters"), "{short:?}");
    assert!(!short.stderr.contains("hunter2"), "{short:?}");
    assert!(check("hunter2").json()["data"]["errors"].to_string().contains("WEBHOOK_SECRET"));
    let middling = check("j2K9-x4Qp-77aB-z1").json();
    assert!(
        middling["data"]["warnings"].to_string().contains("WEBHOOK_SECRET: has fewer than 32"),
        "{middling}"
    );
    assert_eq!(check("r7Kq2-xT9vW4-bN6mZ1-cJ8dL5-hF3gS0").json()["data"]["warnings"], json!([]));
}
