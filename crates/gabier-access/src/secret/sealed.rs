//! The record: all secrets, each sealed under a key that is itself sealed, and a seal over the whole.

use std::collections::BTreeMap;

use gabier_tool::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::key::{Key, SealedBytes, Stretch, framed, random_id};
use super::name::SecretName;

const FORMAT: u32 = 1;

/// What rests in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SealedSet {
    format: u32,
    /// Which vault it is.
    pub(super) vault: String,
    /// How often it was changed.
    revision: u64,
    /// Which data key its secrets are sealed under.
    data_key: String,
    pub(super) wrap: Wrap,
    secrets: BTreeMap<String, Entry>,
    mac: String,
}

/// The data key, sealed under a key that is not in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wrap {
    /// The id of the key that opens it.
    pub(super) key: String,
    /// How that key is made of a passphrase; absent when it is one of a file.
    pub(super) stretch: Option<Stretch>,
    data_key: SealedBytes,
}

/// One secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    set: String,
    revision: u64,
    value: SealedBytes,
}

/// The key that opens a vault, and how it is made of a passphrase if it is.
pub(super) struct Outer {
    pub(super) key: Key,
    pub(super) stretch: Option<Stretch>,
}

/// A record that is whole, with what opens its secrets.
pub(super) struct Open {
    set: SealedSet,
    data_key: Key,
}

impl SealedSet {
    /// Reads what the store gave, without opening it.
    pub(super) fn read(value: &Value) -> Result<Self> {
        let set: Self = serde_json::from_value(value.clone()).map_err(|_| damaged())?;
        if set.format == FORMAT { Ok(set) } else { Err(damaged()) }
    }

    /// Opens it with the key that seals its data key.
    pub(super) fn open(self, outer: &Key) -> Result<Open> {
        let data_key = outer
            .open(&self.wrap.data_key, &self.place_of_data_key())
            .and_then(|bytes| Key::of_bytes(&bytes))
            .ok_or_else(damaged)?;
        self.open_within(&data_key)
    }

    /// Opens it with the data key of an earlier opening.
    pub(super) fn open_within(self, data_key: &Key) -> Result<Open> {
        if !mac_key(data_key).is_mac(&self.maced(), &self.mac) {
            return Err(damaged());
        }
        Ok(Open { set: self, data_key: data_key.clone() })
    }

    /// The id of the data key, under which an opening may be remembered.
    pub(super) fn data_key_id(&self) -> &str {
        &self.data_key
    }

    fn maced(&self) -> Vec<u8> {
        let bare = Self { mac: String::new(), ..self.clone() };
        serde_json::to_vec(&bare).expect("a record is text and numbers")
    }

    fn place_of_data_key(&self) -> Vec<u8> {
        let stretch = self.wrap.stretch.as_ref().map(Stretch::text).unwrap_or_default();
        let parts = ["data key", &self.vault, &self.data_key, &self.wrap.key, &stretch];
        framed(&parts.map(str::as_bytes))
    }

    fn place_of(&self, name: &str, set: &str, revision: u64) -> Vec<u8> {
        let (format, revision) = (FORMAT.to_be_bytes(), revision.to_be_bytes());
        framed(&[
            b"secret",
            &format,
            self.vault.as_bytes(),
            name.as_bytes(),
            self.data_key.as_bytes(),
            set.as_bytes(),
            &revision,
        ])
    }
}

impl Open {
    /// A vault without secrets.
    pub(super) fn empty(vault: String, outer: &Outer) -> Result<Self> {
        let nothing = SealedBytes::default();
        let mut open = Self {
            set: SealedSet {
                format: FORMAT,
                vault,
                revision: 0,
                data_key: String::new(),
                wrap: Wrap { key: String::new(), stretch: None, data_key: nothing },
                secrets: BTreeMap::new(),
                mac: String::new(),
            },
            data_key: Key::random()?,
        };
        open.rotate(outer)?;
        Ok(open)
    }

