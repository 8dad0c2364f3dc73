//! Commands beside something heavy: a flood of output, many idle connections, an upload on a narrow line.

use std::io::Read as _;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tokio::time::sleep;

use super::transfers::by_tool;
use crate::figures::percentile;
use crate::ssh::book::{Book, Who};
use crate::ssh::content::{Content, Way};
use crate::ssh::field::{Field, HOST};
use crate::ssh::line::{Line, Shape};
use crate::ssh::program::waiting;
use crate::ssh::script::Script;
use crate::ssh::{Plan, Row};

/// Connections that do nothing.
const IDLE: usize = 200;

/// 20 Mbit/s with a round trip of 20 ms.
const NARROW: Shape = Shape { one_way: Duration::from_millis(10), rate: Some(20e6 / 8.0) };

/// What the flood writes: 100 MB of lines of 50 bytes.
const FLOOD: &str = "yes 0123456789012345678901234567890123456789012345678 | head -c 100000000";
const LINES: u64 = 2_000_000;

/// Commands beside the flood are run this often at most, when nothing is flooded.
const UNLOADED: usize = 100;

pub(super) async fn output(field: &Field, plan: &Plan, book: &mut Book) -> Result<()> {
    let product = field.product(field.sshd.port).await?;
    let mut beside = product.caller().await?;
    for round in 0..=plan.rounds {
        let mut unloaded = Vec::new();
        for _ in 0..UNLOADED {
            unloaded.push(beside.exec(HOST, "true").await?);
        }
        let rest = product.process.memory_mb()?;
        let mut flooded = product.caller().await?;
        let flood =
            tokio::spawn(
                async move { flooded.call("task_exec", &json!({"alias": HOST, "cmd": FLOOD})).await },
            );
        let (mut most, mut loaded) = (rest, Vec::new());
        while !flood.is_finished() {
            loaded.push(beside.exec(HOST, "true").await?);
            most = most.max(product.process.memory_mb()?);
        }
        let data = flood.await??;
        ensure!(data["line_count"] == LINES && data["truncated"] == true, "the flood gave {data}");
        if round > 0 {
            book.note(Row::Output, "memory growth, MB", Who::Gabier, most - rest);
            book.note(Row::Output, "memory growth, MB", Who::GabierCli, slowly_read(field)?);
            book.note(Row::Output, "beside nothing, p50 ms", Who::Gabier, percentile(&mut unloaded, 50));
            book.note(Row::Output, "beside it, p50 ms", Who::Gabier, percentile(&mut loaded, 50));
        }
    }
    Ok(())
}

/// The command line with a reader that takes 30 MB/s at most: how its memory grows from the first output on.
fn slowly_read(field: &Field) -> Result<f64> {
    let home = field.product_home()?;
    home.add(&field.sshd, HOST)?;
    let mut process = home.start(&["task", "exec", HOST, FLOOD], true)?;
    let (_input, mut output) = process.pipes().context("the pipes of the command line")?;
    waiting(|| {
        let mut buffer = vec![0; 64 << 10];
        let (mut first, mut most, mut bytes) = (None, 0_f64, 0);
        while let length @ 1.. = output.read(&mut buffer)? {
            bytes += length;
            if let Ok(memory) = process.memory_mb() {
                first.get_or_insert(memory);
                most = most.max(memory);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        ensure!(bytes > 0, "the command line wrote nothing");
        process.success()?;
        Ok(most - first.unwrap_or(most))
    })
}

pub(super) async fn idle(field: &Field, book: &mut Book) -> Result<()> {
    let product = field.product(field.sshd.port).await?;
    let mut caller = product.caller().await?;
    caller.exec(HOST, "true").await?;
    let rest = product.process.memory_mb()?;
    let mut lines = Vec::new();
    for number in 0..IDLE {
        let line = Line::to(field.sshd.port, Shape::default()).await?;
        let alias = format!("idle{number}");
        caller.add(&field.sshd, &alias, line.port).await?;
        caller.exec(&alias, "true").await?;
        lines.push(line);
    }
    sleep(Duration::from_secs(1)).await;
    ensure!(field.sshd.connections()? > IDLE, "some of the idle connections have ended");
    let all = product.process.memory_mb()?;
    book.note(Row::Idle, "memory, MB", Who::Gabier, all);
    book.note(Row::Idle, "of it for them, MB", Who::Gabier, all - rest);
    drop((lines, product));
    for who in [Who::Node, Who::AsyncSsh].into_iter().filter(|who| field.has(*who)) {
        let few = Script::start(who, &field.sshd, field.sshd.port, 1)?.process.memory_mb()?;
        let script = Script::start(who, &field.sshd, field.sshd.port, IDLE)?;
        sleep(Duration::from_secs(1)).await;
        let all = script.process.memory_mb()?;
        book.note(Row::Idle, "memory, MB", who, all);
        book.note(Row::Idle, "of it for them, MB", who, all - few);
    }
    Ok(())
}

pub(super) async fn narrow(field: &Field, plan: &Plan, book: &mut Book) -> Result<()> {
    let line = Line::to(field.sshd.port, NARROW).await?;
    let product = field.product(line.port).await?;
    let content = Content::file(&field.here, 16)?;
    let mut beside = product.caller().await?;
    beside.exec(HOST, "true").await?;
    for _ in 0..plan.few_rounds() {
        let (target, source) = (field.fresh(&field.there), content.path.clone());
        let copy = target.clone();
        let mut uploader = product.caller().await?;
        let upload = tokio::spawn(async move { by_tool(&mut uploader, Way::Up, [&source, &copy]).await });
        let mut times = Vec::new();
        while !upload.is_finished() {
            times.push(beside.exec(HOST, "true").await?);
        }
        let took = upload.await??;
        content.check(&target)?;
        book.note(Row::Narrow, "p50 ms", Who::Gabier, percentile(&mut times, 50));
        book.note(Row::Narrow, "upload of 16 MiB, s", Who::Gabier, took.as_secs_f64());
    }
    Ok(())
}
