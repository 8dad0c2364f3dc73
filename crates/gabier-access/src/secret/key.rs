//! Keys of 256 bits, and what is done with them.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use gabier_tool::{Error, Result};
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// A key; it is wiped when it is dropped, and cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key(Zeroizing<[u8; 32]>);

/// Sealed bytes and the nonce they were sealed under, both in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SealedBytes {
    nonce: String,
    sealed: String,
}

/// How a passphrase becomes a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stretch {
    salt: String,
    kib: u32,
    passes: u32,
    lanes: u32,
}

impl Key {
    /// A key that nobody knows yet.
    pub(super) fn random() -> Result<Self> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// The key in 32 bytes.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// The key in base64 or 64 hexadecimal digits.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        if text.len() == 64 {
            let mut bytes = Zeroizing::new([0; 32]);
            for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
                *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            }
            return Some(Self(bytes));
        }
        Self::of_bytes(&Zeroizing::new(STANDARD.decode(text).ok()?))
    }

    /// The key in base64, to be written into a key file.
    pub(super) fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(*self.0))
    }

    /// What the key is called, in 16 hexadecimal digits that tell nothing about it.
    pub(super) fn id(&self) -> String {
        let digest = Sha256::new().chain_update(b"gabier vault key").chain_update(*self.0).finalize();
        hex(&digest[..8])
    }

    /// A key for one purpose.
    pub(super) fn derived(&self, purpose: &str) -> Self {
        Self(Zeroizing::new(self.mac_of(purpose.as_bytes())))
    }

    /// The HMAC-SHA256 of bytes, in base64.
    pub(super) fn mac(&self, bytes: &[u8]) -> String {
        STANDARD.encode(self.mac_of(bytes))
    }

    /// True when the text is the HMAC of the bytes, in a time that does not tell where it differs.
    pub(super) fn is_mac(&self, bytes: &[u8], text: &str) -> bool {
        let Ok(given) = STANDARD.decode(text) else { return false };
        let mut hmac = self.hmac();
        hmac.update(bytes);
        hmac.verify_slice(&given).is_ok()
    }

    /// Seals bytes for a place: they open at that place alone.
    pub(super) fn seal(&self, bytes: &[u8], place: &[u8]) -> Result<SealedBytes> {
        let nonce: [u8; 24] = random()?;
        let payload = Payload { msg: bytes, aad: place };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::internal("sealing a secret"))?;
        Ok(SealedBytes { nonce: STANDARD.encode(nonce), sealed: STANDARD.encode(sealed) })
    }

    /// Opens what was sealed for a place with this key; none when anything about it was changed.
    pub(super) fn open(&self, sealed: &SealedBytes, place: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let nonce: [u8; 24] = STANDARD.decode(&sealed.nonce).ok()?.try_into().ok()?;
        let bytes = STANDARD.decode(&sealed.sealed).ok()?;
        let payload = Payload { msg: &bytes, aad: place };
        self.cipher().decrypt(&XNonce::from(nonce), payload).ok().map(Zeroizing::new)
    }

    /// The bytes, for another key to seal them.
    pub(super) fn bytes(&self) -> &[u8] {
        &*self.0
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&(*self.0).into())
    }

    fn hmac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&*self.0).expect("HMAC takes keys of every length")
    }

    fn mac_of(&self, bytes: &[u8]) -> [u8; 32] {
        let mut hmac = self.hmac();
        hmac.update(bytes);
        hmac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(gabier_tool::REDACTED)
    }
}

impl Stretch {
    /// Argon2id with 64 MiB, three passes, one lane, and a new salt.
    pub(super) fn new() -> Result<Self> {
        let salt: [u8; 16] = random()?;
        Ok(Self { salt: STANDARD.encode(salt), kib: 64 << 10, passes: 3, lanes: 1 })
    }

    /// The key of a passphrase, half a second later; none when the record asks for more or less than is reasonable.
    pub(super) fn key(&self, passphrase: &str) -> Option<Key> {
        let is_reasonable = (8 << 10..=1 << 20).contains(&self.kib)
            && (1..=16).contains(&self.passes)
            && (1..=4).contains(&self.lanes);
        if !is_reasonable {
            return None;
        }
        let salt = STANDARD.decode(&self.salt).ok().filter(|salt| salt.len() == 16)?;
        let params = Params::new(self.kib, self.passes, self.lanes, Some(32)).ok()?;
        let mut key = Zeroizing::new([0; 32]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(passphrase.as_bytes(), &salt, &mut *key).ok()?;
        Some(Key(key))
    }

    /// What a key made this way is bound to.
    pub(super) fn text(&self) -> String {
        format!("{} {} {} {}", self.salt, self.kib, self.passes, self.lanes)
    }
}

/// Parts joined so that no two lists of parts give the same bytes.
pub(super) fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// A random name in hexadecimal digits.
pub(super) fn random_id() -> Result<String> {
    random::<16>().map(|bytes| hex(&bytes))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal("asking the system for random bytes").with_source(error))?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Argon2's own program says: `argon2 0123456789abcdef -id -t 3 -k 65536 -p 1 -l 32 -r`.
    const REFERENCE: &str = "ed0189cfb7a2be2ade3232ae5ddf9c01530e759d0a41ba76e3f80bdb3d0d2274";

    #[test]
    fn what_is_sealed_opens_with_its_key_at_its_place_alone() {
        let (key, other) = (Key::random().unwrap(), Key::random().unwrap());
        let sealed = key.seal(b"secret", b"here").unwrap();
        assert_eq!(key.open(&sealed, b"here").unwrap().as_slice(), b"secret");
        assert!(key.open(&sealed, b"there").is_none());
        assert!(other.open(&sealed, b"here").is_none());
        assert_ne!(key.seal(b"secret", b"here").unwrap(), sealed, "no nonce is used twice");
    }

    #[test]
    fn argon2_agrees_with_its_reference() {
        let stretch =
            Stretch { salt: STANDARD.encode(b"0123456789abcdef"), kib: 64 << 10, passes: 3, lanes: 1 };
        let key = stretch.key("a passphrase").unwrap();
        assert_eq!(hex(key.bytes()), REFERENCE);
        assert_ne!(stretch.key("another").unwrap(), key);
    }

    #[test]
    fn unreasonable_costs_are_refused() {
        let stretch = |kib, passes, lanes| {
            Stretch { salt: STANDARD.encode([0; 16]), kib, passes, lanes }.key("x").is_none()
        };
        assert!(
            stretch(1 << 22, 3, 1) && stretch(1, 3, 1) && stretch(8 << 10, 0, 1) && stretch(8 << 10, 1, 99)
        );
    }

    #[test]
    fn a_key_is_read_in_base64_and_in_hexadecimal_digits() {
        let key = Key::random().unwrap();
        assert_eq!(Key::of_text(&key.text()).unwrap(), key);
        assert_eq!(Key::of_text(&hex(key.bytes())).unwrap(), key);
        assert!(Key::of_text("short").is_none() && Key::of_text(&"z".repeat(64)).is_none());
        assert_eq!(format!("{key:?}"), "[REDACTED]");
    }
}
