//! The protocol's requests, turned into calls of the catalog and back.

use std::sync::Arc;

use gabier_tool::{Call, Caller, Envelope, Mode, Surface};
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Map, Value, json};

use crate::asked::Asked;
use crate::connection::{Connection, Kind};
use crate::feedback::{Carried, Ear, Way, feedback};
use crate::mcp::Shared;
use crate::profile;
use crate::tasks;
use crate::wire::log_level;

/// One connection's server.
pub(crate) struct Server {
    pub(crate) shared: Arc<Shared>,
    pub(crate) connection: Arc<Connection>,
}

/// What is known of a request before it is served.
pub(crate) struct Visit {
    pub(crate) caller: Caller,
    pub(crate) profile: String,
    pub(crate) is_modern: bool,
}

impl Server {
    /// Who asks, in which profile and by which era's rules.
    pub(crate) fn visit(&self, request: &RequestContext<RoleServer>) -> Result<Visit, ErrorData> {
        self.visit_of(&Asked::of(request))
    }

    /// The same for a request that may not have come through rmcp.
    pub(crate) fn visit_of(&self, asked: &Asked<'_>) -> Result<Visit, ErrorData> {
        let caller = asked
            .parts
            .and_then(|parts| parts.extensions.get::<Caller>())
            .or(self.connection.caller.as_ref())
            .ok_or_else(|| ErrorData::internal_error("the request was not identified", None))?
            .clone();
        let shared = &self.shared;
        let named = asked.parts.and_then(profile::asked).or_else(|| self.connection.profile.clone());
        let profile = profile::choose(shared.dispatch.catalog(), &shared.options.profile, named, &caller)?;
        log_level(asked.meta)?;
        Ok(Visit { caller, profile, is_modern: asked.is_modern })
    }

    /// One page of the tools.
    pub(crate) fn list(
        &self,
        params: Option<&Value>,
        request: &RequestContext<RoleServer>,
    ) -> Result<Value, ErrorData> {
        let visit = self.visit(request)?;
        let cursor = match params.and_then(|params| params.get("cursor")) {
            None | Some(Value::Null) => None,
            Some(Value::String(cursor)) => Some(cursor.as_str()),
            Some(_) => return Err(ErrorData::invalid_params("the cursor is not a string", None)),
        };
        let shared = &self.shared;
        let page = shared.listing.page(&shared.dispatch, &visit.caller, &visit.profile, cursor)?;
        let mut result = Map::new();
        result.insert("tools".to_owned(), page.tools.into());
        if let Some(next) = page.next {
            result.insert("nextCursor".to_owned(), next.into());
        }
        if visit.is_modern {
            let scope = cache_scope(&visit.caller);
            result.insert("resultType".to_owned(), "complete".into());
            result.insert("ttlMs".to_owned(), LIST_TTL_MS.into());
            result.insert("cacheScope".to_owned(), json!(scope));
            result.insert("_meta".to_owned(), json!(shared.stamp));
        }
        Ok(result.into())
    }

    /// Calls a tool of the catalog, or a raw one.
    pub(crate) async fn call(
        &self,
        call: CallToolRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let visit = self.visit(&request)?;
        let shared = &self.shared;
        let _counted = shared.calls.token();
        if shared.dispatch.catalog().get(&call.name).is_some() {
            return self.dispatch(call, visit, &Asked::of(&request)).await;
        }
        if shared.listing.raw(&call.name).is_none() {
            let nearest = shared.dispatch.catalog().find(&call.name).err();
            let data = nearest.and_then(|error| Some(json!({"nearest": error.details().get("nearest")?})));
            let message = format!("Unknown tool: {:?}", call.name);
            return Err(ErrorData::invalid_params(message, data));
        }
        let closed = self.connection.closed.clone();
        tokio::select! {
            response = shared.extras.call(call, request) => response,
            () = closed.cancelled() => Err(ErrorData::internal_error("the connection was closed", None)),
        }
    }

