//! `system_info` and `process_list` on the machine the test runs on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gabier_toolbox::testing::os_user;
use serde_json::json;

use crate::{call, data, services};

/// Keeps a processor busy until it is dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        Self(stop)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn the_first_reading_of_the_load_is_real() {
    let _load = Load::start();
    let answer = data(&call(&services(), os_user(), "system_info", json!({"info_type": "cpu"})).await);
    assert!(answer["cpu"]["percent"].as_f64().unwrap() > 1.0, "{answer}");
    assert_eq!(answer["cpu"]["cores"], std::thread::available_parallelism().unwrap().get());
}

#[tokio::test]
async fn a_busy_process_is_shown_with_its_load() {
    let _load = Load::start();
    let answer = data(&call(&services(), os_user(), "process_list", json!({"limit": 500})).await);
    let rows = answer["processes"].as_array().unwrap();
    let own = rows.iter().find(|row| row["pid"] == std::process::id()).expect("the test is a process");
    assert!(own["cpu_percent"].as_f64().unwrap() > 10.0, "{own}");
    assert!(own["memory_percent"].as_f64().unwrap() >= 0.0 && own["user"].is_string(), "{own}");
}

#[tokio::test]
async fn all_sections_come_without_arguments_and_one_on_demand() {
    let all = data(&call(&services(), os_user(), "system_info", json!({})).await);
    let sections = ["general", "cpu", "memory", "disk", "network", "processes"];
    assert_eq!(all.as_object().unwrap().keys().collect::<Vec<_>>(), sections);
    for section in sections {
        let one = data(&call(&services(), os_user(), "system_info", json!({"info_type": section})).await);
        assert_eq!(one.as_object().unwrap().keys().collect::<Vec<_>>(), [section]);
    }
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let total: u64 = meminfo.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert_eq!(all["memory"]["total"], total * 1024);
}

#[tokio::test]
async fn the_async_threads_are_free_while_the_machine_is_read() {
    let services = services();
    let mut ticks = 0;
    let reading = call(&services, os_user(), "process_list", json!({}));
    tokio::pin!(reading);
    // One thread runs both: it can only tick while the reading waits elsewhere.
    loop {
        tokio::select! {
            biased;
            envelope = &mut reading => break assert!(!envelope.is_error()),
            () = tokio::task::yield_now() => ticks += 1,
        }
    }
    assert!(ticks > 0);
}

#[tokio::test]
async fn no_arguments_of_processes_are_shown() {
    let secret = "--password=gabier-test-secret";
    #[expect(
        clippy::disallowed_methods,
        reason = "the test needs a process with a secret; the product starts none"
    )]
    let mut child = std::process::Command::new("sh")
        .args(["-c", "read line", secret])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let answer = data(&call(&services(), os_user(), "process_list", json!({"limit": 500})).await);
    child.kill().unwrap();
    child.wait().unwrap();
    let rows = answer["processes"].as_array().unwrap();
    assert!(rows.len() == 500 || rows.iter().any(|row| row["pid"] == child.id()), "the process is listed");
    assert!(!answer.to_string().contains("gabier-test-secret"));
    let found =
        data(&call(&services(), os_user(), "process_list", json!({"filter": "gabier-test-secret"})).await);
    assert_eq!(found["total"], 0);
}
