//! Names of secrets.

use std::fmt;
use std::str::FromStr;

use gabier_tool::{Error, Result};

/// The longest name, in characters.
const LONGEST: usize = 200;

/// What a secret is called: letters, digits and `._/@-`, such as `db/prod` or `server/web1/password`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(String);

impl SecretName {
    /// Takes a name that is well formed.
    pub fn parse(name: &str) -> Result<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/@-".contains(c);
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if name.len() > LONGEST || !starts_well || !name.chars().all(is_plain) {
            let rule = "must begin with a letter or digit and have at most 200 letters, digits and ._/@-";
            return Err(Error::invalid("name", rule));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name in a reference such as `vault:db/prod`; none when the text is no reference.
    pub fn of_reference(text: &str) -> Option<Result<Self>> {
        text.strip_prefix("vault:").map(Self::parse)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::parse(name)
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::SecretName;

    #[test]
    fn a_name_is_plain_and_short() {
        for good in ["a", "db/prod", "server/web1/password", "me@host.example", "9"] {
            assert!(SecretName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "a b", "ä", "-x", "a\n", &"a".repeat(201)] {
            assert!(SecretName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_reference_names_a_secret() {
        assert_eq!(SecretName::of_reference("vault:db/prod").unwrap().unwrap().as_str(), "db/prod");
        assert!(SecretName::of_reference("vault:").unwrap().is_err());
        assert!(SecretName::of_reference("db/prod").is_none());
    }
}
