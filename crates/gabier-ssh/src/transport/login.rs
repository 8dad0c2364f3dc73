//! Logging in: one offer of each credential, and the truth about what was refused.

use std::sync::Arc;

use gabier_host::{Endpoint, Strength};
use gabier_tool::{ErrorKind, Secret};
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKey};
use russh::{MethodKind, MethodSet};
use serde_json::{Value, json};

use super::credential::{Credentials, Offer};
use super::handshake::Verifier;
use crate::failure::Failure;

/// How many keys of an agent are offered: servers close after six refusals.
const MOST_AGENT_KEYS: usize = 5;
/// How many rounds of questions are answered.
const MOST_ROUNDS: usize = 8;

/// Offers the credentials in turn until the server is content.
pub(super) async fn log_in(
    handle: &mut Handle<Verifier>,
    endpoint: &Endpoint,
    credentials: &Credentials,
) -> Result<(), Failure> {
    let mut login = Login { handle, endpoint, methods: None, tried: Vec::new() };
    for unusable in &credentials.unusable {
        login.tried.push(json!({
            "credential": unusable.name, "result": unusable.message, "reason": unusable.reason,
        }));
    }
    if credentials.offers.is_empty() && login.ask_methods().await? {
        return Ok(());
    }
    for offer in &credentials.offers {
        if login.offer(offer).await? {
            return Ok(());
        }
    }
    Err(login.refused())
}

struct Login<'a> {
    handle: &'a mut Handle<Verifier>,
    endpoint: &'a Endpoint,
    methods: Option<MethodSet>,
    tried: Vec<Value>,
}

