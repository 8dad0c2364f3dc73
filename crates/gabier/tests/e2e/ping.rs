//! `ping_host` by each of its three means, in network namespaces of its own.

use serde_json::Value;

use crate::harness::{Done, Home, Running, program};

/// Runs a shell script around the program in namespaces where a ping may be allowed; `$GABIER` is the program.
#[track_caller]
fn in_namespaces(home: &Home, flags: &str, script: &str) -> Done {
    let mut command = program("unshare");
    command.args([flags, "sh", "-ec", script]);
    home.surround(&mut command);
    command.env("GABIER", env!("CARGO_BIN_EXE_gabier"));
    Running::start(&mut command).finish(b"")
}

const PING: &str = r#""$GABIER" ping host 127.0.0.1 --count 2 --json"#;

#[track_caller]
fn check(done: Done, method: &str) {
    let envelope: Value = done.success().json();
    let data = &envelope["data"];
    assert_eq!(data["method"], method, "{envelope}");
    assert_eq!((data["sent"].as_u64(), data["received"].as_u64()), (Some(2), Some(2)), "{envelope}");
    assert_eq!(data["loss_percent"].as_f64(), Some(0.0), "{envelope}");
    let rtt = |key: &str| data[key].as_f64().unwrap_or_else(|| panic!("no {key} in {envelope}"));
    assert!(rtt("rtt_min_ms") <= rtt("rtt_avg_ms") && rtt("rtt_avg_ms") <= rtt("rtt_max_ms"), "{envelope}");
}

#[test]
fn a_datagram_socket_is_used_where_the_kernel_allows_it() {
    let home = Home::new();
    let script = format!(r#"ip link set lo up; sysctl -qw net.ipv4.ping_group_range="0 0"; {PING}"#);
    check(in_namespaces(&home, "-Urn", &script), "icmp");
}

#[test]
fn a_raw_socket_is_used_where_root_has_no_datagram_socket() {
    let home = Home::new();
    // A new network namespace lets no group open a datagram socket.
    let script = format!("ip link set lo up; {PING}");
    check(in_namespaces(&home, "-Urn", &script), "icmp_raw");
}

#[test]
fn a_connection_is_tried_where_the_kernel_forbids_both() {
    let home = Home::new();
    // TCP answers on loopback though nobody listens: a refusal is an answer.
    let script = format!("ip link set lo up; exec setpriv --bounding-set -all --inh-caps -all {PING}");
    check(in_namespaces(&home, "-Urn", &script), "tcp");
}

#[test]
fn a_host_that_is_none_is_refused_by_name() {
    let home = Home::new();
    for host in ["-c1", "", "a b"] {
        let envelope = home.call("ping_host", &serde_json::json!({"host": host}));
        assert_eq!(envelope["code"], "INVALID_ARGUMENT", "{host:?}: {envelope}");
        assert_eq!(envelope["details"]["errors"][0]["parameter"], "host", "{envelope}");
    }
}
