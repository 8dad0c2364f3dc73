//! A long history: a store with many ended tasks, and the shipped binary on it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use gabier_store::Store;
use gabier_store::queue::{End, Ended, NewTask, State, Step, Task, TaskId, WorkerId};
use serde::Serialize;
use serde_json::json;

use super::engine::open;
use crate::contestant::shipped_binary;
use crate::figures::{ms, percentile};
use crate::http_load::Connection;
use crate::measure::{free_port, start};

/// Tasks that are written in one commit.
const BATCH: u32 = 5_000;

/// How often each question is asked.
const ASKED: u32 = 300;

/// The token that asks.
const TOKEN: &str = "a-token-of-the-benchmark";

/// What a long history costs.
#[derive(Serialize)]
pub(crate) struct History {
    pub(super) tasks: u32,
    pub(super) page_p99_ms: f64,
    pub(super) task_p99_ms: f64,
    pub(super) statistics_p99_ms: f64,
    pub(super) start_ms: f64,
    pub(super) memory_mb: f64,
    pub(super) disk_mb: f64,
}

/// Fills a store and asks the shipped binary.
pub(super) async fn measure(tasks: u32, home: &Path) -> Result<History> {
    let data = home.join(".local/share/gabier");
    let config = home.join(".config/gabier");
    fs::create_dir_all(&config)?;
    fs::write(
        config.join("config.toml"),
        format!("[auth]\ntoken = {TOKEN:?}\n[tasks]\nkept_tasks = {}\n", tasks.saturating_mul(2)),
    )?;
    let url = format!("sqlite:{}", data.display());
    let store = open(&url)?;
    fill(&store, tasks).await?;
    drop(store);

    let port = free_port()?;
    let words = ["serve".to_owned(), "--port".to_owned(), port.to_string()];
    let middle = id(tasks / 2);
    let one = request(port, "GET", &format!("/api/v1/tasks/{middle}"), "");
    // The first answer is one that needs the store.
    let (process, start) = start(&shipped_binary()?, &words, home, port, &one).await?;
    let mut connection = Connection::open(port).await?;
    let page = request(port, "POST", "/api/v1/tools/task_history", r#"{"limit": 50}"#);
    let statistics = request(port, "POST", "/api/v1/tools/queue_stats", "{}");
    let page_p99_ms = p99(&mut connection, &page, middle_of_page(tasks).as_str()).await?;
    let task_p99_ms = p99(&mut connection, &one, &middle).await?;
    let statistics_p99_ms = p99(&mut connection, &statistics, &format!("\"total\":{tasks}")).await?;
    let memory_mb = process.memory_mb()?;
    let disk_mb = size_mb(&data)?;
    Ok(History {
        tasks,
        page_p99_ms,
        task_p99_ms,
        statistics_p99_ms,
        start_ms: ms(start),
        memory_mb,
        disk_mb,
    })
}

/// An id that the first page must show.
fn middle_of_page(tasks: u32) -> String {
    id(tasks.saturating_sub(25))
}

async fn p99(connection: &mut Connection, request: &[u8], expected: &str) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..ASKED {
        let begin = Instant::now();
        let answer = connection.exchange(request).await?;
        times.push(begin.elapsed());
        let text = std::str::from_utf8(answer)?;
        ensure!(text.contains(expected), "no {expected} in {}", &text[..text.len().min(600)]);
    }
    Ok(percentile(&mut times, 99))
}

fn request(port: u16, method: &str, path: &str, body: &str) -> Vec<u8> {
    let mut text =
        format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\n");
    if !body.is_empty() {
        let _ = write!(text, "Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// Ids as spread over their index as random ones are.
fn id(number: u32) -> String {
    let spread = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{:08x}-{:04x}-4000-8000-{number:012x}", spread >> 32, spread >> 16 & 0xffff)
}

async fn fill(store: &Store, tasks: u32) -> Result<()> {
    let worker = WorkerId("filler".to_owned());
    let mut held: Vec<Task> = Vec::new();
    for first in (0..tasks).step_by(BATCH as usize) {
        let batch = (first..tasks.min(first + BATCH)).map(task).collect();
        store.queue.enqueue(batch, 0).await?;
        loop {
            let done = held.drain(..).map(ended).collect();
            let (queue, worker) = ("async-tasks".to_owned(), worker.clone());
            let step = Step { worker, done, queue, want: BATCH as usize, lease: 30_000 };
            held = store.queue.step(step).await?.claimed;
            if held.is_empty() {
                break;
            }
        }
    }
    let found: u64 = store.queue.stats(None).await?.counts.iter().map(|count| count.tasks).sum();
    ensure!(found == u64::from(tasks), "the store holds {found} tasks");
    Ok(())
}

fn ended(task: Task) -> Ended {
    let result = Some(json!({"data": {"ok": true}}));
    let how = End::Finish { state: State::Completed, result, error: None, dead_letter: false };
    Ended { id: task.asked.id, fence: task.fence, how }
}

fn task(number: u32) -> NewTask {
    NewTask {
        alias: Some(format!("web{}", number % 50)),
        arguments: json!({"text": "x".repeat(150)}),
        ..NewTask::new(TaskId::new(id(number)), "async-tasks", "monOutilAsync", "user:1")
    }
}

fn size_mb(folder: &Path) -> Result<f64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { 0 } else { metadata.len() };
    }
    let megabytes = u32::try_from(bytes / 1_000_000)?;
    Ok(f64::from(megabytes))
}
