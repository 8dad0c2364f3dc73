//! A new host, or news of one.

use std::path::PathBuf;
use std::time::Duration;

use gabier_access::secret::{SecretName, Vault};
use gabier_host::{Added, Alias, Contact, HostChange, HostKeyPolicy, HostRecord, Upsert};
use gabier_tool::{
    Context, Effect, Error, ErrorKind, HostRef, Outcome, Permission, Plan, Profile, Result, Secret, Status,
    Tool, iso,
};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::Hosts;
use crate::Services;

/// Add a host or change one. Connects, shows the fingerprint of its key and pins it.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ServerAdd {
    /// Its name here.
    alias: HostRef,
    /// Address.
    #[schemars(length(min = 1, max = 253))]
    host: String,
    /// Account.
    #[schemars(length(min = 1, max = 64))]
    user: String,
    /// Private key file.
    #[schemars(length(min = 1, max = 4096), extend("x-complete" = "path"))]
    key_path: Option<String>,
    /// Goes to the vault; better `credential`.
    password: Option<Secret>,
    /// 22 for a new host.
    #[schemars(range(min = 1))]
    port: Option<u16>,
    /// Passphrase of the key.
    #[schemars(extend("x-full" = true))]
    passphrase: Option<Secret>,
    /// Password as `vault:NAME`.
    #[schemars(length(max = 210))]
    credential: Option<String>,
    /// Offers the keys of the SSH agent.
    #[schemars(extend("x-full" = true))]
    agent: Option<bool>,
    /// Host to go through.
    #[schemars(length(max = 64), extend("x-complete" = "host", "x-full" = true))]
    jump: Option<String>,
    /// Which host keys are accepted; `accept-new` for a new host.
    #[schemars(extend("x-full" = true))]
    host_key: Option<HostKeyPolicy>,
    /// `SHA256:…`, for `pinned`.
    #[schemars(length(max = 100), extend("x-full" = true))]
    fingerprint: Option<String>,
    /// Groups it is in.
    #[schemars(length(max = 64))]
    groups: Option<Vec<String>>,
    /// What it is for.
    #[schemars(length(max = 1000), extend("x-full" = true))]
    description: Option<String>,
}

/// A host as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AddedHost {
    /// Its name here.
    alias: String,
    /// Its address.
    host: String,
    /// Its port.
    port: u16,
    /// The account.
    user: String,
    /// How it is logged in to.
    auth: String,
    /// The fingerprint of its key, once it is known.
    fingerprint: Option<String>,
    /// Which of its keys are accepted.
    host_key: HostKeyPolicy,
    /// The fields that held something else before.
    replaced: Vec<String>,
    /// What became of the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip)]
    did: Did,
}

/// How the host stands after the call.
#[derive(Debug)]
struct Did {
    status: Status,
    trouble: Option<String>,
    next: Option<String>,
}

impl Tool<Services> for ServerAdd {
    const NAME: &'static str = "server_add";
    const EFFECT: Effect = Effect::Write;
    const PERMISSION: Permission = Permission::Admin;
    const PROFILE: Profile = Profile::Core;
    const LIMIT: Duration = Duration::from_mins(2);
    const IDEMPOTENT: bool = true;
    const KEYWORDS: &'static str = "ssh host machine register ajouter serveur hôte";
    type Output = AddedHost;

    async fn plan(&self, ctx: &Context<Services>) -> Result<Option<Plan>> {
        let alias: Alias = self.alias.as_str().parse()?;
        let is_known = ctx.services.hosts()?.inventory.list().await?.contains_key(&alias);
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        let verb = if is_known { "change" } else { "add" };
        let steps = vec![
            format!("{verb} the host {alias}: {}@{}{port}", self.user, self.host),
            "connect, show the fingerprint of its key and pin it".to_owned(),
        ];
        Ok(Some(Plan { steps, targets: vec![alias.to_string()] }))
    }

    async fn run(self, ctx: &Context<Services>) -> Result<AddedHost> {
        let hosts = ctx.services.hosts()?;
        let alias: Alias = self.alias.as_str().parse()?;
        let before = hosts.inventory.list().await?.remove(&alias);
        self.check(before.as_ref())?;
        let mut sealed = Sealed::new(&hosts.vault);
        let change = self.change(&alias, iso(ctx.now()), &mut sealed).await;
        let added = match change {
            Ok(change) => hosts.inventory.upsert(&alias, change).await,
            Err(error) => Err(error),
        };
        let added = match added {
            Ok(added) => added,
            Err(error) => {
                sealed.undo().await;
                return Err(error);
            }
        };
        if added.did == Upsert::Changed {
            hosts.fleet.close(alias.as_str()).await;
        }
        let contact = hosts.fleet.contact(alias.as_str()).await;
        self.told(hosts, &alias, added, contact).await
    }

    fn outcome(output: &AddedHost) -> Outcome {
        let Did { status, trouble, next } = &output.did;
        Outcome { message: trouble.clone(), next: next.clone(), ..Outcome::of(*status) }
    }
}

