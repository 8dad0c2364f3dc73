//! Secrets never leave: live ones by value in every common spelling, unknown ones by shape.

use std::borrow::Cow;
use std::sync::{LazyLock, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use secrecy::{ExposeSecret, SecretString};

/// What stands where a secret was.
pub const REDACTED: &str = "[REDACTED]";

/// The shortest live secret that is looked for, in bytes: a shorter one would redact half the language.
const SHORTEST: usize = 6;

/// Knows all live secrets and replaces them in texts that leave: results, logs, errors, records.
#[derive(Default)]
pub struct Redactor {
    live: RwLock<Live>,
}

#[derive(Default)]
struct Live {
    secrets: Vec<SecretString>,
    matcher: Option<AhoCorasick>,
}

impl Redactor {
    /// One that knows shapes only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a live secret: from now on it is replaced raw, in base64 at every alignment, hex, percent and JSON
    /// spelling.
    pub fn learn(&self, secret: SecretString) {
        self.learn_all([secret]);
    }

    /// Adds live secrets, at the cost of one.
    pub fn learn_all(&self, secrets: impl IntoIterator<Item = SecretString>) {
        let Ok(mut live) = self.live.write() else { return };
        let known = live.secrets.len();
        for secret in secrets {
            let is_known = live.secrets.iter().any(|known| known.expose_secret() == secret.expose_secret());
            if secret.expose_secret().len() >= SHORTEST && !is_known {
                live.secrets.push(secret);
            }
        }
        if live.secrets.len() == known {
            return;
        }
        let patterns: Vec<Vec<u8>> =
            live.secrets.iter().flat_map(|secret| spellings(secret.expose_secret())).collect();
        live.matcher = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .ascii_case_insensitive(false)
            .build(&patterns)
            .ok();
    }

    /// The text without secrets; borrowed when there was none.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.redact_known(text);
        match redact_shapes(&known) {
            Some(redacted) => Cow::Owned(redacted),
            None => known,
        }
    }

    /// Redacts in place.
    pub fn redact_in_place(&self, text: &mut String) {
        if let Cow::Owned(redacted) = self.redact(text) {
            *text = redacted;
        }
    }

    fn redact_known<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Ok(live) = self.live.read() else { return Cow::Borrowed(REDACTED) };
        let Some(matcher) = &live.matcher else { return Cow::Borrowed(text) };
        if !matcher.is_match(text) {
            return Cow::Borrowed(text);
        }
        let mut redacted = String::with_capacity(text.len());
        let mut end = 0;
        for found in matcher.find_iter(text) {
            redacted.push_str(text.get(end..found.start()).unwrap_or_default());
            redacted.push_str(REDACTED);
            end = found.end();
        }
        redacted.push_str(text.get(end..).unwrap_or_default());
        Cow::Owned(redacted)
    }
}

fn spellings(secret: &str) -> Vec<Vec<u8>> {
    use std::fmt::Write as _;
    let mut spellings = vec![secret.as_bytes().to_vec()];
    for padding in 0..3 {
        let mut padded = vec![b' '; padding];
        padded.extend_from_slice(secret.as_bytes());
        let skip = [0, 2, 3][padding];
        // The last group depends on what follows the secret; only whole groups are its own.
        let whole = (padded.len() / 3) * 4;
        for encoded in [STANDARD.encode(&padded), URL_SAFE.encode(&padded)] {
            if whole > skip + SHORTEST {
                spellings.push(encoded.as_bytes()[skip..whole].to_vec());
            }
        }
    }
    let hex = secret.bytes().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    spellings.push(hex.to_uppercase().into_bytes());
    spellings.push(hex.into_bytes());
    for upper in [true, false] {
        let percent = secret.bytes().fold(String::new(), |mut text, byte| {
            let plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
            let _ = match (plain, upper) {
                (true, _) => write!(text, "{}", byte as char),
                (false, true) => write!(text, "%{byte:02X}"),
                (false, false) => write!(text, "%{byte:02x}"),
            };
            text
        });
        spellings.push(percent.into_bytes());
    }
    if let Ok(json) = serde_json::to_string(secret) {
        spellings.push(json.as_bytes()[1..json.len() - 1].to_vec());
    }
    spellings.sort_unstable();
    spellings.dedup();
    spellings
}

/// How what looks like a secret begins: our own tokens, JSON web tokens, PEM private keys.
static STARTS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::new(["gabier_", "eyJ", "-----BEGIN "]).expect("three short words fit into a matcher")
});

/// Replaces what looks like a secret. The time it takes grows with the text alone, whatever the text holds.
fn redact_shapes(text: &str) -> Option<String> {
    let mut redacted = String::new();
    let (mut end, mut barren) = (0, 0);
    for found in STARTS.find_iter(text) {
        let start = found.start();
        if start < end {
            continue;
        }
        let rest = &text[start..];
        let length = match found.pattern().as_usize() {
            0 => token_length(rest),
            1 if start < barren => None,
            1 => jwt_length(rest).map_err(|none| barren = start + none).ok(),
            _ => pem_length(rest),
        };
        if let Some(length) = length {
            redacted.push_str(&text[end..start]);
            redacted.push_str(REDACTED);
            end = start + length;
        }
    }
    if end == 0 {
        return None;
    }
    redacted.push_str(&text[end..]);
    Some(redacted)
}

