//! Whether a host answers, and how fast.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use futures::future::join_all;
use gabier_tool::{Context, Effect, Outcome, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::echo::{Echo, Method};
use super::host::HostName;
use crate::Services;

/// The time between two requests.
const INTERVAL: Duration = Duration::from_millis(200);

/// Pings a host: ICMP where the kernel allows it, else TCP.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PingHost {
    /// Name or address.
    host: HostName,
    /// How many requests.
    #[serde(default = "usual_count")]
    #[schemars(range(min = 1, max = 20))]
    count: u16,
    /// Wait for each reply, in seconds.
    #[serde(default = "usual_wait")]
    #[schemars(range(min = 1, max = 10))]
    timeout_s: u64,
}

fn usual_count() -> u16 {
    4
}

fn usual_wait() -> u64 {
    2
}

/// How the host answered.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Ping {
    /// The host as it was given.
    host: String,
    /// The address that was asked.
    ip: String,
    /// The means: `icmp`, `icmp_raw` or `tcp`.
    method: Method,
    /// Requests sent.
    sent: u16,
    /// Replies received.
    received: u16,
    /// Share of requests without a reply, in percent.
    loss_percent: f64,
    /// Shortest round trip, in milliseconds.
    rtt_min_ms: Option<f64>,
    /// Average round trip, in milliseconds.
    rtt_avg_ms: Option<f64>,
    /// Longest round trip, in milliseconds.
    rtt_max_ms: Option<f64>,
    /// Mean deviation of the round trips, in milliseconds.
    rtt_mdev_ms: Option<f64>,
    /// The same as text, one line a request.
    raw: String,
}

impl Tool<Services> for PingHost {
    const NAME: &'static str = "ping_host";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Lean;
    const OPEN_WORLD: bool = true;
    type Output = Ping;

    async fn run(self, ctx: &Context<Services>) -> Result<Ping> {
        let address = self.host.address().await?;
        let (echo, wait, clock) = (Echo::open(address), Duration::from_secs(self.timeout_s), ctx.clock());
        let echo = &echo;
        let replies = join_all((0..self.count).map(|sequence| async move {
            clock.sleep(INTERVAL * u32::from(sequence)).await;
            echo.ask(address, sequence, wait, clock).await
        }))
        .await;
        Ok(Ping::of(self.host.as_str(), address, echo.method(), &replies))
    }

    fn outcome(ping: &Ping) -> Outcome {
        if ping.received == 0 {
            return Outcome::warning(format!("{} did not answer", ping.host));
        }
        Outcome::default()
    }
}

impl Ping {
    fn of(host: &str, address: IpAddr, method: Method, replies: &[Option<Duration>]) -> Self {
        let times: Vec<f64> = replies.iter().flatten().map(|took| took.as_secs_f64() * 1000.0).collect();
        let count = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        let (sent, received) = (count(replies.len()), count(times.len()));
        let share = |number: u16| f64::from(number) / f64::from(sent.max(1));
        let average = times.iter().sum::<f64>() / f64::from(received);
        let squares = times.iter().map(|time| time * time).sum::<f64>() / f64::from(received);
        let known = |number: f64| (received > 0).then(|| thousandths(number));
        let mut ping = Self {
            host: host.to_owned(),
            ip: address.to_string(),
            method,
            sent,
            received,
            loss_percent: thousandths(100.0 * share(sent - received)),
            rtt_min_ms: known(times.iter().copied().fold(f64::INFINITY, f64::min)),
            rtt_avg_ms: known(average),
            rtt_max_ms: known(times.iter().copied().fold(0.0, f64::max)),
            rtt_mdev_ms: known((squares - average * average).max(0.0).sqrt()),
            raw: String::new(),
        };
        ping.raw = ping.text(replies);
        ping
    }

    fn text(&self, replies: &[Option<Duration>]) -> String {
        let mut text = format!("PING {} ({})\n", self.host, self.ip);
        for (sequence, reply) in replies.iter().enumerate() {
            let _ = match reply {
                Some(took) => writeln!(text, "seq={sequence} time={:.3} ms", took.as_secs_f64() * 1000.0),
                None => writeln!(text, "seq={sequence} no reply"),
            };
        }
        let _ = write!(text, "{} sent, {} received, {}% loss", self.sent, self.received, self.loss_percent);
        if let (Some(min), Some(avg), Some(max), Some(mdev)) =
            (self.rtt_min_ms, self.rtt_avg_ms, self.rtt_max_ms, self.rtt_mdev_ms)
        {
            let _ = write!(text, "\nrtt min/avg/max/mdev = {min:.3}/{avg:.3}/{max:.3}/{mdev:.3} ms");
        }
        text
    }
}

fn thousandths(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::network::Settings;
    use crate::network::stub::services;
    use crate::testing::call_on;

    async fn ping(arguments: &str) -> String {
        call_on::<PingHost>(services(&Settings::default()), arguments).await
    }

    #[test]
    fn the_figures_are_those_of_the_replies() {
        let replies = [Some(Duration::from_millis(1)), None, Some(Duration::from_millis(3)), None];
        let ping = Ping::of("web", IpAddr::from([10, 0, 0, 1]), Method::Icmp, &replies);
        assert_eq!((ping.sent, ping.received), (4, 2));
        assert_eq!(
            [ping.rtt_min_ms, ping.rtt_avg_ms, ping.rtt_max_ms, ping.rtt_mdev_ms],
            [1.0, 2.0, 3.0, 1.0].map(Some)
        );
        assert_eq!(
            ping.raw,
            "PING web (10.0.0.1)\nseq=0 time=1.000 ms\nseq=1 no reply\nseq=2 time=3.000 ms\nseq=3 no reply\n\
             4 sent, 2 received, 50% loss\nrtt min/avg/max/mdev = 1.000/2.000/3.000/1.000 ms"
        );
    }

    #[test]
    fn silence_is_a_warning_without_times() {
        let ping = Ping::of("web", IpAddr::from([10, 0, 0, 1]), Method::Tcp, &[None, None]);
        assert_eq!((ping.loss_percent, ping.rtt_avg_ms), (100.0, None));
        assert_eq!(PingHost::outcome(&ping), Outcome::warning("web did not answer"));
    }

    #[tokio::test]
    async fn loopback_answers_every_request() {
        for host in ["127.0.0.1", "::1", "localhost"] {
            let found = ping(&format!(r#"{{"host": "{host}", "count": 3}}"#)).await;
            let found: Value = serde_json::from_str(&found).expect(&found);
            assert_eq!((&found["sent"], &found["received"]), (&3.into(), &3.into()), "{found}");
            assert_eq!(found["loss_percent"], 0.0);
        }
    }

    #[tokio::test]
    async fn hosts_like_options_and_counts_out_of_bounds_are_refused() {
        for arguments in [
            r#"{"host": "-f"}"#,
            r#"{"host": ""}"#,
            r#"{"host": "a b"}"#,
            r#"{"host": "a", "count": 0}"#,
            r#"{"host": "a", "count": 21}"#,
            r#"{"host": "a", "timeout_s": 11}"#,
            r#"{"host": "a;reboot/"}"#,
        ] {
            let found = ping(arguments).await;
            assert!(found.starts_with("INVALID_ARGUMENT"), "{arguments}: {found}");
        }
    }
}
