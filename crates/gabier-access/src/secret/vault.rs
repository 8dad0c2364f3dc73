//! The vault, as everybody else meets it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gabier_store::{Expect, Record, Records, Version};
use gabier_tool::{Clock, Error, ErrorKind, Redactor, Result, iso};
use secrecy::{ExposeSecret as _, SecretString};

use super::key::{Key, random_id};
use super::keys::{Fresh, KeyChoice, Keys};
use super::name::SecretName;
use super::sealed::{Open, SealedSet};
use crate::ledger::failed;

/// The kind and the key of the one record.
const KIND: &str = "vault";
const RECORD: &str = "vault";
/// The longest secret, in bytes.
const LONGEST: usize = 64 << 10;
/// The largest record, in bytes of its text.
const LARGEST: usize = 8 << 20;
/// How often a change is tried again when another process was faster.
const TRIES: usize = 32;

/// Secrets by name, sealed in one record of the store.
///
/// Whoever opens it has its redactor know every secret in it, so that none appears in an answer, a log or a record.
pub struct Vault {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    redactor: Arc<Redactor>,
    keys: Keys,
    memory: Mutex<Memory>,
}

/// What is kept from one opening to the next.
#[derive(Default)]
struct Memory {
    /// The data key and its id.
    data_key: Option<(String, Key)>,
    /// The record whose secrets the redactor knows.
    learned: Option<Version>,
}

/// What setting a secret has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// True when there was no secret of that name.
    pub is_new: bool,
    /// True when there was no vault.
    pub made_vault: bool,
}

/// What can be told of a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The vault's id.
    pub vault: String,
    /// What it is sealed with.
    pub seal: Seal,
    /// The names of its secrets, and when each was set, in ISO 8601.
    pub secrets: Vec<(String, String)>,
}

/// What a vault is sealed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seal {
    /// A key of a file, or one that was given as text.
    Key {
        /// The id of the key.
        id: String,
        /// Where keys are looked for.
        file: PathBuf,
    },
    /// A passphrase.
    Passphrase,
}

impl Vault {
    /// The vault of a store. Nothing is read before it is needed.
    pub fn new(
        records: Arc<dyn Records>,
        clock: Arc<dyn Clock>,
        redactor: Arc<Redactor>,
        keys: Keys,
    ) -> Self {
        let given = [&keys.passphrase, &keys.key];
        redactor.learn_all(given.into_iter().flatten().cloned());
        Self { records, clock, redactor, keys, memory: Mutex::default() }
    }

    /// The file in which keys are looked for.
    pub fn key_file(&self) -> &Path {
        self.keys.file()
    }

    /// Makes a vault without secrets. Fails with `CONFLICT` when there is one.
    pub async fn init(&self, choice: Option<KeyChoice>) -> Result<Listing> {
        if self.record().await?.is_some() {
            return Err(Error::new(ErrorKind::Conflict, "make a vault: there is one already"));
        }
        let choice = choice.unwrap_or_else(|| self.keys.usual());
        let open = self.make(choice.clone(), |_| Ok(())).await?;
        open.map(|open| self.listing(&open).sealed_by(&choice))
            .ok_or_else(|| Error::new(ErrorKind::Conflict, "make a vault: there is one already"))
    }

    /// Sets a secret; the first one makes a vault by itself. Durable when it returns.
    pub async fn set(&self, name: &SecretName, value: &SecretString) -> Result<Stored> {
        let length = value.expose_secret().len();
        if length == 0 || length > LONGEST {
            return Err(Error::invalid("value", format!("must have 1 to {LONGEST} bytes, and has {length}")));
        }
        self.redactor.learn(value.clone());
        let now = iso(self.clock.now());
        if self.record().await?.is_none() {
            let made = self.make(self.keys.usual(), |open| open.put(name, value, &now).map(|_| ())).await?;
            if made.is_some() {
                return Ok(Stored { is_new: true, made_vault: true });
            }
        }
        let is_new = self.change(|open| open.put(name, value, &now)).await?;
        Ok(Stored { is_new, made_vault: false })
    }

    /// A secret, for the one place that uses it: a login, a request. No tool, face or command hands it out.
    pub async fn get(&self, name: &SecretName) -> Result<SecretString> {
        let open = self.open().await?;
        let found = open.as_ref().map(|(open, _)| open.get(name.as_str())).transpose()?.flatten();
        found.ok_or_else(|| {
            Error::not_found(format!("the vault has no secret {name}")).with_next(format!("vault set {name}"))
        })
    }

    /// Removes a secret; false when there was none. Durable when it returns.
    pub async fn remove(&self, name: &SecretName) -> Result<bool> {
        match self.open().await? {
            Some((open, _)) if open.get(name.as_str())?.is_some() => {
                self.change(|open| Ok(open.remove(name))).await
            }
            _ => Ok(false),
        }
    }

    /// The names of all secrets, after every one of them was opened; none when there is no vault.
    pub async fn list(&self) -> Result<Option<Listing>> {
        let Some((open, _)) = self.open().await? else { return Ok(None) };
        open.values()?;
        Ok(Some(self.listing(&open)))
    }

    /// Seals everything anew under a new data key and a new outer key of the same sort, in one step: a process that
    /// is killed leaves the old vault or the new one, and the key of either.
    pub async fn rotate(&self) -> Result<Listing> {
        let (open, _) = self.open().await?.ok_or_else(none)?;
        let choice = self.keys.like(open.wrap())?;
        self.reseal(choice, Open::rotate).await
    }

    /// Seals the data key under another outer key; secrets stay as they are sealed.
    pub async fn rekey(&self, choice: KeyChoice) -> Result<Listing> {
        self.reseal(choice, Open::rewrap).await
    }

