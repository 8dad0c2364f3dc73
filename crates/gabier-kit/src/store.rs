//! The store, opened when it is first needed: a server starts although its store is down, and says so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use futures::future::{BoxFuture, ready};
use gabier_store::{Change, Expect, Openers, Opening, Record, Records, Result, Store, Version};
use gabier_store_redis::Report;
use gabier_task::Backing;
use gabier_tool::Clock;
use serde_json::Value;
use tokio::sync::watch;

/// The stores that a URL can mean.
pub(crate) fn openers() -> Openers {
    Openers::default().with("redis", gabier_store_redis::open).with("rediss", gabier_store_redis::open)
}

/// True when a URL means a Redis.
pub(crate) fn is_redis(url: &str) -> bool {
    matches!(url.split_once(':'), Some(("redis" | "rediss", _)))
}

/// Refuses a URL that no store can be opened by; nothing is opened.
pub(crate) fn vet(url: &str) -> Result<()> {
    if is_redis(url) {
        return gabier_store_redis::place(url).map(drop);
    }
    if openers().knows(url) { Ok(()) } else { openers().open(url, &Opening::role("cli")).map(drop) }
}

/// Records behind a URL that is opened by the first call that needs it, and tried again by the next while it fails.
pub(crate) struct LazyStore {
    url: String,
    opening: Opening,
    open: Mutex<Option<Store>>,
}

impl LazyStore {
    /// A store that is not open yet.
    pub(crate) fn new(url: String, opening: Opening) -> Self {
        Self { url, opening, open: Mutex::new(None) }
    }

    /// The open store. Blocks for some milliseconds the first time.
    pub(crate) fn store(&self) -> Result<Store> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = &*open {
            return Ok(store.clone());
        }
        let store = openers().open(&self.url, &self.opening)?;
        *open = Some(store.clone());
        Ok(store)
    }

    /// Where it rests, for people; without any secret.
    pub(crate) async fn place(self: Arc<Self>) -> String {
        let opened = tokio::task::spawn_blocking(move || self.store()).await;
        match opened {
            Ok(Ok(store)) => store.place,
            Ok(Err(_)) | Err(_) => "a store that does not open yet".to_owned(),
        }
    }

    /// The store as the task engine sees it.
    pub(crate) fn backing(&self) -> Result<Backing> {
        self.store().map(|store| Backing::new(store.queue, store.records, store.presence))
    }

    /// Tells those who share the store that this process is gone; nothing where it was never opened.
    pub(crate) fn leave(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(presence) = open.and_then(|store| store.presence) {
            presence.leave();
        }
    }

    /// The failure after which an open store writes no more.
    pub(crate) fn failed(&self) -> Result<Option<gabier_store::Error>> {
        self.store().map(|store| store.embedded.as_ref().and_then(|embedded| embedded.failed()))
    }

    /// What is to be said of a store whose filling did not end; nothing of any other.
    pub(crate) async fn unfinished(&self) -> Result<Option<String>> {
        let store = self.store()?;
        let from = gabier_store::copy::unfinished(&store).await?;
        let place = &store.place;
        Ok(from.map(|from| {
            format!("{place} is not whole: a copy into it did not end; end all processes that use it, then copy {from} again")
        }))
    }

    /// What the settings of a Redis mean for what is promised; `None` for a store that promises by itself.
    pub(crate) async fn report(&self, clock: &dyn Clock) -> Option<Result<Report>> {
        if !is_redis(&self.url) {
            return None;
        }
        Some(Report::of(&self.url, || SystemTime::from(clock.now())).await)
    }

    fn records(&self) -> Result<Arc<dyn Records>> {
        self.store().map(|store| store.records)
    }
}

/// Opens the store, then does with its records what `$call` says.
macro_rules! with_records {
    ($self:ident, |$records:ident| $call:expr) => {
        match $self.records() {
            Ok($records) => Box::pin(async move { $call.await }),
            Err(error) => Box::pin(ready(Err(error))),
        }
    };
}

impl Records for LazyStore {
    fn get<'a>(&'a self, kind: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Record>>> {
        with_records!(self, |records| records.get(kind, key))
    }

    fn list<'a>(&'a self, kind: &'a str) -> BoxFuture<'a, Result<Vec<Record>>> {
        with_records!(self, |records| records.list(kind))
    }

    fn kinds(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        with_records!(self, |records| records.kinds())
    }

    fn put<'a>(
        &'a self,
        kind: &'a str,
        key: &'a str,
        value: Value,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version>> {
        with_records!(self, |records| records.put(kind, key, value, expect))
    }

    fn remove<'a>(&'a self, kind: &'a str, key: &'a str, expect: Expect) -> BoxFuture<'a, Result<bool>> {
        with_records!(self, |records| records.remove(kind, key, expect))
    }

    fn apply(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<()>> {
        with_records!(self, |records| records.apply(changes))
    }

    fn generation(&self) -> Result<u64> {
        self.records()?.generation()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        match self.records() {
            Ok(records) => records.changes(),
            Err(_) => watch::channel(0).1,
        }
    }

    fn check(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        with_records!(self, |records| records.check())
    }
}
