//! What a webhook says: it follows from the task and the event, the same at every try.

use gabier_store::queue::{Delivery, DeliveryEvent, Task};
use gabier_tool::{Redactor, iso};
use serde_json::{Map, Value, json};

use crate::kept::{self, timestamp};
use crate::manage::FailureReason;

/// The longest body; what makes it longer is left out.
const LONGEST: usize = 20 * 1000;

/// The body of a delivery.
pub(crate) fn body(task: &Task, delivery: &Delivery, redactor: &Redactor) -> Vec<u8> {
    let mut body = said(task, delivery);
    redact(&mut body, redactor);
    for (part, stand_in) in [("result", "resultUri"), ("inParams", "inParamsUri"), ("error", "errorUri")] {
        let text = body.to_string();
        if text.len() <= LONGEST {
            return text.into_bytes();
        }
        let uri = format!("/api/v1/tasks/{}", task.asked.id);
        if let Some(object) = body.as_object_mut()
            && object.shift_remove(part).is_some()
        {
            object.insert(stand_in.to_owned(), uri.into());
        }
    }
    body.to_string().into_bytes()
}

fn said(task: &Task, delivery: &Delivery) -> Value {
    let event = delivery.event;
    let at = iso(timestamp(delivery.created));
    let mut body = Map::new();
    body.insert("type".to_owned(), format!("task.{}", event.name()).into());
    body.insert("timestamp".to_owned(), at.as_str().into());
    body.insert("taskId".to_owned(), task.asked.id.as_str().into());
    body.insert("status".to_owned(), event.name().into());
    body.insert("msg".to_owned(), message(task, event).into());
    match event {
        DeliveryEvent::Processing => {}
        DeliveryEvent::Completed => {
            let result = kept::result(task).map(|result| result.data).unwrap_or_default();
            body.insert("result".to_owned(), result);
        }
        DeliveryEvent::Error | DeliveryEvent::Cancelled => {
            body.insert("error".to_owned(), json!(FailureReason::of(task)));
        }
    }
    body.insert("inParams".to_owned(), task.asked.arguments.clone());
    body.insert("ts".to_owned(), at.into());
    let current = match event {
        DeliveryEvent::Processing => Some(0),
        DeliveryEvent::Completed => Some(100),
        DeliveryEvent::Error | DeliveryEvent::Cancelled => None,
    };
    if let Some(current) = current {
        body.insert("progress".to_owned(), json!({"current": current, "total": 100, "unit": "%"}));
    }
    Value::Object(body)
}

fn message(task: &Task, event: DeliveryEvent) -> String {
    let tool = &task.asked.tool;
    match event {
        DeliveryEvent::Processing => format!("{tool} has started"),
        DeliveryEvent::Completed => format!("{tool} has completed"),
        DeliveryEvent::Error => format!("{tool} has failed"),
        DeliveryEvent::Cancelled => format!("{tool} was cancelled"),
    }
}

fn redact(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => redactor.redact_in_place(text),
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, redactor)),
        Value::Object(object) => object.values_mut().for_each(|inner| redact(inner, redactor)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use gabier_store::queue::{DeliveryState, State};

    use super::*;
    use crate::kept::{KeptError, KeptResult};
    use crate::show::tests::task;

    fn check(task: &Task, event: DeliveryEvent) -> Value {
        let delivery = Delivery {
            id: event.id(&task.asked.id),
            task: task.asked.id.clone(),
            event,
            url: "https://example.org/hook".to_owned(),
            state: DeliveryState::Waiting,
            attempts: 0,
            next: None,
            last: None,
            created: 1_767_323_045_678,
        };
        let bytes = body(task, &delivery, &Redactor::new());
        assert_eq!(bytes, body(task, &delivery, &Redactor::new()));
        serde_json::from_slice(&bytes).unwrap()
    }

    const ID: &str = "0f5b2c1e-0000-4000-8000-000000000000";

    #[test]
    fn the_start_and_the_success_show_progress_and_the_success_its_result() {
        assert_eq!(
            check(&task(State::Running), DeliveryEvent::Processing),
            json!({
                "type": "task.processing", "timestamp": "2026-01-02T03:04:05.678Z", "taskId": ID,
                "status": "processing", "msg": "copy has started", "inParams": {"cmd": "uptime"},
                "ts": "2026-01-02T03:04:05.678Z", "progress": {"current": 0, "total": 100, "unit": "%"},
            }),
        );
        let mut completed = task(State::Completed);
        let kept = KeptResult { data: json!({"copied": 3}), ..KeptResult::default() };
        completed.result = serde_json::to_value(kept).ok();
        let said = check(&completed, DeliveryEvent::Completed);
        assert_eq!((&said["result"], &said["progress"]["current"]), (&json!({"copied": 3}), &json!(100)));
    }

    #[test]
    fn a_failure_names_its_error_and_shows_no_progress() {
        let mut failed = task(State::Failed);
        let error = gabier_tool::Error::new(gabier_tool::ErrorKind::TransferFailed, "copying a failed");
        failed.error = Some(KeptError::of(&error).to_value());
        let said = check(&failed, DeliveryEvent::Error);
        assert_eq!(said["status"], "error");
        assert_eq!(said["error"]["message"], "copying a failed");
        assert_eq!(said["error"]["type"], "TRANSFER_FAILED");
        assert!(said.get("progress").is_none() && said.get("result").is_none());
    }

    #[test]
    fn a_large_result_is_replaced_by_where_it_is() {
        let mut completed = task(State::Completed);
        let kept = KeptResult { data: json!({"text": "x".repeat(30_000)}), ..KeptResult::default() };
        completed.result = serde_json::to_value(kept).ok();
        let said = check(&completed, DeliveryEvent::Completed);
        assert_eq!(said["resultUri"], format!("/api/v1/tasks/{ID}"));
        assert!(said.get("result").is_none() && said["inParams"]["cmd"] == "uptime");
    }
}