    /// Has the redactor know every secret. Nothing happens where there is no vault.
    pub async fn learn(&self) -> Result<()> {
        self.open().await.map(|_| ())
    }

    /// Has the redactor know every secret, whichever process sets it, for as long as it is polled.
    pub async fn follow(&self) {
        let mut changes = self.records.changes();
        loop {
            if let Err(error) = self.learn().await {
                tracing::warn!(%error, "the vault cannot be opened, so its secrets are not redacted");
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    async fn record(&self) -> Result<Option<Record>> {
        self.records.get(KIND, RECORD).await.map_err(|error| failed("read the vault", &error))
    }

    /// Opens the vault, and has every secret in it known to the redactor.
    async fn open(&self) -> Result<Option<(Open, Expect)>> {
        let Some(record) = self.record().await? else { return Ok(None) };
        let set = SealedSet::read(&record.value)?;
        let known = self.memory().data_key.clone();
        let open = if let Some((_, data_key)) = known.filter(|(id, _)| id == set.data_key_id()) {
            set.open_within(&data_key)?
        } else {
            let keys = self.keys.clone();
            apart(move || {
                let outer = keys.find(&set.vault, &set.wrap)?;
                set.open(&outer)
            })
            .await?
        };
        if self.memory().learned != Some(record.version) {
            self.redactor.learn_all(open.values()?);
        }
        self.memory().learned = Some(record.version);
        self.remember(&open);
        Ok(Some((open, Expect::Version(record.version))))
    }

    fn remember(&self, open: &Open) {
        let (id, key) = open.data_key();
        self.memory().data_key = Some((id.to_owned(), key.clone()));
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a vault; none when another process made one meanwhile.
    async fn make(
        &self,
        choice: KeyChoice,
        fill: impl FnOnce(&mut Open) -> Result<()>,
    ) -> Result<Option<Open>> {
        let vault = random_id()?;
        let fresh = self.fresh(vault.clone(), choice).await?;
        let mut open = Open::empty(vault.clone(), &fresh.outer)?;
        fill(&mut open)?;
        match self.records.put(KIND, RECORD, open.sealed()?, Expect::Absent).await {
            Ok(_) => {
                self.remember(&open);
                Ok(Some(open))
            }
            Err(error) => {
                fresh.withdraw(&vault, "");
                match error.kind() {
                    gabier_store::ErrorKind::Conflict => Ok(None),
                    _ => Err(failed("write the vault", &error)),
                }
            }
        }
    }

    /// Changes the vault as it is at that moment, again where another process was faster.
    async fn change<T>(&self, mut change: impl FnMut(&mut Open) -> Result<T>) -> Result<T> {
        for _ in 0..TRIES {
            let (mut open, expect) = self.open().await?.ok_or_else(none)?;
            let done = change(&mut open)?;
            let value = open.sealed()?;
            if value.to_string().len() > LARGEST {
                return Err(Error::new(ErrorKind::PayloadTooLarge, "write the vault: it is full"));
            }
            match self.records.put(KIND, RECORD, value, expect).await {
                Ok(_) => {
                    self.remember(&open);
                    return Ok(done);
                }
                Err(error) if error.kind() == gabier_store::ErrorKind::Conflict => {}
                Err(error) => return Err(failed("write the vault", &error)),
            }
        }
        Err(Error::new(ErrorKind::Conflict, "change the vault: other processes change it all the time"))
    }

    /// Seals the vault with a new outer key: the key is durable first, then the record, and only then former keys go.
    async fn reseal(
        &self,
        choice: KeyChoice,
        seal: fn(&mut Open, &super::sealed::Outer) -> Result<()>,
    ) -> Result<Listing> {
        let (open, _) = self.open().await?.ok_or_else(none)?;
        let vault = open.vault().to_owned();
        let fresh = self.fresh(vault.clone(), choice.clone()).await?;
        let mut former = String::new();
        let sealed = self.change(|open| {
            former.clone_from(&open.wrap().key);
            seal(open, &fresh.outer)?;
            Ok(self.listing(open))
        });
        match sealed.await {
            Ok(listing) => fresh.settle(&vault, &former).map(|()| listing.sealed_by(&choice)),
            Err(error) => {
                // A write that failed may have happened: its key goes only where another one is seen in the record.
                if let Ok(Some((open, _))) = self.open().await
                    && open.wrap().key != fresh.outer.key.id()
                {
                    fresh.withdraw(&vault, &open.wrap().key);
                }
                Err(error)
            }
        }
    }

    async fn fresh(&self, vault: String, choice: KeyChoice) -> Result<Fresh> {
        let keys = self.keys.clone();
        apart(move || keys.fresh(&vault, &choice)).await
    }

    fn listing(&self, open: &Open) -> Listing {
        let wrap = open.wrap();
        let seal = match &wrap.stretch {
            Some(_) => Seal::Passphrase,
            None => Seal::Key { id: wrap.key.clone(), file: self.keys.file().to_owned() },
        };
        let secrets = open.names().map(|(name, set)| (name.to_owned(), set.to_owned())).collect();
        Listing { vault: open.vault().to_owned(), seal, secrets }
    }
}

impl Listing {
    /// The listing of a vault that was sealed just now.
    fn sealed_by(mut self, choice: &KeyChoice) -> Self {
        if let (Seal::Key { file, .. }, KeyChoice::File(chosen)) = (&mut self.seal, choice) {
            file.clone_from(chosen);
        }
        self
    }
}

/// Does what takes half a second, or waits for a file, where no call has to wait for it.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::internal("opening the vault").with_source(error)),
    }
}

fn none() -> Error {
    Error::not_found("there is no vault yet: the first secret makes one").with_next("vault set NAME")
}
