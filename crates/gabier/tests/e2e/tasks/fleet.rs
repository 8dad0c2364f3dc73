//! Servers and workers on one store, and clients that give them work while they come and go.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;

use super::chance::Chance;
use super::ledger::{Figures, Ledger, Order, Places};
use crate::harness::{Answer, Home, Request, Running, Server, Watched, get, mint, post};

/// A home whose processes take much work at once, and the token of an administrator.
pub(crate) fn busy_home() -> (Home, String) {
    busy(Home::new())
}

/// The same of a home that has settings.
pub(crate) fn busy(home: Home) -> (Home, String) {
    let home = home
        .with("WORKER_CONCURRENCY", "20")
        .with("MAX_QUEUE_SIZE", "100000")
        .with("GABIER_ACCESS_RATES_TOOLS", "{}")
        .with("LOG_LEVEL", "error");
    let token = mint(&home, "e2e", &["read", "net", "write", "admin"]);
    let token = token["token"].as_str().unwrap().to_owned();
    (home, token)
}

/// A process that runs tasks and serves nobody.
pub(crate) struct Worker(pub(super) Running);

impl Worker {
    pub(crate) fn start(home: &Home) -> Self {
        let mut running = Running::start(&mut home.command(&["worker"]));
        Watched::read(running.child().stdout.take().unwrap());
        Watched::read(running.child().stderr.take().unwrap());
        Self(running)
    }
}

/// Servers and their workers; to drop one of them is a kill -9.
pub(crate) struct Fleet<'a> {
    home: &'a Home,
    counter: &'a Counter,
    servers: Vec<Option<Server>>,
    workers: Vec<Option<Worker>>,
}

impl<'a> Fleet<'a> {
    pub(crate) fn start(home: &'a Home, counter: &'a Counter, servers: usize, workers: usize) -> Self {
        let mut fleet = Self { home, counter, servers: Vec::new(), workers: Vec::new() };
        fleet.servers.resize_with(servers, || None);
        fleet.workers.resize_with(workers, || None);
        fleet.complete();
        fleet
    }

    /// How many processes there are.
    pub(crate) fn len(&self) -> usize {
        self.servers.len() + self.workers.len()
    }

    /// Kills at least one process.
    pub(crate) fn kill_some(&mut self, chance: &mut Chance) {
        let which = 1 + chance.below((1 << self.len()) - 1);
        let is_meant = |number: usize| which >> number & 1 == 1;
        for number in (0..self.servers.len()).filter(|number| is_meant(*number)) {
            self.counter.addresses.lock().unwrap().remove(&number);
            self.servers[number] = None;
        }
        let before = self.servers.len();
        for (number, worker) in self.workers.iter_mut().enumerate() {
            if is_meant(before + number) {
                *worker = None;
            }
        }
    }

    /// Sends a signal to one of all processes.
    pub(crate) fn signal(&self, which: usize, signal: Signal) {
        match which.checked_sub(self.servers.len()) {
            Some(worker) => self.workers[worker].as_ref().unwrap().0.signal(signal),
            None => self.servers[which].as_ref().unwrap().signal(signal),
        }
    }

    /// Freezes one process for so long, then lets it go on.
    pub(crate) fn stop_one(&self, chance: &mut Chance, time: Duration) {
        let which = usize::try_from(chance.below(self.len() as u64)).unwrap();
        self.signal(which, Signal::STOP);
        sleep(time);
        self.signal(which, Signal::CONT);
    }

    /// Starts what is missing.
    #[track_caller]
    pub(crate) fn complete(&mut self) {
        for worker in &mut self.workers {
            worker.get_or_insert_with(|| Worker::start(self.home));
        }
        for (number, server) in self.servers.iter_mut().enumerate() {
            if server.is_none() {
                let new = self.home.serve(&[]).with_token(&self.counter.token);
                self.counter.addresses.lock().unwrap().insert(number, new.address);
                *server = Some(new);
            }
        }
    }

    pub(crate) fn server(&self) -> &Server {
        self.servers[0].as_ref().unwrap()
    }
}

/// Where clients bring their work.
pub(crate) struct Counter {
    token: String,
    pub(super) places: Places,
    pub(super) ledger: Ledger,
    /// Of the servers that are there, by number.
    addresses: Mutex<BTreeMap<usize, SocketAddr>>,
    closed: AtomicBool,
}

impl Counter {
    /// One whose orders leave their traces in a home that knows nothing of them yet.
    pub(crate) fn new(home: &Home, token: String) -> Self {
        let (places, ledger) = (Places::new(home), Ledger::default());
        Self { token, places, ledger, addresses: Mutex::default(), closed: AtomicBool::new(false) }
    }

    /// Waits until all work has ended and holds what was seen against what is promised.
    #[track_caller]
    pub(crate) fn check(&self, server: &Server) -> Figures {
        self.ledger.check(server, &self.places)
    }

    /// Closes the counter when it goes, so that no client waits for ever.
    pub(crate) fn closing(&self) -> Closing<'_> {
        Closing(&self.closed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// A client over REST: brings one piece of work after the other, each again under its key until it is taken, and
    /// looks at what was taken before.
    pub(crate) fn client(&self, name: usize, mut chance: Chance) {
        for number in 0.. {
            let order = Order::any(&self.places, &mut chance);
            let mut arguments = order.arguments();
            arguments["idempotency_key"] = format!("{name}-{number}").into();
            while !self.is_closed() {
                let request = post(&format!("/api/v1/tools/{}", order.tool()), &arguments);
                let Some(answer) = self.send(request, &mut chance) else { continue };
                if self.ledger.note(&answer.json(), &order) {
                    break;
                }
            }
            if self.is_closed() {
                return;
            }
            self.look(&mut chance);
            sleep(chance.millis(5, 40));
        }
    }

    fn look(&self, chance: &mut Chance) {
        let Some(id) = self.ledger.any(chance) else { return };
        let Some(answer) = self.send(get(&format!("/api/v1/tasks/{id}")), chance) else { return };
        match answer.status {
            200 => self.ledger.see(&id, &answer.json()["data"]),
            503 => {}
            _ => panic!("{id} was acknowledged: {answer:?}"),
        }
    }

    fn send(&self, request: Request, chance: &mut Chance) -> Option<Answer> {
        let addresses: Vec<SocketAddr> = self.addresses.lock().unwrap().values().copied().collect();
        let which = usize::try_from(chance.below(addresses.len().max(1) as u64)).unwrap();
        let address = addresses.get(which).copied();
        let answer = address.and_then(|address| request.bearer(&self.token).try_send(address).ok());
        if answer.is_none() {
            sleep(Duration::from_millis(10));
        }
        answer
    }
}

/// Closes a counter when it goes.
pub(crate) struct Closing<'a>(&'a AtomicBool);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
