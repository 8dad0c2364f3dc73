//! Few connections for many commands: handed out in the order of asking, dialled once for all who wait.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use gabier_host::{PoolState, Target};
use gabier_tool::ErrorKind;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

use crate::connect::{Connector, jitter};
use crate::failure::Failure;
use crate::transport::{Channel, Connection, Refusal, Traffic};

/// Channels on one connection until the server teaches otherwise: with OpenSSH's `MaxSessions 10`, five are safe.
const CHANNELS: usize = 5;
/// Connections to one host for files.
const BULK_CONNECTIONS: usize = 2;
/// Logins to one host at a time: servers drop more (`MaxStartups`).
const DIALS: usize = 3;
/// A server that refuses the only channel of a connection this often takes none at all.
const REFUSALS: usize = 20;

/// All connections, by target.
pub(crate) struct Pool {
    connector: Arc<Connector>,
    hosts: Mutex<HashMap<Target, Arc<HostPool>>>,
}

/// The connections of one target.
struct HostPool {
    alias: String,
    commands: Arc<Lane>,
    bulk: Arc<Lane>,
    dedicated: Mutex<Vec<Weak<Connection>>>,
}

impl Pool {
    /// A pool that dials by a connector; it closes what is idle for as long as it lives.
    pub(crate) fn new(connector: Connector) -> Arc<Self> {
        let pool = Arc::new(Self { connector: Arc::new(connector), hosts: Mutex::default() });
        let pause = (pool.connector.settings.idle_limit / 4)
            .clamp(Duration::from_millis(50), Duration::from_secs(30));
        let weak = Arc::downgrade(&pool);
        tokio::spawn(async move {
            while let Some(pool) = weak.upgrade() {
                pool.close_idle();
                drop(pool);
                sleep(pause).await;
            }
        });
        pool
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// A channel for a command, opened; waits its turn until the deadline.
    pub(crate) async fn open(&self, target: &Target, deadline: Instant) -> Result<(Channel, Lease), Failure> {
        let lane = Arc::clone(&self.host(target).commands);
        let mut refusals = 0;
        let mut is_again = false;
        loop {
            let lease = lane.acquire(is_again, deadline).await?;
            let opened = timeout_at(deadline, lease.connection.open()).await;
            let refusal = match opened {
                Ok(Ok(channel)) => return Ok((channel, lease)),
                Ok(Err(refusal)) => refusal,
                Err(_) => return Err(too_late()),
            };
            refusals += 1;
            is_again = true;
            match refusal {
                Refusal::Busy if refusals < REFUSALS || !lease.is_alone() => {
                    lane.learn(&lease.connection);
                    drop(lease);
                    sleep(jitter(Duration::from_millis(10))).await;
                }
                Refusal::Lost(_) if refusals < REFUSALS => {
                    lane.forget(&lease.connection);
                }
                Refusal::Busy => {
                    let message = format!("opening a channel on {}: the server takes none", target.alias());
                    return Err(Failure::unreachable("NO_CHANNEL", message));
                }
                Refusal::Forbidden(why) => {
                    let message =
                        format!("opening a channel on {}: the server does not allow it", target.alias());
                    return Err(Failure::new(ErrorKind::NotAvailable, "CHANNEL_FORBIDDEN", message)
                        .with("server", why));
                }
                Refusal::Lost(why) => {
                    let message = format!("opening a channel on {}: the connection was lost", target.alias());
                    return Err(Failure::unreachable("ECONNRESET", message).with("server", why));
                }
            }
        }
    }

    /// A connection for files, shared; waits its turn until the deadline.
    pub(crate) async fn bulk(&self, target: &Target, deadline: Instant) -> Result<Lease, Failure> {
        let lane = Arc::clone(&self.host(target).bulk);
        lane.acquire(false, deadline).await
    }

    /// A connection of one's own.
    pub(crate) async fn dedicated(
        &self,
        target: &Target,
        deadline: Instant,
    ) -> Result<Arc<Connection>, Failure> {
        let host = self.host(target);
        let connecting = host.commands.dial();
        let connection = match timeout_at(deadline, connecting).await {
            Ok(result) => Arc::new(result?),
            Err(_) => return Err(too_late()),
        };
        lock(&host.dedicated).push(Arc::downgrade(&connection));
        Ok(connection)
    }

    /// Closes the connections of a host, and of those that are reached through it.
    pub(crate) async fn close(&self, alias: &str) {
        let passes =
            |target: &Target| target.alias() == alias || target.jumps.iter().any(|jump| jump.alias == alias);
        let closed: Vec<Arc<HostPool>> = {
            let mut hosts = lock(&self.hosts);
            let targets: Vec<Target> = hosts.keys().filter(|target| passes(target)).cloned().collect();
            targets.iter().filter_map(|target| hosts.remove(target)).collect()
        };
        for host in closed {
            for connection in host.connections() {
                connection.close().await;
            }
        }
    }

    /// The connections there are now.
    pub(crate) fn state(&self) -> Vec<PoolState> {
        let hosts: Vec<Arc<HostPool>> = lock(&self.hosts).values().cloned().collect();
        let mut states: Vec<PoolState> = hosts.iter().flat_map(|host| host.state()).collect();
        states.sort_by(|left, right| left.alias.cmp(&right.alias));
        states
    }

    fn host(&self, target: &Target) -> Arc<HostPool> {
        let mut hosts = lock(&self.hosts);
        let new = || {
            let settings = &self.connector.settings;
            let dials = Arc::new(Semaphore::new(DIALS));
            let lane = |traffic, most| {
                let (connector, target, dials) =
                    (Arc::clone(&self.connector), target.clone(), Arc::clone(&dials));
                Arc::new(Lane { connector, target, traffic, most, dials, state: Mutex::default() })
            };
            Arc::new(HostPool {
                alias: target.alias().to_owned(),
                commands: lane(Traffic::Commands, settings.max_connections.max(1)),
                bulk: lane(Traffic::Bulk, BULK_CONNECTIONS),
                dedicated: Mutex::default(),
            })
        };
        Arc::clone(hosts.entry(target.clone()).or_insert_with(new))
    }

    fn close_idle(&self) {
        let settings = &self.connector.settings;
        let mut hosts = lock(&self.hosts);
        for host in hosts.values() {
            host.commands.close_idle(settings.idle_limit, settings.min_connections);
            host.bulk.close_idle(settings.idle_limit, 0);
            lock(&host.dedicated).retain(|connection| connection.strong_count() > 0);
        }
        hosts.retain(|_, host| Arc::strong_count(host) > 1 || !host.is_empty());
    }
}

impl HostPool {
    fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.bulk.is_empty() && lock(&self.dedicated).is_empty()
    }

