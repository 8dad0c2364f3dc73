//! Deliveries: claimed from the store, sent, and tried again until they are taken or given up.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use gabier_egress::{HeaderMap, HeaderName, HeaderValue, Method, Page, Reach, Request, StatusCode};
use gabier_store::queue::{Delivered, Delivery, Ms, TaskChange};
use gabier_tool::{Error, ErrorKind, Redactor, Result, Secret};
use tokio_util::sync::CancellationToken;

use super::{EGRESS, body, sign};
use crate::backing::Backing;
use crate::retry;
use crate::settings::Webhooks;
use crate::tasks::Engine;

/// The waits between tries, in seconds: after the first try, after the second, and so on. Then it is given up.
const WAITS_S: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// The longest wait that a receiver may ask for.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a claimed delivery is this process's.
const LEASE: Ms = 60_000;

/// How many are made at once.
const AT_ONCE: usize = 16;

/// How often it is looked for due ones when nothing is heard.
const ROUND: Duration = Duration::from_secs(5);

impl Engine {
    /// Makes deliveries until the process stops.
    pub(crate) async fn tell_receivers(self: &Arc<Self>, shutdown: &CancellationToken) {
        if self.egress.is_none() {
            return;
        }
        let Some(backing) = self.backing_until(shutdown).await else { return };
        let mut changes = backing.queue.changes();
        while !shutdown.is_cancelled() {
            if self.is_worker(&backing) && self.deliver_due(&backing).await {
                continue;
            }
            let due = self.pause(&backing).await.max(Duration::from_millis(100));
            tokio::select! {
                () = self.clock.sleep(if due < Duration::from_secs(1) { due } else { ROUND }) => {}
                change = changes.recv() => {
                    if matches!(change, Ok(TaskChange::Work(_))) {
                        continue;
                    }
                    self.clock.sleep(Duration::from_millis(50)).await;
                    changes = changes.resubscribe();
                }
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Makes what is due; false when nothing was.
    async fn deliver_due(&self, backing: &Backing) -> bool {
        let due = match backing.queue.due(&backing.worker, AT_ONCE, LEASE).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "looking for webhooks to send");
                return false;
            }
        };
        let is_any = !due.is_empty();
        let mut sending: FuturesUnordered<_> =
            due.into_iter().map(|delivery| self.deliver_one(backing, delivery)).collect();
        while sending.next().await.is_some() {}
        is_any
    }

    async fn deliver_one(&self, backing: &Backing, delivery: Delivery) {
        let answer = self.send(backing, &delivery).await;
        let now = backing.queue.now().await.unwrap_or_else(|_| self.now_ms());
        let how = verdict(&answer, delivery.attempts, now, retry::chance());
        if let Delivered::Dead { last } = &how {
            tracing::warn!(id = delivery.id, last, "giving up a webhook");
        }
        if let Err(error) = backing.queue.delivered(&delivery.id, how).await {
            tracing::warn!(%error, id = delivery.id, "noting how a webhook went");
        }
    }

    async fn send(&self, backing: &Backing, delivery: &Delivery) -> Result<Page> {
        let egress =
            self.egress.as_ref().ok_or_else(|| Error::internal("sending a webhook without egress"))?;
        let task = self.ask("reading a task", backing.queue.get(&delivery.task)).await?;
        let task = task.ok_or_else(|| Error::not_found("the task is gone"))?;
        let dispatch = self.dispatch()?;
        let redactor: &Redactor = &dispatch.guards().redactor;
        let body = body::body(&task, delivery, redactor);
        let headers = headers(&self.settings.webhooks, delivery, self.now_ms() / 1000, &body)?;
        let request = Request {
            tool: EGRESS,
            reach: Reach::Public,
            method: Method::POST,
            url: delivery.url.clone(),
            headers,
            body: Some(body.into()),
            limit: PATIENCE,
        };
        egress.send_direct(request).await
    }
}

