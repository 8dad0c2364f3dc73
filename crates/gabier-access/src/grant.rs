//! What a token was given, as the store keeps it.

use std::net::IpAddr;

use gabier_tool::{Error, Permission, Resource, ResourceKind, Result, Timestamp};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::token::TokenKind;

/// What a token gives to whoever shows it. A field that this program does not know makes the whole row unreadable:
/// it may be a limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The name a person gave it.
    pub name: String,
    /// Whom to ask about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What it is for.
    pub kind: TokenKind,
    /// The rights.
    pub permissions: Vec<Permission>,
    /// What arguments may name, as written; nothing when empty.
    pub resources: Vec<String>,
    /// True once toolsets were named: without any left, none is open, instead of all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_toolsets: bool,
    /// The only tools it may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// The MCP profile it always gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The only networks it may come from; any when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<IpNet>,
    /// When it was made.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it ends; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
}

/// What a token is worth at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// It opens the door.
    Valid,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl Grant {
    /// What it is worth at a moment.
    pub fn state(&self, now: Timestamp) -> TokenState {
        match (self.revoked, self.expires) {
            (Some(_), _) => TokenState::Revoked,
            (None, Some(expires)) if expires <= now => TokenState::Expired,
            _ => TokenState::Valid,
        }
    }

    /// True when it may come from an address. Without one it may, unless it is bound to networks.
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        self.networks.is_empty()
            || address.is_some_and(|address| {
                self.networks.iter().any(|network| network.contains(&address.to_canonical()))
            })
    }

    /// What the store keeps.
    pub(crate) fn row(&self) -> Value {
        serde_json::to_value(self).expect("a grant has no key that JSON cannot hold")
    }

    /// What arguments may name, read. A grant that lost its last toolset keeps one that no tool belongs to.
    pub(crate) fn reach(&self) -> Vec<Resource> {
        let mut resources: Vec<Resource> = self.resources.iter().map(|text| Resource::parse(text)).collect();
        if self.only_toolsets && !resources.iter().any(names_toolset) {
            resources.push(Resource::One(ResourceKind::Toolset, String::new()));
        }
        resources
    }

    /// Writes what arguments may name, checked and without repeats.
    pub(crate) fn set_resources(&mut self, resources: Vec<String>) {
        self.only_toolsets = resources.iter().any(|text| names_toolset(&Resource::parse(text)));
        self.resources = resources;
    }
}

/// Rights in the order of the enum, once each, without `public`, which needs no token.
pub(crate) fn tidy(mut permissions: Vec<Permission>) -> Vec<Permission> {
    permissions.sort_unstable();
    permissions.dedup();
    permissions.retain(|permission| *permission != Permission::Public);
    permissions
}

/// True for a resource that limits which tools may be called at all.
pub(crate) fn names_toolset(resource: &Resource) -> bool {
    matches!(resource, Resource::One(ResourceKind::Toolset, _))
}

/// Resources as people write them, checked; the parameter is named when one is wrong.
pub(crate) fn checked_resources(parameter: &str, texts: &[String]) -> Result<Vec<String>> {
    let mut checked = Vec::with_capacity(texts.len());
    for text in texts {
        if let Some(fault) = fault_of(text) {
            return Err(Error::invalid(parameter, format!("{text:?} {fault}")));
        }
        if !checked.contains(text) {
            checked.push(text.clone());
        }
    }
    Ok(checked)
}

fn fault_of(text: &str) -> Option<&'static str> {
    const FORMS: &str = "is none of host:NAME, group:NAME, api:NAME, root:PATH, toolset:NAME, NAME and *";
    if text.len() > 4096 || text.chars().any(char::is_control) || text.trim() != text {
        return Some("is too long, or has control characters or blanks at an end");
    }
    match Resource::parse(text) {
        Resource::One(ResourceKind::Root, path) if !path.starts_with('/') => Some("needs an absolute path"),
        Resource::One(ResourceKind::Root, path) if path.split('/').any(|part| part == "..") => {
            Some("must not climb with ..")
        }
        Resource::One(_, name) if name.is_empty() => Some(FORMS),
        Resource::Bare(name) if name.is_empty() || name.contains(':') || name.contains('*') => Some(FORMS),
        Resource::All | Resource::One(..) | Resource::Bare(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        match checked_resources("resources", &[text.to_owned()]) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn resources_are_taken_in_the_published_forms_only() {
        for text in ["*", "host:web1", "group:web", "api:github", "root:/srv/data", "toolset:math", "web1"] {
            assert_eq!(check(text), "ok");
        }
        let forms = "is none of host:NAME, group:NAME, api:NAME, root:PATH, toolset:NAME, NAME and *";
        for text in ["", "host:", "planet:mars", "web*"] {
            assert_eq!(check(text), format!("resources: {text:?} {forms}"));
        }
        assert_eq!(check("root:data"), "resources: \"root:data\" needs an absolute path");
        assert_eq!(check("root:/srv/../etc"), "resources: \"root:/srv/../etc\" must not climb with ..");
        assert!(check(" host:a").contains("blanks"));
    }

    #[test]
    fn a_row_with_an_unknown_limit_is_not_read() {
        let row = r#"{"name":"a","kind":"pat","permissions":[],"resources":[],"created":"2026-01-01T00:00:00Z",
            "created_by":"user:1000","only_on_sundays":true}"#;
        assert!(serde_json::from_str::<Grant>(row).is_err());
        let known =
            row.replace(",\"only_on_sundays\":true", "").replace(",\n", "").replace("            ", ",");
        assert!(serde_json::from_str::<Grant>(&known).is_ok(), "{known}");
    }
}