    fn connections(&self) -> Vec<Arc<Connection>> {
        let mut connections = self.commands.take_all();
        connections.extend(self.bulk.take_all());
        connections.extend(lock(&self.dedicated).drain(..).filter_map(|connection| connection.upgrade()));
        connections
    }

    fn state(&self) -> Vec<PoolState> {
        let mut states = Vec::new();
        let mut add = |lane, connection: &Connection, in_use, available| {
            states.push(PoolState {
                alias: self.alias.clone(),
                lane,
                in_use,
                available,
                age: connection.age(),
                served: connection.served(),
                round_trip: connection.round_trip(),
            });
        };
        for (name, lane) in [("control", &self.commands), ("bulk", &self.bulk)] {
            for slot in &lane.state().slots {
                add(name, &slot.connection, slot.in_use, slot.room.saturating_sub(slot.in_use));
            }
        }
        for connection in lock(&self.dedicated).iter().filter_map(Weak::upgrade) {
            add("dedicated", &connection, 1, 0);
        }
        states
    }
}

/// Whether a connection on which much comes is given to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Floods {
    Avoid,
    Take,
}

/// Connections to one target for one sort of traffic.
struct Lane {
    connector: Arc<Connector>,
    target: Target,
    traffic: Traffic,
    most: usize,
    dials: Arc<Semaphore>,
    state: Mutex<LaneState>,
}

#[derive(Default)]
struct LaneState {
    slots: Vec<Slot>,
    waiting: VecDeque<oneshot::Sender<Result<Lease, Failure>>>,
    dialling: usize,
    /// The most channels a connection to this server takes, once it has taught us.
    learnt: Option<usize>,
}

struct Slot {
    connection: Arc<Connection>,
    in_use: usize,
    room: usize,
    idle_since: Instant,
}

/// The right to one channel of a connection; given back when dropped.
pub(crate) struct Lease {
    pub(crate) connection: Arc<Connection>,
    lane: Option<Arc<Lane>>,
}

impl Lease {
    fn defuse(mut self) {
        self.lane = None;
    }

    /// True when nobody else uses the connection.
    fn is_alone(&self) -> bool {
        let Some(lane) = &self.lane else { return true };
        lane.state().slots.iter().find(|slot| slot.is(&self.connection)).is_none_or(|slot| slot.in_use <= 1)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(lane) = self.lane.take() else { return };
        let mut state = lane.state();
        if let Some(slot) = state.slots.iter_mut().find(|slot| slot.is(&self.connection)) {
            slot.in_use -= 1;
            slot.idle_since = Instant::now();
        }
        Lane::serve(&lane, &mut state, Floods::Avoid);
    }
}

impl Slot {
    fn is(&self, connection: &Arc<Connection>) -> bool {
        Arc::ptr_eq(&self.connection, connection)
    }
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, LaneState> {
        lock(&self.state)
    }

    fn is_empty(&self) -> bool {
        let state = self.state();
        state.slots.is_empty() && state.dialling == 0 && state.waiting.is_empty()
    }

