//! Who calls: the callers behind credentials, with the rights of this moment.

use std::net::IpAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use gabier_store::Records;
use gabier_tool::guard::{Authority, Credential, Origin};
use gabier_tool::{
    Caller, CallerKind, Clock, Entry, Error, ErrorKind, Permission, Permissions, Resource, Result,
};
use serde_json::Value;

use crate::bootstrap::{self, Bootstrap};
use crate::bucket::Buckets;
use crate::grant::TokenState;
use crate::guesses::{Guesses, refused};
use crate::ledger::{Held, Ledger, Page};
use crate::scope::{self, Missing};
use crate::settings::Settings;
use crate::source::Source;
use crate::token::{Token, TokenId};

/// The access engine: tokens, the rights they give, and the addresses that guess them.
pub struct Access {
    pub(crate) ledger: Ledger,
    pub(crate) clock: Arc<dyn Clock>,
    bootstraps: Vec<Bootstrap>,
    guesses: Guesses,
    strangers: Buckets<Source>,
    producers: Permissions,
    os_user: OsUser,
    /// The name of whoever shows no credential.
    nobody: Arc<str>,
    everything: Arc<[Resource]>,
    files: Arc<[Resource]>,
}

/// The operating system's user who started the process.
struct OsUser {
    subject: Arc<str>,
    name: Arc<str>,
    permissions: Permissions,
}

impl Access {
    /// The engine over a store. Nothing is read until someone calls. Beside the bootstrap tokens that are given, the
    /// settings may hold one as a digest.
    pub fn new(
        records: Arc<dyn Records>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
        mut bootstraps: Vec<Bootstrap>,
    ) -> Result<Self> {
        if let Some(hex) = &settings.bootstrap_token_sha256 {
            bootstraps.push(Bootstrap::digest("bootstrap_token_sha256", hex)?);
        }
        Ok(Self {
            ledger: Ledger::new(records),
            strangers: Buckets::new(settings.rates.without_token, &clock),
            producers: settings.producers.permissions.iter().copied().collect(),
            clock,
            bootstraps,
            guesses: Guesses::new(settings.guesses.clone()),
            os_user: OsUser::of(settings.stdio.permissions.as_deref()),
            nobody: "anonymous".into(),
            everything: [Resource::All].into(),
            files: [Resource::parse("root:/")].into(),
        })
    }

    /// The operating system's user who started this process.
    pub fn os_user(&self) -> Caller {
        Caller {
            subject: Arc::clone(&self.os_user.subject),
            name: Arc::clone(&self.os_user.name),
            kind: CallerKind::OsUser,
            permissions: self.os_user.permissions,
            resources: Arc::clone(&self.everything),
            tools: None,
            profile: None,
            address: None,
            authenticated_at: self.clock.now(),
        }
    }

    /// True when a token is configured or was ever made: whoever shows none is a stranger then.
    pub async fn knows_tokens(&self) -> Result<bool> {
        Ok(!self.bootstraps.is_empty() || !self.ledger.page().await?.is_empty())
    }

    /// The bootstrap tokens that are set.
    pub fn bootstraps(&self) -> &[Bootstrap] {
        &self.bootstraps
    }

    /// Writes when tokens were last used, and forgets addresses that have been quiet. To be called about once a
    /// minute and when the server stops.
    pub async fn tend(&self) -> Result<()> {
        self.guesses.sweep(self.clock.monotonic());
        self.strangers.sweep();
        self.ledger.write_uses().await
    }

    /// Without a credential. A store that cannot be read may hold tokens, so that its callers are strangers.
    async fn anonymous(&self, address: Option<IpAddr>) -> Caller {
        let is_open = !self.knows_tokens().await.unwrap_or_else(|error| {
            tracing::error!(
                ?error,
                "whether there are tokens is not known: callers without one are strangers"
            );
            true
        });
        let rights = [Permission::Read, Permission::Net];
        Caller {
            subject: Arc::clone(&self.nobody),
            name: Arc::clone(&self.nobody),
            kind: CallerKind::Anonymous,
            permissions: if is_open { rights.into_iter().collect() } else { Permissions::NONE },
            // No hosts and no APIs; files as far as the configured roots go.
            resources: Arc::clone(&self.files),
            tools: None,
            profile: None,
            address,
            authenticated_at: self.clock.now(),
        }
    }

    async fn bearer(&self, text: &str, address: Option<IpAddr>) -> Result<Caller> {
        let id = TokenId::of(text);
        if let Some(bootstrap) = bootstrap::matching(&self.bootstraps, &id) {
            return Ok(self.administrator(bootstrap, address));
        }
        // Typos are known by their checksum, without a look into the store.
        if Token::parse(text).is_none() {
            return Err(self.guesses.wrong(address, self.clock.monotonic()));
        }
        let page = self.ledger.page().await?;
        let held = page.by_id(&id).filter(|held| held.id == id);
        match held.and_then(|held| self.opened_by(held, address)) {
            Some(caller) => Ok(caller),
            None => Err(self.guesses.wrong(address, self.clock.monotonic())),
        }
    }