/// `gabier_<kind>_<43 base62><6 base62>`.
fn token_length(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("gabier_")?;
    let kind = rest.find('_').filter(|&at| at == 3)?;
    let body = rest[kind + 1..].bytes().take_while(u8::is_ascii_alphanumeric).count();
    (body >= 40).then_some("gabier_".len() + kind + 1 + body)
}

/// The length of a JSON web token (RFC 7519 §3), or within how many bytes none begins.
fn jwt_length(text: &str) -> Result<usize, usize> {
    const SHORTEST: usize = 10;
    let run = |from: usize, others: &[u8]| {
        let is_of_run = |byte: &u8| byte.is_ascii_alphanumeric() || others.contains(byte);
        text.as_bytes()[from..].iter().take_while(|byte| is_of_run(byte)).count()
    };
    let is_part =
        |from: usize, length: usize| length >= SHORTEST && text.as_bytes().get(from + length) == Some(&b'.');
    let header = run(0, b"-_=");
    // What begins within the header has a shorter one, and the same behind it.
    if !is_part(0, header) {
        return Err(header);
    }
    let payload = run(header + 1, b"-_=");
    if !is_part(header + 1, payload) {
        return Err(header);
    }
    let head = header + payload + 2;
    Ok(head + run(head, b"-_=."))
}

fn pem_length(text: &str) -> Option<usize> {
    const LONGEST_LABEL: usize = 64;
    const DASHES: &[u8] = b"-----";
    let header = text.strip_prefix("-----BEGIN ")?;
    let ends = header.as_bytes().windows(DASHES.len()).take(LONGEST_LABEL + 1);
    let label = &header[..{ ends }.position(|window| window == DASHES)?];
    if !label.contains("PRIVATE KEY") {
        return None;
    }
    let footer = format!("-----END {label}-----");
    // A key that is cut off is a secret up to the end of what is there.
    Some(text.find(&footer).map_or(text.len(), |at| at + footer.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(redactor: &Redactor, text: &str, expected: &str) {
        assert_eq!(redactor.redact(text), expected);
    }

    #[test]
    fn a_live_secret_is_replaced_in_every_spelling() {
        let redactor = Redactor::new();
        redactor.learn(SecretString::from("s3cr€t/\"pass"));
        check(&redactor, "password s3cr€t/\"pass!", "password [REDACTED]!");
        check(&redactor, r#"{"p":"s3cr€t/\"pass"}"#, r#"{"p":"[REDACTED]"}"#);
        check(&redactor, "p=s3cr%E2%82%ACt%2F%22pass", "p=[REDACTED]");
        check(&redactor, "hex 7333637 2", "hex 7333637 2");
        check(&redactor, "hex 73336372e282ac742f2270617373.", "hex [REDACTED].");
        for prefix in ["", "x", "xy"] {
            let encoded = STANDARD.encode(format!("{prefix}s3cr€t/\"pass and more"));
            assert!(redactor.redact(&encoded).contains(REDACTED), "{encoded}");
        }
    }

    #[test]
    fn a_short_secret_is_not_looked_for() {
        let redactor = Redactor::new();
        redactor.learn(SecretString::from("abc"));
        check(&redactor, "abc", "abc");
    }

    #[test]
    fn shapes_of_secrets_are_replaced() {
        let redactor = Redactor::new();
        let token = format!("gabier_pat_{}", "a1B2".repeat(13));
        check(&redactor, &format!("token {token}, next"), "token [REDACTED], next");
        check(&redactor, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln x", "[REDACTED] x");
        check(&redactor, "-----BEGIN OPENSSH PRIVATE KEY-----\nabc", "[REDACTED]");
        check(&redactor, "-----BEGIN CERTIFICATE-----\nabc", "-----BEGIN CERTIFICATE-----\nabc");
        check(&redactor, "gabier_pat_short and eyJ", "gabier_pat_short and eyJ");
        check(&redactor, "eyJ/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln x", "eyJ/[REDACTED] x");
        check(&redactor, "eyJ.eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.", "eyJ.[REDACTED]");
        check(&redactor, &format!("eyJ_{token}"), "eyJ_[REDACTED]");
        check(&redactor, "eyJhbGciOiJIUzI1NiJ9.eyJzdWI.c2ln", "eyJhbGciOiJIUzI1NiJ9.eyJzdWI.c2ln");
        check(&redactor, "------BEGIN A-B PRIVATE KEY-----é-----END A-B PRIVATE KEY-----é", "-[REDACTED]é");
    }

    #[test]
    fn a_text_of_nothing_but_beginnings_takes_no_longer_than_another() {
        // Each beginning was once followed to the end of the text: minutes for this one, hours for a long output.
        for begin in
            ["eyJ", "eyJ.", "gabier_", "-----BEGIN ", "-----BEGIN RSA PUBLIC KEY", "eyJaaaaaaaaaaaa."]
        {
            let text = begin.repeat(1_000_000 / begin.len());
            let is_token = begin.ends_with("a.");
            assert_eq!(redact_shapes(&text).is_some(), is_token, "{begin}");
        }
    }
}
