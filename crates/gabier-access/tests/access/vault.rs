//! The vault over real stores: first secrets, other processes, keys that are missing, kills.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use gabier_access::secret::{KeyChoice, Keys, Seal, SecretName, Stored, Vault};
use gabier_store::{Embedded, Expect, Memory, Records};
use gabier_tool::{Error, ErrorKind, REDACTED, Redactor};
use secrecy::{ExposeSecret as _, SecretString};

use crate::support::HandClock;

/// A vault in a folder: the store beside the key file, as nobody should have it.
struct Place {
    folder: tempfile::TempDir,
    records: Arc<dyn Records>,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), records: Arc::new(Memory::default()) }
    }

    fn keys(&self) -> Keys {
        Keys { file: self.folder.path().join("vault/key"), ..Keys::default() }
    }

    fn vault(&self) -> Vault {
        self.vault_with(self.keys())
    }

    fn vault_with(&self, keys: Keys) -> Vault {
        open(Arc::clone(&self.records), keys, &Arc::new(Redactor::new()))
    }
}

fn open(records: Arc<dyn Records>, keys: Keys, redactor: &Arc<Redactor>) -> Vault {
    Vault::new(records, HandClock::new(), Arc::clone(redactor), keys)
}

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

async fn value(vault: &Vault, text: &str) -> String {
    vault.get(&name(text)).await.map_or_else(|error| reason(&error), |value| value.expose_secret().to_owned())
}

fn reason(error: &Error) -> String {
    let reason = error.details().get("reason").and_then(|reason| reason.as_str());
    reason.map_or_else(|| error.kind().code().to_owned(), str::to_owned)
}