    /// Puts a secret in, and says whether it is a new one.
    pub(super) fn put(&mut self, name: &SecretName, value: &SecretString, now: &str) -> Result<bool> {
        let revision = self.set.revision + 1;
        let entry = self.entry(name.as_str(), value.expose_secret().as_bytes(), now, revision)?;
        Ok(self.set.secrets.insert(name.as_str().to_owned(), entry).is_none())
    }

    /// Takes a secret out; false when there is none.
    pub(super) fn remove(&mut self, name: &SecretName) -> bool {
        self.set.secrets.remove(name.as_str()).is_some()
    }

    /// A secret, and when it was set.
    pub(super) fn get(&self, name: &str) -> Result<Option<SecretString>> {
        let Some(entry) = self.set.secrets.get(name) else { return Ok(None) };
        let place = self.set.place_of(name, &entry.set, entry.revision);
        let bytes = seal_key(&self.data_key).open(&entry.value, &place).ok_or_else(damaged)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
        Ok(Some(SecretString::from(text)))
    }

    /// All secrets.
    pub(super) fn values(&self) -> Result<Vec<SecretString>> {
        let names = self.set.secrets.keys();
        names.map(|name| self.get(name)?.ok_or_else(damaged)).collect()
    }

    /// The names of all secrets, and when each was set.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.set.secrets.iter().map(|(name, entry)| (name.as_str(), entry.set.as_str()))
    }

    pub(super) fn vault(&self) -> &str {
        &self.set.vault
    }

    pub(super) fn wrap(&self) -> &Wrap {
        &self.set.wrap
    }

    /// The data key and its id, to open the record once more without its outer key.
    pub(super) fn data_key(&self) -> (&str, &Key) {
        (&self.set.data_key, &self.data_key)
    }

    /// Seals everything anew: under a new data key, and that under another outer key.
    pub(super) fn rotate(&mut self, outer: &Outer) -> Result<()> {
        let values: Vec<(String, String, SecretString)> = self
            .names()
            .map(|(name, set)| Ok((name.to_owned(), set.to_owned(), self.get(name)?.ok_or_else(damaged)?)))
            .collect::<Result<_>>()?;
        self.data_key = Key::random()?;
        self.set.data_key = random_id()?;
        let revision = self.set.revision + 1;
        for (name, set, value) in values {
            let entry = self.entry(&name, value.expose_secret().as_bytes(), &set, revision)?;
            self.set.secrets.insert(name, entry);
        }
        self.rewrap(outer)
    }

    /// Seals the data key under another outer key.
    pub(super) fn rewrap(&mut self, outer: &Outer) -> Result<()> {
        self.set.wrap.key = outer.key.id();
        self.set.wrap.stretch.clone_from(&outer.stretch);
        self.set.wrap.data_key = outer.key.seal(self.data_key.bytes(), &self.set.place_of_data_key())?;
        Ok(())
    }

    /// The record as it goes to the store.
    pub(super) fn sealed(&mut self) -> Result<Value> {
        self.set.revision += 1;
        self.set.mac = mac_key(&self.data_key).mac(&self.set.maced());
        serde_json::to_value(&self.set)
            .map_err(|error| Error::internal("writing the vault's record").with_source(error))
    }

    fn entry(&self, name: &str, value: &[u8], set: &str, revision: u64) -> Result<Entry> {
        let place = self.set.place_of(name, set, revision);
        let value = seal_key(&self.data_key).seal(value, &place)?;
        Ok(Entry { set: set.to_owned(), revision, value })
    }
}

fn seal_key(data_key: &Key) -> Key {
    data_key.derived("seal")
}

fn mac_key(data_key: &Key) -> Key {
    data_key.derived("set")
}

