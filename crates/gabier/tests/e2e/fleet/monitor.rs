//! The state of hosts, through the real binary over a real server; programs that no test machine has are stand-ins.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{home_with, serve};
use crate::harness::Home;
use crate::sshd::{Server, Sshd};

/// A server whose account finds these programs before all others; each records its words.
struct Bench {
    home: Home,
    _server: Server,
    programs: tempfile::TempDir,
}

impl Bench {
    fn start(programs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        for (name, script) in programs {
            let file = folder.path().join(name);
            let recorded = format!(
                "line={name}; for word; do line=\"$line|$word\"; done; printf '%s\\n' \"$line\" >> {at}/asked"
            );
            std::fs::write(&file, format!("#!/bin/sh\n{recorded}\n{script}\n")).unwrap();
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("SetEnv HOME={at} PATH={at}:/usr/bin:/bin");
        let server = Sshd::new().with(&path).start();
        let home = home_with(&[("web1", &server), ("web2", &server)]);
        Self { home, _server: server, programs: folder }
    }

    fn ask(&self, tool: &str, arguments: &Value) -> Value {
        self.home.call(tool, arguments)
    }

    fn asked(&self) -> String {
        std::fs::read_to_string(self.programs.path().join("asked")).unwrap()
    }
}

#[test]
fn resources_are_those_of_the_machine() {
    let bench = Bench::start(&[]);
    let found = bench.ask("get_system_resources", &json!({"alias": "web1"}));
    let data = &found["data"];
    assert_eq!(found["status"], "ok", "{found}");
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap();
    let total: u64 = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert_eq!(data["memory"]["total"], total * 1024, "{found}");
    let cpus = std::fs::read_to_string("/proc/stat").unwrap();
    let cores = cpus.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count();
    assert_eq!(data["cpu"]["cores"], cores, "{found}");
    let percent = data["cpu"]["percent"].as_f64().unwrap();
    assert!((0.0..=100.0).contains(&percent), "{found}");
    assert_eq!(data["load_average"].as_array().unwrap().len(), 3, "{found}");
    let root = rustix::fs::statvfs("/").unwrap();
    assert_eq!(data["disk"]["total"], root.f_blocks * root.f_frsize, "{found}");
    assert_eq!(data.get("unavailable"), None, "{found}");
}

#[test]
fn services_are_listed_and_a_missing_source_is_named() {
    let bench = Bench::start(&[
        ("docker", "printf 'db\\tUp 3 hours (healthy)\\nold\\tExited (0) 2 days ago\\n'"),
        ("systemctl", "echo 'System has not been booted with systemd as init system' >&2; exit 1"),
    ]);
    let found = bench.ask("get_services_status", &json!({"alias": "web1"}));
    let data = &found["data"];
    let docker = json!([
        {"name": "db", "status": "Up 3 hours (healthy)"}, {"name": "old", "status": "Exited (0) 2 days ago"},
    ]);
    assert_eq!(
        (&data["docker"], &data["systemd"], &data["pm2"]),
        (&docker, &json!([]), &json!([])),
        "{found}"
    );
    let missing: Vec<&str> =
        data["unavailable"].as_array().unwrap().iter().map(|one| one["source"].as_str().unwrap()).collect();
    assert_eq!(missing, ["systemd", "pm2"], "{found}");
    assert!(
        bench.asked().contains("docker|ps|--all|--format|{{.Names}}\t{{.Status}}\n"),
        "{}",
        bench.asked()
    );
}

#[test]
fn logs_are_read_with_the_words_that_were_meant() {
    let bench = Bench::start(&[
        (
            "docker",
            "[ \"$6\" = db ] || { echo 'Error response from daemon: No such container: x' >&2; exit 1; }\n\
          for n in 1 2 3; do echo \"line $n\"; done; echo warn >&2",
        ),
        ("pm2", "case \"$*\" in *--err*) echo oops;; *) echo hello;; esac"),
    ]);
    let found = bench
        .ask("get_docker_logs", &json!({"alias": "web1", "container": "db", "lines": 3, "timestamps": true}));
    let expected = json!({"lines": ["line 1", "line 2", "line 3"], "stderr": ["warn"], "truncated": false});
    assert_eq!(found["data"], expected, "{found}");
    let missing =
        bench.ask("get_docker_logs", &json!({"alias": "web1", "container": "x", "timestamps": true}));
    assert_eq!(missing["code"], "NOT_FOUND", "{missing}");
    let found = bench.ask("get_pm2_logs", &json!({"alias": "web1", "app": "it's $(id)", "lines": 7}));
    assert_eq!(found["data"], json!({"lines": ["hello"], "stderr": ["oops"], "truncated": false}), "{found}");
    let asked = bench.asked();
    assert!(asked.contains("docker|logs|--tail|3|--timestamps|--|db\n"), "{asked}");
    assert!(asked.contains("pm2|logs|it's $(id)|--nostream|--raw|--lines|7|--err\n"), "{asked}");
}

#[test]
fn bans_are_read_through_sudo_that_asks_nothing() {
    let fail2ban = "case $2 in '') printf 'Status\\n|- Number of jail:\\t1\\n`- Jail list:\\tsshd\\n';; \
        sshd) printf '   |- Currently banned:\\t1\\n   |- Total banned:\\t9\\n   `- Banned IP list:\\t192.0.2.7\\n';; \
        *) echo \"Sorry but the jail '$2' does not exist\"; exit 255;; esac";
    let bench = Bench::start(&[("fail2ban-client", fail2ban), ("sudo", "shift; exec \"$@\"")]);
    let found = bench.ask("get_fail2ban_status", &json!({"alias": "web1", "jail": "sshd"}));
    let data = &found["data"];
    assert_eq!((&data["jails"], &data["banned_ips"]), (&json!(["sshd"]), &json!(["192.0.2.7"])), "{found}");
    assert_eq!((&data["currently_banned"], &data["total_banned"]), (&json!(1), &json!(9)), "{found}");
    assert!(bench.asked().contains("sudo|-n|fail2ban-client|status|sshd\n"), "{}", bench.asked());
    let unknown = bench.ask("get_fail2ban_status", &json!({"alias": "web1", "jail": "none"}));
    assert_eq!(unknown["code"], "NOT_FOUND", "{unknown}");
}

#[test]
fn the_end_of_a_file_is_read_on_one_host_and_compared_on_two() {
    let bench = Bench::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a log $(touch canary)'.log");
    let lines: Vec<String> = (1..=100).map(|number| format!("line {number}")).collect();
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let found = bench.ask("tail_file", &json!({"alias": "web1", "filepath": file, "lines": 2}));
    assert_eq!(found["data"]["lines"], json!(["line 99", "line 100"]), "{found}");
    let found = bench.ask("tail_file", &json!({"alias": "web1,web2", "filepath": file, "lines": 2}));
    assert_eq!((&found["data"]["targets"], &found["data"]["identical"]), (&json!(2), &json!(2)), "{found}");
    let missing = bench.ask("tail_file", &json!({"alias": "web1", "filepath": "/none"}));
    assert_eq!(missing["code"], "NOT_FOUND", "{missing}");
    let found =
        bench.ask("log_analysis", &json!({"alias": "web1", "log_file": file, "pattern": "LINE 9[0-2]$"}));
    assert_eq!((&found["data"]["total"], &found["data"]["scanned"]), (&json!(3), &json!(100)), "{found}");
    assert!(!Path::new(&folder.path().join("canary")).exists());
    assert!(!bench.programs.path().join("canary").exists());
}

#[test]
fn a_service_of_a_host_is_told_from_one_that_is_none() {
    let systemctl = "case $6 in ssh.service) printf 'LoadState=loaded\\nActiveState=active\\nSubState=running\\n\
        UnitFileState=enabled\\nDescription=SSH\\nActiveEnterTimestamp=Fri 2026-01-02 03:04:05 UTC\\n';; \
        *) printf 'LoadState=not-found\\nActiveState=inactive\\nSubState=dead\\n';; esac";
    let bench = Bench::start(&[("systemctl", systemctl)]);
    let found = bench.ask("check_service", &json!({"alias": "web1", "service": "ssh"}));
    assert_eq!(
        (&found["data"]["active"], &found["data"]["since"]),
        (&json!(true), &json!("2026-01-02T03:04:05.000Z")),
        "{found}"
    );
    let none = bench.ask("check_service", &json!({"alias": "web1", "service": "none"}));
    assert_eq!(none["status"], "not_found", "{none}");
}

#[test]
fn the_connections_of_a_server_process_are_shown() {
    let bench = Bench::start(&[]);
    let gabier = serve(&bench.home);
    let ran = gabier.call("task_exec", &json!({"alias": "web1", "cmd": "true"})).json();
    assert_eq!(ran["status"], "ok", "{ran}");
    let stats = gabier.call("pool_stats", &json!({})).json();
    let server = &stats["data"]["by_server"]["web1"];
    assert_eq!((&server["total"], &server["in_use"]), (&json!(1), &json!(0)), "{stats}");
    assert_eq!(server["connections"][0]["lane"], "control", "{stats}");
}
