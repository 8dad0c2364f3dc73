//! Batches on a pipe: their answers go out together, in the one revision that knows them.

use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, RequestId, ServerJsonRpcMessage, ServerResult,
};
use serde_json::Value;

use crate::wire::BATCH_REVISION;

/// The batches under way, and what decides whether they may come at all.
#[derive(Default)]
pub(super) struct Batches {
    open: Vec<Batch>,
    opening: Option<RequestId>,
    are_known: bool,
}

struct Batch {
    /// The ids whose answers are still to come.
    missing: Vec<Value>,
    answers: Vec<Value>,
}

impl Batches {
    /// True when the client and the server agreed on the revision that knows batches.
    pub(super) fn are_known(&self) -> bool {
        self.are_known
    }

    /// True while no batch is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Sees a message come in.
    pub(super) fn note(&mut self, message: &ClientJsonRpcMessage) {
        if let JsonRpcMessage::Request(request) = message
            && matches!(request.request, ClientRequest::InitializeRequest(_))
        {
            self.opening = Some(request.id.clone());
        }
    }

    /// Begins a batch; gives its answer when there is nothing to wait for.
    pub(super) fn begin(&mut self, messages: &[Value], refused: Vec<Value>) -> Option<Value> {
        let is_request = |message: &&Value| message.get("method").is_some() && message.get("id").is_some();
        let missing: Vec<Value> =
            messages.iter().filter(is_request).map(|message| message["id"].clone()).collect();
        if missing.is_empty() {
            return (!refused.is_empty()).then(|| Value::Array(refused));
        }
        self.open.push(Batch { missing, answers: refused });
        None
    }

    /// What to write for a message of the server: nothing while its batch waits for others.
    pub(super) fn outgoing(&mut self, message: &ServerJsonRpcMessage) -> Option<String> {
        if let JsonRpcMessage::Response(response) = message
            && let ServerResult::InitializeResult(result) = &response.result
            && self.opening.take_if(|id| *id == response.id).is_some()
        {
            self.are_known = result.protocol_version.as_str() == BATCH_REVISION;
        }
        let is_answer = matches!(message, JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_));
        if self.open.is_empty() || !is_answer {
            return serde_json::to_string(message).ok();
        }
        self.answer(serde_json::to_value(message).ok()?).map(|value| value.to_string())
    }

    /// Puts an answer where it belongs: into its batch, which is given once it is whole, else on its own.
    pub(super) fn answer(&mut self, answer: Value) -> Option<Value> {
        let id = answer.get("id").cloned().unwrap_or_default();
        let Some(place) = self.open.iter().position(|batch| batch.missing.contains(&id)) else {
            return Some(answer);
        };
        let batch = &mut self.open[place];
        batch.missing.retain(|missing| *missing != id);
        batch.answers.push(answer);
        if !batch.missing.is_empty() {
            return None;
        }
        Some(Value::Array(self.open.remove(place).answers))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_batch_is_answered_when_its_last_answer_is_there() {
        let mut batches = Batches::default();
        let messages =
            [json!({"id": 1, "method": "a"}), json!({"method": "n"}), json!({"id": "x", "method": "b"})];
        assert_eq!(batches.begin(&messages, Vec::new()), None);
        assert_eq!(batches.answer(json!({"id": "x", "result": 2})), None);
        assert_eq!(batches.answer(json!({"id": 7, "result": 0})), Some(json!({"id": 7, "result": 0})));
        let whole = batches.answer(json!({"id": 1, "result": 1}));
        assert_eq!(whole, Some(json!([{"id": "x", "result": 2}, {"id": 1, "result": 1}])));
    }

    #[test]
    fn a_batch_of_notifications_has_no_answer() {
        assert_eq!(Batches::default().begin(&[json!({"method": "n"})], Vec::new()), None);
    }
}
