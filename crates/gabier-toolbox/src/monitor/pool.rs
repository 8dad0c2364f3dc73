//! The connections to hosts.

use std::collections::BTreeMap;
use std::time::Duration;

use gabier_host::PoolState;
use gabier_tool::{Context, Effect, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Services;
use crate::hosts::reach::may_use;

/// Show the open connections to hosts.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PoolStats {}

/// The connections there are.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Pool {
    /// How many.
    total_connections: usize,
    /// Those to each host.
    by_server: BTreeMap<String, Server>,
}

/// The connections to a host.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Server {
    /// How many.
    total: usize,
    /// Channels in use.
    in_use: usize,
    /// Channels that could be opened at once.
    available: usize,
    /// Each of them.
    connections: Vec<Connection>,
}

/// A connection.
#[derive(Debug, Serialize, JsonSchema)]
struct Connection {
    /// What it is for: `control`, `bulk`, `dedicated`.
    lane: &'static str,
    /// Channels in use.
    in_use: usize,
    /// Channels it can still open.
    available: usize,
    /// How long it has been open, in seconds.
    age_s: u64,
    /// Commands and streams it carried.
    served: u64,
    /// The measured round trip.
    round_trip_ms: f64,
}

impl Tool<Services> for PoolStats {
    const NAME: &'static str = "pool_stats";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    const KEYWORDS: &'static str = "ssh connections sessions channels connexions";
    type Output = Pool;

    async fn run(self, ctx: &Context<Services>) -> Result<Pool> {
        let hosts = ctx.services.hosts()?;
        let mut own = hosts.inventory.list().await?;
        own.retain(|alias, record| may_use(ctx.caller(), alias, record));
        let state = hosts.fleet.state().into_iter();
        let state = state.filter(|state| own.keys().any(|alias| alias.as_str() == state.alias));
        Ok(state.fold(Pool::default(), Pool::with))
    }
}

impl Pool {
    fn with(mut self, state: PoolState) -> Self {
        self.total_connections += 1;
        let server = self.by_server.entry(state.alias).or_default();
        server.total += 1;
        server.in_use += state.in_use;
        server.available += state.available;
        server.connections.push(Connection {
            lane: state.lane,
            in_use: state.in_use,
            available: state.available,
            age_s: state.age.as_secs(),
            served: state.served,
            round_trip_ms: milliseconds(state.round_trip),
        });
        self
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_added_up_by_host() {
        let state = |alias: &str, lane, in_use| PoolState {
            alias: alias.to_owned(),
            lane,
            in_use,
            available: 5 - in_use,
            age: Duration::from_secs(7),
            served: 3,
            round_trip: Duration::from_micros(1500),
        };
        let states = [state("a", "control", 2), state("a", "bulk", 1), state("b", "control", 0)];
        let pool = states.into_iter().fold(Pool::default(), Pool::with);
        assert_eq!(pool.total_connections, 3);
        let server = &pool.by_server["a"];
        assert_eq!((server.total, server.in_use, server.available), (2, 3, 7));
        assert!((server.connections[0].round_trip_ms - 1.5).abs() < 1e-9);
    }
}