    /// Waits for a channel's turn; who was refused by the server once goes before the others.
    async fn acquire(self: &Arc<Self>, is_again: bool, deadline: Instant) -> Result<Lease, Failure> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.state();
            if is_again {
                state.waiting.push_front(sender);
            } else {
                state.waiting.push_back(sender);
            }
            Self::serve(self, &mut state, Floods::Avoid);
        }
        let last = Instant::now() + self.connector.settings.wait_limit;
        match timeout_at(deadline.min(last), receiver).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => {
                Err(Failure::unreachable("CLOSED", "waiting for a connection: the host was removed"))
            }
            Err(_) if deadline <= last => Err(too_late()),
            Err(_) => {
                let message = format!("waiting for a connection to {}: all are in use", self.target.alias());
                Err(Failure::new(ErrorKind::Timeout, "POOL_BUSY", message))
            }
        }
    }

    /// Gives free channels to those who wait, first come first served, and dials when there are too few.
    ///
    /// A connection on which one command floods is taken only when no other can be had.
    fn serve(lane: &Arc<Self>, state: &mut LaneState, floods: Floods) {
        state.slots.retain(|slot| slot.connection.is_alive());
        let can_grow = state.slots.len() < lane.most && floods == Floods::Avoid;
        loop {
            let free = state.slots.iter_mut().filter(|slot| slot.in_use < slot.room);
            let best = free.min_by_key(|slot| (slot.connection.is_flooded(), slot.in_use));
            let Some(slot) = best else { break };
            if can_grow && slot.connection.is_flooded() {
                break;
            }
            let Some(waiter) = state.waiting.pop_front() else { return };
            if waiter.is_closed() {
                continue;
            }
            slot.in_use += 1;
            let lease = Lease { connection: Arc::clone(&slot.connection), lane: Some(Arc::clone(lane)) };
            if let Err(Ok(unwanted)) = waiter.send(Ok(lease)) {
                slot.in_use -= 1;
                // Given back here and now: its drop would lock the state that is locked already.
                unwanted.defuse();
            }
        }
        state.waiting.retain(|waiter| !waiter.is_closed());
        let room = state.learnt.unwrap_or(CHANNELS);
        while state.waiting.len() > state.dialling * room
            && state.dialling < DIALS
            && state.slots.len() + state.dialling < lane.most
        {
            state.dialling += 1;
            let (lane, is_first) = (Arc::clone(lane), state.dialling == 1);
            tokio::spawn(async move {
                if !is_first {
                    sleep(jitter(Duration::from_millis(20))).await;
                }
                let result = lane.dial().await;
                Self::dialled(&lane, result);
            });
        }
    }

    async fn dial(&self) -> Result<Connection, Failure> {
        let _permit = self.dials.acquire().await;
        self.connector.connect(&self.target, self.traffic).await
    }

    fn dialled(lane: &Arc<Self>, result: Result<Connection, Failure>) {
        let mut state = lane.state();
        state.dialling -= 1;
        let mut floods = Floods::Avoid;
        match result {
            Ok(connection) => {
                let learnt = state.learnt.unwrap_or(CHANNELS);
                let room = if connection.is_dropbear() { 1 } else { learnt };
                let slot =
                    Slot { connection: Arc::new(connection), in_use: 0, room, idle_since: Instant::now() };
                state.slots.push(slot);
            }
            // Nothing else is on its way: all who wait share this failure, and the next who asks dials anew.
            Err(failure) if state.slots.is_empty() && state.dialling == 0 => {
                for waiter in state.waiting.drain(..) {
                    let _ = waiter.send(Err(failure.clone()));
                }
            }
            // Those who wait have other connections to wait for.
            Err(_) => floods = Floods::Take,
        }
        Self::serve(lane, &mut state, floods);
    }

    /// The server refused one more channel: fewer from now on.
    fn learn(&self, connection: &Arc<Connection>) {
        let mut state = self.state();
        let Some(slot) = state.slots.iter_mut().find(|slot| slot.is(connection)) else { return };
        slot.room = slot.room.min(slot.in_use.saturating_sub(1)).max(1);
        let room = slot.room;
        state.learnt = Some(state.learnt.unwrap_or(CHANNELS).min(room).max(1));
    }

    fn forget(&self, connection: &Arc<Connection>) {
        self.state().slots.retain(|slot| !slot.is(connection));
    }

    fn close_idle(&self, limit: Duration, least: usize) {
        let mut closed = Vec::new();
        {
            let mut state = self.state();
            let mut kept = 0;
            state.slots.retain(|slot| {
                let is_kept = slot.in_use > 0 || slot.idle_since.elapsed() < limit || kept < least;
                kept += usize::from(is_kept);
                if !is_kept {
                    closed.push(Arc::clone(&slot.connection));
                }
                is_kept
            });
        }
        if !closed.is_empty() {
            tokio::spawn(async move {
                for connection in closed {
                    connection.close().await;
                }
            });
        }
    }

    fn take_all(&self) -> Vec<Arc<Connection>> {
        let mut state = self.state();
        state.waiting.clear();
        state.slots.drain(..).map(|slot| slot.connection).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn too_late() -> Failure {
    Failure::new(
        ErrorKind::CommandTimeout,
        "DEADLINE",
        "connecting: the time limit ended first; nothing was run",
    )
}
