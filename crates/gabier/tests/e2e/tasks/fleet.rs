//! A server and workers on one data directory, and clients that give them work while they come and go.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use super::chance::Chance;
use super::doors::Doors;
use super::ledger::{Ledger, Order};
use crate::harness::{Answer, Home, Request, Running, Server, Watched, get, mint, post};

/// A home whose processes take much work at once, and the token of an administrator.
pub(super) fn busy_home() -> (Home, String) {
    busy(Home::new())
}

/// The same of a home that has settings.
pub(super) fn busy(home: Home) -> (Home, String) {
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
pub(super) struct Worker(pub(super) Running);

impl Worker {
    pub(super) fn start(home: &Home) -> Self {
        let mut running = Running::start(&mut home.command(&["worker"]));
        Watched::read(running.child().stdout.take().unwrap());
        Watched::read(running.child().stderr.take().unwrap());
        Self(running)
    }
}

/// The server and its workers; to drop one of them is a kill -9.
pub(super) struct Fleet<'a> {
    home: &'a Home,
    counter: &'a Counter,
    pub(super) server: Option<Server>,
    pub(super) workers: Vec<Option<Worker>>,
}

impl<'a> Fleet<'a> {
    pub(super) fn start(home: &'a Home, counter: &'a Counter, workers: usize) -> Self {
        let mut fleet = Self { home, counter, server: None, workers: Vec::new() };
        fleet.workers.resize_with(workers, || None);
        fleet.complete();
        fleet
    }

    /// Kills the processes whose bits are set: the server's is the lowest.
    pub(super) fn kill(&mut self, which: u64) {
        if which & 1 == 1 {
            *self.counter.address.lock().unwrap() = None;
            self.server = None;
        }
        for (number, worker) in self.workers.iter_mut().enumerate() {
            if which >> (number + 1) & 1 == 1 {
                *worker = None;
            }
        }
    }

    /// Starts what is missing.
    #[track_caller]
    pub(super) fn complete(&mut self) {
        for worker in &mut self.workers {
            worker.get_or_insert_with(|| Worker::start(self.home));
        }
        if self.server.is_none() {
            let server = self.home.serve(&[]).with_token(&self.counter.token);
            *self.counter.address.lock().unwrap() = Some(server.address);
            self.server = Some(server);
        }
    }

    pub(super) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }
}

/// Where clients bring their work.
pub(super) struct Counter {
    pub(super) token: String,
    pub(super) doors: Doors,
    pub(super) ledger: Ledger,
    address: Mutex<Option<SocketAddr>>,
    closed: AtomicBool,
}

impl Counter {
    pub(super) fn new(token: String) -> Self {
        let (doors, ledger) = (Doors::new(), Ledger::default());
        Self { token, doors, ledger, address: Mutex::default(), closed: AtomicBool::new(false) }
    }

    /// Closes the counter when it goes, so that no client waits for ever.
    pub(super) fn closing(&self) -> Closing<'_> {
        Closing(&self.closed)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// A client over REST: brings one piece of work after the other, each again under its key until it is taken, and
    /// looks at what was taken before.
    pub(super) fn client(&self, name: usize, mut chance: Chance) {
        for number in 0.. {
            let order = Order::any(&self.doors, &mut chance);
            let mut arguments = order.arguments();
            arguments["idempotency_key"] = format!("{name}-{number}").into();
            while !self.is_closed() {
                let request = post(&format!("/api/v1/tools/{}", order.tool()), &arguments);
                let Some(answer) = self.send(request) else { continue };
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
        let Some(answer) = self.send(get(&format!("/api/v1/tasks/{id}"))) else { return };
        match answer.status {
            200 => self.ledger.see(&id, &answer.json()["data"]),
            503 => {}
            _ => panic!("{id} was acknowledged: {answer:?}"),
        }
    }

    fn send(&self, request: Request) -> Option<Answer> {
        let address = *self.address.lock().unwrap();
        let answer = address.and_then(|address| request.bearer(&self.token).try_send(address).ok());
        if answer.is_none() {
            sleep(Duration::from_millis(10));
        }
        answer
    }
}

/// Closes a counter when it goes.
pub(super) struct Closing<'a>(&'a AtomicBool);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
