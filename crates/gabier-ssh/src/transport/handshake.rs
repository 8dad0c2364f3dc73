//! From a stream to a logged-in connection, each step with its own time limit.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gabier_host::{ByteStream, Contact, Endpoint, Strength};
use gabier_tool::{Error, ErrorKind};
use russh::client::{self, DisconnectReason, Handle};
use russh::keys::PublicKeyOrCertificate;
use tokio::time::{Instant, timeout_at};

use super::algorithms::config;
use super::connection::Connection;
use super::credential::Credentials;
use super::cut::Cutter;
use super::login::log_in;
use crate::failure::Failure;
use crate::host_keys::{HostKeys, pin};
use crate::trust::HostKey;

/// The longest wait for the server's first line.
const VERSION_LIMIT: Duration = Duration::from_secs(3);
/// The longest key exchange.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(6);

/// What a connection is for: how much the server may send before we answer is fixed when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Traffic {
    /// Commands, small answers.
    Commands,
    /// Files.
    Bulk,
}

/// A stream to a server that is about to speak.
pub(crate) struct Handshake<'a> {
    /// Whom we mean to reach.
    pub(crate) endpoint: &'a Endpoint,
    /// What the connection is for.
    pub(crate) traffic: Traffic,
    /// How often a silent connection is asked for a sign of life.
    pub(crate) keep_alive: Duration,
    /// When all of it must be done.
    pub(crate) deadline: Instant,
    /// Who decides about the host's key.
    pub(crate) keys: &'a Arc<dyn HostKeys>,
}

impl Handshake<'_> {
    /// Exchanges keys, has the host's key checked, logs in.
    pub(crate) async fn log_in(
        self,
        stream: Box<dyn ByteStream>,
        credentials: &Credentials,
        via: Option<Arc<Connection>>,
    ) -> Result<Connection, Failure> {
        let (mut handle, cutter, report) = self.exchange(stream).await?;
        let began = Instant::now();
        let login = log_in(&mut handle, self.endpoint, credentials);
        match timeout_at(self.deadline, login).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => {
                cutter.cut();
                return Err(failure);
            }
            Err(_) => {
                cutter.cut();
                return Err(Failure::unreachable("LOGIN_TIMEOUT", "logging in: no answer in time"));
            }
        }
        // Logging in takes at least two round trips.
        let round_trip = began.elapsed() / 2;
        let contact = contact(&report, &cutter)?;
        Ok(Connection::new(handle, cutter, report, contact, round_trip, via))
    }

    /// Learns the host's key and hangs up.
    pub(crate) async fn look(self, stream: Box<dyn ByteStream>) -> Result<Contact, Failure> {
        let (_handle, cutter, report) = self.exchange(stream).await?;
        let contact = contact(&report, &cutter);
        cutter.cut();
        contact
    }

    async fn exchange(
        &self,
        stream: Box<dyn ByteStream>,
    ) -> Result<(Handle<Verifier>, Cutter, Report), Failure> {
        let cutter = Cutter::default();
        let report = Report::default();
        let recorded = self.keys.algorithms(self.endpoint).await?;
        let config = Arc::new(config(self.endpoint.strength, self.traffic, self.keep_alive, &recorded));
        let verifier =
            Verifier { endpoint: self.endpoint.clone(), keys: Arc::clone(self.keys), report: report.clone() };
        let connecting = client::connect_stream(config, cutter.wrap(stream), verifier);
        tokio::pin!(connecting);
        let first = self.deadline.min(Instant::now() + VERSION_LIMIT);
        let result = match timeout_at(first, &mut connecting).await {
            Err(_) if cutter.software().is_some() => {
                timeout_at(self.deadline.min(first + EXCHANGE_LIMIT), connecting).await
            }
            result => result,
        };
        match result {
            Ok(Ok(handle)) => Ok((handle, cutter, report)),
            Ok(Err(error)) => {
                cutter.cut();
                Err(explain(error, &cutter, &report, self.endpoint.strength))
            }
            Err(_) => {
                cutter.cut();
                Err(match (cutter.software(), cutter.other()) {
                    (Some(_), _) => {
                        Failure::unreachable("KEY_EXCHANGE_TIMEOUT", "exchanging keys: no answer in time")
                    }
                    (None, other) if other.is_empty() => {
                        Failure::unreachable("SILENT", "waiting for the server's first line: it says nothing")
                            .transient()
                    }
                    (None, other) => not_ssh(&other),
                })
            }
        }
    }
}

