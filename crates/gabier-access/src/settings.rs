//! What can be set of access.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use gabier_tool::Permission;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may do what, and how often.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The SHA-256 of a token, in hexadecimal, that is an administrator while this is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bootstrap_token_sha256: Option<String>,
    /// The operating system's user on stdio and the command line.
    pub stdio: Stdio,
    /// Programs that put jobs of their own into a shared queue.
    pub producers: Producers,
    /// Clients that guess tokens.
    pub guesses: Guesses,
    /// Calls that run at the same moment.
    pub in_flight: InFlight,
    /// Calls a minute.
    pub rates: Rates,
}

/// The operating system's user who started the process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stdio {
    /// The only rights of that user here; all of them when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Vec<Permission>>,
}

/// Programs that put jobs of their own into a shared queue, without being a caller. They reach no host, no API and no
/// file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Producers {
    /// The rights of their jobs; none refuses them all.
    pub permissions: Vec<Permission>,
}

impl Default for Producers {
    fn default() -> Self {
        Self { permissions: vec![Permission::Read, Permission::Net, Permission::Write] }
    }
}

/// When an address that sends wrong tokens is turned away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Guesses {
    /// How many wrong tokens an address may send within the window.
    pub allowed: NonZeroU32,
    /// The window, in seconds.
    #[schemars(range(min = 1))]
    pub window_s: u32,
    /// How long its wrong tokens are refused unseen the first time, in seconds; twice as long each time after.
    #[schemars(range(min = 1))]
    pub first_block_s: u32,
    /// The longest, in seconds.
    #[schemars(range(min = 1))]
    pub longest_block_s: u32,
}

impl Default for Guesses {
    fn default() -> Self {
        Self { allowed: at_least_one(10), window_s: 300, first_block_s: 60, longest_block_s: 3600 }
    }
}

/// How many calls may run at the same moment; others wait their turn within their own time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InFlight {
    /// Of all callers.
    pub total: NonZeroU32,
    /// Of one caller.
    pub per_caller: NonZeroU32,
}

impl Default for InFlight {
    fn default() -> Self {
        Self { total: at_least_one(1024), per_caller: at_least_one(256) }
    }
}

/// How many calls there may be a minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// Of one caller, all tools together; no limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_caller: Option<PerMinute>,
    /// Of one address, all callers and tools together; no limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_address: Option<PerMinute>,
    /// Of one address, calls that need a token and come without one.
    pub without_token: PerMinute,
    /// Of one caller, by the name of the tool.
    pub tools: BTreeMap<String, PerMinute>,
}

impl Default for Rates {
    fn default() -> Self {
        let port_scan = PerMinute { calls: at_least_one(600), burst: at_least_one(300) };
        Self {
            per_caller: None,
            per_address: None,
            without_token: PerMinute { calls: at_least_one(1200), burst: at_least_one(40) },
            tools: BTreeMap::from([("port_scan".to_owned(), port_scan)]),
        }
    }
}

/// A steady rate, and how far ahead of it a caller may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PerMinute {
    /// Calls a minute.
    pub calls: NonZeroU32,
    /// Calls at once.
    pub burst: NonZeroU32,
}

const fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(number - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let settings = Settings::default();
        assert_eq!(settings.guesses.allowed.get(), 10);
        assert_eq!((settings.in_flight.total.get(), settings.in_flight.per_caller.get()), (1024, 256));
        assert_eq!(settings.rates.without_token.burst.get(), 40);
        assert_eq!(settings.rates.per_caller, None);
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let error = serde_json::from_str::<Settings>(r#"{"stdio": {"permission": []}}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `permission`"), "{error}");
    }
}