    /// Calls a tool of the catalog, from its parameters to its result.
    pub(crate) async fn dispatch(
        &self,
        call: CallToolRequestParams,
        visit: Visit,
        asked: &Asked<'_>,
    ) -> Result<CallToolResponse, ErrorData> {
        let dispatch = &self.shared.dispatch;
        let asking = &self.shared.asking;
        let takes_tasks = visit.is_modern && tasks::are_declared(asked.capabilities.as_ref());
        if !takes_tasks && self.shared.extras.needs_tasks(&call.name) {
            return Err(tasks::required());
        }
        let given = asking.open(&visit.caller, &call, dispatch.guards().clock.monotonic())?;
        let (voice, line) = feedback(&call.name, self.ear(asked), given.clone());
        let cancel = asked.ct.child_token();
        let mut ours = Call::new(
            &*call.name,
            call.arguments.clone().unwrap_or_default(),
            visit.caller.clone(),
            self.connection.surface,
        );
        ours.profile = Some(visit.profile.as_str().into());
        ours.feedback = Arc::new(voice);
        ours.cancel = cancel.clone();
        if let Some(id) = asked.request_id() {
            ours.request_id = id;
        }
        let carrying = line.carry(asked.peer, dispatch.call(ours));
        futures::pin_mut!(carrying);
        let Carried { answer, open } = tokio::select! {
            biased;
            carried = &mut carrying => carried,
            () = self.connection.closed.cancelled() => {
                if self.leaves_work(&call.name) {
                    return Err(ErrorData::internal_error("the connection was closed", None));
                }
                cancel.cancel();
                carrying.await
            }
        };
        if !open.is_empty() && answer.envelope.is_error() {
            return asking.close(&open, &given, &visit.caller, &call).map(Into::into).map_err(|error| {
                tracing::error!(?error, tool = &*call.name, "a question could not be asked");
                ErrorData::internal_error("the question could not be asked", None)
            });
        }
        if takes_tasks && let Some(id) = handed_over(&answer.envelope) {
            return self.handle(&visit.caller, id).await.map(Into::into);
        }
        Ok(self.result(&answer.envelope, visit.is_modern).into())
    }

    /// Whether the work of a call goes on when the connection ends: a client on pipes may leave behind what became a
    /// task. Over HTTP, to close the stream of a call takes it back.
    fn leaves_work(&self, tool: &str) -> bool {
        let entry = self.shared.dispatch.catalog().get(tool);
        self.connection.surface == Surface::McpStdio
            && entry.is_some_and(|entry| entry.facts.mode != Mode::Inline)
    }

    /// The envelope as structured content, and the same JSON as the one text block.
    pub(crate) fn result(&self, envelope: &Envelope, is_modern: bool) -> CallToolResult {
        let value = envelope.to_value();
        let text = vec![ContentBlock::text(value.to_string())];
        let mut result = CallToolResult::success(text);
        result.is_error = Some(envelope.is_error());
        result.structured_content = Some(value);
        result.meta = is_modern.then(|| self.shared.stamp.clone());
        result
    }

    /// What the client can take of this call.
    fn ear(&self, asked: &Asked<'_>) -> Ear {
        let in_session = self.connection.kind == Kind::Session && !asked.is_modern;
        // The session of the connection counts, whatever the client writes.
        let session =
            if in_session { self.connection.session.clone().or_else(|| asked.session_id()) } else { None };
        if asked.takes_one_answer() {
            return Ear { session, ..Ear::default() };
        }
        let can_elicit =
            asked.capabilities.as_ref().is_some_and(|capabilities| capabilities.elicitation.is_some());
        Ear {
            token: asked.meta.get_progress_token(),
            level: if in_session {
                Some(self.connection.level())
            } else {
                asked.meta.log_level().map(|level| level as u8)
            },
            content: in_session,
            asking: match (can_elicit, asked.is_modern) {
                (true, true) => Way::Again,
                (true, false) if in_session => Way::Meanwhile,
                _ => Way::Never,
            },
            session,
        }
    }
}

/// The task that a call became.
fn handed_over(envelope: &Envelope) -> Option<&str> {
    match envelope {
        Envelope::Success { outcome, .. } => outcome.handed_over.as_deref(),
        Envelope::Failure { .. } => None,
    }
}

/// How long a list may be kept.
pub(crate) const LIST_TTL_MS: u64 = 60_000;

/// Lists depend on the rights of whoever has an identity.
pub(crate) fn cache_scope(caller: &Caller) -> rmcp::model::CacheScope {
    match caller.kind {
        gabier_tool::CallerKind::Anonymous => rmcp::model::CacheScope::Public,
        _ => rmcp::model::CacheScope::Private,
    }
}
