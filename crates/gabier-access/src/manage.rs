//! Making, listing, changing, following up and revoking tokens.

use std::collections::HashMap;
use std::time::Duration;

use gabier_store::{Change, Expect};
use gabier_tool::{Caller, Error, ErrorKind, Permission, Resource, ResourceKind, Result, Timestamp};
use ipnet::IpNet;
use serde_json::Value;

use crate::access::Access;
use crate::grant::{Grant, TokenState, checked_resources, names_toolset};
use crate::ledger::{self, Held, Page};
use crate::token::{Token, TokenId, TokenKind};

const LONGEST_DAYS: u16 = 365;
const USUAL_DAYS: u16 = 90;
const ADMIN_DAYS: u16 = 30;
const SHORTEST_PREFIX: usize = 8;

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

/// A token of the list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What is kept of it.
    pub id: TokenId,
    /// What it grants.
    pub grant: Grant,
    /// What it is worth now.
    pub state: TokenState,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
}

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

    fn grant(self, maker: &Caller, now: Timestamp) -> Result<(TokenKind, Grant)> {
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

impl Access {
    /// Makes a token. Durable when it returns; the token itself is nowhere but in the answer.
    pub async fn create(&self, maker: &Caller, new: NewToken) -> Result<Minted> {
        let (kind, grant) = new.grant(maker, self.clock.now())?;
        let (minted, change) = mint(kind, grant)?;
        self.write("make the token", vec![change]).await?;
        Ok(minted)
    }

    /// Makes the first administrator's token; `CONFLICT` when one is in force already.
    pub async fn init_admin(&self, maker: &Caller, name: &str) -> Result<Minted> {
        let now = self.clock.now();
        let page = self.ledger.page().await?;
        if page.iter().any(|held| held.grant.kind == TokenKind::Adm && held.state(now) == TokenState::Active)
        {
            return Err(Error::new(ErrorKind::Conflict, "an administrator's token is in force already")
                .with_next("gabier admin recover makes another one"));
        }
        self.create(maker, administrator(name)).await
    }

    /// Makes an administrator's token whatever there is; with `revoke_all`, every other token ends in the same
    /// moment. Gives the new token and how many were revoked.
    pub async fn recover_admin(
        &self,
        maker: &Caller,
        name: &str,
        revoke_all: bool,
    ) -> Result<(Minted, usize)> {
        let now = self.clock.now();
        let (kind, grant) = administrator(name).grant(maker, now)?;
        let (minted, change) = mint(kind, grant)?;
        let mut changes = vec![change];
        if revoke_all {
            let page = self.ledger.page().await?;
            let live = page.iter().filter(|held| held.grant.revoked.is_none());
            changes
                .extend(live.map(|held| replace(held, &Grant { revoked: Some(now), ..held.grant.clone() })));
        }
        let revoked = changes.len() - 1;
        self.write("recover the administration", changes).await?;
        Ok((minted, revoked))
    }

    /// All tokens, the newest first.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        let page = self.ledger.page().await?;
        let uses = self.uses().await?;
        let now = self.clock.now();
        let mut listed: Vec<Listed> = page
            .iter()
            .map(|held| {
                let minute = uses.get(&held.id.hex()).copied().unwrap_or(0).max(held.used_minute());
                Listed {
                    id: held.id,
                    grant: held.grant.clone(),
                    state: held.state(now),
                    last_used: (minute > 0).then(|| Timestamp::from_timestamp(minute * 60, 0)).flatten(),
                }
            })
            .collect();
        listed
            .sort_by(|a, b| b.grant.created.cmp(&a.grant.created).then_with(|| a.id.hex().cmp(&b.id.hex())));
        Ok(listed)
    }

    /// Takes a token back, for the next request in every process. Gives its name; a token that was revoked before
    /// stays as it was.
    pub async fn revoke(&self, prefix: &str) -> Result<(TokenId, Grant)> {
        let now = self.clock.now();
        self.change(prefix, |grant| {
            grant.revoked.get_or_insert(now);
            Ok(())
        })
        .await
        .map(|(id, _, current)| (id, current))
    }

    /// Changes what a token grants: all of it or nothing. Gives what it granted and what it grants now.
    pub async fn update(&self, prefix: &str, edit: &Edit) -> Result<(TokenId, Grant, Grant)> {
        edit.check()?;
        self.change(prefix, |grant| {
            if grant.revoked.is_some() {
                return Err(Error::new(ErrorKind::Conflict, "the token is revoked, and cannot be changed"));
            }
            edit.apply(grant)
        })
        .await
    }

    /// Makes a successor with the same grant and the same length of life; the old token ends after the overlap.
    pub async fn rotate(&self, maker: &Caller, prefix: &str, overlap: Duration) -> Result<Minted> {
        let now = self.clock.now();
        let page = self.ledger.page().await?;
        let held = find(&page, prefix)?;
        if held.state(now) != TokenState::Active {
            return Err(Error::new(ErrorKind::Conflict, "the token has ended, and cannot have a successor"));
        }
        let life = held.grant.expires.map(|expires| expires - held.grant.created);
        let successor = Grant {
            created: now,
            created_by: maker.subject.to_string(),
            expires: life.map(|life| now + life),
            ..held.grant.clone()
        };
        let ends = now + overlap;
        let ending = Grant {
            expires: Some(held.grant.expires.map_or(ends, |expires| expires.min(ends))),
            ..held.grant.clone()
        };
        let (minted, change) = mint(successor.kind, successor)?;
        self.write("rotate the token", vec![change, replace(held, &ending)]).await?;
        Ok(minted)
    }

    /// What whoever runs the server should know of its tokens, one sentence each; for `doctor`.
    pub async fn advice(&self) -> Result<Vec<String>> {
        let now = self.clock.now();
        let page = self.ledger.page().await?;
        let live: Vec<_> = page.iter().filter(|held| held.state(now) == TokenState::Active).collect();
        let mut advice: Vec<String> =
            self.bootstraps().iter().filter_map(crate::Bootstrap::warning).collect();
        if live.iter().any(|held| held.permissions.has(Permission::Admin)) {
            advice.extend(self.bootstraps().iter().map(|bootstrap| {
                format!("{}: can be unset, since there is an administrator's token", bootstrap.field())
            }));
        }
        let endless = live.iter().filter(|held| held.grant.expires.is_none());
        let mut endless: Vec<_> =
            endless.map(|held| format!("token {} ({}) never expires", held.id.prefix(), held.name)).collect();
        endless.sort();
        advice.append(&mut endless);
        Ok(advice)
    }

    /// Reads, changes and writes back one token, again when another process was faster.
    async fn change(
        &self,
        prefix: &str,
        mut edit: impl FnMut(&mut Grant) -> Result<()> + Send,
    ) -> Result<(TokenId, Grant, Grant)> {
        const ATTEMPTS: u32 = 5;
        let mut attempt = 1;
        loop {
            let page = self.ledger.page().await?;
            let held = find(&page, prefix)?;
            let mut current = held.grant.clone();
            edit(&mut current)?;
            if current == held.grant {
                return Ok((held.id, held.grant.clone(), current));
            }
            match self.write("change the token", vec![replace(held, &current)]).await {
                Ok(()) => return Ok((held.id, held.grant.clone(), current)),
                Err(error) if error.kind() == ErrorKind::Conflict && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn write(&self, doing: &str, changes: Vec<Change>) -> Result<()> {
        self.ledger.records().apply(changes).await.map_err(|error| ledger::failed(doing, &error))
    }

    async fn uses(&self) -> Result<HashMap<String, i64>> {
        let records = self.ledger.records().list(ledger::USES).await;
        let records = records.map_err(|error| ledger::failed("read when tokens were used", &error))?;
        Ok(records.into_iter().filter_map(|record| Some((record.key, record.value.as_i64()?))).collect())
    }
}

impl Edit {
    fn check(&self) -> Result<()> {
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

    fn apply(&self, grant: &mut Grant) -> Result<()> {
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

fn administrator(name: &str) -> NewToken {
    NewToken {
        kind: Some(TokenKind::Adm),
        resources: Some(vec!["*".to_owned()]),
        ..NewToken::new(name, &Permission::ALL)
    }
}

/// In the order of the enum, once each, without `public`, which needs no token.
fn tidy(mut permissions: Vec<Permission>) -> Vec<Permission> {
    permissions.sort_unstable();
    permissions.dedup();
    permissions.retain(|permission| *permission != Permission::Public);
    permissions
}

/// The maker's own list, written out.
fn inherit(grant: &mut Grant, maker: &Caller) {
    grant.only_toolsets = maker.resources.iter().any(names_toolset);
    let is_real = |resource: &&Resource| !matches!(resource, Resource::One(ResourceKind::Toolset, name) if name.is_empty());
    grant.resources = maker.resources.iter().filter(is_real).map(ToString::to_string).collect();
}

fn mint(kind: TokenKind, grant: Grant) -> Result<(Minted, Change)> {
    let token = Token::mint(kind)?;
    let id = token.id();
    let change = Change::put(ledger::TOKENS, id.hex(), row(&grant), Expect::Absent);
    Ok((Minted { token, id, grant }, change))
}

fn replace(held: &Held, grant: &Grant) -> Change {
    Change::put(ledger::TOKENS, held.id.hex(), row(grant), Expect::Version(held.version))
}

fn row(grant: &Grant) -> Value {
    serde_json::to_value(grant).expect("a grant has no key that JSON cannot hold")
}

/// The one token whose id begins so.
fn find<'a>(page: &'a Page, prefix: &str) -> Result<&'a Held> {
    let prefix = prefix.trim().to_ascii_lowercase();
    let is_hex = prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !(SHORTEST_PREFIX..=64).contains(&prefix.len()) {
        return Err(Error::invalid(
            "token_hash_prefix",
            format!("must be {SHORTEST_PREFIX} to 64 hexadecimal digits"),
        ));
    }
    let mut found = page.iter().filter(|held| held.id.hex().starts_with(&prefix));
    match (found.next(), found.next()) {
        (Some(held), None) => Ok(held),
        (Some(_), Some(_)) => {
            Err(Error::new(ErrorKind::Conflict, format!("several tokens begin with {prefix}"))
                .with_next("give more digits; admin_list_tokens shows them"))
        }
        (None, _) => Err(Error::not_found(format!("there is no token {prefix}"))
            .with_next("admin_list_tokens shows the tokens there are")),
    }
}