pub(super) fn damaged() -> Error {
    Error::new(ErrorKind::NotAvailable, "open the vault: its record was changed or damaged")
        .with("reason", "vault_damaged")
        .with_next("restore the store from a backup")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outer() -> Outer {
        Outer { key: Key::random().unwrap(), stretch: None }
    }

    fn name(text: &str) -> SecretName {
        SecretName::parse(text).unwrap()
    }

    fn vault(outer: &Outer) -> Value {
        let mut open = Open::empty("vault-1".to_owned(), outer).unwrap();
        for (number, text) in ["a", "b", "server/web1/password"].iter().enumerate() {
            let value = SecretString::from(format!("value-{number}"));
            assert!(open.put(&name(text), &value, "2026-11-21T00:00:00.000Z").unwrap());
        }
        open.sealed().unwrap()
    }

    fn opened(value: &Value, outer: &Outer) -> Result<Open> {
        let open = SealedSet::read(value)?.open(&outer.key)?;
        open.values().map(|_| open)
    }

    fn value_of(open: &Open, name: &str) -> String {
        open.get(name).unwrap().unwrap().expose_secret().to_owned()
    }

    #[test]
    fn what_went_in_comes_out_and_nothing_of_it_is_readable() {
        let outer = outer();
        let value = vault(&outer);
        let open = opened(&value, &outer).unwrap();
        assert_eq!(value_of(&open, "server/web1/password"), "value-2");
        assert!(open.get("none").unwrap().is_none());
        assert!(!value.to_string().contains("value-"));
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused() {
        let outer = outer();
        let value = vault(&outer);
        let bytes = serde_json::to_vec(&value).unwrap();
        let (mut flips, mut unparsable) = (0, 0);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok(changed) = serde_json::from_slice::<Value>(&changed) else {
                unparsable += 1;
                continue;
            };
            assert_ne!(changed, value, "bit {bit}");
            let refusal = opened(&changed, &outer).map(|_| ()).unwrap_err();
            assert_eq!(refusal.details()["reason"], "vault_damaged", "bit {bit}");
            flips += 1;
        }
        assert!(flips > 4_000, "{flips} flips of {unparsable} beside");
        for length in 0..bytes.len() {
            if let Ok(cut) = serde_json::from_slice::<Value>(&bytes[..length]) {
                assert!(opened(&cut, &outer).is_err(), "{length}");
            }
        }
    }

    #[test]
    fn no_part_can_be_swapped_dropped_or_taken_from_elsewhere() {
        let outer = outer();
        let (value, other) = (vault(&outer), vault(&outer));
        let mut changes: Vec<Value> = Vec::new();
        for (one, two) in [("a", "b"), ("b", "server/web1/password")] {
            let mut swapped = value.clone();
            let first = swapped["secrets"][one].take();
            swapped["secrets"][one] = swapped["secrets"][two].take();
            swapped["secrets"][two] = first;
            changes.push(swapped);
        }
        let mut dropped = value.clone();
        dropped["secrets"].as_object_mut().unwrap().remove("a");
        changes.push(dropped);
        for part in ["secrets", "mac", "wrap", "data_key", "vault", "revision"] {
            let mut spliced = value.clone();
            spliced[part] = other[part].clone();
            if spliced != value {
                changes.push(spliced);
            }
        }
        let mut foreign = value.clone();
        foreign["secrets"]["a"]["value"] = other["secrets"]["a"]["value"].clone();
        changes.push(foreign);
        let mut extra = value.clone();
        extra["note"] = "x".into();
        changes.push(extra);
        assert!(changes.len() >= 8, "{}", changes.len());
        for changed in changes {
            assert!(opened(&changed, &outer).is_err(), "{changed}");
        }
    }

    #[test]
    fn another_key_opens_nothing() {
        let value = vault(&outer());
        assert!(opened(&value, &outer()).is_err());
    }

    #[test]
    fn rotating_changes_every_byte_that_is_sealed_and_no_secret() {
        let (before, after) = (outer(), outer());
        let value = vault(&before);
        let mut open = opened(&value, &before).unwrap();
        open.rotate(&after).unwrap();
        let rotated = open.sealed().unwrap();
        assert!(opened(&rotated, &before).is_err());
        let open = opened(&rotated, &after).unwrap();
        assert_eq!(value_of(&open, "b"), "value-1");
        for name in ["a", "b", "server/web1/password"] {
            let (old, new) = (&value["secrets"][name], &rotated["secrets"][name]);
            assert_ne!(old["value"], new["value"]);
            assert_eq!(old["set"], new["set"]);
        }
    }
}
