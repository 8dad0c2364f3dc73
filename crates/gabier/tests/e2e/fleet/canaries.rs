//! Planted secrets in the places that leave this machine: webhooks, exports, resources, the processes of a host.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::secrets::spellings;
use super::{files_below, home, serve};
use crate::harness::{Home, PATIENCE, Server};
use crate::sshd::{Server as There, Sshd};

const PASSWORD: &str = "planted-\"Passw0rd-of-bob\"/é";
const ANSWER: &str = "planted-\"Answ3r-to-a-prompt\"/é";
const API_KEY: &str = "planted-Ap1-key-of-a-shop";
const API_PASSWORD: &str = "planted-\"Pw-of-an-api\"/é";
const SECRETS: [&str; 4] = [PASSWORD, ANSWER, API_KEY, API_PASSWORD];

/// Takes every request whole, answers 200, and keeps what came.
struct Receiver {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let own = Arc::clone(&heard);
        spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (mut bytes, mut part) = (Vec::new(), [0; 8_192]);
                while !is_whole(&bytes) {
                    match stream.read(&mut part) {
                        Ok(0) | Err(_) => break,
                        Ok(count) => bytes.extend_from_slice(&part[..count]),
                    }
                }
                own.lock().unwrap().push(String::from_utf8_lossy(&bytes).into_owned());
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
            }
        });
        Self { port, heard }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0_usize)
}

/// Looks at the command line and the environment of every process, over and over.
struct Watch {
    stop: Arc<AtomicBool>,
    looking: JoinHandle<HashSet<String>>,
}

impl Watch {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let own = Arc::clone(&stop);
        let looking = spawn(move || {
            let mut seen = HashSet::new();
            while !own.load(Ordering::Relaxed) {
                for process in std::fs::read_dir("/proc").unwrap().flatten() {
                    for file in ["cmdline", "environ"] {
                        if let Ok(bytes) = std::fs::read(process.path().join(file)) {
                            seen.insert(String::from_utf8_lossy(&bytes).into_owned());
                        }
                    }
                }
            }
            seen
        });
        Self { stop, looking }
    }

    fn seen(self) -> HashSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.looking.join().unwrap()
    }
}

/// Everything that was said, by where.
#[derive(Default)]
struct Said(Vec<(String, String)>);

impl Said {
    fn hear(&mut self, place: &str, text: impl Into<String>) {
        self.0.push((place.to_owned(), text.into()));
    }

    #[track_caller]
    fn assert_clean(&self) {
        for secret in SECRETS {
            for spelling in spellings(secret) {
                for (place, text) in &self.0 {
                    let near = text.find(&spelling).map(|at| {
                        let from = text.floor_char_boundary(at.saturating_sub(80));
                        &text[from..text.ceil_char_boundary(at + spelling.len() + 20)]
                    });
                    assert!(near.is_none(), "{spelling} in {place}: {}", near.unwrap_or_default());
                }
            }
        }
    }
}

/// Calls a tool and hears the answer.
#[track_caller]
fn call(server: &Server, said: &mut Said, tool: &str, arguments: &Value) -> Value {
    let answer = server.call(tool, arguments);
    said.hear(tool, answer.text());
    answer.json()
}

/// Uses every secret in every way there is, and hears what is said of it.
fn use_them(server: &Server, sshd: &There, receiver: &Receiver, said: &mut Said) {
    let bob =
        json!({"alias": "bob", "host": "127.0.0.1", "port": sshd.port, "user": "bob", "password": PASSWORD});
    assert_eq!(call(server, said, "server_add", &bob)["status"], "created");
    let shop = json!({
        "alias": "shop", "url": format!("http://127.0.0.1:{}/shop", receiver.port), "auth_method": "both",
        "api_key": API_KEY, "auth_header_name": "X-Api-Key", "htpasswd_user": "ann", "htpasswd_pass": API_PASSWORD,
    });
    assert_eq!(call(server, said, "api_add", &shop)["status"], "created");

    let watch = Watch::start();
    let there = call(server, said, "api_check", &json!({"alias": "shop", "server_alias": "bob"}));
    assert_eq!(there["data"]["status"], "UP", "{there}");
    let asked = receiver.heard().pop().unwrap();
    assert!(asked.contains(API_KEY), "the API itself is told its key: {asked}");
    let prompt = json!({
        "alias": "bob", "auto_respond": false, "timeout": 20, "responses": {"Password": ANSWER},
        "cmd": "stty -echo; printf 'Password: '; read -r p; echo \"got $p\"; sleep 0.3",
    });
    let prompted = call(server, said, "task_exec_interactive", &prompt);
    assert!(prompted.to_string().contains("got [REDACTED]"), "{prompted}");
    let hooks = tell_all(server, sshd, receiver, said);
    let seen = watch.seen();
    assert!(seen.iter().any(|line| line.contains("sleep")), "the commands were seen at all");

    read_all(server, said);
    for request in hooks {
        said.hear("a webhook", request);
    }
    for process in seen {
        said.hear("the processes", process);
    }
    said.hear("the log", server.stderr());
    said.hear("standard output", server.stdout());
}

