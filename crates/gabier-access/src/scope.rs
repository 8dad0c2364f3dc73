//! The one table of rights: whether a caller may use a tool, and with these arguments.

use gabier_tool::{Caller, Entry, Error, ErrorKind, Facts, Permission, Resource, ResourceKind, Result};
use serde_json::Value;

use crate::grant::names_toolset;

/// What a caller lacks for a call.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Missing {
    permissions: Vec<Permission>,
    tool: Option<&'static str>,
    resources: Vec<String>,
}

impl Missing {
    /// What is missing for any call of a tool, with the rights of which one is enough.
    pub(crate) fn of(caller: &Caller, facts: &Facts, toolset: &str, needs: &[Permission]) -> Self {
        let mut missing = Self::default();
        if !caller.permissions.has_any(needs) {
            missing.permissions = needs.to_vec();
        }
        if needs.contains(&Permission::Public) {
            return missing;
        }
        if !is_listed(caller, facts) {
            missing.tool = Some(facts.name);
        }
        if !reaches_toolset(caller, toolset) {
            missing.resources.push(format!("toolset:{toolset}"));
        }
        missing
    }

    /// Adds what the arguments name and the caller may not: the values under `x-resource` of the schema.
    pub(crate) fn add_named(&mut self, caller: &Caller, schema: &Value, arguments: &Value) {
        if let Some(kind) = schema.get("x-resource").and_then(Value::as_str).and_then(kind_of) {
            return self.add_values(caller, kind, arguments);
        }
        match arguments {
            Value::Object(object) => {
                for (name, value) in object {
                    let inner = schema.get("properties").and_then(|properties| properties.get(name));
                    if let Some(inner) = inner.or_else(|| schema.get("additionalProperties")) {
                        self.add_named(caller, inner, value);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(inner) = schema.get("items") {
                    for item in items {
                        self.add_named(caller, inner, item);
                    }
                }
            }
            _ => {}
        }
        for branches in ["anyOf", "oneOf", "allOf"] {
            for inner in schema.get(branches).and_then(Value::as_array).into_iter().flatten() {
                self.add_named(caller, inner, arguments);
            }
        }
    }

    fn add_values(&mut self, caller: &Caller, kind: ResourceKind, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.add_values(caller, kind, item)),
            Value::String(name) if !reaches(caller, kind, name) => {
                let resource = format!("{}:{name}", kind.name());
                if !self.resources.contains(&resource) {
                    self.resources.push(resource);
                }
            }
            _ => {}
        }
    }

    /// True when nothing is.
    pub(crate) fn is_nothing(&self) -> bool {
        self.permissions.is_empty() && self.tool.is_none() && self.resources.is_empty()
    }

    /// Refuses with all that is missing.
    pub(crate) fn refuse(self, tool: &str) -> Result<()> {
        if self.is_nothing() {
            return Ok(());
        }
        let mut rules = Vec::new();
        let mut error_details = Vec::new();
        if !self.permissions.is_empty() {
            let names: Vec<&str> = self.permissions.iter().map(|permission| permission.name()).collect();
            rules.push(format!("the permission {}", names.join(" or ")));
            error_details.push(("missing_permissions", Value::from(names)));
        }
        if let Some(tool) = self.tool {
            rules.push("the tool on the token's list".to_owned());
            error_details.push(("missing_tools", Value::from(vec![tool])));
        }
        if !self.resources.is_empty() {
            rules.push(self.resources.join(", "));
            error_details.push(("missing_resources", Value::from(self.resources)));
        }
        let rule = match error_details.first() {
            Some(("missing_permissions", _)) => "permission",
            Some(("missing_tools", _)) => "tools",
            _ => "resources",
        };
        let error = Error::new(ErrorKind::Forbidden, format!("{tool} needs {}", rules.join(", and ")))
            .with("rule", rule);
        Err(error_details.into_iter().fold(error, |error, (key, value)| error.with(key, value)))
    }
}

/// Whether a caller could ever call the tool.
pub(crate) fn permits(caller: &Caller, entry: &Entry) -> bool {
    Missing::of(caller, &entry.facts, entry.toolset, entry.facts.needs).is_nothing()
}

fn is_listed(caller: &Caller, facts: &Facts) -> bool {
    caller.tools.as_ref().is_none_or(|tools| {
        tools.iter().any(|tool| tool == facts.name || facts.aliases.contains(&tool.as_str()))
    })
}

/// Resources that name toolsets limit which tools are open; without any, all are.
fn reaches_toolset(caller: &Caller, toolset: &str) -> bool {
    !caller.resources.iter().any(names_toolset) || caller.may_reach(ResourceKind::Toolset, toolset)
}

/// Roots are compared where files are opened, component by component and without following links; here it is enough
/// that the caller has one.
fn reaches(caller: &Caller, kind: ResourceKind, name: &str) -> bool {
    match kind {
        ResourceKind::Root => caller
            .resources
            .iter()
            .any(|resource| matches!(resource, Resource::All | Resource::One(ResourceKind::Root, _))),
        _ => caller.may_reach(kind, name),
    }
}

fn kind_of(word: &str) -> Option<ResourceKind> {
    ResourceKind::ALL.into_iter().find(|kind| kind.name() == word)
}
