//! One alternating run: every round visits every server, so that a busy moment of the machine hits all alike.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::contestant::{Contestant, Start, shipped_binary};
use crate::figures::{median, ms, percentile};
use crate::http_load::{self, Connection};
use crate::process::Process;
use crate::request::{Era, http_call};
use crate::stdio_load::{Visit, visit};

/// How long a server may take to its first answer.
const PATIENCE: Duration = Duration::from_secs(30);

const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/// How long and how hard.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) round: Duration,
    pub(crate) connections: usize,
    pub(crate) stdio_calls: u64,
}

/// One server under load over HTTP, medians of all rounds.
#[derive(Serialize)]
pub(crate) struct HttpFigures {
    pub(crate) server: &'static str,
    pub(crate) era: &'static str,
    pub(crate) calls_per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) cpu_us_per_call: f64,
    pub(crate) memory_mb: f64,
    pub(crate) start_ms: f64,
}

/// One server on pipes, medians of all rounds, each with a fresh process.
#[derive(Serialize)]
pub(crate) struct StdioFigures {
    pub(crate) server: &'static str,
    pub(crate) first_answer_ms: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) idle_mb: f64,
    pub(crate) leave_ms: f64,
}

/// The shipped binary with all its tools, at rest.
#[derive(Serialize)]
pub(crate) struct ShippedFigures {
    pub(crate) stdio_first_answer_ms: f64,
    pub(crate) stdio_idle_mb: f64,
    pub(crate) serve_first_answer_ms: f64,
    pub(crate) serve_idle_mb: f64,
}

/// Every server under load over HTTP, in both eras.
pub(crate) async fn http(plan: &Plan, contestants: &[Contestant], home: &Path) -> Result<Vec<HttpFigures>> {
    let mut lanes = Vec::new();
    for contestant in contestants {
        let port = free_port()?;
        let request = http_call(port, Era::Modern);
        let started = start(&contestant.start, &contestant.on_port(port), home, port, &request).await;
        let (process, start) = started.with_context(|| format!("starting {}", contestant.name))?;
        lanes.push(Lane { server: contestant.name, process, port, start, rounds: Vec::new() });
    }
    for round in 0..=plan.rounds {
        for lane in &mut lanes {
            for era in [Era::Modern, Era::Legacy] {
                let figures =
                    lane.round(plan, era).await.with_context(|| format!("{}, {era:?}", lane.server))?;
                // Round 0 warms up just-in-time compilers, caches and connections.
                if round > 0 {
                    lane.rounds.push((era, figures));
                }
            }
        }
    }
    Ok(lanes.iter().flat_map(|lane| [lane.medians(Era::Modern), lane.medians(Era::Legacy)]).collect())
}

/// A server that stays up through all rounds, and what each round gave.
struct Lane {
    server: &'static str,
    process: Process,
    port: u16,
    start: Duration,
    rounds: Vec<(Era, Round)>,
}

#[derive(Clone, Copy)]
struct Round {
    calls_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us_per_call: f64,
    memory_mb: f64,
}

impl Lane {
    async fn round(&mut self, plan: &Plan, era: Era) -> Result<Round> {
        let request = http_call(self.port, era);
        let before = self.process.cpu()?;
        let mut load = http_load::run(self.port, &request, plan.connections, plan.round).await?;
        let cpu = self.process.cpu()?.saturating_sub(before);
        let calls = count(load.latencies.len());
        Ok(Round {
            calls_per_s: calls / load.elapsed.as_secs_f64(),
            p50_ms: percentile(&mut load.latencies, 50),
            p99_ms: percentile(&mut load.latencies, 99),
            cpu_us_per_call: cpu.as_secs_f64() * 1e6 / calls,
            memory_mb: self.process.memory_mb()?,
        })
    }

    fn medians(&self, era: Era) -> HttpFigures {
        let of = |figure: fn(&Round) -> f64| {
            median(self.rounds.iter().filter(|(of, _)| *of == era).map(|(_, round)| figure(round)).collect())
        };
        HttpFigures {
            server: self.server,
            era: era.name(),
            calls_per_s: of(|round| round.calls_per_s),
            p50_ms: of(|round| round.p50_ms),
            p99_ms: of(|round| round.p99_ms),
            cpu_us_per_call: of(|round| round.cpu_us_per_call),
            memory_mb: of(|round| round.memory_mb),
            start_ms: ms(self.start),
        }
    }
}

/// Every server on pipes, a fresh process in each round.
pub(crate) fn stdio(plan: &Plan, contestants: &[Contestant], home: &Path) -> Result<Vec<StdioFigures>> {
    let mut visits: Vec<Vec<Visit>> = contestants.iter().map(|_| Vec::new()).collect();
    for _ in 0..plan.rounds {
        for (contestant, visits) in contestants.iter().zip(&mut visits) {
            let visit = visit(&contestant.start, contestant.on_stdio(), home, plan.stdio_calls);
            visits.push(visit.with_context(|| format!("{} over stdio", contestant.name))?);
        }
    }
    let figures = contestants.iter().zip(&mut visits).map(|(contestant, visits)| StdioFigures {
        server: contestant.name,
        p50_ms: median(visits.iter_mut().map(|visit| percentile(&mut visit.latencies, 50)).collect()),
        p99_ms: median(visits.iter_mut().map(|visit| percentile(&mut visit.latencies, 99)).collect()),
        first_answer_ms: median(visits.iter().map(|visit| ms(visit.first_answer)).collect()),
        idle_mb: median(visits.iter().map(|visit| visit.idle_mb).collect()),
        leave_ms: median(visits.iter().map(|visit| ms(visit.leave)).collect()),
    });
    Ok(figures.collect())
}

/// The shipped binary: its first answers and its memory at rest.
pub(crate) async fn shipped(plan: &Plan, home: &Path) -> Result<ShippedFigures> {
    let binary = shipped_binary()?;
    let (mut stdio, mut starts, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        stdio.push(visit(&binary, &["mcp".to_owned()], home, 0)?);
        let port = free_port()?;
        let arguments = ["serve".to_owned(), "--port".to_owned(), port.to_string()];
        let (process, first_answer) = start(&binary, &arguments, home, port, HEALTH).await?;
        starts.push(ms(first_answer));
        memory.push(process.memory_mb()?);
    }
    Ok(ShippedFigures {
        stdio_first_answer_ms: median(stdio.iter().map(|visit| ms(visit.first_answer)).collect()),
        stdio_idle_mb: median(stdio.iter().map(|visit| visit.idle_mb).collect()),
        serve_first_answer_ms: median(starts),
        serve_idle_mb: median(memory),
    })
}

/// Starts a server and asks until it answers 200; gives back how long that took.
pub(crate) async fn start(
    server: &Start,
    arguments: &[String],
    home: &Path,
    port: u16,
    request: &[u8],
) -> Result<(Process, Duration)> {
    let begin = Instant::now();
    let process = Process::start(server, arguments, home, false)?;
    loop {
        if let Ok(mut connection) = Connection::open(port).await
            && connection.exchange(request).await.is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
        {
            return Ok((process, begin.elapsed()));
        }
        ensure!(begin.elapsed() < PATIENCE, "{} does not answer", server.program.display());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn count(calls: usize) -> f64 {
    f64::from(u32::try_from(calls).unwrap_or(u32::MAX))
}
