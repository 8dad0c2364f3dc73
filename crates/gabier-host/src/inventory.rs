//! The hosts there are, kept as records, and what the word `alias` of a call means.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use gabier_store::{Expect, Record, Records};
use gabier_tool::{Clock, Error, ErrorKind, Result, iso, nearest};

use crate::alias::Alias;
use crate::record::{HostChange, HostRecord};
use crate::target::{Endpoint, PinnedKey, Target};

/// The kind of the records.
const KIND: &str = "host";
/// How many hosts may lie on the way to one.
const MOST_JUMPS: usize = 8;
/// How often a change is tried again when another process was first.
const TRIES: usize = 8;

/// The hosts there are.
#[derive(Clone)]
pub struct Inventory {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    last: Arc<RwLock<Known>>,
}

/// All hosts.
type Hosts = BTreeMap<Alias, HostRecord>;

/// All hosts as they were at one generation of the store; none before the first look.
#[derive(Clone, Default)]
struct Known {
    generation: Option<u64>,
    hosts: Arc<Hosts>,
}

/// What an [`Inventory::upsert`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upsert {
    /// The host is new.
    Created,
    /// It was there and is different now.
    Changed,
    /// It was there, just so.
    Same,
}

/// A host after an [`Inventory::upsert`].
#[derive(Clone, Debug, PartialEq)]
pub struct Added {
    /// What was done.
    pub did: Upsert,
    /// The host.
    pub record: HostRecord,
    /// The fields that held something else before.
    pub replaced: Vec<&'static str>,
}

