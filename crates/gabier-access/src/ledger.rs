//! The tokens of the store, read again only when the store has changed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use gabier_store::{Change, Record, Records, Version};
use gabier_tool::{Error, ErrorKind, Permissions, Resource, Result, Timestamp};
use tokio::sync::Mutex;

use crate::grant::{Grant, TokenState};
use crate::token::TokenId;

/// The kind of the records that hold tokens, by the hexadecimal digits of their ids.
pub(crate) const TOKENS: &str = "token";
/// The kind of the records that say when a token was last used. Apart from the tokens, so that use never meets change.
pub(crate) const USES: &str = "token_use";

/// The tokens as every process sees them at this moment.
pub(crate) struct Ledger {
    records: Arc<dyn Records>,
    page: RwLock<Arc<Page>>,
    turning: Mutex<()>,
}

/// All tokens at one generation of the store.
#[derive(Default)]
pub(crate) struct Page {
    generation: Option<u64>,
    by_id: HashMap<TokenId, Arc<Held>>,
    by_subject: HashMap<Arc<str>, Arc<Held>>,
    unreadable: usize,
}

/// One token, in the form in which calls need it.
pub(crate) struct Held {
    pub(crate) id: TokenId,
    pub(crate) version: Version,
    pub(crate) grant: Grant,
    pub(crate) subject: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) permissions: Permissions,
    pub(crate) resources: Arc<[Resource]>,
    pub(crate) tools: Option<Arc<[String]>>,
    pub(crate) profile: Option<Arc<str>>,
    was_expired: AtomicBool,
    used_minute: AtomicI64,
    written_minute: AtomicI64,
}

impl Ledger {
    pub(crate) fn new(records: Arc<dyn Records>) -> Self {
        Self { records, page: RwLock::default(), turning: Mutex::new(()) }
    }

    pub(crate) fn records(&self) -> &dyn Records {
        &*self.records
    }

    /// The page of this moment: a generation is asked for each time, rows are read only when it has moved.
    pub(crate) async fn page(&self) -> Result<Arc<Page>> {
        if let Some(page) = self.current()? {
            return Ok(page);
        }
        let _turning = self.turning.lock().await;
        if let Some(page) = self.current()? {
            return Ok(page);
        }
        let generation = self.records.generation().map_err(|error| unreadable(&error))?;
        let records = self.records.list(TOKENS).await.map_err(|error| unreadable(&error))?;
        let page = Arc::new(Page::of(generation, &records, &self.last()));
        *self.page.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&page);
        Ok(page)
    }

    /// Writes down when tokens were used since the last time, all in one change.
    pub(crate) async fn write_uses(&self) -> Result<()> {
        let page = self.last();
        let mut changes = Vec::new();
        let mut written = Vec::new();
        for held in page.by_id.values() {
            let minute = held.used_minute.load(Ordering::Relaxed);
            if minute > held.written_minute.load(Ordering::Relaxed) {
                changes.push(Change::put(USES, held.id.hex(), minute.into(), gabier_store::Expect::Any));
                written.push((held, minute));
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.records.apply(changes).await.map_err(|error| failed("write when tokens were used", &error))?;
        for (held, minute) in written {
            held.written_minute.store(minute, Ordering::Relaxed);
        }
        Ok(())
    }

    fn current(&self) -> Result<Option<Arc<Page>>> {
        let page = self.last();
        let generation = self.records.generation().map_err(|error| unreadable(&error))?;
        Ok((page.generation == Some(generation)).then_some(page))
    }

    fn last(&self) -> Arc<Page> {
        Arc::clone(&self.page.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Page {
    fn of(generation: u64, records: &[Record], before: &Self) -> Self {
        let mut page = Self { generation: Some(generation), ..Self::default() };
        for record in records {
            let Some(held) = Held::of(record, before) else {
                tracing::error!(key = record.key, "a token of the store cannot be read, and is refused");
                page.unreadable += 1;
                continue;
            };
            page.by_subject.insert(Arc::clone(&held.subject), Arc::clone(&held));
            page.by_id.insert(held.id, held);
        }
        page
    }

    pub(crate) fn by_id(&self, id: &TokenId) -> Option<&Arc<Held>> {
        self.by_id.get(id)
    }

    pub(crate) fn by_subject(&self, subject: &str) -> Option<&Arc<Held>> {
        self.by_subject.get(subject)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Held>> {
        self.by_id.values()
    }

    /// True when there was never a token. One that has ended still counts: a server does not open up by itself
    /// because its last token ran out.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty() && self.unreadable == 0
    }
}

impl Held {
    fn of(record: &Record, before: &Page) -> Option<Arc<Self>> {
        let id = TokenId::parse(&record.key)?;
        let known = before.by_id.get(&id);
        if let Some(known) = known.filter(|known| known.version == record.version) {
            return Some(Arc::clone(known));
        }
        let grant: Grant = serde_json::from_value(record.value.clone()).ok()?;
        let minute = |of: fn(&Self) -> &AtomicI64| {
            AtomicI64::new(known.map_or(0, |known| of(known).load(Ordering::Relaxed)))
        };
        Some(Arc::new(Self {
            id,
            version: record.version,
            subject: subject_of(&id).into(),
            name: grant.name.as_str().into(),
            permissions: grant.permissions.iter().copied().collect(),
            resources: grant.reach().into(),
            tools: grant.tools.clone().map(Into::into),
            profile: grant.profile.as_deref().map(Into::into),
            was_expired: AtomicBool::new(false),
            used_minute: minute(|held| &held.used_minute),
            written_minute: minute(|held| &held.written_minute),
            grant,
        }))
    }

    /// What it is worth; one that was seen expired stays so, even when the clock is set back.
    pub(crate) fn state(&self, now: Timestamp) -> TokenState {
        match self.grant.state(now) {
            TokenState::Valid if self.was_expired.load(Ordering::Relaxed) => TokenState::Expired,
            TokenState::Expired => {
                self.was_expired.store(true, Ordering::Relaxed);
                TokenState::Expired
            }
            state => state,
        }
    }

    /// Notes that it was used; nothing is written now.
    pub(crate) fn touch(&self, now: Timestamp) {
        self.used_minute.fetch_max(now.timestamp().div_euclid(60), Ordering::Relaxed);
    }

    /// The last minute since 1970 in which this process saw it used.
    pub(crate) fn used_minute(&self) -> i64 {
        self.used_minute.load(Ordering::Relaxed)
    }
}

/// The name of a token's bearer among callers.
pub(crate) fn subject_of(id: &TokenId) -> String {
    format!("token:{}", id.prefix())
}

/// A store's failure, as a call meets it.
pub(crate) fn failed(doing: &str, error: &gabier_store::Error) -> Error {
    let kind = match error.kind() {
        gabier_store::ErrorKind::Conflict => ErrorKind::Conflict,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, doing).with_source(error.clone())
}

fn unreadable(error: &gabier_store::Error) -> Error {
    failed("read the tokens", error)
}