/// The headers of one try: the same id, a fresh time and signature.
fn headers(settings: &Webhooks, delivery: &Delivery, now_s: i64, body: &[u8]) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &'static str, value: &str| -> Result<()> {
        let value = HeaderValue::from_str(value)
            .map_err(|error| Error::internal("writing a header").with_source(error))?;
        headers.insert(HeaderName::from_static(name), value);
        Ok(())
    };
    add("content-type", "application/json")?;
    add("x-task-id", delivery.task.as_str())?;
    add("webhook-id", &delivery.id)?;
    add("webhook-timestamp", &now_s.to_string())?;
    if let Some(secret) = &settings.secret {
        let secrets: Vec<&Secret> = std::iter::once(secret).chain(&settings.earlier_secrets).collect();
        add("webhook-signature", &sign::standard(&secrets, &delivery.id, now_s, body))?;
        if settings.legacy_signature {
            add("x-webhook-signature-256", &sign::legacy(secret, body))?;
        }
    }
    Ok(headers)
}

/// What follows a try; `tried` counts those before it, `chance` is random, from 0 to 1.
fn verdict(answer: &Result<Page>, tried: u32, now: Ms, chance: f64) -> Delivered {
    let (last, asked_for) = match answer {
        Ok(page) if page.status.is_success() => return Delivered::Done { last: page.status.to_string() },
        Ok(page) if page.status == StatusCode::GONE => {
            return Delivered::Dead { last: "410 Gone: the receiver wants no more".to_owned() };
        }
        Ok(page) if page.status.is_redirection() => {
            (format!("{}: redirects are not followed", page.status), None)
        }
        Ok(page) => (page.status.to_string(), retry_after(page)),
        // What the address is now, it may not be at the next try: only what can never be is given up at once.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::NotFound) => {
            return Delivered::Dead { last: error.to_string() };
        }
        Err(error) => (error.to_string(), None),
    };
    let Some(wait) = WAITS_S.get(tried as usize) else {
        return Delivered::Dead { last };
    };
    let wait = Duration::from_secs(*wait).mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0));
    let wait = wait.max(asked_for.unwrap_or_default());
    Delivered::Again { at: now.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(Ms::MAX)), last }
}

/// How long a receiver asks to be left alone.
fn retry_after(page: &Page) -> Option<Duration> {
    if !matches!(page.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let seconds = page.headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(status: u16, retry_after: Option<&'static str>) -> Page {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert("retry-after", HeaderValue::from_static(value));
        }
        Page {
            url: "https://example.org/".parse().unwrap(),
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: bytes::Bytes::new(),
            truncated: false,
        }
    }

    fn check(answer: Page, tried: u32) -> String {
        match verdict(&Ok(answer), tried, 0, 0.5) {
            Delivered::Done { last } => format!("done {last}"),
            Delivered::Again { at, last } => format!("again at {at}: {last}"),
            Delivered::Dead { last } => format!("dead: {last}"),
        }
    }

    #[test]
    fn only_2xx_is_taken_and_410_ends_it() {
        assert_eq!(check(page(204, None), 0), "done 204 No Content");
        assert_eq!(check(page(500, None), 0), "again at 5000: 500 Internal Server Error");
        assert_eq!(check(page(302, None), 1), "again at 300000: 302 Found: redirects are not followed");
        assert!(check(page(410, None), 0).starts_with("dead: 410"));
    }

    #[test]
    fn it_is_given_up_after_ten_tries() {
        assert!(check(page(500, None), 8).starts_with("again at 86400000"));
        assert_eq!(check(page(500, None), 9), "dead: 500 Internal Server Error");
    }

    #[test]
    fn a_receiver_may_ask_for_time() {
        assert!(check(page(429, Some("120")), 0).starts_with("again at 120000"));
        assert!(check(page(503, Some("1")), 0).starts_with("again at 5000"));
        assert!(check(page(500, Some("120")), 0).starts_with("again at 5000"));
    }

    #[test]
    fn waits_differ_by_a_fifth() {
        let at = |chance| match verdict(&Ok(page(500, None)), 0, 0, chance) {
            Delivered::Again { at, .. } => at,
            _ => 0,
        };
        assert_eq!((at(0.0), at(1.0)), (4_000, 6_000));
    }
}