impl Inventory {
    /// The hosts of a store.
    pub fn new(records: Arc<dyn Records>, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock, last: Arc::default() }
    }

    /// All hosts, by alias.
    pub async fn list(&self) -> Result<BTreeMap<Alias, HostRecord>> {
        Ok(Hosts::clone(&*self.hosts().await?))
    }

    /// The host of an alias; `NOT_FOUND` names the nearest ones.
    pub async fn get(&self, alias: &str) -> Result<HostRecord> {
        let hosts = self.hosts().await?;
        hosts.get(alias).cloned().ok_or_else(|| unknown(alias, &hosts))
    }

    /// All hosts of this moment, read from the store only when something has changed there: every call asks.
    async fn hosts(&self) -> Result<Arc<Hosts>> {
        let generation = self.records.generation().map_err(|error| broken("reading the hosts", error))?;
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner).clone();
        if last.generation == Some(generation) {
            return Ok(last.hosts);
        }
        let records = self.records.list(KIND).await.map_err(|error| broken("reading the hosts", error))?;
        let hosts = records.iter().map(|record| Ok((record.key.parse()?, parse(record)?)));
        let hosts = Arc::new(hosts.collect::<Result<Hosts>>()?);
        let known = Known { generation: Some(generation), hosts: Arc::clone(&hosts) };
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(hosts)
    }

    /// Adds a host or merges into the one there is. A new one needs `host` and `user`.
    pub async fn upsert(&self, alias: &Alias, change: HostChange) -> Result<Added> {
        self.refuse_clash(alias, &change).await?;
        for _ in 0..TRIES {
            let present = self.read(alias.as_str()).await?;
            let before = present.as_ref().map(parse).transpose()?;
            let base = match (&before, &change.host, &change.user) {
                (Some(record), _, _) => record.clone(),
                (None, Some(host), Some(user)) => HostRecord::new(host, user),
                (None, None, _) => return Err(Error::invalid("host", "is needed for a new host")),
                (None, _, None) => return Err(Error::invalid("user", "is needed for a new host")),
            };
            let (record, replaced) = change.clone().applied_to(base);
            record.check()?;
            self.chain(alias.as_str(), &record).await?;
            if before.as_ref() == Some(&record) {
                return Ok(Added { did: Upsert::Same, record, replaced });
            }
            if self.write(alias.as_str(), &record, present.as_ref()).await? {
                return Ok(match before {
                    Some(_) => Added { did: Upsert::Changed, record, replaced },
                    None => Added { did: Upsert::Created, record, replaced: Vec::new() },
                });
            }
        }
        Err(Error::new(ErrorKind::Conflict, format!("changing the host {alias}: others keep changing it")))
    }

    /// Removes a host; false when there was none. A host that others go through is refused.
    pub async fn remove(&self, alias: &str) -> Result<bool> {
        let hosts = self.hosts().await?;
        let users: Vec<_> = hosts
            .iter()
            .filter(|(_, record)| record.jump.as_ref().is_some_and(|jump| jump.as_str() == alias))
            .collect();
        if let [(first, _), ..] = users.as_slice() {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("removing the host {alias}: {first} goes through it"),
            ));
        }
        self.records
            .remove(KIND, alias, Expect::Any)
            .await
            .map_err(|error| broken("removing the host", error))
    }

    /// Records a host key, beside those there are or in their place.
    pub async fn pin(&self, alias: &str, mut key: PinnedKey, replace: bool) -> Result<()> {
        key.recorded_at = iso(self.clock.now());
        for _ in 0..TRIES {
            let Some(present) = self.read(alias).await? else { return Ok(()) };
            let mut record = parse(&present)?;
            if replace {
                record.pinned.clear();
                if record.fingerprint.is_some() {
                    record.fingerprint = Some(key.fingerprint.clone());
                }
            }
            if record.pinned.iter().any(|pinned| pinned.key == key.key) {
                return Ok(());
            }
            record.pinned.push(key.clone());
            if self.write(alias, &record, Some(&present)).await? {
                return Ok(());
            }
        }
        Err(Error::new(
            ErrorKind::Conflict,
            format!("recording the host key of {alias}: others keep changing it"),
        ))
    }

    /// The aliases that the `alias` parameter of a call means: a host, a group, `all`, or several by commas.
    /// Each host once, in the order given.
    pub async fn resolve(&self, parameter: &str) -> Result<Vec<Alias>> {
        let hosts = self.hosts().await?;
        resolve(parameter, &hosts)
    }

    /// The same for somebody who may use some hosts alone: a group, and `all`, mean those of them.
    ///
    /// A name that such a caller may not use is `FORBIDDEN` whether it exists or not.
    pub async fn resolve_among(
        &self,
        parameter: &str,
        may_use: impl Fn(&Alias, &HostRecord) -> bool,
    ) -> Result<Vec<Alias>> {
        let hosts = self.hosts().await?;
        if hosts.iter().all(|(alias, record)| may_use(alias, record)) {
            return resolve(parameter, &hosts);
        }
        let own = hosts.iter().filter(|(alias, record)| may_use(alias, record));
        let own = own.map(|(alias, record)| (alias.clone(), record.clone())).collect();
        resolve(parameter, &own).map_err(|error| match error.kind() {
            ErrorKind::NotFound => forbidden(&error),
            _ => error,
        })
    }

    /// Everything a connection to a host needs.
    pub async fn target(&self, alias: &str) -> Result<Target> {
        let record = self.get(alias).await?;
        let jumps = self.chain(alias, &record).await?;
        Ok(Target { jumps, endpoint: endpoint(alias, &record) })
    }

    /// The hosts on the way to one, nearest first.
    async fn chain(&self, alias: &str, record: &HostRecord) -> Result<Vec<Endpoint>> {
        let mut chain: Vec<Endpoint> = Vec::new();
        let mut next = record.jump.clone();
        while let Some(jump) = next {
            if jump.as_str() == alias
                || chain.iter().any(|seen| seen.alias == jump.as_str())
                || chain.len() == MOST_JUMPS
            {
                return Err(Error::invalid(
                    "jump",
                    format!("the way to {alias} leads in a circle or over too many hosts"),
                ));
            }
            let record = self.get(jump.as_str()).await?;
            chain.push(endpoint(jump.as_str(), &record));
            next = record.jump;
        }
        chain.reverse();
        Ok(chain)
    }

    async fn refuse_clash(&self, alias: &Alias, change: &HostChange) -> Result<()> {
        let hosts = self.hosts().await?;
        let groups = change.groups.iter().flatten();
        if let Some(group) = groups.into_iter().find(|group| hosts.contains_key(*group) || *group == alias) {
            return Err(Error::invalid("groups", format!("{group} is the name of a host")));
        }
        if hosts.values().any(|record| record.groups.contains(alias)) {
            return Err(Error::invalid("alias", format!("{alias} is the name of a group")));
        }
        Ok(())
    }

    async fn read(&self, alias: &str) -> Result<Option<Record>> {
        self.records.get(KIND, alias).await.map_err(|error| broken("reading the host", error))
    }

    /// Writes a host if it is still as it was read; false when it is not.
    async fn write(&self, alias: &str, record: &HostRecord, present: Option<&Record>) -> Result<bool> {
        let value = serde_json::to_value(record)
            .map_err(|error| Error::internal("writing a host").with_source(error))?;
        let expect = present.map_or(Expect::Absent, |record| Expect::Version(record.version));
        match self.records.put(KIND, alias, value, expect).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == gabier_store::ErrorKind::Conflict => Ok(false),
            Err(error) => Err(broken("writing the host", error)),
        }
    }
}

