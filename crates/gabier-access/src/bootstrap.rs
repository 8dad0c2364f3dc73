//! Administrators by configuration: tokens that are known before the store holds any.

use gabier_tool::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};

use crate::token::TokenId;

const SHORTEST: usize = 16;
const ADVISED: usize = 32;

/// Parts of the values that examples carry, in lower case without anything but letters and digits.
const PLACEHOLDERS: [&str; 16] = [
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "replacewith",
    "placeholder",
    "insertyour",
    "yourtoken",
    "yoursecret",
    "yourstrong",
    "yoursecure",
    "yourauth",
    "yourkey",
    "secrethere",
    "tokenhere",
    "keyhere",
];

/// A token of the configuration that is an administrator while it is set.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    field: String,
    id: TokenId,
    is_short: bool,
}

impl Bootstrap {
    /// Takes the token of a field such as `AUTH_TOKEN`. A short one and a known placeholder are refused by the
    /// field's name; the value is in no message.
    pub fn token(field: &str, value: &SecretString) -> Result<Self> {
        let value = value.expose_secret();
        let length = value.chars().count();
        if length < SHORTEST {
            return Err(refused(
                field,
                &format!("must have at least {SHORTEST} characters, and has {length}"),
            ));
        }
        if is_placeholder(value) {
            return Err(refused(field, "is a placeholder of an example: set a secret value of your own"));
        }
        Ok(Self { field: field.to_owned(), id: TokenId::of(value), is_short: length < ADVISED })
    }

    /// Takes the SHA-256 of a token, as 64 hexadecimal digits.
    pub fn digest(field: &str, hex: &str) -> Result<Self> {
        let id = TokenId::parse(hex)
            .ok_or_else(|| refused(field, "must be a SHA-256 of 64 hexadecimal digits"))?;
        Ok(Self { field: field.to_owned(), id, is_short: false })
    }

    /// The field it was set by.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What to tell whoever starts the server.
    pub fn warning(&self) -> Option<String> {
        self.is_short.then(|| format!("{}: has fewer than {ADVISED} characters", self.field))
    }
}

/// The one of several that an id is of, in a time that does not tell which.
pub(crate) fn matching<'a>(bootstraps: &'a [Bootstrap], id: &TokenId) -> Option<&'a Bootstrap> {
    let mut found = None;
    for bootstrap in bootstraps {
        if bootstrap.id == *id {
            found = Some(bootstrap);
        }
    }
    found
}

fn refused(field: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("{field}: {why}")).with("field", field)
}

fn is_placeholder(value: &str) -> bool {
    let bare: String =
        value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let mut letters: Vec<char> = value.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    letters.len() < 5 || is_row(&bare) || PLACEHOLDERS.iter().any(|known| bare.contains(known))
}

/// True for keys in the order of the keyboard, the digits or the alphabet, over and over.
fn is_row(bare: &str) -> bool {
    const ROWS: [&str; 4] = ["0123456789", "1234567890", "abcdefghijklmnopqrstuvwxyz", "0123456789abcdef"];
    ROWS.iter().any(|row| row.chars().cycle().take(bare.len()).eq(bare.chars()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str) -> String {
        match Bootstrap::token("AUTH_TOKEN", &SecretString::from(value)) {
            Ok(bootstrap) => bootstrap.warning().unwrap_or_else(|| "ok".to_owned()),
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn a_short_token_and_a_placeholder_refuse_the_start_by_name() {
        assert_eq!(check("hunter2"), "AUTH_TOKEN: must have at least 16 characters, and has 7");
        for placeholder in [
            "change_me_in_production",
            "admin_bootstrap_key_change_me",
            "your-secret-token-here",
            "YOUR_STRONG_SECRET_TOKEN",
            "0123456789abcdef",
            "1234567890123456",
            "abcdefghijklmnop",
            "xxxxxxxxxxxxxxxxxxxxxxxx",
        ] {
            assert_eq!(
                check(placeholder),
                "AUTH_TOKEN: is a placeholder of an example: set a secret value of your own",
                "{placeholder}"
            );
        }
    }

    #[test]
    fn a_token_below_32_characters_is_taken_with_a_warning() {
        assert_eq!(check("j2K9-x4Qp-77aB-z1"), "AUTH_TOKEN: has fewer than 32 characters");
        assert_eq!(check("j2K9-x4Qp-77aB-z1-j2K9-x4Qp-77aB"), "ok");
    }

    #[test]
    fn the_one_that_matches_is_found_and_no_other() {
        let first = Bootstrap::token("A", &SecretString::from("j2K9-x4Qp-77aB-z1")).unwrap();
        let digest = TokenId::of("abc").hex();
        let second = Bootstrap::digest("bootstrap_token_sha256", &digest).unwrap();
        let all = [first, second];
        let field = |token: &str| matching(&all, &TokenId::of(token)).map(|found| found.field.clone());
        assert_eq!(field("j2K9-x4Qp-77aB-z1").as_deref(), Some("A"));
        assert_eq!(field("abc").as_deref(), Some("bootstrap_token_sha256"));
        assert_eq!(field("abd"), None);
        assert!(Bootstrap::digest("bootstrap_token_sha256", "abc").is_err());
    }
}
