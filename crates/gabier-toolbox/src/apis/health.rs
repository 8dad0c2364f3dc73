//! Whether a URL answers, asked from a host.

use std::future::Future;
use std::time::Duration;

use gabier_egress::{Page, Reach, Request, destination, send_over};
use gabier_host::Alias;
use gabier_tool::{Context, Effect, Error, ErrorKind, HostsRef, Mode, Permission, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Services;
use crate::hosts::reach;
use crate::monitor::fixed::TOOL_LIMIT;

/// Ask a URL from a host whether it answers.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CheckApiHealth {
    /// Host that asks.
    alias: HostsRef,
    /// URL.
    #[schemars(length(min = 1, max = 2048))]
    url: String,
}

/// How an API is.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Health {
    /// `UP` for an answer of 200 to 299, `DOWN` for another, `ERROR` for none.
    status: &'static str,
    /// The status of the answer.
    http_code: Option<u16>,
    /// How long it took.
    response_time_ms: u64,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Tool<Services> for CheckApiHealth {
    const NAME: &'static str = "check_api_health";
    const EFFECT: Effect = Effect::Read;
    const PERMISSION: Permission = Permission::Net;
    const MODE: Mode = Mode::Hybrid;
    const KIND: &'static str = "ssh";
    const LIMIT: Duration = TOOL_LIMIT;
    const OPEN_WORLD: bool = true;
    const KEYWORDS: &'static str = "http curl probe up down endpoint santé disponible";
    type Output = Health;

    async fn prepare(&mut self, ctx: &Context<Services>) -> Result<()> {
        reach::target(ctx, &self.alias).await.map(drop)
    }

    async fn run(self, ctx: &Context<Services>) -> Result<Health> {
        let alias = reach::target(ctx, &self.alias).await?;
        destination(&self.url)?;
        let request = Request::get(Self::NAME, Reach::Own, self.url.as_str());
        measured(ctx, from_host(ctx, &alias, request)).await
    }
}

/// Sends a request through a host; nothing of it stands on a command line there.
pub(super) async fn from_host(ctx: &Context<Services>, alias: &Alias, request: Request) -> Result<Page> {
    let (address, port) = destination(&request.url)?;
    let host = reach::host(ctx, alias).await?;
    let stream = host.forward(&address, port).await?;
    send_over(stream, request).await
}

/// What an answer, or its lack, says of an API.
pub(super) async fn measured(
    ctx: &Context<Services>,
    answer: impl Future<Output = Result<Page>>,
) -> Result<Health> {
    let began = ctx.clock().monotonic();
    let answer = answer.await;
    let took = ctx.clock().monotonic().saturating_sub(began);
    let response_time_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match answer {
        Ok(page) => {
            let status = if page.status.is_success() { "UP" } else { "DOWN" };
            let http_code = Some(page.status.as_u16());
            Ok(Health { status, http_code, response_time_ms, error: None })
        }
        Err(error) if is_silence(&error) => {
            let error = Some(error.message().to_owned());
            Ok(Health { status: "ERROR", http_code: None, response_time_ms, error })
        }
        Err(error) => Err(error),
    }
}

/// True when the API did not answer; false when nobody could ask it.
fn is_silence(error: &Error) -> bool {
    let reason = error.details().get("reason").and_then(|reason| reason.as_str());
    match error.kind() {
        // What failed on the way to a host that was to ask names the host.
        ErrorKind::ConnectionFailed => {
            error.details().get("alias").is_none() || reason == Some("FORWARD_FAILED")
        }
        ErrorKind::Timeout => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_cannot_be_reached_says_nothing_of_the_api() {
        let failed = || Error::new(ErrorKind::ConnectionFailed, "connecting");
        assert!(is_silence(&failed()));
        assert!(is_silence(&failed().with("alias", "web1").with("reason", "FORWARD_FAILED")));
        assert!(!is_silence(&failed().with("alias", "web1").with("reason", "ECONNREFUSED")));
        assert!(!is_silence(&Error::new(ErrorKind::AuthFailed, "logging in")));
    }
}