/// What became known beside the errors of russh, which carry no reasons.
#[derive(Clone, Default)]
pub(super) struct Report(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    key: Option<(HostKey, bool)>,
    refusal: Option<Failure>,
    lost: Option<String>,
}

impl Report {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the connection ended, once it has.
    pub(super) fn lost(&self) -> Option<String> {
        self.known().lost.clone()
    }
}

/// Answers the questions of russh about the server.
pub(super) struct Verifier {
    endpoint: Endpoint,
    keys: Arc<dyn HostKeys>,
    report: Report,
}

impl client::Handler for Verifier {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let key = shown.public_key().to_bytes().map_err(russh::Error::SshKey)?;
        let checked = match HostKey::from_blob(&key) {
            Ok(key) if shown.certificate().is_none() => {
                self.keys.check(&self.endpoint, &key).await.map(|is_new| (key, is_new))
            }
            // We never ask for certificates; one that comes all the same is not trusted.
            Ok(_) => Err(Error::new(ErrorKind::HostKeyUnknown, "it shows a certificate nobody asked for")),
            Err(error) => Err(error),
        };
        let mut known = self.report.known();
        match checked {
            Ok(key) => known.key = Some(key),
            Err(error) => known.refusal = Some(Failure::from(error)),
        }
        Ok(known.refusal.is_none())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<russh::Error>) -> Result<(), russh::Error> {
        let text = match &reason {
            DisconnectReason::ReceivedDisconnect(info) => format!("the server said: {}", info.message),
            DisconnectReason::Error(russh::Error::KeepaliveTimeout) => "no sign of life".to_owned(),
            DisconnectReason::Error(error) => error.to_string().to_lowercase(),
        };
        self.report.known().lost = Some(text);
        Ok(())
    }
}

fn contact(report: &Report, cutter: &Cutter) -> Result<Contact, Failure> {
    let Some((key, is_new)) = report.known().key.clone() else {
        return Err(Failure::unreachable("NO_HOST_KEY", "exchanging keys: the server showed no key"));
    };
    let pinned = pin(&key);
    let software = cutter.software().unwrap_or_default();
    Ok(Contact {
        algorithm: pinned.algorithm,
        fingerprint: pinned.fingerprint,
        key: pinned.key,
        is_new,
        software,
    })
}

fn not_ssh(other: &str) -> Failure {
    Failure::unreachable("NOT_SSH", "waiting for the server's first line: it does not speak SSH")
        .with("received", other)
}

fn explain(error: russh::Error, cutter: &Cutter, report: &Report, strength: Strength) -> Failure {
    if let Some(refusal) = report.known().refusal.take() {
        return refusal;
    }
    let has_begun = cutter.software().is_some();
    match error {
        russh::Error::NoCommonAlgo { kind, ours, theirs } => {
            let kind = format!("{kind:?}").to_lowercase();
            let hint = match strength {
                Strength::Modern => "; a host that knows only old ones needs the legacy profile",
                Strength::Legacy => "",
            };
            Failure::unreachable(
                "NO_COMMON_ALGORITHM",
                format!("exchanging keys: no common {kind} algorithm{hint}"),
            )
            .with("algorithm", kind)
            .with("ours", ours)
            .with("theirs", theirs)
        }
        russh::Error::Version => not_ssh(&cutter.other()),
        russh::Error::IO(error) if !has_begun => Failure::io("waiting for the server's first line", error),
        russh::Error::Disconnect | russh::Error::HUP if !has_begun => match cutter.other() {
            other if other.is_empty() => {
                let message = "waiting for the server's first line: it closed the connection";
                Failure::unreachable("ECONNRESET", message).transient()
            }
            other => not_ssh(&other),
        },
        russh::Error::IO(error) => {
            Failure::unreachable("ECONNRESET", "exchanging keys: the connection broke").because(error)
        }
        error => {
            Failure::unreachable("KEY_EXCHANGE_FAILED", "exchanging keys: the server ended it").because(error)
        }
    }
}
