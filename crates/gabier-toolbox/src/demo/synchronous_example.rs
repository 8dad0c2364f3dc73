//! A tool that answers at once and shows what it knows of its caller.

use std::time::Duration;

use gabier_tool::{Context, Effect, Level, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Services;

/// Demo: uppercase some text, after a delay.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-annotations" = {"authRequiredHint": false, "streamingHint": false}))]
pub(super) struct SynchronousExample {
    /// Text.
    #[schemars(length(min = 1))]
    data: String,
    /// Delay in ms.
    #[serde(default = "ten")]
    #[schemars(range(min = 0, max = 1000))]
    delay_ms: u16,
    /// Log to the client.
    #[serde(default)]
    use_client_logger: bool,
    /// Any id.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
}

/// The text in capitals, and what the call looked like.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Capitals {
    /// The text in capitals.
    processed: String,
    /// When, in milliseconds since 1970.
    ts: i64,
    /// The arguments, with defaults.
    input: SynchronousExample,
    /// Who called.
    app_auth_id: String,
    /// The caller's address; none within the machine's own process.
    client_ip: Option<String>,
    /// The MCP session, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    framework_session_id: Option<String>,
    /// The id that the arguments gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    n8n_session_id: Option<String>,
}

impl Tool<Services> for SynchronousExample {
    const NAME: &'static str = "synchronousExampleToolEnhanced";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    const TITLE: &'static str = "Synchronous example";
    const KEYWORDS: &'static str = "example test exemple démonstration";
    type Output = Capitals;

    async fn run(self, ctx: &Context<Services>) -> Result<Capitals> {
        if self.use_client_logger {
            ctx.log(Level::Info, "Requête de tâche synchrone reçue.");
        }
        ctx.clock().sleep(Duration::from_millis(self.delay_ms.into())).await;
        if self.use_client_logger {
            ctx.log(Level::Info, "Tâche synchrone terminée.");
        }
        Ok(Capitals {
            processed: format!("PROCESSED_ENHANCED: {}", self.data.to_uppercase()),
            ts: ctx.now().timestamp_millis(),
            app_auth_id: ctx.caller().subject.to_string(),
            client_ip: ctx.caller().address.map(|address| address.to_string()),
            framework_session_id: ctx.session().map(str::to_owned),
            n8n_session_id: self.user_id.clone(),
            input: self,
        })
    }
}

fn ten() -> u16 {
    10
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::testing::call_on;

    #[tokio::test]
    async fn the_text_comes_back_in_capitals_with_the_defaults_filled_in() {
        let services = Services::open(&Settings::default(), None).unwrap();
        let told = call_on::<SynchronousExample>(services, r#"{"data": "été", "userId": "u1"}"#).await;
        assert_eq!(
            told,
            r#"{"processed":"PROCESSED_ENHANCED: ÉTÉ","ts":1767323045688,"input":{"data":"été","delay_ms":10,"use_client_logger":false,"user_id":"u1"},"appAuthId":"user:1000","clientIp":null,"n8nSessionId":"u1"}"#
        );
    }
}
