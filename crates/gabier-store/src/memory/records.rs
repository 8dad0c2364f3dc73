//! Records in the memory of one process, gone with it.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use serde_json::Value;
use tokio::sync::watch;

use super::Memory;
use crate::Result;
use crate::records::{Change, Expect, Record, Records, Version};

impl Memory {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the changes of one call, or none of them; gives for each whether the record was there before.
    fn commit(&self, changes: Vec<Change>) -> Result<(Version, Vec<bool>)> {
        let mut contents = self.contents();
        let version = Version::new(contents.generation + 1);
        let mut undo = Vec::new();
        for change in changes {
            match contents.make(change, version) {
                Ok(before) => undo.push(before),
                Err(error) => {
                    undo.into_iter().rev().for_each(|before| contents.restore(before));
                    return Err(error);
                }
            }
        }
        if undo.iter().any(|before| before.changed) {
            contents.generation = version.get();
            self.generation.send_replace(version.get());
        }
        Ok((version, undo.into_iter().map(|before| before.record.is_some()).collect()))
    }
}

impl Records for Memory {
    fn get<'a>(&'a self, kind: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Record>>> {
        async move { Ok(self.contents().get(kind, key).cloned()) }.boxed()
    }

    fn list<'a>(&'a self, kind: &'a str) -> BoxFuture<'a, Result<Vec<Record>>> {
        async move {
            Ok(self.contents().kinds.get(kind).into_iter().flat_map(BTreeMap::values).cloned().collect())
        }
        .boxed()
    }

    fn kinds(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        async move {
            let contents = self.contents();
            let used = contents.kinds.iter().filter(|(_, records)| !records.is_empty());
            Ok(used.map(|(kind, _)| kind.clone()).collect())
        }
        .boxed()
    }

    fn put<'a>(
        &'a self,
        kind: &'a str,
        key: &'a str,
        value: Value,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version>> {
        async move { Ok(self.commit(vec![Change::put(kind, key, value, expect)])?.0) }.boxed()
    }

    fn remove<'a>(&'a self, kind: &'a str, key: &'a str, expect: Expect) -> BoxFuture<'a, Result<bool>> {
        async move { Ok(self.commit(vec![Change::remove(kind, key, expect)])?.1 == [true]) }.boxed()
    }

    fn apply(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<()>> {
        async move { self.commit(changes).map(drop) }.boxed()
    }

    fn generation(&self) -> Result<u64> {
        Ok(self.contents().generation)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    fn check(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        ready(Ok(Vec::new())).boxed()
    }
}

/// All records.
#[derive(Debug, Default)]
pub(super) struct Contents {
    kinds: BTreeMap<String, BTreeMap<String, Record>>,
    generation: u64,
}

/// What a change found, enough to take it back.
struct Before {
    kind: String,
    key: String,
    record: Option<Record>,
    changed: bool,
}

impl Contents {
    fn get(&self, kind: &str, key: &str) -> Option<&Record> {
        self.kinds.get(kind)?.get(key)
    }

    fn make(&mut self, change: Change, version: Version) -> Result<Before> {
        let (kind, key, value, expect) = match change {
            Change::Put { kind, key, value, expect } => (kind, key, Some(value), expect),
            Change::Remove { kind, key, expect } => (kind, key, None, expect),
        };
        expect.check(&kind, &key, self.get(&kind, &key).map(|record| record.version))?;
        let record = value.map(|value| Record { key: key.clone(), value, version });
        let is_put = record.is_some();
        let before = self.set(&kind, &key, record);
        Ok(Before { changed: is_put || before.is_some(), kind, key, record: before })
    }

    fn restore(&mut self, before: Before) {
        self.set(&before.kind, &before.key, before.record);
    }

    fn set(&mut self, kind: &str, key: &str, record: Option<Record>) -> Option<Record> {
        let records = self.kinds.entry(kind.to_owned()).or_default();
        match record {
            Some(record) => records.insert(key.to_owned(), record),
            None => records.remove(key),
        }
    }
}