impl Login<'_> {
    /// Offers one credential; true when that was enough.
    async fn offer(&mut self, offer: &Offer) -> Result<bool, Failure> {
        match offer {
            Offer::Key { name, key, certificate } => {
                if !self.takes(MethodKind::PublicKey) {
                    return Ok(self.skip(name));
                }
                let user = self.endpoint.user.clone();
                let result = if let Some(certificate) = certificate {
                    let (key, certificate) = (Arc::clone(key), (**certificate).clone());
                    self.handle.authenticate_openssh_cert(user, key, certificate).await
                } else {
                    let Some(hash) = self.hash_for(key.public_key()).await? else {
                        self.note(name, "the server takes it with SHA-1 alone");
                        return Ok(false);
                    };
                    let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
                    self.handle.authenticate_publickey(user, key).await
                };
                self.settle(name, result)
            }
            Offer::Agent(socket) => self.offer_agent(socket).await,
            Offer::Password(password) => self.offer_password(password).await,
        }
    }

    async fn offer_agent(&mut self, socket: &std::path::Path) -> Result<bool, Failure> {
        if !self.takes(MethodKind::PublicKey) {
            return Ok(self.skip("agent"));
        }
        let Ok(mut agent) = AgentClient::connect_uds(socket).await else {
            self.tried.push(json!({
                "credential": "agent", "result": "the agent cannot be reached", "reason": "AGENT_UNREACHABLE",
            }));
            return Ok(false);
        };
        let identities = agent.request_identities().await.unwrap_or_default();
        if identities.is_empty() {
            self.note("agent", "the agent holds no key");
        }
        if identities.len() > MOST_AGENT_KEYS {
            self.note("agent", "it holds more keys than may be offered: the first 5 were");
        }
        for identity in identities.into_iter().take(MOST_AGENT_KEYS) {
            let user = self.endpoint.user.clone();
            let (name, result) = match identity {
                AgentIdentity::PublicKey { key, .. } => {
                    let name = format!("agent {}", key.fingerprint(HashAlg::Sha256));
                    let Some(hash) = self.hash_for(&key).await? else { continue };
                    (name, self.handle.authenticate_publickey_with(user, key, hash, &mut agent).await)
                }
                AgentIdentity::Certificate { certificate, .. } => {
                    let name = format!("agent certificate {}", certificate.key_id());
                    (
                        name,
                        self.handle.authenticate_certificate_with(user, certificate, None, &mut agent).await,
                    )
                }
            };
            // A key the agent does not sign with is as good as refused.
            let Ok(result) = result else {
                self.note(&name, "the agent did not sign");
                continue;
            };
            if self.settle(&name, Ok(result))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn offer_password(&mut self, password: &Secret) -> Result<bool, Failure> {
        if self.methods.is_none() && self.ask_methods().await? {
            return Ok(true);
        }
        let user = self.endpoint.user.clone();
        if self.takes(MethodKind::Password) {
            let result = self.handle.authenticate_password(user, password.expose()).await;
            return self.settle("password", result);
        }
        if self.takes(MethodKind::KeyboardInteractive) {
            return self.answer_questions(password).await;
        }
        Ok(self.skip("password"))
    }

    /// Keyboard-interactive: the password answers one hidden question; a second one means it was wrong.
    async fn answer_questions(&mut self, password: &Secret) -> Result<bool, Failure> {
        let user = self.endpoint.user.clone();
        let mut response = self.handle.authenticate_keyboard_interactive_start(user, None).await;
        let mut is_given = false;
        for _ in 0..MOST_ROUNDS {
            let prompts = match response {
                Ok(KeyboardInteractiveAuthResponse::Success) => return Ok(true),
                Ok(KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success }) => {
                    let failure = AuthResult::Failure { remaining_methods, partial_success };
                    return self.settle("password (keyboard-interactive)", Ok(failure));
                }
                Ok(KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. }) => prompts,
                Err(error) => return self.settle("password (keyboard-interactive)", Err(error)),
            };
            let mut answers = Vec::new();
            for prompt in &prompts {
                if prompt.echo || std::mem::replace(&mut is_given, true) {
                    self.note("password (keyboard-interactive)", "the server asks for more than a password");
                    return Ok(false);
                }
                answers.push(password.expose().to_owned());
            }
            response = self.handle.authenticate_keyboard_interactive_respond(answers).await;
        }
        self.note("password (keyboard-interactive)", "the server does not stop asking");
        Ok(false)
    }

    /// Learns which methods the server takes; true when it takes the user without any.
    async fn ask_methods(&mut self) -> Result<bool, Failure> {
        let result = self.handle.authenticate_none(self.endpoint.user.clone()).await;
        let before = self.tried.len();
        let is_in = self.settle("none", result)?;
        self.tried.truncate(before);
        Ok(is_in)
    }

    /// The hash for a signature with this key; `None` when the server knows none that is sound.
    async fn hash_for(&mut self, key: &PublicKey) -> Result<Option<Option<HashAlg>>, Failure> {
        if !key.algorithm().is_rsa() {
            return Ok(Some(None));
        }
        match self.handle.best_supported_rsa_hash().await {
            Ok(Some(Some(hash))) => Ok(Some(Some(hash))),
            Ok(Some(None)) => Ok((self.endpoint.strength == Strength::Legacy).then_some(None)),
            Ok(None) => Ok(Some(Some(HashAlg::Sha256))),
            Err(_) => Err(self.aborted()),
        }
    }

    /// Reads the server's answer to an offer; true when that was enough.
    fn settle(&mut self, name: &str, result: Result<AuthResult, russh::Error>) -> Result<bool, Failure> {
        match result {
            Ok(AuthResult::Success) => Ok(true),
            Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
                let word = if partial_success { "accepted, but not enough" } else { "refused" };
                self.note(name, word);
                // No methods at all and closed: the server gave up on us.
                if remaining_methods.is_empty() || self.handle.is_closed() {
                    return Err(self.aborted());
                }
                self.methods = Some(remaining_methods);
                Ok(false)
            }
            Err(_) => {
                self.note(name, "no answer");
                Err(self.aborted())
            }
        }
    }

    fn takes(&self, method: MethodKind) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.contains(&method))
    }

    fn skip(&mut self, name: &str) -> bool {
        self.note(name, "not offered: the server does not take it");
        false
    }

    fn note(&mut self, name: &str, result: &str) {
        self.tried.push(json!({"credential": name, "result": result}));
    }

    fn aborted(&self) -> Failure {
        let user = &self.endpoint.user;
        let message =
            format!("logging in as {user}: the server closed the connection before all was offered");
        self.explain("LOGIN_ABORTED", message)
    }

    fn refused(&self) -> Failure {
        let user = &self.endpoint.user;
        // With one credential, its own reason says most.
        let only = match self.tried.as_slice() {
            [one] => one.get("reason").and_then(Value::as_str).zip(one.get("result").and_then(Value::as_str)),
            _ => None,
        };
        match only {
            Some((reason, why)) => self.explain(known_reason(reason), format!("logging in as {user}: {why}")),
            None if self.tried.is_empty() => {
                self.explain("NO_CREDENTIAL", format!("logging in as {user}: the host has no credential"))
            }
            None => {
                self.explain("LOGIN_REFUSED", format!("logging in as {user}: every credential was refused"))
            }
        }
    }

    fn explain(&self, reason: &'static str, message: String) -> Failure {
        let methods: Vec<String> =
            self.methods.iter().flat_map(|methods| methods.iter().map(String::from)).collect();
        Failure::new(ErrorKind::AuthFailed, reason, message)
            .with("user", self.endpoint.user.as_str())
            .with("tried", self.tried.clone())
            .with("methods", methods)
    }
}

fn known_reason(reason: &str) -> &'static str {
    const KNOWN: [&str; 7] = [
        "AGENT_UNREACHABLE",
        "SECRET_MISSING",
        "KEY_UNREADABLE",
        "KEY_FORBIDDEN",
        "KEY_PASSPHRASE_MISSING",
        "KEY_PASSPHRASE_WRONG",
        "CERTIFICATE_UNREADABLE",
    ];
    KNOWN.into_iter().find(|known| *known == reason).unwrap_or("LOGIN_REFUSED")
}
