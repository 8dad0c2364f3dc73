//! A token to be made, and what it grants.

use std::time::Duration;

use gabier_store::{Change, Expect};
use gabier_tool::{Caller, Error, Permission, Resource, ResourceKind, Result, Timestamp};
use ipnet::IpNet;

use crate::grant::{Grant, checked_resources, names_toolset, tidy};
use crate::ledger;
use crate::token::{Token, TokenId, TokenKind};

const LONGEST_DAYS: u16 = 365;
const USUAL_DAYS: u16 = 90;
const ADMIN_DAYS: u16 = 30;

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The name people will know it by.
    pub name: String,
    /// Whom to ask about it.
    pub email: Option<String>,
    /// What it is for; from its rights when absent.
    pub kind: Option<TokenKind>,
    /// Its rights.
    pub permissions: Vec<Permission>,
    /// What arguments may name; the maker's own list when absent, nothing when empty.
    pub resources: Option<Vec<String>>,
    /// The only tools it may call.
    pub tools: Option<Vec<String>>,
    /// The MCP profile it always gets.
    pub profile: Option<String>,
    /// The only networks it may come from; any when empty.
    pub networks: Vec<IpNet>,
    /// When it ends.
    pub expiry: Expiry,
}

/// When a token ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// After 90 days, or 30 with the right `admin`.
    #[default]
    Usual,
    /// After 1 to 365 days.
    Days(u16),
    /// Never: only when a person said so.
    Never,
}

/// A token that was just made.
#[derive(Debug)]
pub struct Minted {
    /// The token, for this once.
    pub token: Token,
    /// What is kept of it.
    pub id: TokenId,
    /// What it grants.
    pub grant: Grant,
}

impl NewToken {
    /// A token of a name and rights, with everything else as usual.
    pub fn new(name: impl Into<String>, permissions: &[Permission]) -> Self {
        Self {
            name: name.into(),
            email: None,
            kind: None,
            permissions: permissions.to_vec(),
            resources: None,
            tools: None,
            profile: None,
            networks: Vec::new(),
            expiry: Expiry::Usual,
        }
    }

    pub(crate) fn grant(self, maker: &Caller, now: Timestamp) -> Result<(TokenKind, Grant)> {
        let permissions = tidy(self.permissions);
        let is_admin = permissions.contains(&Permission::Admin);
        let kind = self.kind.unwrap_or(if is_admin { TokenKind::Adm } else { TokenKind::Pat });
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
            return Err(Error::invalid(
                "client_name",
                "must have 1 to 200 characters, and no control characters",
            ));
        }
        let mut grant = Grant {
            name: name.to_owned(),
            email: self.email,
            kind,
            permissions,
            resources: Vec::new(),
            only_toolsets: false,
            tools: self.tools,
            profile: self.profile,
            networks: self.networks,
            created: now,
            created_by: maker.subject.to_string(),
            expires: self.expiry.after(now, is_admin)?,
            revoked: None,
        };
        match self.resources {
            Some(resources) => grant.set_resources(checked_resources("resources", &resources)?),
            None => inherit(&mut grant, maker),
        }
        Ok((kind, grant))
    }
}

impl Expiry {
    fn after(self, now: Timestamp, is_admin: bool) -> Result<Option<Timestamp>> {
        let days = match self {
            Self::Never => return Ok(None),
            Self::Usual if is_admin => ADMIN_DAYS,
            Self::Usual => USUAL_DAYS,
            Self::Days(days) if (1..=LONGEST_DAYS).contains(&days) => days,
            Self::Days(_) => {
                return Err(Error::invalid("expires_in_days", format!("must be 1 to {LONGEST_DAYS}")));
            }
        };
        Ok(Some(now + Duration::from_secs(u64::from(days) * 86_400)))
    }
}

/// One with every right that reaches everything.
pub(crate) fn administrator(name: &str) -> NewToken {
    NewToken {
        kind: Some(TokenKind::Adm),
        resources: Some(vec!["*".to_owned()]),
        ..NewToken::new(name, &Permission::ALL)
    }
}

/// The maker's own list, written out.
fn inherit(grant: &mut Grant, maker: &Caller) {
    grant.only_toolsets = maker.resources.iter().any(names_toolset);
    let is_real = |resource: &&Resource| !matches!(resource, Resource::One(ResourceKind::Toolset, name) if name.is_empty());
    grant.resources = maker.resources.iter().filter(is_real).map(ToString::to_string).collect();
}

/// A new token of a grant, and the change that keeps it.
pub(crate) fn mint(kind: TokenKind, grant: Grant) -> Result<(Minted, Change)> {
    let token = Token::mint(kind)?;
    let id = token.id();
    let change = Change::put(ledger::TOKENS, id.hex(), grant.row(), Expect::Absent);
    Ok((Minted { token, id, grant }, change))
}
