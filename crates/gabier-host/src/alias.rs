//! The name by which a host is known here.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use gabier_tool::{Error, Result};
use serde::{Deserialize, Serialize};

/// The name of a host or of a group: letters, digits, `.`, `_` and `-`, not beginning with `-` or `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Alias(String);

impl Alias {
    /// The word that stands for every host.
    pub const ALL: &'static str = "all";
    /// The longest name.
    const LONGEST: usize = 64;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Alias {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty()
            || name.len() > Self::LONGEST
            || name.starts_with(['-', '.'])
            || !name.bytes().all(is_allowed)
        {
            let rule =
                "takes 1 to 64 letters, digits, '.', '_' or '-', and begins with a letter, digit or '_'";
            return Err(Error::invalid("alias", rule));
        }
        if name == Self::ALL {
            return Err(Error::invalid("alias", "'all' stands for every host and names none"));
        }
        Ok(Self(name.to_owned()))
    }
}

impl TryFrom<String> for Alias {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        name.parse()
    }
}

impl From<Alias> for String {
    fn from(alias: Alias) -> Self {
        alias.0
    }
}

impl Borrow<str> for Alias {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_an_option_a_path_or_a_list_is_refused() {
        for name in ["web1", "db-2.example", "_x", "1"] {
            assert_eq!(name.parse::<Alias>().unwrap().as_str(), name);
        }
        for name in ["", "-oProxyCommand=x", ".ssh", "a,b", "a b", "a/b", "é", "all", "a\n", "$(x)"] {
            assert!(name.parse::<Alias>().is_err(), "{name:?}");
        }
    }
}
