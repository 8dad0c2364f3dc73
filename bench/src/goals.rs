//! What gabier sets out to reach beside its peers, and whether this run did.

use serde::Serialize;

use crate::contestant::{BARE_RMCP, FASTMCP, GABIER, TYPESCRIPT};
use crate::measure::{HttpFigures, ShippedFigures, StdioFigures};
use crate::request::Era;

/// One goal with what was found.
#[derive(Serialize)]
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    pub(crate) bound: &'static str,
    pub(crate) found: String,
    pub(crate) reached: bool,
}

/// The goals over the figures of one run.
pub(crate) fn weigh(http: &[HttpFigures], stdio: &[StdioFigures], shipped: &ShippedFigures) -> Vec<Goal> {
    let rate = |server| over_http(http, server, |figures| figures.calls_per_s);
    let cpu = |server| over_http(http, server, |figures| figures.cpu_us_per_call);
    let p50 = |server| over_stdio(stdio, server);
    let first_answer = shipped.stdio_first_answer_ms;
    let idle = shipped.stdio_idle_mb.max(shipped.serve_idle_mb);
    vec![
        at_least("calls/s, times FastMCP", "≥ 20", rate(GABIER) / rate(FASTMCP), 20.0),
        at_least("calls/s, times TypeScript SDK", "≥ 8", rate(GABIER) / rate(TYPESCRIPT), 8.0),
        at_most("CPU per call, times bare rmcp", "≤ 1.3", cpu(GABIER) / cpu(BARE_RMCP), 1.3),
        at_least("stdio p50, times faster than FastMCP", "≥ 20", p50(FASTMCP) / p50(GABIER), 20.0),
        at_most("first answer over stdio, ms", "< 50", first_answer, 50.0),
        at_most("memory at rest, MB", "< 30", idle, 30.0),
    ]
}

fn over_http(http: &[HttpFigures], server: &str, figure: fn(&HttpFigures) -> f64) -> f64 {
    let modern = Era::Modern.name();
    http.iter().find(|row| row.server == server && row.era == modern).map_or(f64::NAN, figure)
}

fn over_stdio(stdio: &[StdioFigures], server: &str) -> f64 {
    stdio.iter().find(|row| row.server == server).map_or(f64::NAN, |row| row.p50_ms)
}

pub(crate) fn at_least(what: &'static str, bound: &'static str, found: f64, limit: f64) -> Goal {
    Goal { what, bound, found: format!("{found:.2}"), reached: found >= limit }
}

pub(crate) fn at_most(what: &'static str, bound: &'static str, found: f64, limit: f64) -> Goal {
    Goal { what, bound, found: format!("{found:.2}"), reached: found <= limit }
}