impl ServerAdd {
    /// A new host needs something to log in with.
    fn check(&self, before: Option<&HostRecord>) -> Result<()> {
        let is_given = self.key_path.is_some()
            || self.password.is_some()
            || self.credential.is_some()
            || self.agent == Some(true);
        if before.is_none() && !is_given {
            return Err(Error::invalid(
                "key_path",
                "a new host needs key_path, password, credential or agent",
            ));
        }
        if self.password.is_some() && self.credential.is_some() {
            return Err(Error::invalid(
                "credential",
                "is another password than `password`: give one of both",
            ));
        }
        Ok(())
    }

    /// What is to be kept of the host; its secrets are in the vault when this returns.
    async fn change(&self, alias: &Alias, now: String, sealed: &mut Sealed<'_>) -> Result<HostChange> {
        if let Some(reference) = &self.credential {
            SecretName::of_reference(reference)
                .ok_or_else(|| Error::invalid("credential", "takes vault:NAME"))?
                .map_err(|_| Error::invalid("credential", "takes vault:NAME"))?;
        }
        let parse = |parameter: &'static str| {
            move |name: &str| {
                name.parse::<Alias>().map_err(|error| Error::invalid(parameter, error.message()))
            }
        };
        let groups =
            self.groups.as_ref().map(|groups| groups.iter().map(|group| parse("groups")(group)).collect());
        let mut change = HostChange {
            host: Some(self.host.clone()),
            user: Some(self.user.clone()),
            port: self.port,
            key_path: self.key_path.as_ref().map(PathBuf::from),
            credential: self.credential.clone(),
            agent: self.agent,
            jump: self.jump.as_deref().map(parse("jump")).transpose()?,
            host_key: self.host_key,
            fingerprint: self.fingerprint.clone(),
            groups: groups.transpose()?,
            description: self.description.clone(),
            ..HostChange::default()
        };
        if let Some(password) = &self.password {
            let (reference, is_other) = sealed.put(alias, "password", password).await?;
            change.credential = Some(reference);
            change.credential_set = is_other.then_some(now);
        }
        if let Some(passphrase) = &self.passphrase {
            change.passphrase = Some(sealed.put(alias, "passphrase", passphrase).await?.0);
        }
        Ok(change)
    }

    async fn told(
        self,
        hosts: &Hosts,
        alias: &Alias,
        added: Added,
        contact: Result<Contact>,
    ) -> Result<AddedHost> {
        let Added { did, record, replaced } = added;
        let status = match did {
            Upsert::Created => Status::Created,
            Upsert::Changed => Status::Ok,
            Upsert::Same => Status::AlreadyExists,
        };
        let (fingerprint, did) = match contact {
            Ok(contact) => (Some(contact.fingerprint), Did { status, trouble: None, next: None }),
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionFailed | ErrorKind::AuthFailed) => {
                let pinned = hosts.inventory.get(alias.as_str()).await?.pinned;
                let trouble = format!("the host is saved, but {}", error.message());
                let next = error.next().map(str::to_owned);
                let did = Did { status: Status::Warning, trouble: Some(trouble), next };
                (pinned.first().map(|key| key.fingerprint.clone()), did)
            }
            Err(error) => return Err(error.with("saved", true)),
        };
        let note = self.password.is_some().then(|| {
            format!(
                "the password is in the vault as {} and was part of this call",
                name_of(alias, "password")
            )
        });
        Ok(AddedHost {
            alias: alias.to_string(),
            auth: record.auth(),
            host: record.host,
            port: record.port,
            user: record.user,
            fingerprint,
            host_key: record.host_key,
            replaced: replaced.into_iter().map(str::to_owned).collect(),
            note,
            did,
        })
    }
}

/// Where a secret of a host lies in the vault.
pub(super) fn name_of(alias: &Alias, what: &str) -> String {
    format!("server/{alias}/{what}")
}

/// Secrets put into the vault for a host that may yet be refused.
pub(super) struct Sealed<'a> {
    vault: &'a Vault,
    earlier: Vec<(SecretName, Option<SecretString>)>,
}

impl<'a> Sealed<'a> {
    pub(super) fn new(vault: &'a Vault) -> Self {
        Self { vault, earlier: Vec::new() }
    }

    /// Puts a secret; gives its reference and whether it is another than before.
    pub(super) async fn put(&mut self, alias: &Alias, what: &str, secret: &Secret) -> Result<(String, bool)> {
        let name = SecretName::parse(&name_of(alias, what))?;
        let reference = format!("vault:{name}");
        let earlier = match self.vault.get(&name).await {
            Ok(earlier) => Some(earlier),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if earlier.as_ref().is_some_and(|earlier| earlier.expose_secret() == secret.expose()) {
            return Ok((reference, false));
        }
        self.vault.set(&name, &secret.to_secret_string()).await?;
        self.earlier.push((name, earlier));
        Ok((reference, true))
    }

    /// Puts back what was there.
    pub(super) async fn undo(self) {
        for (name, earlier) in self.earlier {
            let undone = match earlier {
                Some(earlier) => self.vault.set(&name, &earlier).await.map(|_| ()),
                None => self.vault.remove(&name).await.map(|_| ()),
            };
            if let Err(error) = undone {
                tracing::warn!(%error, %name, "a secret of a refused host stays in the vault");
            }
        }
    }
}
