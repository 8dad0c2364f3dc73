//! Many at once through the tools: commands on one host, hosts of one command, a long queue, a flood of output.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{home, home_with, host, serve};
use crate::harness::{PATIENCE, Pipe, Server};
use crate::sshd::{Sshd, dropbear, free_port, processes_with};

/// Connections to one host at most (tools.md §4.2).
const MOST_CONNECTIONS: usize = 5;

/// Calls a tool many times before the first answer is read: the answers, in the order of the calls.
fn at_once(pipe: &mut Pipe, count: usize, tool: &str, arguments: impl Fn(usize) -> Value) -> Vec<Value> {
    let call =
        |number: usize| pipe.begin("tools/call", &json!({"name": tool, "arguments": arguments(number)}));
    let mut open: Vec<Value> = (0..count).map(call).collect();
    let mut answers = BTreeMap::new();
    while !open.is_empty() {
        let message = pipe.hear();
        // What comes beside the answers is progress and log.
        if let Some(at) = open.iter().position(|id| *id == message["id"]) {
            answers.insert(open.swap_remove(at).as_i64(), message["result"]["structuredContent"].clone());
        }
    }
    answers.into_values().collect()
}

/// Adds a host as the server itself, so that its first connection is the server's.
#[track_caller]
fn add(server: &Server, arguments: &Value) {
    let added = server.call("server_add", arguments).json();
    assert_eq!(added["status"], "created", "{added}");
}

/// Waits until no task of the server is waiting or running.
#[track_caller]
fn drained(server: &Server, patience: Duration) -> Value {
    let begun = Instant::now();
    loop {
        let stats = server.call("queue_stats", &json!({})).json()["data"].clone();
        let open = |word: &str| stats["byStatus"][word].as_u64().unwrap_or(0);
        if open("pending") + open("running") + open("scheduled") == 0 {
            return stats;
        }
        assert!(begun.elapsed() < patience, "{stats}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn two_hundred_commands_at_once_share_five_connections() {
    const CALLS: usize = 200;
    let sshd = Sshd::new().start();
    let home = home_with(&[("web1", &sshd)]);
    let mut pipe = home.mcp(&[]);
    pipe.initialize("2025-11-25");
    let (before, begun) = (sshd.logins(), Instant::now());
    let answers = at_once(
        &mut pipe,
        CALLS,
        "task_exec",
        |number| json!({"alias": "web1", "cmd": format!("echo {number}")}),
    );
    println!("{CALLS} commands at once: {:?}", begun.elapsed());
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer["data"]["stdout"], format!("{number}\n"), "{answer}");
    }
    let pool = pipe.call("pool_stats", &json!({}))["structuredContent"].clone();
    let total = pool["data"]["by_server"]["web1"]["total"].as_u64().unwrap_or_else(|| panic!("{pool}"));
    assert!((1..=MOST_CONNECTIONS as u64).contains(&total), "{pool}");
    let logins = sshd.logins() - before;
    assert!(logins <= MOST_CONNECTIONS, "{logins} logins: {}", sshd.log());
    let history = pipe.call("task_history", &json!({"limit": 1_000}))["structuredContent"].clone();
    let entries = history["data"]["entries"].as_array().unwrap_or_else(|| panic!("{history}"));
    assert_eq!(entries.len(), CALLS, "none was tried again");
}

#[test]
fn fifty_hosts_are_asked_at_once() {
    const HOSTS: usize = 50;
    // One `sshd` listens on at most 16 ports.
    const SERVERS: usize = 5;
    let servers: Vec<_> = (0..SERVERS)
        .map(|_| {
            let ports: BTreeSet<u16> = std::iter::repeat_with(free_port).take(2 * HOSTS / SERVERS).collect();
            let ports: Vec<u16> = ports.into_iter().take(HOSTS / SERVERS).collect();
            let sshd = ports.iter().fold(Sshd::new(), |sshd, port| sshd.with(&format!("Port {port}")));
            (sshd.start(), ports)
        })
        .collect();
    let home = home();
    let server = serve(&home);
    for (sshd, ports) in &servers {
        for port in ports {
            let mut arguments = host(&format!("web{port}"), sshd);
            arguments["port"] = (*port).into();
            add(&server, &arguments);
        }
    }
    let ask = || {
        let begun = Instant::now();
        let asked = json!({"alias": "all", "cmd": "uptime > /dev/null && echo up", "max_parallel": HOSTS});
        let answer = server.call("task_exec", &asked).json();
        println!("uptime on {HOSTS} hosts: {:?}", begun.elapsed());
        let data = &answer["data"];
        assert_eq!(
            (&data["targets"], &data["identical"], &data["differ"], &data["failed"]),
            (&json!(HOSTS), &json!(HOSTS), &json!(0), &json!(0)),
            "{answer}"
        );
        assert_eq!(data["groups"][0]["stdout"], "up\n", "{answer}");
    };
    ask();
    ask();
}