/// Lets the host tell every secret by itself, in results and failures that are sent on; gives what was sent.
fn tell_all(server: &Server, sshd: &There, receiver: &Receiver, said: &mut Said) -> Vec<String> {
    let told = sshd.dir.path().join("told");
    std::fs::write(&told, format!("{PASSWORD}\n{API_KEY}\n{API_PASSWORD}\n")).unwrap();
    let (told, hook) = (told.display(), format!("http://127.0.0.1:{}/hook", receiver.port));
    for (cmd, status) in [
        (format!("cat {told}"), "ok"),
        (format!("cat {told} >&2; exit 3"), "warning"),
        (format!("cat {told}; sleep 30"), "error"),
    ] {
        let asked = json!({"alias": "bob", "cmd": cmd, "callback_url": hook, "timeout": 3});
        let answer = call(server, said, "task_exec", &asked);
        assert_eq!(answer["status"], status, "{answer}");
    }
    let begun = Instant::now();
    loop {
        let heard = receiver.heard();
        let hooks: Vec<String> =
            heard.into_iter().filter(|request| request.starts_with("POST /hook")).collect();
        // Of each command its beginning and its end.
        if hooks.len() == 6 {
            assert!(hooks.iter().any(|hook| hook.contains("[REDACTED]")), "{hooks:?}");
            return hooks;
        }
        assert!(begun.elapsed() < PATIENCE, "{hooks:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Reads everything that tools, tasks and resources tell.
fn read_all(server: &Server, said: &mut Said) {
    for (tool, arguments) in [
        ("server_list", json!({})),
        ("api_list", json!({})),
        ("task_queue", json!({})),
        ("queue_stats", json!({})),
        ("system_diagnostics", json!({"verbose": true})),
        ("task_logs", json!({"level": "debug", "limit": 500})),
        ("webhook_list", json!({})),
    ] {
        let answer = call(server, said, tool, &arguments);
        assert_eq!(answer["status"], "ok", "{tool}: {answer}");
    }
    let listed = call(server, said, "task_history", &json!({"limit": 100}));
    let entries = listed["data"]["entries"].as_array().unwrap();
    assert!(entries.len() >= 5, "{listed}");
    for id in entries.iter().map(|entry| entry["id"].as_str().unwrap()) {
        call(server, said, "task_status", &json!({"id": id}));
        for stream in ["stdout", "stderr"] {
            call(server, said, "task_output", &json!({"id": id, "stream": stream}));
        }
        let read = json!({
            "jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": format!("task://{id}/log")},
        });
        said.hear("a resource", server.post("/mcp", &read).text());
    }
}

/// What commands on the whole installation say and write.
fn exported(home: &Home, said: &mut Said, exports: &[&[&str]]) {
    for words in exports {
        let done = home.run(words);
        assert_eq!(done.code, 0, "{words:?}: {done:?}");
        said.hear(&words.join(" "), done.stdout + &done.stderr);
    }
    let files = files_below(&home.path(""));
    assert!(files.len() > 2, "{files:?}");
    for (file, bytes) in files {
        said.hear(&file, String::from_utf8_lossy(&bytes));
    }
}

fn watched_home(receiver: &Receiver) -> Home {
    let allowed =
        format!("[[egress.allow]]\ncidr = \"127.0.0.1\"\nport = {}\ntool = \"webhook\"\n", receiver.port);
    let home = home().with("GABIER_LOG_LEVEL", "trace");
    let before = std::fs::read_to_string(home.path(".config/gabier/config.toml")).unwrap();
    home.configure(&format!("{before}\n{allowed}"));
    home
}

#[test]
fn no_planted_secret_is_in_webhooks_backups_or_the_process_table() {
    let (receiver, sshd) = (Receiver::start(), Sshd::new().with_account("bob", PASSWORD).start());
    let home = watched_home(&receiver);
    let mut said = Said::default();
    let server = serve(&home);
    use_them(&server, &sshd, &receiver, &mut said);
    exported(&home, &mut said, &[&["store", "backup", "backup.db"], &["config", "show"], &["doctor"]]);
    drop(server);
    exported(&home, &mut said, &[&["store", "check"], &["server", "list", "-vv"]]);
    said.assert_clean();
}