    fn administrator(&self, bootstrap: &Bootstrap, address: Option<IpAddr>) -> Caller {
        Caller {
            subject: bootstrap_subject(bootstrap).into(),
            name: bootstrap.field().into(),
            kind: CallerKind::Bootstrap,
            permissions: Permissions::ALL,
            resources: Arc::clone(&self.everything),
            tools: None,
            profile: None,
            address,
            authenticated_at: self.clock.now(),
        }
    }

    /// A program that put a job of its own into the queue of that name.
    fn producer(&self, subject: &str) -> Caller {
        Caller {
            subject: subject.into(),
            name: subject.into(),
            kind: CallerKind::Anonymous,
            permissions: self.producers,
            resources: [].into(),
            tools: None,
            profile: None,
            address: None,
            authenticated_at: self.clock.now(),
        }
    }

    /// Whoever that subject is now; where it called from was checked when it called.
    async fn once_more(&self, subject: &str) -> Result<Caller> {
        if subject == &*self.os_user.subject {
            return Ok(self.os_user());
        }
        if let Some(bootstrap) = self.bootstraps.iter().find(|own| bootstrap_subject(own) == subject) {
            return Ok(self.administrator(bootstrap, None));
        }
        if subject.starts_with("queue:") {
            return Ok(self.producer(subject));
        }
        if subject == "anonymous" {
            return Ok(self.anonymous(None).await);
        }
        let page = self.ledger.page().await?;
        page.by_subject(subject).and_then(|held| self.opened(held, None)).ok_or_else(refused)
    }

    /// The caller with a token of the store, while it is worth something and comes from where it may.
    fn opened_by(&self, held: &Held, address: Option<IpAddr>) -> Option<Caller> {
        if !held.grant.admits(address) {
            return None;
        }
        self.opened(held, address)
    }

    fn opened(&self, held: &Held, address: Option<IpAddr>) -> Option<Caller> {
        let now = self.clock.now();
        if held.state(now) != TokenState::Valid {
            return None;
        }
        held.touch(now);
        Some(Caller {
            subject: Arc::clone(&held.subject),
            name: Arc::clone(&held.name),
            kind: CallerKind::Token,
            permissions: held.permissions,
            resources: Arc::clone(&held.resources),
            tools: held.tools.clone(),
            profile: held.profile.clone(),
            address,
            authenticated_at: now,
        })
    }

    fn again(&self, caller: &Caller, page: &Page) -> Result<Caller> {
        let current = page.by_subject(&caller.subject).and_then(|held| self.opened_by(held, caller.address));
        current
            .map(|current| Caller { authenticated_at: caller.authenticated_at, ..current })
            .ok_or_else(refused)
    }

    /// A stranger's call: `UNAUTHENTICATED`, or `RATE_LIMITED` when its address sends too many of them.
    fn refuse_stranger(&self, caller: &Caller) -> Error {
        let admitted = caller.address.map_or(Ok(()), |address| self.strangers.take(&Source::of(address)));
        match admitted {
            Ok(()) => Error::new(ErrorKind::Unauthenticated, "this call needs a token")
                .with_next("send a valid token as Authorization: Bearer; gabier token create makes one"),
            Err(wait) => crate::bucket::refusal("this address sends too many calls without a token", wait),
        }
    }
}

impl Authority for Access {
    fn identify<'a>(&'a self, credential: Credential<'a>, origin: Origin) -> BoxFuture<'a, Result<Caller>> {
        Box::pin(async move {
            match credential {
                Credential::None => Ok(self.anonymous(origin.address).await),
                Credential::OsUser => Ok(Caller { address: origin.address, ..self.os_user() }),
                Credential::Bearer(text) => self.bearer(text, origin.address).await,
            }
        })
    }

    fn refresh<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Caller>> {
        Box::pin(async move {
            match caller.kind {
                CallerKind::OsUser | CallerKind::Bootstrap => Ok(caller.clone()),
                CallerKind::Anonymous => Ok(self.anonymous(caller.address).await),
                CallerKind::Token => self.again(caller, &*self.ledger.page().await?),
            }
        })
    }

    fn restore<'a>(&'a self, subject: &'a str) -> BoxFuture<'a, Result<Caller>> {
        Box::pin(self.once_more(subject))
    }

    fn permits(&self, caller: &Caller, entry: &Entry) -> bool {
        scope::permits(caller, entry)
    }

    fn authorise(
        &self,
        caller: &Caller,
        entry: &Entry,
        needs: &[Permission],
        arguments: &Value,
    ) -> Result<()> {
        if caller.is_stranger() && !needs.contains(&Permission::Public) {
            return Err(self.refuse_stranger(caller));
        }
        let mut missing = Missing::of(caller, &entry.facts, entry.toolset, needs);
        missing.add_named(caller, &entry.schemas().input, arguments);
        missing.refuse(entry.facts.name)
    }
}

fn bootstrap_subject(bootstrap: &Bootstrap) -> String {
    format!("bootstrap:{}", bootstrap.field())
}

impl OsUser {
    fn of(permissions: Option<&[Permission]>) -> Self {
        let uid = rustix::process::getuid().as_raw();
        Self {
            subject: format!("user:{uid}").into(),
            name: "local user".into(),
            permissions: permissions
                .map_or(Permissions::ALL, |permissions| permissions.iter().copied().collect()),
        }
    }
}