fn resolve(parameter: &str, hosts: &Hosts) -> Result<Vec<Alias>> {
    let mut aliases: Vec<Alias> = Vec::new();
    for word in parameter.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let mut meant: Vec<&Alias> = match hosts.get_key_value(word) {
            Some((alias, _)) => vec![alias],
            None if word == Alias::ALL => hosts.keys().collect(),
            None => {
                hosts.iter().filter(|(_, record)| in_group(record, word)).map(|(alias, _)| alias).collect()
            }
        };
        if meant.is_empty() {
            return Err(unknown(word, hosts));
        }
        meant.retain(|alias| !aliases.contains(alias));
        aliases.extend(meant.into_iter().cloned());
    }
    if aliases.is_empty() {
        return Err(Error::invalid("alias", "takes a host, a group, 'all', or several by commas"));
    }
    Ok(aliases)
}

fn in_group(record: &HostRecord, group: &str) -> bool {
    record.groups.iter().any(|name| name.as_str() == group)
}

fn endpoint(alias: &str, record: &HostRecord) -> Endpoint {
    Endpoint {
        alias: alias.to_owned(),
        user: record.user.clone(),
        host: record.host.clone(),
        port: record.port,
        credentials: record.credentials(),
        host_key: record.host_key,
        pinned: record.pinned.clone(),
        fingerprint: record.fingerprint.clone(),
        host_key_alias: record.host_key_alias.clone(),
        strength: record.strength,
    }
}

fn parse(record: &Record) -> Result<HostRecord> {
    serde_json::from_value(record.value.clone()).map_err(|error| {
        Error::internal(format!("reading the record of the host {}", record.key)).with_source(error)
    })
}

fn unknown(word: &str, hosts: &Hosts) -> Error {
    let groups = hosts.values().flat_map(|record| &record.groups);
    let mut known: Vec<&str> = hosts.keys().chain(groups).map(Alias::as_str).collect();
    known.sort_unstable();
    known.dedup();
    let near = nearest(word, known.into_iter(), 3);
    let error = Error::not_found(format!("finding the host '{word}': there is none of that name"))
        .with("alias", word)
        .with("nearest", near.clone());
    match near.first() {
        Some(first) => error.with_next(format!("use alias '{first}', or server_list to see all")),
        None => error.with_next("server_list shows the hosts there are, server_add adds one"),
    }
}

/// What somebody is told who may not use all hosts and named none of those.
fn forbidden(unknown: &Error) -> Error {
    let word = unknown.details().get("alias").and_then(serde_json::Value::as_str).unwrap_or_default();
    let nearest = unknown.details().get("nearest").cloned().unwrap_or_default();
    Error::new(ErrorKind::Forbidden, format!("using the host '{word}': it is none of the caller's"))
        .with("rule", "resources")
        .with("missing_resources", vec![format!("host:{word}")])
        .with("nearest", nearest)
}

