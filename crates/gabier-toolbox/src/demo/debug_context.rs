//! What a tool is told of its caller.

use gabier_tool::{Abilities, CallerKind, Context, Effect, Level, Profile, Result, Tool, iso};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Services;

/// Demo: show what a tool knows of its caller.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("x-annotations" = {"authRequiredHint": false, "streamingHint": false}))]
pub(super) struct DebugContext {
    /// Text to log.
    message: Option<String>,
    /// Log to the client.
    #[serde(default)]
    use_client_logger: bool,
    /// Any id; it is logged.
    user_id: Option<String>,
}

/// What a tool knows of its caller.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CallerContext {
    /// The MCP session, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    /// Who called.
    auth_id: String,
    /// How the caller was identified.
    auth_type: AuthType,
    /// When the caller was identified, in UTC.
    authenticated_at: String,
    /// The caller's address; none within the machine's own process.
    client_ip: Option<String>,
    /// What the caller's side can take.
    capabilities: Abilities,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum AuthType {
    Anonymous,
    OsUser,
    Token,
    Bootstrap,
}

impl Tool<Services> for DebugContext {
    const NAME: &'static str = "correctDebugContextTool";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    const ALIASES: &'static [&'static str] = &["debugContext", "debugContextTool"];
    const TITLE: &'static str = "Debug context";
    const KEYWORDS: &'static str = "whoami session identity contexte identité débogage";
    type Output = CallerContext;

    async fn run(self, ctx: &Context<Services>) -> Result<CallerContext> {
        let caller = ctx.caller();
        if self.use_client_logger {
            let message = self.message.as_deref().unwrap_or("Debug context.");
            match &self.user_id {
                Some(id) => ctx.log(Level::Info, &format!("{message} ({id})")),
                None => ctx.log(Level::Info, message),
            }
        }
        Ok(CallerContext {
            session_id: ctx.session().map(str::to_owned),
            auth_id: caller.subject.to_string(),
            auth_type: caller.kind.into(),
            authenticated_at: iso(caller.authenticated_at),
            client_ip: caller.address.map(|address| address.to_string()),
            capabilities: ctx.abilities(),
        })
    }
}

impl From<CallerKind> for AuthType {
    fn from(kind: CallerKind) -> Self {
        match kind {
            CallerKind::Anonymous => Self::Anonymous,
            CallerKind::OsUser => Self::OsUser,
            CallerKind::Token => Self::Token,
            CallerKind::Bootstrap => Self::Bootstrap,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Settings;
    use crate::testing::{call_as, token_bearer};

    #[tokio::test]
    async fn a_caller_sees_how_it_was_identified_and_from_where() {
        let services = Arc::new(Services::open(&Settings::default(), None).unwrap());
        let told = call_as::<DebugContext>(&services, token_bearer(&["*"]), "{}").await;
        assert_eq!(
            told,
            r#"{"auth_id":"token:1a2b3c4d","auth_type":"token","authenticated_at":"2026-01-02T03:04:05.678Z","client_ip":"127.0.0.1","capabilities":{"log":false,"report_progress":false,"stream_content":false}}"#
        );
    }
}
