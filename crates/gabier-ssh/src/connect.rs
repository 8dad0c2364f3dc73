//! From a target to a logged-in connection: over every host on the way, with the tries that make sense.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use gabier_host::{ByteStream, Contact, Endpoint, Secrets, Target};
use gabier_tool::Result;
use tokio::time::{Instant, sleep};

use crate::dial::dial;
use crate::failure::Failure;
use crate::host_keys::HostKeys;
use crate::settings::Settings;
use crate::transport::{Connection, Credentials, Handshake, Refusal, Traffic};
use crate::trust::HostKey;

/// How often a host that said nothing yet is tried.
const TRIES: u32 = 3;
/// The longest one try waits for TCP.
const DIAL_LIMIT: Duration = Duration::from_secs(3);

/// Makes connections.
pub(crate) struct Connector {
    pub(crate) settings: Settings,
    pub(crate) keys: Arc<dyn HostKeys>,
    pub(crate) secrets: Arc<dyn Secrets>,
}

impl Connector {
    /// Connects and logs in.
    pub(crate) fn connect<'a>(
        &'a self,
        target: &'a Target,
        traffic: Traffic,
    ) -> BoxFuture<'a, Result<Connection, Failure>> {
        self.connect_over(target, traffic).boxed()
    }

    async fn connect_over(&self, target: &Target, traffic: Traffic) -> Result<Connection, Failure> {
        let mut via: Option<Arc<Connection>> = None;
        for jump in &target.jumps {
            let connection =
                self.hop(jump, Traffic::Bulk, via).await.map_err(|failure| failure.at(jump, true))?;
            via = Some(Arc::new(connection));
        }
        let endpoint = &target.endpoint;
        self.hop(endpoint, traffic, via).await.map_err(|failure| failure.at(endpoint, false))
    }

    /// Learns the key a host offers now; the hosts on the way are logged in to, the host itself is sent nothing.
    pub(crate) async fn look(&self, target: &Target) -> Result<Contact, Failure> {
        let mut via: Option<Arc<Connection>> = None;
        for jump in &target.jumps {
            let connection =
                self.hop(jump, Traffic::Commands, via).await.map_err(|failure| failure.at(jump, true))?;
            via = Some(Arc::new(connection));
        }
        let endpoint = &target.endpoint;
        let deadline = Instant::now() + self.settings.connect_limit;
        let keys: Arc<dyn HostKeys> = Arc::new(AnyKey(Arc::clone(&self.keys)));
        let mut tries = Tries::until(deadline);
        loop {
            let looked = match self.stream(endpoint, deadline, via.clone()).await {
                Ok(stream) => self.handshake(endpoint, Traffic::Commands, deadline, &keys).look(stream).await,
                Err(failure) => Err(failure),
            };
            if let Some(result) = tries.after(looked).await {
                return result.map_err(|failure| failure.at(endpoint, false));
            }
        }
    }

    /// One host: connect, key exchange and login within the one limit.
    async fn hop(
        &self,
        endpoint: &Endpoint,
        traffic: Traffic,
        via: Option<Arc<Connection>>,
    ) -> Result<Connection, Failure> {
        let deadline = Instant::now() + self.settings.connect_limit;
        let Settings { agent, key_roots, .. } = &self.settings;
        let credentials = Credentials::open(endpoint, &*self.secrets, agent.as_deref(), key_roots).await;
        let mut tries = Tries::until(deadline);
        loop {
            let connected = match self.stream(endpoint, deadline, via.clone()).await {
                Ok(stream) => {
                    let handshake = self.handshake(endpoint, traffic, deadline, &self.keys);
                    handshake.log_in(stream, &credentials, via.clone()).await
                }
                Err(failure) => Err(failure),
            };
            if let Some(result) = tries.after(connected).await {
                return result;
            }
        }
    }

    fn handshake<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        traffic: Traffic,
        deadline: Instant,
        keys: &'a Arc<dyn HostKeys>,
    ) -> Handshake<'a> {
        Handshake { endpoint, traffic, keep_alive: self.settings.keep_alive, deadline, keys }
    }

    async fn stream(
        &self,
        endpoint: &Endpoint,
        deadline: Instant,
        via: Option<Arc<Connection>>,
    ) -> Result<Box<dyn ByteStream>, Failure> {
        let limit = DIAL_LIMIT.min(deadline.saturating_duration_since(Instant::now()));
        let Some(via) = via else {
            return Ok(Box::new(dial(&endpoint.host, endpoint.port, limit).await?));
        };
        let forwarding = via.forward(&endpoint.host, endpoint.port, Arc::clone(&via));
        match tokio::time::timeout_at(deadline, forwarding).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(Refusal::Busy)) => {
                let message = "forwarding over the host on the way: it cannot reach the address";
                Err(Failure::unreachable("JUMP_CONNECT_FAILED", message))
            }
            Ok(Err(Refusal::Forbidden(why))) => {
                let message = "forwarding over the host on the way: it does not forward";
                Err(Failure::unreachable("JUMP_FORBIDDEN", message).with("server", why))
            }
            Ok(Err(Refusal::Lost(why))) => {
                let message = "forwarding over the host on the way: the connection to it was lost";
                Err(Failure::unreachable("JUMP_LOST", message).with("server", why))
            }
            Err(_) => Err(Failure::unreachable(
                "ETIMEDOUT",
                "forwarding over the host on the way: no answer in time",
            )),
        }
    }
}

/// Counts the tries of one connection.
struct Tries {
    tried: u32,
    deadline: Instant,
}

impl Tries {
    fn until(deadline: Instant) -> Self {
        Self { tried: 0, deadline }
    }

    /// Waits a little before another try, as long as nothing was said; otherwise gives the result back.
    async fn after<T>(&mut self, result: Result<T, Failure>) -> Option<Result<T, Failure>> {
        self.tried += 1;
        let failure = match result {
            Err(failure) if failure.is_transient() => failure,
            result => return Some(result),
        };
        let pause = jitter(Duration::from_millis(120 * u64::from(self.tried)));
        if self.tried == TRIES || Instant::now() + pause >= self.deadline {
            return Some(Err(failure.with("tries", self.tried)));
        }
        sleep(pause).await;
        None
    }
}

/// Between half of a duration and one and a half.
pub(crate) fn jitter(around: Duration) -> Duration {
    let mut random = [0_u8; 1];
    // Without randomness the middle is as good.
    let share = getrandom::fill(&mut random).map_or(128, |()| u32::from(random[0]));
    around / 2 + around * share / 256
}

/// Accepts any key and records none: for looking at it.
struct AnyKey(Arc<dyn HostKeys>);

impl HostKeys for AnyKey {
    fn algorithms<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Vec<String>>> {
        self.0.algorithms(endpoint)
    }

    fn check<'a>(&'a self, _: &'a Endpoint, _: &'a HostKey) -> BoxFuture<'a, Result<bool>> {
        std::future::ready(Ok(false)).boxed()
    }
}
