//! What a server costs that has nothing to do.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::fleet::busy_home;
use crate::harness::Server;

/// How long it is watched.
const WATCH: Duration = Duration::from_secs(6);

/// What of a core it may use: half a percent; a build that is not optimised computes several times as long.
const SHARE: u32 = if cfg!(debug_assertions) { 100 } else { 200 };

/// How many bytes it has sent to the disk.
fn written(server: &Server) -> String {
    let io = std::fs::read_to_string(format!("/proc/{}/io", server.id())).unwrap();
    io.lines().find(|line| line.starts_with("write_bytes:")).unwrap().to_owned()
}

#[test]
fn an_idle_server_with_ten_queues_computes_next_to_nothing_and_writes_nothing() {
    let (home, token) = busy_home();
    let server = home.serve(&[]).with_token(&token);
    for number in 0..10 {
        let paused = server.call("queue_pause", &json!({"queue": format!("queue-{number}")}));
        assert_eq!(paused.status, 200, "{paused:?}");
    }
    let done = server.call("port_scan", &json!({"host": "127.0.0.1", "ports": "1"}));
    assert_eq!(done.status, 200, "{done:?}");
    // What the work left to write is written.
    sleep(Duration::from_secs(3));
    let before = (server.computed(), written(&server));
    sleep(WATCH);
    let after = (server.computed(), written(&server));
    assert_eq!(after.1, before.1);
    let computed = after.0.saturating_sub(before.0);
    assert!(computed <= WATCH / SHARE, "{computed:?} of {WATCH:?}");
}
