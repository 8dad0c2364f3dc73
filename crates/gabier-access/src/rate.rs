//! Whether there is room for a call now: places among the calls in flight, and steady rates.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::future::{BoxFuture, Either, select};
use gabier_tool::guard::{Permit, Rate};
use gabier_tool::{Caller, Clock, Entry, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bucket::{Buckets, refusal};
use crate::settings::Settings;
use crate::source::Source;

/// With more callers than this, those without a call in flight are forgotten.
const CALLERS: usize = 2048;

/// The limits of calls.
pub struct Limits {
    clock: Arc<dyn Clock>,
    total: usize,
    free: Arc<Semaphore>,
    per_caller: usize,
    callers: Mutex<HashMap<Arc<str>, Arc<Semaphore>>>,
    of_callers: Option<Buckets<Arc<str>>>,
    of_addresses: Option<Buckets<Source>>,
    of_tools: HashMap<String, Buckets<Arc<str>>>,
}

/// A place among all calls and one among the caller's own. Dropping it gives both back.
struct Place {
    _own: OwnedSemaphorePermit,
    _shared: OwnedSemaphorePermit,
}

impl Limits {
    /// The limits of the settings, empty.
    pub fn new(clock: Arc<dyn Clock>, settings: &Settings) -> Self {
        let tools = settings.rates.tools.iter();
        Self {
            total: settings.in_flight.total.get() as usize,
            free: Arc::new(Semaphore::new(settings.in_flight.total.get() as usize)),
            per_caller: settings.in_flight.per_caller.get() as usize,
            callers: Mutex::default(),
            of_callers: settings.rates.per_caller.map(|rate| Buckets::new(rate, &clock)),
            of_addresses: settings.rates.per_address.map(|rate| Buckets::new(rate, &clock)),
            of_tools: tools.map(|(tool, rate)| (tool.clone(), Buckets::new(*rate, &clock))).collect(),
            clock,
        }
    }

    /// How many calls are in flight.
    pub fn in_flight(&self) -> usize {
        self.total.saturating_sub(self.free.available_permits())
    }

    /// Forgets the buckets that are full again. To be called about once a minute.
    pub fn sweep(&self) {
        self.of_callers.iter().for_each(Buckets::sweep);
        self.of_addresses.iter().for_each(Buckets::sweep);
        self.of_tools.values().for_each(Buckets::sweep);
    }

    fn take(&self, caller: &Caller, tool: &str) -> Result<()> {
        if let Some(buckets) = &self.of_callers {
            buckets.take(&caller.subject).map_err(|wait| refusal("this caller calls too often", wait))?;
        }
        if let (Some(buckets), Some(address)) = (&self.of_addresses, caller.address) {
            buckets
                .take(&Source::of(address))
                .map_err(|wait| refusal("this address calls too often", wait))?;
        }
        if let Some(buckets) = self.of_tools.get(tool) {
            buckets
                .take(&caller.subject)
                .map_err(|wait| refusal(format!("{tool} is called too often"), wait))?;
        }
        Ok(())
    }

    fn places_of(&self, caller: &Caller) -> Arc<Semaphore> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = callers.get(&caller.subject) {
            return Arc::clone(own);
        }
        if callers.len() >= CALLERS {
            callers.retain(|_, own| Arc::strong_count(own) > 1);
        }
        let own = Arc::new(Semaphore::new(self.per_caller));
        callers.insert(Arc::clone(&caller.subject), Arc::clone(&own));
        own
    }
}

impl Rate for Limits {
    fn admit<'a>(
        &'a self,
        caller: &'a Caller,
        entry: &'a Entry,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Permit>> {
        Box::pin(async move {
            self.take(caller, entry.facts.name)?;
            let own = self.places_of(caller);
            // First the caller's own place: whoever has many calls waits among them, not in front of others.
            let mut wait = Box::pin(async {
                let own = own.acquire_owned().await.ok()?;
                let shared = Arc::clone(&self.free).acquire_owned().await.ok()?;
                Some(Place { _own: own, _shared: shared })
            });
            // Nearly always there is room, and no timer to start.
            if let Poll::Ready(Some(place)) = futures::poll!(wait.as_mut()) {
                return Ok(Box::new(place) as Permit);
            }
            match select(wait, self.clock.sleep(patience)).await {
                Either::Left((Some(place), _)) => Ok(Box::new(place) as Permit),
                _ => Err(refusal("too many calls are in flight", Duration::from_secs(1))),
            }
        })
    }
}
