//! Signatures: Standard Webhooks, and the hexadecimal header of older receivers, over the same bytes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gabier_tool::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How far a timestamp may be from now, in seconds.
const TOLERANCE_S: u64 = 5 * 60;

/// What marks a secret whose key is base64.
const PREFIX: &str = "whsec_";

/// The header `webhook-signature` under all secrets, the newest first, separated by spaces.
pub(crate) fn standard(secrets: &[&Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signed = secrets.iter().map(|secret| {
        format!(
            "v1,{}",
            STANDARD
                .encode(mac(&key(secret.expose()), &[id.as_bytes(), timestamp.to_string().as_bytes(), body]))
        )
    });
    signed.collect::<Vec<_>>().join(" ")
}

/// The header `X-Webhook-Signature-256`: the body under the raw text of the secret, in hexadecimal.
pub(crate) fn legacy(secret: &Secret, body: &[u8]) -> String {
    mac(secret.expose().as_bytes(), &[body]).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether a webhook is what the owner of the secret sent, at most five minutes from `now` (seconds). In constant time;
/// false for whatever is malformed. For receivers, and for `gabier webhook verify`.
pub fn verify(secret: &Secret, id: &str, timestamp: &str, signature: &str, body: &[u8], now: i64) -> bool {
    let Ok(timestamp) = timestamp.parse::<i64>() else { return false };
    if now.abs_diff(timestamp) > TOLERANCE_S {
        return false;
    }
    let expected = standard(&[secret], id, timestamp, body);
    signature
        .split(' ')
        .fold(false, |is_valid, given| is_valid | bool::from(expected.as_bytes().ct_eq(given.as_bytes())))
}

/// Whether the older header is what the owner of the secret sent. In constant time; false for whatever is malformed.
pub fn verify_legacy(secret: &Secret, signature: &str, body: &[u8]) -> bool {
    legacy(secret, body).as_bytes().ct_eq(signature.as_bytes()).into()
}

/// The bytes of a key: base64 after `whsec_`, else the text itself.
fn key(secret: &str) -> Vec<u8> {
    let encoded = secret.strip_prefix(PREFIX);
    encoded.and_then(|encoded| STANDARD.decode(encoded).ok()).unwrap_or_else(|| secret.as_bytes().to_vec())
}

/// The MAC of parts joined by dots.
fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            mac.update(b".");
        }
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secret(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    #[test]
    fn the_vector_of_standard_webhooks_is_met() {
        let secret = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(standard(&[&secret], ID, 1_614_265_330, BODY), SIGNATURE);
        assert!(verify(&secret, ID, "1614265330", SIGNATURE, BODY, 1_614_265_600));
    }

    #[test]
    fn what_was_changed_or_is_old_or_malformed_is_refused() {
        let secret = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let check =
            |id, timestamp, signature, body, now| verify(&secret, id, timestamp, signature, body, now);
        assert!(!check(ID, "1614265330", SIGNATURE, b"{}".as_slice(), 1_614_265_330));
        assert!(!check("msg_other", "1614265330", SIGNATURE, BODY, 1_614_265_330));
        assert!(!check(ID, "1614265331", SIGNATURE, BODY, 1_614_265_331));
        assert!(!check(ID, "1614265330", SIGNATURE, BODY, 1_614_265_631));
        assert!(!check(ID, "soon", SIGNATURE, BODY, 0));
        assert!(!check(ID, "1614265330", "v1", BODY, 1_614_265_330));
    }

    #[test]
    fn while_receivers_change_over_both_secrets_verify() {
        let (new, old) = (secret("a new secret of 24 bytes"), secret("the old one of 20 by"));
        let signature = standard(&[&new, &old], "msg_1_completed", 100, BODY);
        for secret in [&new, &old] {
            assert!(verify(secret, "msg_1_completed", "100", &signature, BODY, 100));
        }
        assert!(!verify(&secret("another"), "msg_1_completed", "100", &signature, BODY, 100));
    }

    #[test]
    fn the_older_header_is_64_hexadecimal_digits_of_the_body_under_the_raw_text() {
        // RFC 4231, test case 2.
        let signed = legacy(&secret("Jefe"), b"what do ya want for nothing?");
        assert_eq!(signed, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(verify_legacy(&secret("Jefe"), &signed, b"what do ya want for nothing?"));
        assert!(!verify_legacy(&secret("Jefe"), &signed[1..], b"what do ya want for nothing?"));
    }
}
