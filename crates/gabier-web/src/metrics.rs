//! What the server counts, as OpenMetrics text.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, ready};
use gabier_tool::guard::{Audit, Ended, Intent, Permit, Rate};
use gabier_tool::{Caller, Entry, Result};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// Upper bounds of the duration histogram, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// The counters of a server. Made before the dispatch, whose guards feed it: as one of its records, and around its
/// rate.
pub struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    durations: Family<DurationLabels, Histogram>,
    in_flight: Gauge,
    streams: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    tool: String,
    face: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    tool: String,
    face: &'static str,
}

impl Metrics {
    /// Counters at zero.
    pub fn new(service: &str, version: &str) -> Arc<Self> {
        let mut registry = Registry::with_prefix("gabier");
        let calls = Family::default();
        let durations = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let (in_flight, streams) = (Gauge::default(), Gauge::default());
        let build = [("service".to_owned(), service.to_owned()), ("version".to_owned(), version.to_owned())];
        registry.register("build", "What is running", Info::new(build));
        registry.register("calls", "Calls that ended, by tool, face and outcome", calls.clone());
        registry.register("call_duration_seconds", "How long calls took", durations.clone());
        registry.register("calls_in_flight", "Calls that run now", in_flight.clone());
        registry.register("sse_clients", "Event streams that are open now", streams.clone());
        Arc::new(Self { registry, calls, durations, in_flight, streams })
    }

    /// The same rate, with the calls that it let in counted while they run.
    pub fn counting(self: &Arc<Self>, rate: Arc<dyn Rate>) -> Arc<dyn Rate> {
        Arc::new(Counting { rate, in_flight: self.in_flight.clone() })
    }

    pub(crate) fn stream_opened(&self) {
        self.streams.inc();
    }

    pub(crate) fn stream_closed(&self) {
        self.streams.dec();
    }

    /// All of it as OpenMetrics text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(4096);
        // A `String` takes whatever is written to it.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Audit for Metrics {
    fn intent<'a>(&'a self, _: &'a Intent<'a>) -> BoxFuture<'a, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn outcome(&self, call: &Intent<'_>, ended: &Ended) {
        // A name that no tool has is the client's free text, and never a label.
        let tool = if call.tool.is_empty() { "unknown" } else { call.tool }.to_owned();
        let face = call.surface.name();
        let durations = DurationLabels { tool: tool.clone(), face };
        self.durations.get_or_create(&durations).observe(ended.took.as_secs_f64());
        self.calls.get_or_create(&CallLabels { tool, face, outcome: ended.outcome }).inc();
    }
}

struct Counting {
    rate: Arc<dyn Rate>,
    in_flight: Gauge,
}

impl Rate for Counting {
    fn admit<'a>(
        &'a self,
        caller: &'a Caller,
        entry: &'a Entry,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Permit>> {
        Box::pin(async move {
            let permit = self.rate.admit(caller, entry, patience).await?;
            self.in_flight.inc();
            Ok(Box::new(Counted { in_flight: self.in_flight.clone(), _permit: permit }) as Permit)
        })
    }
}

struct Counted {
    in_flight: Gauge,
    _permit: Permit,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.in_flight.dec();
    }
}
