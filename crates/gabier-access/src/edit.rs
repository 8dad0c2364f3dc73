//! A change of what a token grants: all of it or nothing.

use gabier_tool::{Error, ErrorKind, Permission, Resource, Result};

use crate::grant::{Grant, checked_resources, names_toolset, tidy};
use crate::token::TokenId;

/// What is to change of a token.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// Resources to add.
    pub add_resources: Vec<String>,
    /// Resources to take away.
    pub remove_resources: Vec<String>,
    /// The whole list instead.
    pub set_resources: Option<Vec<String>>,
    /// The rights instead.
    pub set_permissions: Option<Vec<Permission>>,
    /// The address instead; none when empty.
    pub set_email: Option<String>,
}

/// A token that was changed.
#[derive(Clone, Debug)]
pub struct Changed {
    /// What is kept of it.
    pub id: TokenId,
    /// What it granted.
    pub previous: Grant,
    /// What it grants now.
    pub current: Grant,
}

impl Edit {
    pub(crate) fn check(&self) -> Result<()> {
        let is_step = !self.add_resources.is_empty() || !self.remove_resources.is_empty();
        if is_step && self.set_resources.is_some() {
            return Err(Error::invalid(
                "set_resources",
                "cannot be given with add_resources or remove_resources",
            ));
        }
        let is_empty = !is_step
            && self.set_resources.is_none()
            && self.set_permissions.is_none()
            && self.set_email.is_none();
        if is_empty {
            return Err(Error::new(ErrorKind::InvalidArgument, "nothing was given to change"));
        }
        Ok(())
    }

    pub(crate) fn apply(&self, grant: &mut Grant) -> Result<()> {
        let added = checked_resources("add_resources", &self.add_resources)?;
        if let Some(resources) = &self.set_resources {
            grant.set_resources(checked_resources("set_resources", resources)?);
        }
        // What is taken away may be the last toolset: none is open then, instead of all.
        grant.resources.retain(|resource| !self.remove_resources.contains(resource));
        for resource in added {
            grant.only_toolsets |= names_toolset(&Resource::parse(&resource));
            if !grant.resources.contains(&resource) {
                grant.resources.push(resource);
            }
        }
        if let Some(permissions) = &self.set_permissions {
            grant.permissions = tidy(permissions.clone());
        }
        if let Some(email) = &self.set_email {
            grant.email = Some(email.clone()).filter(|email| !email.is_empty());
        }
        Ok(())
    }
}
