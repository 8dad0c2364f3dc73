//! `gabier store copy` between SQLite and Redis: what tasks wrote and whom they tell come along, and a copy that broke
//! off is finished by the same command.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Home, Server};
use crate::redis::{Redis, TOKEN, until, until_status};
use crate::tasks::Lines;

/// A receiver that is away: its webhooks wait.
const AWAY: &str = "http://127.0.0.1:9/hook";

/// A home with a host, and with webhooks allowed to this machine.
fn home(lines: &Lines) -> Home {
    let home = settings(Home::new());
    lines.known_to(&home);
    home
}

fn settings(home: Home) -> Home {
    let keys = std::env::temp_dir();
    home.configure(&format!(
        "[ssh]\nkey_roots = [\"{}\"]\nknown_hosts = [\"/nowhere\"]\n\
         [[egress.allow]]\ncidr = \"127.0.0.1\"\nport = 9\ntool = \"webhook\"\n",
        keys.display()
    ));
    home.with("AUTH_TOKEN", TOKEN)
}

/// Runs a command on the host to its end; gives its task.
#[track_caller]
fn run(server: &Server, cmd: &str) -> String {
    let asked = json!({"alias": "lines", "cmd": cmd, "background": true, "callback_url": AWAY});
    let answer = server.call("task_exec", &asked);
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["data"]["id"].as_str().unwrap().to_owned();
    until_status(server, &id, "completed");
    id
}

/// The first and the last lines of what a task wrote, and how many there were.
#[track_caller]
fn written(home: &Home, id: &str) -> Value {
    let ask = |more: Value| {
        let mut asked = json!({"id": id});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        home.call("task_output", &asked)["data"].clone()
    };
    let (head, tail) = (ask(json!({"offset": 0, "limit": 3})), ask(json!({"tail": 3})));
    json!([head["lines"], tail["lines"], head["total_lines"], head["total_bytes"]])
}

/// The webhooks of a store: what each tells, how often it was tried, and whether it waits.
#[track_caller]
fn webhooks(home: &Home) -> Vec<Value> {
    let told = home.call("webhook_list", &json!({"status": "waiting"}));
    let mut told = told["data"]["deliveries"].as_array().unwrap_or_else(|| panic!("{told}")).clone();
    told.sort_by_key(|delivery| delivery["id"].to_string());
    told
}

#[test]
fn what_tasks_wrote_and_whom_they_tell_come_along_to_redis_and_back() {
    let (redis, lines) = (Redis::start(), Lines::new());
    let home = home(&lines);
    let server = home.serve(&[]).with_token(TOKEN);
    let ids = [run(&server, "seq 1 1000"), run(&server, "seq 1 100000; echo end")];
    until(&server, &ids[1], "told of", |_| webhooks(&home).iter().any(|one| one["attempts"] != 0));
    assert_eq!(server.end_by_signal(), Some(0));
    let before: Vec<Value> = ids.iter().map(|id| written(&home, id)).collect();
    assert_eq!(before[0], json!([["1", "2", "3"], ["998", "999", "1000"], 1000, 3893]));
    // More than Redis keeps of a stream, and its tail is where it was.
    assert!(before[1][3].as_u64().is_some_and(|bytes| bytes > 500_000), "{}", before[1]);
    let told = webhooks(&home);
    assert_eq!(told.len(), 4, "{told:?}");

    let sqlite = format!("sqlite:{}", home.data_dir().display());
    home.run(&["store", "copy", "--from", &sqlite, "--to", &redis.url()]).success();
    let shared = settings(redis.home());
    let back = home.text_path("back");
    home.run(&["store", "copy", "--from", &redis.url(), "--to", &format!("sqlite:{back}")]).success();
    let again = settings(Home::new()).with("MCP_DATA_DIR", &back);
    for home in [&shared, &again] {
        let now: Vec<Value> = ids.iter().map(|id| written(home, id)).collect();
        assert_eq!(now, before);
        assert_eq!(webhooks(home), told);
        assert_eq!(home.json(&["store", "check"])["data"]["ok"], true);
    }
    // What waited to be told is told from the new place.
    let replayed = shared.call("webhook_replay", &json!({"id": told[0]["id"]}));
    assert_eq!(replayed["status"], "ok", "{replayed}");
}

/// Sends a command to a Redis.
fn tell(redis: &Redis, command: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+OK\r\n");
}

#[test]
fn a_copy_that_broke_off_says_so_and_is_finished_by_the_same_command() {
    let redis = Redis::start();
    let home = settings(Home::new());
    let server = home.serve(&["--no-worker"]).with_token(TOKEN);
    let long = "x".repeat(9_000);
    let ids: Vec<String> = (0..700)
        .map(|_| {
            let answer = server.call("monOutilAsync", &json!({"parametreEssentiel": long}));
            answer.json()["data"]["id"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
        })
        .collect();
    assert_eq!(server.end_by_signal(), Some(0));
    // There is room for some of it.
    tell(&redis, "CONFIG SET maxmemory 12mb");
    let sqlite = format!("sqlite:{}", home.data_dir().display());
    let words = ["store", "copy", "--from", &sqlite, "--to", &redis.url()];
    let broken = home.run(&words);
    assert!(broken.code == 5 && broken.stderr.contains("make the same copy again"), "{broken:?}");

    let elsewhere = Home::new();
    elsewhere.call("monOutilAsync", &json!({"parametreEssentiel": "x"}));
    let other = format!("sqlite:{}", elsewhere.data_dir().display());
    let refused = home.run(&["store", "copy", "--from", &other, "--to", &redis.url()]);
    assert!(refused.code == 8 && refused.stderr.contains("did not end"), "{refused:?}");
    let doctor = redis.home().run(&["doctor"]);
    assert!(doctor.stdout.contains("a copy into it did not end"), "{doctor:?}");
    let early = redis.home().serve(&["--no-worker"]);
    early.wait_for("a copy into it did not end");
    assert_eq!(early.end_by_signal(), Some(0));

    tell(&redis, "CONFIG SET maxmemory 0");
    // A process whose last word was refused for want of room is taken to be there for some seconds more.
    let until = Instant::now() + Duration::from_secs(8);
    let told = loop {
        let done = home.run(&[&words[..], &["--json"]].concat());
        if !done.stdout.contains("other processes use it") {
            break done.success().json();
        }
        assert!(Instant::now() < until, "{done:?}");
        sleep(Duration::from_millis(200));
    };
    assert!(told["data"]["tasks"].as_u64().is_some_and(|tasks| (1..700).contains(&tasks)), "{told}");
    let shared = redis.home();
    let stats = shared.call("queue_stats", &json!({}));
    assert_eq!(stats["data"]["byStatus"]["pending"], 700, "{stats}");
    let last = shared.call("task_status", &json!({"id": ids[699]}));
    assert_eq!(last["data"]["status"], "pending", "{last}");
    let full = home.run(&words);
    assert!(full.code == 8 && full.stderr.contains("it holds"), "{full:?}");
}