#[test]
fn five_hundred_queued_commands_all_run_on_a_host_with_two_sessions() {
    const COMMANDS: usize = 500;
    let sshd = Sshd::new().with("MaxSessions 2").start();
    let home = home().with("WORKER_CONCURRENCY", "20");
    let server = serve(&home);
    add(&server, &host("web1", &sshd));
    let before = sshd.logins();
    let file = sshd.dir.path().join("ran");
    let begun = Instant::now();
    for number in 0..COMMANDS {
        let cmd = format!("echo {number} >> {}", file.display());
        let answer = server.call("task_exec", &json!({"alias": "web1", "cmd": cmd, "background": true}));
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    let stats = drained(&server, Duration::from_mins(3));
    println!("{COMMANDS} queued commands: {:?}", begun.elapsed());
    assert_eq!(stats["byStatus"], json!({"completed": COMMANDS}), "{stats}");
    let text = std::fs::read_to_string(&file).unwrap();
    let ran: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(
        (ran.len(), ran.into_iter().collect::<BTreeSet<_>>().len()),
        (COMMANDS, COMMANDS),
        "each once"
    );
    let logins = sshd.logins() - before;
    assert!(logins <= MOST_CONNECTIONS, "{logins} logins");
}

#[test]
fn fifty_megabytes_of_output_are_counted_and_not_held() {
    let sshd = Sshd::new().start();
    let home = home_with(&[("web1", &sshd)]);
    let server = serve(&home);
    let begun = Instant::now();
    let cmd = "yes 0123456789abcde | head -c 52428800";
    let answer = server.call("task_exec", &json!({"alias": "web1", "cmd": cmd})).json();
    println!("50 MiB of output: {:?}, {:.0} MiB at most", begun.elapsed(), server.peak_mib());
    // 100 for an optimised build, which is the smaller one.
    assert!(server.peak_mib() < 128.0, "{:.0} MiB", server.peak_mib());
    let data = &answer["data"];
    assert_eq!(
        (&data["line_count"], &data["truncated"], &data["exit_code"]),
        (&json!(3_276_800), &json!(true), &json!(0)),
        "{}",
        answer["message"]
    );
    let output = server.call("task_output", &json!({"id": data["id"], "tail": 1})).json();
    assert_eq!(output["data"]["lines"], json!(["0123456789abcde"]), "{output}");
    assert!(output["data"]["stored_bytes"].as_u64().is_some_and(|stored| stored <= 10 << 20), "{output}");
    println!("kept: {} of {} bytes", output["data"]["stored_bytes"], output["data"]["total_bytes"]);
}

#[test]
fn a_flood_that_nobody_follows_slows_nobody() {
    let sshd = Sshd::new().start();
    let home = home_with(&[("web1", &sshd)]);
    let server = serve(&home);
    let median = || {
        let mut times: Vec<Duration> = (0..21)
            .map(|_| {
                let begun = Instant::now();
                let answer = server.call("task_exec", &json!({"alias": "web1", "cmd": "true"})).json();
                assert_eq!(answer["data"]["exit_code"], 0, "{answer}");
                begun.elapsed()
            })
            .collect();
        times.sort();
        times[times.len() / 2]
    };
    let (alone, memory) = (median(), server.peak_mib());
    let flood = json!({"alias": "web1", "cmd": "exec -a flood7301 cat /dev/zero || exec cat /dev/zero", "background": true});
    let id = server.call("task_exec", &flood).json()["data"]["id"].clone();
    let begun = Instant::now();
    while server.call("task_output", &json!({"id": id, "limit": 1})).json()["data"]["total_bytes"]
        .as_u64()
        .unwrap_or(0)
        < 1 << 20
    {
        assert!(begun.elapsed() < PATIENCE, "the flood does not begin");
        std::thread::sleep(Duration::from_millis(50));
    }
    let beside = median();
    println!("`true` alone {alone:?}, beside the flood {beside:?}; {:.0} MiB at most", server.peak_mib());
    // The flood takes a processor to encrypt: slower it is, but it does not stand in the way.
    assert!(beside < alone * 20 + Duration::from_millis(500), "alone {alone:?}, beside {beside:?}");
    assert!(server.peak_mib() - memory < 96.0, "{memory:.0}, then {:.0} MiB", server.peak_mib());
    server.call("task_cancel", &json!({"id": id}));
    let ended = server.call("task_wait", &json!({"id": id, "timeout": 20})).json();
    assert_eq!(ended["data"]["stopped"], "verified", "{ended}");
    assert!(processes_with("/dev/zero").is_empty(), "told to be verified");
}

#[test]
fn a_dropbear_is_a_host_like_any_other() {
    let server_there = dropbear(&[]);
    let home = home();
    let server = serve(&home);
    add(&server, &host("box", &server_there));
    let mut pipe = home.mcp(&[]);
    pipe.initialize("2025-11-25");
    let answers = at_once(
        &mut pipe,
        20,
        "task_exec",
        |number| json!({"alias": "box", "cmd": format!("echo {number}")}),
    );
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer["data"]["stdout"], format!("{number}\n"), "{answer}");
    }
    let steps = json!({"alias": "box", "commands": ["cd /usr", "echo $PWD"]});
    let steps = server.call("task_exec_sequence", &steps).json();
    assert_eq!(steps["data"]["results"][1]["stdout"], "/usr\n", "{steps}");

    let there = server_there.dir.path().join("there");
    let (text, back) = (home.write("a.txt", "to a box and back\n"), home.text_path("back.txt"));
    let move_file = |direction: &str, local: &str| {
        let arguments = json!({"alias": "box", "direction": direction, "local": local, "remote": there});
        home.call("task_transfer", &arguments)
    };
    for (direction, local) in [("upload", &text), ("download", &back)] {
        let moved = move_file(direction, local);
        assert_eq!(moved["data"]["files"], 1, "{moved}");
    }
    assert_eq!(std::fs::read_to_string(back).unwrap(), "to a box and back\n");

    let late =
        server.call("task_exec", &json!({"alias": "box", "cmd": "sleep 7302.11", "timeout": 1})).json();
    assert_eq!(
        (&late["code"], &late["details"]["stopped"]),
        (&json!("COMMAND_TIMEOUT"), &json!("verified")),
        "{late}"
    );
    assert!(processes_with("7302.11").is_empty());
}
