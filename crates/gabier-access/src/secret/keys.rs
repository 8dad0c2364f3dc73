//! Where the key of a vault comes from.

use std::path::{Path, PathBuf};

use gabier_tool::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret as _, SecretString};

use super::key::{Key, Stretch};
use super::key_file::{KeyFile, Locked};
use super::sealed::{Outer, Wrap, damaged};

/// The shortest passphrase, in characters.
const SHORTEST: usize = 12;

/// What this process knows to open a vault with.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// The file of keys; one is made there by the first secret when there is no passphrase and no key.
    pub file: PathBuf,
    /// A passphrase.
    pub passphrase: Option<SecretString>,
    /// A key as text: 32 bytes in base64 or hexadecimal digits.
    pub key: Option<SecretString>,
}

/// What a vault is to be sealed with.
#[derive(Clone, Debug)]
pub enum KeyChoice {
    /// A new key in a file.
    File(PathBuf),
    /// A passphrase of at least 12 characters.
    Passphrase(SecretString),
    /// The key that the process was given as text.
    Given,
}

/// A new outer key, and the file that holds it until it is the only one.
pub(super) struct Fresh {
    pub(super) outer: Outer,
    file: Option<Locked>,
}

impl Keys {
    /// What a new vault is sealed with when nobody chooses.
    pub(super) fn usual(&self) -> KeyChoice {
        match (&self.passphrase, &self.key) {
            (Some(passphrase), _) => KeyChoice::Passphrase(passphrase.clone()),
            (None, Some(_)) => KeyChoice::Given,
            (None, None) => KeyChoice::File(self.file.clone()),
        }
    }

    /// What a vault is sealed with at present, to be sealed with its like.
    pub(super) fn like(&self, wrap: &Wrap) -> Result<KeyChoice> {
        match &wrap.stretch {
            Some(_) => self.passphrase.clone().map(KeyChoice::Passphrase).ok_or_else(passphrase_needed),
            None if self.given().is_some_and(|key| key.id() == wrap.key) => Err(Error::new(
                ErrorKind::Conflict,
                "rotate the vault: its key was given as text, and a new one cannot be put in its place",
            )
            .with_next("vault rekey")),
            None => Ok(KeyChoice::File(self.file.clone())),
        }
    }

    /// The key that opens a vault's data key.
    pub(super) fn find(&self, vault: &str, wrap: &Wrap) -> Result<Key> {
        if let Some(stretch) = &wrap.stretch {
            let passphrase = self.passphrase.as_ref().ok_or_else(passphrase_needed)?;
            let key = stretch.key(passphrase.expose_secret()).ok_or_else(damaged)?;
            if key.id() != wrap.key {
                let message = "open the vault: the passphrase is another one";
                return Err(refusal(message, "vault_passphrase_wrong"));
            }
            return Ok(key);
        }
        if let Some(key) = self.given().filter(|key| key.id() == wrap.key) {
            return Ok(key);
        }
        let file = KeyFile::new(&self.file).key(vault, &wrap.key)?;
        file.ok_or_else(|| {
            let message = format!("open the vault: its key {} is not in {}", wrap.key, self.file.display());
            refusal(&message, "vault_key_missing").with_next("set vault.key_file to the file that holds it")
        })
    }

    /// Makes the outer key of a choice. One of a file is in it, durably, before a vault is sealed with it.
    pub(super) fn fresh(&self, vault: &str, choice: &KeyChoice) -> Result<Fresh> {
        match choice {
            KeyChoice::File(path) => {
                let file = KeyFile::new(path).lock()?;
                let key = Key::random()?;
                file.add(vault, &key)?;
                Ok(Fresh { outer: Outer { key, stretch: None }, file: Some(file) })
            }
            KeyChoice::Passphrase(passphrase) => {
                let passphrase = passphrase.expose_secret();
                if passphrase.chars().count() < SHORTEST {
                    let rule = format!("must have at least {SHORTEST} characters");
                    return Err(Error::invalid("passphrase", rule));
                }
                let stretch = Stretch::new()?;
                let key =
                    stretch.key(passphrase).ok_or_else(|| Error::internal("stretching a passphrase"))?;
                Ok(Fresh { outer: Outer { key, stretch: Some(stretch) }, file: None })
            }
            KeyChoice::Given => {
                let key = self.given().ok_or_else(|| {
                    Error::invalid("key", "must be 32 bytes in base64 or 64 hexadecimal digits")
                })?;
                Ok(Fresh { outer: Outer { key, stretch: None }, file: None })
            }
        }
    }

    fn given(&self) -> Option<Key> {
        Key::of_text(self.key.as_ref()?.expose_secret().trim())
    }

    /// The file of keys.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl Fresh {
    /// Drops the vault's former keys: the record in the store is sealed with this one.
    pub(super) fn settle(self, vault: &str, former: &str) -> Result<()> {
        match self.file {
            Some(file) => file.keep_only(vault, &self.outer.key.id(), former),
            None => Ok(()),
        }
    }

    /// Takes the key back: no record was sealed with it.
    pub(super) fn withdraw(self, vault: &str, present: &str) {
        if let Some(file) = self.file
            && let Err(error) = file.keep_only(vault, present, &self.outer.key.id())
        {
            tracing::warn!(%error, "a key of the vault that nothing needs stays in its file");
        }
    }
}

fn passphrase_needed() -> Error {
    refusal("open the vault: it needs its passphrase", "vault_passphrase_needed")
        .with_next("set vault.passphrase, or give --unlock SOURCE")
}

fn refusal(message: &str, reason: &str) -> Error {
    Error::new(ErrorKind::NotAvailable, message).with("reason", reason)
}