#[tokio::test]
async fn the_first_secret_makes_the_vault_and_its_key() {
    let place = Place::new();
    let vault = place.vault();
    assert_eq!(vault.list().await.unwrap(), None);
    assert_eq!(value(&vault, "db/prod").await, "NOT_FOUND");
    let stored = vault.set(&name("db/prod"), &secret("correct horse")).await.unwrap();
    assert_eq!(stored, Stored { is_new: true, made_vault: true });
    let stored = vault.set(&name("db/prod"), &secret("battery staple")).await.unwrap();
    assert_eq!(stored, Stored { is_new: false, made_vault: false });

    let other = place.vault();
    assert_eq!(value(&other, "db/prod").await, "battery staple");
    let listing = other.list().await.unwrap().unwrap();
    assert_eq!(listing.secrets, [("db/prod".to_owned(), "2027-01-15T08:00:00.000Z".to_owned())]);
    assert!(matches!(listing.seal, Seal::Key { .. }));
    assert!(vault.remove(&name("db/prod")).await.unwrap());
    assert!(!vault.remove(&name("db/prod")).await.unwrap());
    assert_eq!(value(&other, "db/prod").await, "NOT_FOUND");
    let error = vault.init(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn first_secrets_at_the_same_time_are_all_kept() {
    let place = Place::new();
    let sets = (0..8).map(|number| {
        let vault = place.vault();
        async move { vault.set(&name(&format!("s{number}")), &secret("value")).await.unwrap() }
    });
    let stored = futures::future::join_all(sets).await;
    assert_eq!(stored.iter().filter(|stored| stored.made_vault).count(), 1);
    assert_eq!(place.vault().list().await.unwrap().unwrap().secrets.len(), 8);
    let keys = fs::read_to_string(place.keys().file).unwrap();
    assert_eq!(keys.lines().filter(|line| !line.starts_with('#')).count(), 1, "keys that lost are gone");
}

#[tokio::test]
async fn a_vault_without_its_key_is_refused_and_left_alone() {
    let place = Place::new();
    place.vault().set(&name("a"), &secret("value")).await.unwrap();
    let elsewhere = Keys { file: place.folder.path().join("none/key"), ..Keys::default() };
    let vault = place.vault_with(elsewhere);
    assert_eq!(value(&vault, "a").await, "vault_key_missing");
    assert_eq!(reason(&vault.set(&name("b"), &secret("value")).await.unwrap_err()), "vault_key_missing");
    assert_eq!(reason(&vault.rotate().await.unwrap_err()), "vault_key_missing");
    assert!(!place.folder.path().join("none/key").exists(), "nothing new is made beside");
    assert_eq!(value(&place.vault(), "a").await, "value");
}

#[tokio::test]
async fn a_passphrase_opens_what_it_has_sealed_and_another_does_not() {
    let place = Place::new();
    let with = |passphrase: &str| Keys { passphrase: Some(secret(passphrase)), ..place.keys() };
    let vault = place.vault_with(with("a long passphrase"));
    vault.set(&name("a"), &secret("value")).await.unwrap();
    assert!(!place.keys().file.exists());
    assert_eq!(value(&place.vault_with(with("a long passphrase")), "a").await, "value");
    assert_eq!(value(&place.vault_with(with("another passphrase")), "a").await, "vault_passphrase_wrong");
    assert_eq!(value(&place.vault(), "a").await, "vault_passphrase_needed");
    vault.rotate().await.unwrap();
    assert_eq!(value(&place.vault_with(with("a long passphrase")), "a").await, "value");
    let short = vault.rekey(KeyChoice::Passphrase(secret("short"))).await.unwrap_err();
    assert_eq!(short.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn rekeying_moves_a_vault_between_files_passphrases_and_given_keys() {
    let place = Place::new();
    let vault = place.vault();
    vault.set(&name("a"), &secret("value")).await.unwrap();
    let moved = place.folder.path().join("elsewhere/key");
    vault.rekey(KeyChoice::File(moved.clone())).await.unwrap();
    assert_eq!(value(&place.vault(), "a").await, "vault_key_missing");
    let at_moved = place.vault_with(Keys { file: moved, ..Keys::default() });
    assert_eq!(value(&at_moved, "a").await, "value");

    at_moved.rekey(KeyChoice::Passphrase(secret("a long passphrase"))).await.unwrap();
    let given = Keys {
        passphrase: Some(secret("a long passphrase")),
        key: Some(secret(&"ab".repeat(32))),
        ..place.keys()
    };
    let vault = place.vault_with(given.clone());
    vault.rekey(KeyChoice::Given).await.unwrap();
    let only_key = place.vault_with(Keys { passphrase: None, ..given });
    assert_eq!(value(&only_key, "a").await, "value");
    assert_eq!(only_key.rotate().await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn rotating_leaves_one_key_and_other_processes_go_on() {
    let place = Place::new();
    let (one, other) = (place.vault(), place.vault());
    one.set(&name("a"), &secret("value")).await.unwrap();
    assert_eq!(value(&other, "a").await, "value");
    let before = fs::read(place.keys().file).unwrap();
    one.rotate().await.unwrap();
    let after = fs::read_to_string(place.keys().file).unwrap();
    assert_ne!(before, after.as_bytes());
    assert_eq!(after.lines().filter(|line| !line.starts_with('#')).count(), 1);
    assert_eq!(value(&other, "a").await, "value", "a vault that was open before");
    other.set(&name("b"), &secret("value")).await.unwrap();
    assert_eq!(value(&one, "b").await, "value");
}

#[tokio::test]
async fn opening_a_vault_has_all_its_secrets_redacted_in_every_spelling() {
    let place = Place::new();
    let planted = "s3cr€t/\"pass word";
    place.vault().set(&name("a"), &secret(planted)).await.unwrap();
    let redactor = Arc::new(Redactor::new());
    let vault = open(Arc::clone(&place.records), place.keys(), &redactor);
    assert!(redactor.redact(planted).contains(planted), "nothing is known before");
    vault.learn().await.unwrap();
    let json = serde_json::to_string(planted).unwrap();
    let hex: Vec<String> = planted.bytes().map(|byte| format!("{byte:02x}")).collect();
    let hex = hex.concat();
    let percent = "s3cr%E2%82%ACt%2F%22pass%20word";
    for text in [planted, json.as_str(), &hex, &hex.to_uppercase(), percent, &percent.to_lowercase()] {
        assert!(redactor.redact(text).contains(REDACTED), "{text}");
    }

    let follower = open(Arc::clone(&place.records), place.keys(), &redactor);
    let following = async {
        vault.set(&name("b"), &secret("set by another process")).await.unwrap();
        while !redactor.redact("set by another process").contains(REDACTED) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = follower.follow() => panic!("it follows for ever"),
        () = following => {}
    }
}

#[tokio::test]
async fn a_record_that_was_changed_is_refused_and_never_overwritten() {
    let place = Place::new();
    place.vault().set(&name("a"), &secret("value")).await.unwrap();
    let record = place.records.get("vault", "vault").await.unwrap().unwrap();
    for change in [serde_json::json!(null), serde_json::json!({}), {
        let mut changed = record.value.clone();
        changed["secrets"] = serde_json::json!({});
        changed
    }] {
        place.records.put("vault", "vault", change.clone(), Expect::Any).await.unwrap();
        let vault = place.vault();
        assert_eq!(value(&vault, "a").await, "vault_damaged");
        assert_eq!(reason(&vault.set(&name("b"), &secret("x")).await.unwrap_err()), "vault_damaged");
        assert_eq!(reason(&vault.rotate().await.unwrap_err()), "vault_damaged");
        let present = place.records.get("vault", "vault").await.unwrap().unwrap();
        assert_eq!(present.value, change);
    }
}

#[tokio::test]
async fn no_secret_and_no_key_rests_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let records: Arc<dyn Records> = Arc::new(Embedded::open(&folder.path().join("data"), None).unwrap());
    let keys = Keys { file: folder.path().join("vault/key"), ..Keys::default() };
    let vault = open(Arc::clone(&records), keys.clone(), &Arc::new(Redactor::new()));
    vault.set(&name("a"), &secret("planted-canary-value")).await.unwrap();
    vault.rotate().await.unwrap();
    let key = fs::read_to_string(&keys.file).unwrap();
    let key = key.lines().last().unwrap().split(' ').next_back().unwrap().to_owned();
    drop((vault, records));
    let mut bytes = 0;
    for entry in fs::read_dir(folder.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let content = fs::read(&path).unwrap();
            bytes += content.len();
            for planted in ["planted-canary-value", &key] {
                let is_there = content.windows(planted.len()).any(|part| part == planted.as_bytes());
                assert!(!is_there, "{planted} in {}", path.display());
            }
        }
    }
    assert!(bytes > 4096, "there is a store");
}

/// The folder in which the other half of the test below rotates.
const FOLDER: &str = "GABIER_TEST_VAULT";
const SECRETS: usize = 50;

fn shared(folder: &Path) -> (Arc<dyn Records>, Keys) {
    let records = Embedded::open(&folder.join("data"), None).unwrap();
    (Arc::new(records), Keys { file: folder.join("vault/key"), ..Keys::default() })
}

#[test]
#[ignore = "the other half of the kill test, which starts it in a process of its own"]
#[expect(clippy::disallowed_methods, reason = "the parent names the folder")]
fn rotates_until_it_is_killed() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (records, keys) = shared(&folder);
        let vault = open(records, keys.clone(), &Arc::new(Redactor::new()));
        vault.learn().await.unwrap();
        println!("rotating");
        loop {
            vault.rotate().await.unwrap();
            vault.rekey(KeyChoice::File(keys.file.clone())).await.unwrap();
        }
    });
}

#[test]
#[expect(clippy::disallowed_methods, reason = "only a process of its own can be killed")]
fn a_hundred_kills_while_rotating_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (records, keys) = shared(folder.path());
    let vault = open(records, keys, &Arc::new(Redactor::new()));
    runtime.block_on(async {
        for number in 0..SECRETS {
            vault.set(&name(&format!("s{number}")), &secret(&format!("value {number}"))).await.unwrap();
        }
    });
    drop(vault);
    let mut revision = 0;
    for kill in 0..100_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "vault::rotates_until_it_is_killed", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap().ends_with("rotating")), "it opens the vault at kill {kill}");
        std::thread::sleep(Duration::from_micros(kill * 7_919 % 80_000));
        child.kill().unwrap();
        child.wait().unwrap();
        revision = runtime.block_on(async {
            let (records, keys) = shared(folder.path());
            let vault = open(Arc::clone(&records), keys, &Arc::new(Redactor::new()));
            for number in 0..SECRETS {
                assert_eq!(
                    value(&vault, &format!("s{number}")).await,
                    format!("value {number}"),
                    "kill {kill}"
                );
            }
            records.get("vault", "vault").await.unwrap().unwrap().value["revision"].as_u64().unwrap()
        });
    }
    assert!(revision > SECRETS as u64 + 20, "only {revision} changes were made");
}
