//! Records on Redis: one hash per kind, changed by one script.

use std::sync::Arc;

use futures::future::BoxFuture;
use gabier_store::{Change, Error, ErrorKind, Expect, Record, Result, Version};
use redis::{Client, Script};
use serde_json::Value;
use tokio::sync::watch;

use crate::address::Address;
use crate::generation::Generation;
use crate::link::{Link, damaged};
use crate::listen::Listener;

/// The prefix of every key of records.
pub(crate) const PREFIX: &str = "gabier:{r}:";

/// Records on a Redis server. Each is durable as far as the server's `appendfsync` makes it so before it answers.
pub struct Records {
    link: Link,
    generation: Generation,
    listener: Arc<Listener>,
    change: Script,
}

impl Records {
    pub(crate) fn new(client: &Client, listener: Arc<Listener>) -> Self {
        Self {
            link: Link::new(client.clone()),
            generation: Generation::new(client.clone()),
            listener,
            change: Script::new(include_str!("lua/records.lua")),
        }
    }

    /// The records behind a URL, by themselves.
    ///
    /// Fails as [`crate::open`] does.
    pub fn at(url: &str) -> Result<Self> {
        let client = Address::parse(url)?.client;
        let listener = Arc::new(Listener::start(client.clone())?);
        Ok(Self::new(&client, listener))
    }

    /// Makes changes; gives the versions of those that changed something.
    async fn change(&self, changes: &[Change]) -> Result<Vec<Version>> {
        let mut args = vec![nonce()?];
        for change in changes {
            let (kind, key, how, value, expect) = match change {
                Change::Put { kind, key, value, expect } => (kind, key, "put", value.to_string(), *expect),
                Change::Remove { kind, key, expect } => (kind, key, "remove", String::new(), *expect),
            };
            args.extend(
                [kind.as_str(), key, how, &value, &expected(expect)].map(|arg| arg.as_bytes().to_vec()),
            );
        }
        let answer: Vec<String> = self.link.run("change records", &self.change, &args).await?;
        match answer.split_first() {
            Some((word, versions)) if word == "done" => versions.iter().map(|text| version(text)).collect(),
            Some((_, conflict)) => Err(met(changes, conflict)),
            None => Err(damaged("change records: the script gave nothing")),
        }
    }
}

impl gabier_store::Records for Records {
    fn get<'a>(&'a self, kind: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Record>>> {
        Box::pin(async move {
            let mut asked = redis::pipe();
            asked.hget(hash(kind), key);
            let (stored,): (Option<Vec<u8>>,) = self.link.ask("read a record", &asked).await?;
            stored.map(|stored| record(kind, key.to_owned(), &stored)).transpose()
        })
    }

    fn list<'a>(&'a self, kind: &'a str) -> BoxFuture<'a, Result<Vec<Record>>> {
        Box::pin(async move {
            let mut asked = redis::pipe();
            asked.hgetall(hash(kind));
            let (stored,): (Vec<(String, Vec<u8>)>,) = self.link.ask("list records", &asked).await?;
            let records = stored.into_iter().map(|(key, stored)| record(kind, key, &stored));
            let mut records = records.collect::<Result<Vec<_>>>()?;
            records.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(records)
        })
    }

    fn kinds(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async move {
            let mut asked = redis::pipe();
            asked.smembers(format!("{PREFIX}kinds"));
            let (kinds,): (Vec<String>,) = self.link.ask("read the kinds of records", &asked).await?;
            let mut asked = redis::pipe();
            for kind in &kinds {
                asked.exists(hash(kind));
            }
            if kinds.is_empty() {
                return Ok(kinds);
            }
            let used: Vec<bool> = self.link.ask("read the kinds of records", &asked).await?;
            let used = kinds.into_iter().zip(used).filter(|(_, is_used)| *is_used);
            let mut kinds: Vec<_> = used.map(|(kind, _)| kind).collect();
            kinds.sort();
            Ok(kinds)
        })
    }

    fn put<'a>(
        &'a self,
        kind: &'a str,
        key: &'a str,
        value: Value,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move {
            let versions = self.change(&[Change::put(kind, key, value, expect)]).await?;
            versions.first().copied().ok_or_else(|| damaged("change records: a write gave no version"))
        })
    }

    fn remove<'a>(&'a self, kind: &'a str, key: &'a str, expect: Expect) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move { Ok(!self.change(&[Change::remove(kind, key, expect)]).await?.is_empty()) })
    }

    fn apply(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            if changes.is_empty() {
                return Ok(());
            }
            self.change(&changes).await.map(drop)
        })
    }

    fn generation(&self) -> Result<u64> {
        self.generation.get()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.listener.generation()
    }

    fn check(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async move {
            let mut asked = redis::pipe();
            asked.smembers(format!("{PREFIX}kinds"));
            let (kinds,): (Vec<String>,) = self.link.ask("check the records", &asked).await?;
            let mut faults = Vec::new();
            for kind in kinds {
                let mut asked = redis::pipe();
                asked.hgetall(hash(&kind));
                let (stored,): (Vec<(String, Vec<u8>)>,) = self.link.ask("check the records", &asked).await?;
                let faulty = stored.into_iter().filter_map(|(key, stored)| record(&kind, key, &stored).err());
                faults.extend(faulty.map(|error| error.to_string()));
            }
            Ok(faults)
        })
    }
}

fn hash(kind: &str) -> String {
    format!("{PREFIX}k:{kind}")
}

fn expected(expect: Expect) -> String {
    match expect {
        Expect::Any => "any".to_owned(),
        Expect::Absent => "absent".to_owned(),
        Expect::Version(version) => version.to_string(),
    }
}

/// A name for one call, so that it is known when it is sent twice.
pub(crate) fn nonce() -> Result<Vec<u8>> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes)
        .map_err(|source| Error::new(ErrorKind::Io, "ask the system for random bytes").because(source))?;
    Ok(bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect())
}

fn version(text: &str) -> Result<Version> {
    let number = text.parse().map_err(|_| damaged(format!("read a version: {text} is none")))?;
    Ok(Version::new(number))
}

/// The stored form is the version, a line end, the value as JSON.
fn record(kind: &str, key: String, stored: &[u8]) -> Result<Record> {
    let broken = || damaged(format!("read the {kind} record {key}: it is not as it was written"));
    let text = std::str::from_utf8(stored).map_err(|_| broken())?;
    let (number, json) = text.split_once('\n').ok_or_else(broken)?;
    let value = serde_json::from_str(json).map_err(|source| broken().because(source))?;
    let version = version(number).map_err(|_| broken())?;
    Ok(Record { key, value, version })
}

/// The conflict that a script met, in the words that all stores use.
fn met(changes: &[Change], conflict: &[String]) -> Error {
    let number = conflict.first().and_then(|number| number.parse::<usize>().ok());
    let Some(Change::Put { kind, key, expect, .. } | Change::Remove { kind, key, expect }) =
        number.and_then(|number| changes.get(number))
    else {
        return damaged("change records: the script's answer cannot be understood");
    };
    let present = conflict.get(1).filter(|text| !text.is_empty());
    // A record that an earlier change of the same call wrote has no version yet: one that nobody can expect.
    let present = present.map(|text| version(text).unwrap_or(Version::new(0)));
    match expect.check(kind, key, present) {
        Err(conflict) => conflict,
        Ok(()) => damaged("change records: the script refused what fits"),
    }
}
