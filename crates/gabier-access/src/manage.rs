//! Making, listing, changing, following up and revoking tokens.

use std::collections::HashMap;
use std::time::Duration;

use gabier_store::{Change, Expect};
use gabier_tool::{Caller, Error, ErrorKind, Permission, Result, Timestamp};

use crate::access::Access;
use crate::edit::{Changed, Edit};
use crate::grant::{Grant, TokenState};
use crate::ledger::{self, Held, Page};
use crate::mint::{Minted, NewToken, administrator, mint};
use crate::token::{TokenId, TokenKind};

const SHORTEST_PREFIX: usize = 8;

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
        if page.iter().any(|held| held.grant.kind == TokenKind::Adm && held.state(now) == TokenState::Valid) {
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

    /// The token whose id begins so, eight hexadecimal digits at least.
    pub async fn find(&self, prefix: &str) -> Result<(TokenId, Grant)> {
        let page = self.ledger.page().await?;
        find(&page, prefix).map(|held| (held.id, held.grant.clone()))
    }

    /// Takes a token back, for the next request in every process. One that was revoked before stays as it was.
    pub async fn revoke(&self, prefix: &str) -> Result<Changed> {
        let now = self.clock.now();
        self.change(prefix, |grant| {
            grant.revoked.get_or_insert(now);
            Ok(())
        })
        .await
    }

    /// Changes what a token grants: all of it or nothing.
    pub async fn update(&self, prefix: &str, edit: &Edit) -> Result<Changed> {
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
        if held.state(now) != TokenState::Valid {
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
        let live: Vec<_> = page.iter().filter(|held| held.state(now) == TokenState::Valid).collect();
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
    ) -> Result<Changed> {
        const ATTEMPTS: u32 = 5;
        let mut attempt = 1;
        loop {
            let page = self.ledger.page().await?;
            let held = find(&page, prefix)?;
            let mut current = held.grant.clone();
            edit(&mut current)?;
            let changed = Changed { id: held.id, previous: held.grant.clone(), current };
            if changed.current == changed.previous {
                return Ok(changed);
            }
            match self.write("change the token", vec![replace(held, &changed.current)]).await {
                Ok(()) => return Ok(changed),
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

fn replace(held: &Held, grant: &Grant) -> Change {
    Change::put(ledger::TOKENS, held.id.hex(), grant.row(), Expect::Version(held.version))
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
