//! A token: 256 bits from the operating system in a form that scanners know and typos betray.

use std::fmt;
use std::hash::{Hash, Hasher};

use gabier_tool::{Error, Result};
use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 is the first power of 62 above 2^256.
const BODY: usize = 43;
const CHECK: usize = 6;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// A person's.
    Pat,
    /// A service's.
    Svc,
    /// An administrator's.
    Adm,
    /// A ticket for one use.
    Tkt,
}

impl TokenKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Pat, Self::Svc, Self::Adm, Self::Tkt];

    /// The word in the token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pat => "pat",
            Self::Svc => "svc",
            Self::Adm => "adm",
            Self::Tkt => "tkt",
        }
    }
}

/// A token in the clear: `gabier_<kind>_<43 base62><6 base62 CRC-32>`. It exists while it is shown to its owner.
pub struct Token(SecretString);

impl Token {
    /// A new one, every digit of it from the operating system.
    pub fn mint(kind: TokenKind) -> Result<Self> {
        let mut text = String::with_capacity(11 + BODY + CHECK);
        text.push_str("gabier_");
        text.push_str(kind.name());
        text.push('_');
        push_random(&mut text)?;
        let check = checksum(&text);
        text.push_str(&check);
        Ok(Self(SecretString::from(text)))
    }

    /// The token, to show it this once.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What the store knows of it.
    pub fn id(&self) -> TokenId {
        TokenId::of(self.expose())
    }

    /// The kind of a token that is written as one, its checksum included; none for anything else.
    pub fn parse(text: &str) -> Option<TokenKind> {
        let rest = text.strip_prefix("gabier_")?;
        let (kind, rest) = rest.split_once('_')?;
        let kind = TokenKind::ALL.into_iter().find(|known| known.name() == kind)?;
        let is_whole = rest.len() == BODY + CHECK && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_whole {
            return None;
        }
        let (signed, check) = text.split_at(text.len() - CHECK);
        (checksum(signed) == check).then_some(kind)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(gabier_tool::REDACTED)
    }
}

/// The SHA-256 of a whole token: all that is ever kept of it.
#[derive(Clone, Copy, Eq)]
pub struct TokenId([u8; 32]);

impl TokenId {
    /// How many hexadecimal digits people see of it.
    pub const SHOWN: usize = 16;

    /// The id of a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(hex: &str) -> Option<Self> {
        let digits = hex.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut id = [0; 32];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = u8::try_from(high << 4 | low).ok()?;
        }
        Some(Self(id))
    }

    /// All 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
        self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    /// The digits that people see.
    pub fn prefix(&self) -> String {
        let mut hex = self.hex();
        hex.truncate(Self::SHOWN);
        hex
    }
}

impl PartialEq for TokenId {
    /// Takes the same time whatever differs.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Hash for TokenId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix())
    }
}

/// Bytes that would favour some digits are thrown away.
fn push_random(text: &mut String) -> Result<()> {
    const FAIR: u8 = 62 * 4;
    let mut noise = [0_u8; 64];
    let full = text.len() + BODY;
    while text.len() < full {
        getrandom::fill(&mut noise)
            .map_err(|error| Error::internal("taking random bytes for a token").with_source(error))?;
        let digits = noise.iter().filter(|byte| **byte < FAIR).map(|byte| digit(u32::from(*byte)));
        text.extend(digits.take(full - text.len()));
    }
    noise.zeroize();
    Ok(())
}

fn digit(number: u32) -> char {
    char::from(DIGITS[number as usize % DIGITS.len()])
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut check = [' '; CHECK];
    for place in check.iter_mut().rev() {
        *place = digit(rest);
        rest /= 62;
    }
    check.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_minted_token_has_the_published_form_and_reads_back() {
        for kind in TokenKind::ALL {
            let token = Token::mint(kind).unwrap();
            let text = token.expose();
            assert_eq!(text.len(), 60);
            assert!(text.starts_with(&format!("gabier_{}_", kind.name())));
            assert_eq!(Token::parse(text), Some(kind));
            assert_eq!(format!("{token:?}"), "[REDACTED]");
        }
    }

    #[test]
    fn the_checksum_is_the_one_that_scanners_compute() {
        let body = format!("gabier_pat_{}", "a".repeat(43));
        let mut rest = crc32fast::hash(body.as_bytes());
        let mut expected = String::new();
        for _ in 0..6 {
            expected.insert(0, char::from(DIGITS[(rest % 62) as usize]));
            rest /= 62;
        }
        assert_eq!(Token::parse(&format!("{body}{expected}")), Some(TokenKind::Pat));
    }

    #[test]
    fn every_digit_is_used_and_no_token_comes_twice() {
        let tokens: Vec<Token> = (0..500).map(|_| Token::mint(TokenKind::Pat).unwrap()).collect();
        let digits: HashSet<char> = tokens.iter().flat_map(|token| token.expose()[11..54].chars()).collect();
        assert_eq!(digits.len(), 62);
        assert_eq!(tokens.iter().map(Token::id).collect::<HashSet<_>>().len(), 500);
    }

    #[test]
    fn an_id_is_the_sha_256_in_hexadecimal() {
        let id = TokenId::of("abc");
        assert_eq!(id.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(TokenId::parse(&id.hex()), Some(id));
        assert_eq!(id.prefix(), "ba7816bf8f01cfea");
        assert_eq!(TokenId::parse("ba78"), None);
        assert_eq!(TokenId::parse(&"é".repeat(32)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in ".{0,80}") {
            prop_assert_eq!(Token::parse(&text), None);
        }

        #[test]
        fn one_wrong_character_is_noticed(place in 0_usize..60, with in "[0-9A-Za-z_]") {
            let token = Token::mint(TokenKind::Adm).unwrap();
            let mut text = token.expose().to_owned();
            text.replace_range(place..=place, &with);
            prop_assert_eq!(Token::parse(&text).is_some(), text == token.expose());
        }
    }
}
