//! Questions to the person behind the client: in a session while the call waits, else by ending the call with the
//! question and a sealed state, and running it anew when the answer comes with it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gabier_tool::{Answer, Caller, Error, ErrorKind, Question, Result};
use rmcp::model::{
    CallToolRequestParams, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationSchema, InputRequest, InputRequiredResult, InputResponses, RequestStateCodec, SealOptions,
};
use rmcp::{ErrorData, Peer, RoleServer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

/// How long a question stays open.
const OPEN: Duration = Duration::from_mins(5);

/// Answers by the key of their question.
pub(crate) type Answers = HashMap<String, Answer>;

/// Seals and opens what travels with a question.
pub(crate) struct Asking {
    codec: RequestStateCodec,
    /// States that came back, by the time at which they would have expired anyway.
    used: Mutex<HashMap<String, Duration>>,
}

/// What travels: readable by the client, changeable by nobody.
#[derive(Serialize, Deserialize)]
struct State {
    nonce: String,
    given: BTreeMap<String, Option<Value>>,
}

impl Asking {
    /// With a key of this process.
    pub(crate) fn new() -> Self {
        let mut key = vec![0; RequestStateCodec::MIN_KEY_LENGTH];
        getrandom::fill(&mut key).expect("the operating system gives random bytes");
        let codec = RequestStateCodec::try_new(key).expect("the key has the length that is asked for");
        Self { codec, used: Mutex::default() }
    }

    /// Ends a call with its open questions.
    pub(crate) fn close(
        &self,
        open: &[Question],
        given: &Answers,
        caller: &Caller,
        call: &CallToolRequestParams,
    ) -> Result<InputRequiredResult> {
        let mut requests = BTreeMap::new();
        for question in open {
            let request = InputRequest::Elicitation(ElicitRequest::new(form(question)?));
            requests.insert(question.key.clone(), request);
        }
        let given = given.iter().map(|(key, answer)| {
            let content = match answer {
                Answer::Accepted(content) => Some(content.clone()),
                Answer::Declined => None,
            };
            (key.clone(), content)
        });
        let state = State { nonce: gabier_tool::request_id(), given: given.collect() };
        let bound = binding(caller, call);
        let options = SealOptions::new().associated_data(&bound).ttl(OPEN);
        let sealed = self
            .codec
            .seal_json_with(&state, &options)
            .map_err(|error| Error::internal("sealing the state of a question").with_source(error))?;
        Ok(InputRequiredResult::new(Some(requests), Some(sealed)))
    }

    /// The answers that come with a call, after its state was checked; each state is good for once.
    pub(crate) fn open(
        &self,
        caller: &Caller,
        call: &CallToolRequestParams,
        now: Duration,
    ) -> Result<Answers, ErrorData> {
        let Some(sealed) = &call.request_state else { return Ok(Answers::new()) };
        let refused = |why: String| ErrorData::invalid_params(format!("requestState: {why}"), None);
        let state: State = self
            .codec
            .open_json_with(sealed, &binding(caller, call))
            .map_err(|error| refused(error.to_string()))?;
        if !self.burn(state.nonce, now) {
            return Err(refused("was used already".to_owned()));
        }
        let given = state
            .given
            .into_iter()
            .map(|(key, content)| (key, content.map_or(Answer::Declined, Answer::Accepted)));
        Ok(given.chain(answers(call.input_responses.as_ref())).collect())
    }

    fn burn(&self, nonce: String, now: Duration) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, until| *until > now);
        used.insert(nonce, now + OPEN).is_none()
    }
}

/// What a state belongs to: this caller, this tool, these arguments.
fn binding(caller: &Caller, call: &CallToolRequestParams) -> Vec<u8> {
    let mut digest = Sha256::new();
    let arguments = call.arguments.clone().unwrap_or_default();
    for part in [&*caller.subject, &*call.name, &sorted(&Value::Object(arguments)).to_string()] {
        digest.update(part.len().to_le_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize().to_vec()
}

/// The same value with its keys in order: clients may send them in another one.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let ordered: BTreeMap<_, _> = object.iter().collect();
            ordered.into_iter().map(|(key, inner)| (key.clone(), sorted(inner))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// The answers that a client sent, by the key of their question.
pub(crate) fn answers(responses: Option<&InputResponses>) -> Answers {
    let responses = responses.into_iter().flatten();
    responses
        .filter_map(|(key, response)| {
            let result: ElicitResult = serde_json::from_value(response.clone()).ok()?;
            Some((key.clone(), answer(result)))
        })
        .collect()
}

fn answer(result: ElicitResult) -> Answer {
    match result.action {
        ElicitationAction::Accept => Answer::Accepted(result.content.unwrap_or_default()),
        _ => Answer::Declined,
    }
}

/// A question as a form to fill in.
pub(crate) fn form(question: &Question) -> Result<ElicitRequestParams> {
    let requested_schema: ElicitationSchema = serde_json::from_value(question.schema.clone())
        .map_err(|error| Error::internal("reading the schema of a question").with_source(error))?;
    let message = question.text.clone();
    Ok(ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema })
}

/// Asks in a session.
pub(crate) async fn elicit(
    peer: &Peer<RoleServer>,
    question: Question,
    reply: oneshot::Sender<Result<Answer>>,
) {
    let answer = match form(&question) {
        Ok(form) => peer.create_elicitation(form).await.map(answer).map_err(|error| {
            Error::new(ErrorKind::ConfirmationRequired, format!("{} (asking failed)", question.text))
                .with("question", question.key.as_str())
                .with_source(error)
        }),
        Err(error) => Err(error),
    };
    // A call that ended meanwhile wants no answer.
    let _ = reply.send(answer);
}
