//! The sessions of the older revisions: bound to their principal, counted, the longest idle one closed first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gabier_tool::{Caller, CallerKind};
use rmcp::model::ClientJsonRpcMessage;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::options::SessionLimits;

/// All sessions of a server.
pub(crate) struct Sessions {
    limits: SessionLimits,
    open: Mutex<HashMap<String, Session>>,
}

struct Session {
    owner: Arc<str>,
    is_anonymous: bool,
    revision: Option<String>,
    used: Duration,
    /// One more than there are requests and streams under way.
    busy: Arc<()>,
    end: End,
}

/// What ends with a session.
#[derive(Clone)]
pub(crate) enum End {
    /// A session of streamable HTTP, which rmcp keeps.
    Streamable,
    /// An SSE stream and the way to its server.
    Sse(mpsc::Sender<ClientJsonRpcMessage>, CancellationToken),
}

/// A session in use; it does not count as idle while this lives.
#[derive(Clone)]
pub(crate) struct InUse {
    /// The revision its client asked for.
    pub(crate) revision: Option<String>,
    /// What it speaks through.
    pub(crate) end: End,
    _busy: Arc<()>,
}

impl Sessions {
    /// None yet.
    pub(crate) fn new(limits: SessionLimits) -> Self {
        Self { limits, open: Mutex::default() }
    }

    /// Makes room for one more session of a caller; the sessions that lost their place are given back to be closed.
    pub(crate) fn make_room(&self, caller: &Caller) -> Vec<(String, End)> {
        let mut open = self.lock();
        let mut closed = Vec::new();
        let is_anonymous = caller.kind == CallerKind::Anonymous;
        let own = if is_anonymous { self.limits.anonymous } else { self.limits.per_principal };
        let is_own = |session: &Session| {
            if is_anonymous { session.is_anonymous } else { session.owner == caller.subject }
        };
        while open.values().filter(|session| is_own(session)).count() >= own.max(1) {
            closed.extend(remove_idlest(&mut open, is_own));
        }
        while open.len() >= self.limits.total.max(1) {
            closed.extend(remove_idlest(&mut open, |_| true));
        }
        closed
    }

    /// Notes a new session.
    pub(crate) fn add(&self, id: &str, caller: &Caller, revision: Option<&str>, end: End, now: Duration) {
        let session = Session {
            owner: Arc::clone(&caller.subject),
            is_anonymous: caller.kind == CallerKind::Anonymous,
            revision: revision.map(str::to_owned),
            used: now,
            busy: Arc::new(()),
            end,
        };
        self.lock().insert(id.to_owned(), session);
    }

    /// The session of that id, if it is the caller's: a foreign one does not exist.
    pub(crate) fn enter(&self, id: &str, caller: &Caller, now: Duration) -> Option<InUse> {
        let mut open = self.lock();
        let session = open.get_mut(id).filter(|session| session.owner == caller.subject)?;
        session.used = now;
        let revision = session.revision.clone();
        Some(InUse { revision, end: session.end.clone(), _busy: Arc::clone(&session.busy) })
    }

    /// Forgets a session.
    pub(crate) fn remove(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove_idlest(
    open: &mut HashMap<String, Session>,
    fits: impl Fn(&Session) -> bool,
) -> Option<(String, End)> {
    let idlest = open.iter().filter(|(_, session)| fits(session));
    let (id, _) = idlest.min_by_key(|(_, session)| (Arc::strong_count(&session.busy) > 1, session.used))?;
    let id = id.clone();
    open.remove(&id).map(|session| (id, session.end))
}

#[cfg(test)]
mod tests {
    use gabier_tool::{Permissions, Timestamp};

    use super::*;

    fn caller(name: &str, kind: CallerKind) -> Caller {
        Caller {
            subject: name.into(),
            name: name.into(),
            kind,
            permissions: Permissions::ALL,
            resources: Arc::new([]),
            tools: None,
            profile: None,
            address: None,
            authenticated_at: Timestamp::default(),
        }
    }

    fn sessions(total: usize, per_principal: usize, anonymous: usize) -> Sessions {
        Sessions::new(SessionLimits { total, per_principal, anonymous, ..SessionLimits::default() })
    }

    fn open(sessions: &Sessions, id: &str, caller: &Caller, at: u64) -> Vec<String> {
        let closed = sessions.make_room(caller).into_iter().map(|(id, _)| id).collect();
        sessions.add(id, caller, None, End::Streamable, Duration::from_secs(at));
        closed
    }

    #[test]
    fn a_foreign_session_does_not_exist() {
        let (alice, bob) = (caller("alice", CallerKind::Token), caller("bob", CallerKind::Token));
        let sessions = sessions(9, 9, 9);
        open(&sessions, "a", &alice, 1);
        assert!(sessions.enter("a", &alice, Duration::ZERO).is_some());
        assert!(sessions.enter("a", &bob, Duration::ZERO).is_none());
    }

    #[test]
    fn the_longest_idle_session_of_the_same_principal_makes_room() {
        let (alice, bob) = (caller("alice", CallerKind::Token), caller("bob", CallerKind::Token));
        let sessions = sessions(9, 2, 9);
        open(&sessions, "b", &bob, 0);
        open(&sessions, "a1", &alice, 1);
        open(&sessions, "a2", &alice, 2);
        drop(sessions.enter("a1", &alice, Duration::from_secs(3)));
        assert_eq!(open(&sessions, "a3", &alice, 4), ["a2"]);
    }

    #[test]
    fn a_session_in_use_is_closed_last() {
        let alice = caller("alice", CallerKind::Token);
        let sessions = sessions(9, 2, 9);
        open(&sessions, "a1", &alice, 1);
        let _stream = sessions.enter("a1", &alice, Duration::from_secs(1));
        open(&sessions, "a2", &alice, 2);
        assert_eq!(open(&sessions, "a3", &alice, 3), ["a2"]);
    }

    #[test]
    fn five_thousand_openings_leave_as_many_sessions_as_the_limit() {
        let anyone = caller("anonymous", CallerKind::Anonymous);
        let sessions = sessions(1_000, 64, 256);
        for number in 0..5_000 {
            open(&sessions, &number.to_string(), &anyone, number);
        }
        assert_eq!(sessions.lock().len(), 256);
    }
}