fn broken(doing: &str, error: gabier_store::Error) -> Error {
    Error::new(ErrorKind::Unavailable, doing.to_owned()).with_source(error)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::future::BoxFuture;
    use gabier_store::Memory;
    use gabier_tool::Timestamp;

    use super::*;

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }

        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }
    }

    async fn inventory(hosts: &[(&str, &[&str], Option<&str>)]) -> Inventory {
        let inventory = Inventory::new(Arc::new(Memory::default()), Arc::new(Stopped));
        for (alias, groups, jump) in hosts {
            let change = HostChange {
                host: Some(format!("{alias}.example")),
                user: Some("bob".into()),
                groups: Some(groups.iter().map(|group| group.parse().unwrap()).collect()),
                jump: jump.map(|jump| jump.parse().unwrap()),
                ..HostChange::default()
            };
            inventory.upsert(&alias.parse().unwrap(), change).await.unwrap();
        }
        inventory
    }

    fn names(aliases: Vec<Alias>) -> Vec<String> {
        aliases.into_iter().map(String::from).collect()
    }

    #[tokio::test]
    async fn a_word_means_a_host_a_group_all_or_a_list() {
        let inventory =
            inventory(&[("web1", &["web"], None), ("web2", &["web", "eu"], None), ("db1", &[], None)]).await;
        let of = async |parameter: &str| names(inventory.resolve(parameter).await.unwrap());
        assert_eq!(of("db1").await, ["db1"]);
        assert_eq!(of("web").await, ["web1", "web2"]);
        assert_eq!(of("all").await, ["db1", "web1", "web2"]);
        assert_eq!(of("eu, db1,web").await, ["web2", "db1", "web1"]);
        assert!(inventory.resolve(" , ").await.is_err());
        let error = inventory.resolve("web1,wbe2").await.unwrap_err();
        assert_eq!((error.kind(), &error.details()["nearest"][0]), (ErrorKind::NotFound, &"web2".into()));
    }

    #[tokio::test]
    async fn who_may_use_some_hosts_gets_no_others_by_a_group_or_all() {
        let inventory =
            inventory(&[("web1", &["web"], None), ("web2", &["web"], None), ("db1", &["db"], None)]).await;
        let of = async |parameter: &str| {
            let resolved = inventory.resolve_among(parameter, |alias, _| alias.as_str() == "web1").await;
            resolved.map_or_else(|error| error.kind().code().to_owned(), |found| names(found).join(","))
        };
        assert_eq!((of("web").await, of("all").await), ("web1".to_owned(), "web1".to_owned()));
        for foreign in ["web2", "db", "web1,db1", "nowhere"] {
            assert_eq!(of(foreign).await, "FORBIDDEN", "{foreign}");
        }
    }

    #[tokio::test]
    async fn adding_twice_tells_new_changed_and_same_apart() {
        let inventory = inventory(&[("web1", &[], None)]).await;
        let web1: Alias = "web1".parse().unwrap();
        let port = |port| HostChange { port: Some(port), ..HostChange::default() };
        let added = inventory.upsert(&web1, port(2222)).await.unwrap();
        assert_eq!((added.did, added.replaced.as_slice()), (Upsert::Changed, ["port"].as_slice()));
        assert_eq!(inventory.upsert(&web1, port(2222)).await.unwrap().did, Upsert::Same);
        let new = HostChange { host: Some("h".into()), user: Some("u".into()), ..port(2222) };
        let added = inventory.upsert(&"web2".parse().unwrap(), new).await.unwrap();
        assert_eq!((added.did, added.replaced.len()), (Upsert::Created, 0), "nothing was there before");
        let unknown: Alias = "web9".parse().unwrap();
        assert!(inventory.upsert(&unknown, port(22)).await.unwrap_err().message().starts_with("host:"));
    }

    #[tokio::test]
    async fn a_change_by_somebody_else_is_seen_at_once() {
        let store: Arc<dyn Records> = Arc::new(Memory::default());
        let [ours, theirs] = [(); 2].map(|()| Inventory::new(Arc::clone(&store), Arc::new(Stopped)));
        assert!(ours.list().await.unwrap().is_empty());
        let web1: Alias = "web1".parse().unwrap();
        let change = |port| HostChange {
            host: Some("h".into()),
            user: Some("u".into()),
            port: Some(port),
            ..HostChange::default()
        };
        for port in [22, 2222] {
            theirs.upsert(&web1, change(port)).await.unwrap();
            assert_eq!(ours.get("web1").await.unwrap().port, port);
            assert_eq!(ours.target("web1").await.unwrap().endpoint.port, port);
        }
        assert!(theirs.remove("web1").await.unwrap());
        assert!(ours.resolve("web1").await.is_err());
    }

    #[tokio::test]
    async fn a_chain_of_jumps_is_resolved_nearest_first_and_a_circle_refused() {
        let inventory =
            inventory(&[("gate", &[], None), ("mid", &[], Some("gate")), ("far", &[], Some("mid"))]).await;
        let target = inventory.target("far").await.unwrap();
        let jumps: Vec<&str> = target.jumps.iter().map(|jump| jump.alias.as_str()).collect();
        assert_eq!((jumps, target.endpoint.host.as_str()), (vec!["gate", "mid"], "far.example"));
        let circle = HostChange { jump: Some("far".parse().unwrap()), ..HostChange::default() };
        assert!(inventory.upsert(&"gate".parse().unwrap(), circle).await.is_err());
        assert_eq!(inventory.remove("mid").await.unwrap_err().kind(), ErrorKind::Conflict);
        assert!(inventory.remove("far").await.unwrap());
        assert!(!inventory.remove("far").await.unwrap());
    }

    #[tokio::test]
    async fn a_name_is_a_host_or_a_group_never_both() {
        let inventory = inventory(&[("web1", &["web"], None)]).await;
        let new = || HostChange { host: Some("h".into()), user: Some("u".into()), ..HostChange::default() };
        assert!(inventory.upsert(&"web".parse().unwrap(), new()).await.is_err());
        let grouped = HostChange { groups: Some(vec!["web1".parse().unwrap()]), ..new() };
        assert!(inventory.upsert(&"db1".parse().unwrap(), grouped).await.is_err());
    }

    #[tokio::test]
    async fn a_key_is_recorded_once_with_its_time() {
        let inventory = inventory(&[("web1", &[], None)]).await;
        let key = |key: &str| PinnedKey {
            algorithm: "ssh-ed25519".into(),
            key: key.into(),
            fingerprint: format!("SHA256:{key}"),
            recorded_at: String::new(),
        };
        for name in ["a", "a", "b"] {
            inventory.pin("web1", key(name), false).await.unwrap();
        }
        let pinned = inventory.get("web1").await.unwrap().pinned;
        assert_eq!((pinned.len(), pinned[0].recorded_at.as_str()), (2, "1970-01-01T00:00:00.000Z"));
        inventory.pin("web1", key("c"), true).await.unwrap();
        assert_eq!(inventory.get("web1").await.unwrap().pinned.len(), 1);
    }
}
