//! What the server's settings mean for what is promised.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gabier_store::Result;
use redis::Client;

use crate::address::Address;
use crate::link::Link;

/// From which difference of clocks on a sentence says so.
const CLOCKS: i64 = 500;

/// What was found out about a server: one sentence per setting that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Redis or Valkey, and its version.
    pub version: String,
    /// The sentences, in a fixed order.
    pub findings: Vec<Finding>,
}

/// One setting and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The name of the setting.
    pub setting: &'static str,
    /// What it is.
    pub value: String,
    /// What that means, in one sentence.
    pub meaning: String,
    /// Whether somebody should do something about it.
    pub is_warning: bool,
}

impl Report {
    /// Asks the server behind a URL, comparing its clock with the time that `now` gives.
    ///
    /// Fails as [`crate::open`] and its calls do.
    pub async fn of(url: &str, now: impl Fn() -> SystemTime) -> Result<Self> {
        let Address { client, .. } = Address::parse(url)?;
        Self::ask(client, now).await
    }

    async fn ask(client: Client, now: impl Fn() -> SystemTime) -> Result<Self> {
        let doing = "ask Redis for its settings";
        let link = Link::new(client);
        let mut asked = redis::pipe();
        asked.cmd("INFO").arg("server");
        let (info,): (String,) = link.ask(doing, &asked).await?;
        // The connection is there now, so that the round trip is all that lies between the clocks.
        let before = millis(now());
        let mut asked = redis::pipe();
        asked.cmd("TIME");
        let ((seconds, micros),): ((i64, i64),) = link.ask(doing, &asked).await?;
        let after = millis(now());
        let theirs = seconds * 1_000 + micros / 1_000;
        let clocks = if theirs < before { theirs - before } else { (theirs - after).max(0) };
        let mut asked = redis::pipe();
        asked.cmd("CONFIG").arg("GET").arg("appendonly");
        asked.cmd("CONFIG").arg("GET").arg("appendfsync");
        asked.cmd("CONFIG").arg("GET").arg("maxmemory-policy");
        asked.cmd("CONFIG").arg("GET").arg("maxmemory");
        let settings: Vec<Option<String>> = match link.ask::<Vec<Vec<String>>>(doing, &asked).await {
            Ok(settings) => settings.into_iter().map(|pair| pair.into_iter().nth(1)).collect(),
            // Some hosts do not let their users ask.
            Err(error) if error.kind() != gabier_store::ErrorKind::Unreachable => Vec::new(),
            Err(error) => return Err(error),
        };
        let setting = |number: usize| settings.get(number).and_then(Option::as_deref);
        let version = version(&info);
        let findings = vec![
            server(&version),
            appendonly(setting(0)),
            appendfsync(setting(1), setting(0)),
            eviction(setting(2), setting(3)),
            clock(clocks),
        ];
        Ok(Self { version, findings })
    }
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn version(info: &str) -> String {
    let find = |name: &str| info.lines().find_map(|line| line.strip_prefix(name));
    match (find("valkey_version:"), find("redis_version:")) {
        (Some(valkey), _) => format!("Valkey {}", valkey.trim()),
        (None, Some(redis)) => format!("Redis {}", redis.trim()),
        (None, None) => "unknown".to_owned(),
    }
}

fn finding(setting: &'static str, value: impl Into<String>, meaning: &str, is_warning: bool) -> Finding {
    Finding { setting, value: value.into(), meaning: meaning.to_owned(), is_warning }
}

fn server(version: &str) -> Finding {
    let number = version.rsplit(' ').next().and_then(|text| text.split('.').next());
    let is_old = number.and_then(|text| text.parse::<u32>().ok()).is_none_or(|major| major < 7);
    let meaning =
        if is_old { "This is older than Redis 7: use a newer one." } else { "This version serves." };
    finding("version", version, meaning, is_old)
}

const HIDDEN: &str = "The server does not tell: ask whoever runs it.";

fn appendonly(value: Option<&str>) -> Finding {
    match value {
        Some("yes") => finding("appendonly", "yes", "Tasks and records survive a restart of Redis.", false),
        Some(value) => {
            let meaning = "A restart of Redis loses everything since its last snapshot: set appendonly yes.";
            finding("appendonly", value, meaning, true)
        }
        None => finding("appendonly", "hidden", HIDDEN, true),
    }
}

fn appendfsync(value: Option<&str>, appendonly: Option<&str>) -> Finding {
    let is_used = appendonly != Some("no");
    match value {
        Some(value) if !is_used => {
            finding("appendfsync", value, "It has no effect while appendonly is off.", false)
        }
        Some("always") => finding(
            "appendfsync",
            "always",
            "An acknowledged task survives a power cut of the Redis machine.",
            false,
        ),
        Some("everysec") => {
            let meaning =
                "A power cut of the Redis machine loses 1 to 2 s of acknowledged tasks; always loses none.";
            finding("appendfsync", "everysec", meaning, true)
        }
        Some(value) => {
            let meaning = "A power cut of the Redis machine loses what its kernel had not written, up to 30 s and more.";
            finding("appendfsync", value, meaning, true)
        }
        None => finding("appendfsync", "hidden", HIDDEN, true),
    }
}

fn eviction(policy: Option<&str>, maxmemory: Option<&str>) -> Finding {
    let is_bounded = maxmemory != Some("0");
    match policy {
        Some("noeviction") => {
            let meaning = "When memory is full, new tasks are refused and none is lost.";
            finding("maxmemory-policy", "noeviction", meaning, false)
        }
        Some(value) if is_bounded => {
            let meaning =
                "When memory is full, Redis throws tasks away without a word: set it to noeviction.";
            finding("maxmemory-policy", value, meaning, true)
        }
        Some(value) => {
            let meaning = "Once a maxmemory is set, Redis would throw tasks away: set it to noeviction.";
            finding("maxmemory-policy", value, meaning, true)
        }
        None => finding("maxmemory-policy", "hidden", HIDDEN, true),
    }
}

fn clock(difference: i64) -> Finding {
    let is_far = difference.abs() > CLOCKS;
    let meaning = if is_far {
        "The clocks differ by more than 500 ms: workers of another make start delayed jobs by theirs; set both by NTP."
    } else {
        "The clocks agree."
    };
    finding("clock", format!("{difference} ms"), meaning, is_far)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(finding: &Finding) -> String {
        let mark = if finding.is_warning { "!" } else { " " };
        format!("{mark}{} {}: {}", finding.setting, finding.value, finding.meaning)
    }

    #[test]
    fn what_loses_tasks_is_a_warning() {
        assert!(check(&appendonly(Some("no"))).starts_with("!appendonly no: A restart of Redis loses"));
        assert!(check(&appendfsync(Some("always"), Some("yes"))).starts_with(" appendfsync always"));
        assert!(check(&appendfsync(Some("everysec"), Some("yes"))).starts_with("!appendfsync everysec"));
        assert!(
            check(&appendfsync(Some("everysec"), Some("no")))
                .starts_with(" appendfsync everysec: It has no effect")
        );
        assert!(
            check(&eviction(Some("allkeys-lru"), Some("1000"))).contains("throws tasks away without a word")
        );
        assert!(
            check(&eviction(Some("volatile-lru"), Some("0")))
                .starts_with("!maxmemory-policy volatile-lru: Once")
        );
        assert!(!eviction(Some("noeviction"), Some("1000")).is_warning);
        assert!(appendonly(None).is_warning && eviction(None, None).is_warning);
    }

    #[test]
    fn versions_before_7_are_told() {
        assert_eq!(version("# Server\r\nredis_version:6.2.1\r\n"), "Redis 6.2.1");
        assert_eq!(version("redis_version:7.2.4\r\nvalkey_version:8.1.0\r\n"), "Valkey 8.1.0");
        assert!(
            server("Redis 6.2.1").is_warning
                && !server("Valkey 8.1.0").is_warning
                && server("unknown").is_warning
        );
    }

    #[test]
    fn clocks_may_differ_by_half_a_second() {
        assert!(!clock(-500).is_warning && clock(501).is_warning && clock(-501).is_warning);
    }
}
