//! Which algorithms are used, and the settings of russh.

use std::borrow::Cow;
use std::time::Duration;

use gabier_host::Strength;
use russh::client::Config;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Preferred, SshId, cipher, compression, kex, mac};

use super::handshake::Traffic;

const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G18_SHA512,
    kex::DH_G16_SHA512,
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];
const LEGACY_KEX: &[kex::Name] = &[kex::DH_GEX_SHA1, kex::DH_G14_SHA1, kex::DH_G1_SHA1];

const CIPHERS: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_CTR,
    cipher::AES_192_CTR,
    cipher::AES_256_CTR,
];
const LEGACY_CIPHERS: &[cipher::Name] = &[cipher::AES_128_CBC, cipher::AES_192_CBC, cipher::AES_256_CBC];

const MACS: &[mac::Name] = &[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM, mac::HMAC_SHA256, mac::HMAC_SHA512];
const LEGACY_MACS: &[mac::Name] = &[mac::HMAC_SHA1_ETM, mac::HMAC_SHA1];

/// The host keys of today, in our order of preference.
fn host_keys(strength: Strength) -> Vec<Algorithm> {
    let mut algorithms = vec![
        Algorithm::Ed25519,
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
    ];
    if strength == Strength::Legacy {
        algorithms.push(Algorithm::Rsa { hash: None });
    }
    algorithms
}

/// The settings of a connection. Algorithms of recorded host keys come first, or a server with several keys would
/// show one that is not recorded.
pub(super) fn config(
    strength: Strength,
    traffic: Traffic,
    keep_alive: Duration,
    recorded: &[String],
) -> Config {
    let mut key = host_keys(strength);
    let is_recorded = |algorithm: &Algorithm| match algorithm {
        Algorithm::Rsa { .. } => recorded.iter().any(|name| name == "ssh-rsa"),
        other => recorded.iter().any(|name| name == other.as_str()),
    };
    key.sort_by_key(|algorithm| !is_recorded(algorithm));
    let (window_size, channel_buffer_size) = match traffic {
        Traffic::Commands => (2 << 20, 100),
        Traffic::Bulk => (16 << 20, 1024),
    };
    Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-gabier_", env!("CARGO_PKG_VERSION")))),
        preferred: Preferred {
            kex: list(strength, KEX, LEGACY_KEX),
            key: Cow::Owned(key),
            host_key_certificates: Cow::Borrowed(&[]),
            cipher: list(strength, CIPHERS, LEGACY_CIPHERS),
            mac: list(strength, MACS, LEGACY_MACS),
            compression: Cow::Borrowed(&[compression::NONE]),
        },
        window_size,
        channel_buffer_size,
        maximum_packet_size: 32_768,
        keepalive_interval: Some(keep_alive),
        keepalive_max: 3,
        inactivity_timeout: None,
        nodelay: true,
        ..Config::default()
    }
}

fn list<T: Clone>(strength: Strength, modern: &'static [T], legacy: &[T]) -> Cow<'static, [T]> {
    match strength {
        Strength::Modern => Cow::Borrowed(modern),
        Strength::Legacy => Cow::Owned(modern.iter().chain(legacy).cloned().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(strength: Strength, recorded: &[&str]) -> Vec<String> {
        let recorded: Vec<String> = recorded.iter().map(|&name| name.to_owned()).collect();
        let config = config(strength, Traffic::Commands, Duration::from_secs(30), &recorded);
        config.preferred.key.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn recorded_algorithms_are_asked_for_first() {
        assert_eq!(keys(Strength::Modern, &[])[0], "ssh-ed25519");
        assert_eq!(keys(Strength::Modern, &["ssh-rsa"])[..2], ["rsa-sha2-512", "rsa-sha2-256"]);
        assert_eq!(keys(Strength::Modern, &["ecdsa-sha2-nistp384"])[0], "ecdsa-sha2-nistp384");
    }

    #[test]
    fn sha1_and_cbc_are_for_legacy_hosts_alone() {
        let names = |strength| {
            let config = config(strength, Traffic::Bulk, Duration::from_secs(30), &[]);
            let Preferred { kex, cipher, mac, .. } = &config.preferred;
            let mut names: Vec<String> = kex.iter().map(|name| name.as_ref().to_owned()).collect();
            names.extend(cipher.iter().map(|name| name.as_ref().to_owned()));
            names.extend(mac.iter().map(|name| name.as_ref().to_owned()));
            names.extend(keys(strength, &[]));
            names
        };
        let is_weak = |name: &String| name.ends_with("sha1") || name.contains("-cbc") || name == "ssh-rsa";
        assert!(!names(Strength::Modern).iter().any(is_weak));
        assert!(names(Strength::Legacy).iter().any(is_weak));
    }
}
