//! A task as an event stream: how it stands, as it moves, and then its answer.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use gabier_tool::{Caller, Error, Listening, Result, TaskState, iso};
use http::{Request, StatusCode};
use serde_json::{Map, Value, json};

use crate::answer::{answer, media};
use crate::rest::full;
use crate::stream::{SIGN_OF_LIFE, event};
use crate::web::{App, caller};

/// Adds the streams, where calls become tasks.
pub(crate) fn routes(app: &Arc<App>, router: Router) -> Router {
    if app.dispatch.guards().submission.board().is_none() {
        return router;
    }
    let app = Arc::clone(app);
    let events = get(move |id: Path<String>, request: Request<Body>| {
        let (app, caller) = (Arc::clone(&app), caller(&request).cloned());
        async move { follow(&app, caller, &id).await }
    });
    router.route("/api/v1/tasks/{id}/events", events)
}

async fn follow(app: &App, caller: Result<Caller>, id: &str) -> Response {
    let watched = async {
        let board = app.dispatch.guards().submission.board();
        let board = board.ok_or_else(|| Error::not_found("there are no tasks here"))?;
        board.watch(&caller?, id).await
    };
    match watched.await {
        Err(error) => app.failure(error),
        Ok(states) => {
            let frames = stream::unfold(Some(states), next);
            let mut response = answer(StatusCode::OK, media::EVENTS, Body::from_stream(frames));
            response.extensions_mut().insert(Listening);
            response
        }
    }
}

type Frame = Result<Bytes, Infallible>;
type States = BoxStream<'static, TaskState>;

async fn next(states: Option<States>) -> Option<(Frame, Option<States>)> {
    let mut states = states?;
    match tokio::time::timeout(SIGN_OF_LIFE, states.next()).await {
        Err(_) => Some((Ok(Bytes::from_static(b": still here\n\n")), Some(states))),
        Ok(None) => None,
        Ok(Some(state)) => {
            let is_last = state.phase.is_final();
            let mut frames = event("task", &shown(&state)).to_vec();
            if let Some(reply) = &state.reply {
                frames.extend_from_slice(&event("result", &full(reply)));
            }
            Some((Ok(frames.into()), (!is_last).then_some(states)))
        }
    }
}

fn shown(state: &TaskState) -> Value {
    let mut shown = Map::new();
    shown.insert("id".to_owned(), state.id.as_str().into());
    shown.insert("tool".to_owned(), state.tool.as_str().into());
    shown.insert("status".to_owned(), state.status.into());
    shown.insert("created_at".to_owned(), iso(state.created).into());
    shown.insert("updated_at".to_owned(), iso(state.updated).into());
    if let Some(message) = &state.message {
        shown.insert("message".to_owned(), message.as_str().into());
    }
    if let Some(progress) = &state.progress {
        let progress = json!({"done": progress.done, "total": progress.total, "message": progress.message});
        shown.insert("progress".to_owned(), progress);
    }
    Value::Object(shown)
}
