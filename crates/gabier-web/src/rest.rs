//! REST: a route per tool, and the forms its answer can take.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::RawPathParams;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, any, delete, get, post};
use bytes::Bytes;
use gabier_tool::schema::is_linkable;
use gabier_tool::{
    Call, Caller, Entry, Envelope, Error, ErrorKind, Patience, Permission, Reply, Result, Surface,
};
use http::header::ALLOW;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

use crate::accept::Form;
use crate::answer::{answer, bytes_of, json, media, status_of, with_headers};
use crate::call::Attended;
use crate::front::REQUEST_ID;
use crate::web::{App, caller};
use crate::{html, list, query, stream, tasks};

/// All routes to tools.
pub(crate) fn routes(app: &Arc<App>) -> Router {
    let mut router = Router::new()
        .route("/tools", list_route(app))
        .route("/api/v1/tools", list_route(app))
        .route("/api/v1/tools/{name}", unknown_route(app))
        .route("/call/{name}", unknown_route(app));
    for entry in app.dispatch.catalog().iter() {
        let names = std::iter::once(&entry.facts.name).chain(entry.facts.aliases);
        for name in names {
            let own = if entry.facts.effect.is_read() { read_route } else { post_route };
            router = router
                .route(&format!("/api/v1/tools/{name}"), own(app, entry))
                .route(&format!("/call/{name}"), post_route(app, entry));
        }
    }
    for short in &app.options.short_routes {
        let Some(entry) = app.dispatch.catalog().get(&short.tool) else { continue };
        let route = match short.method {
            Method::GET => get_route(app, entry),
            Method::DELETE => delete_route(app, entry),
            _ => post_route(app, entry),
        };
        router = router.route(&short.path, route);
    }
    tasks::routes(app, router)
}

fn list_route(app: &Arc<App>) -> MethodRouter {
    let app = Arc::clone(app);
    get(move |request: Request<Body>| {
        let app = Arc::clone(&app);
        async move { list::list(&app, &request).unwrap_or_else(|error| app.failure(error)) }
    })
}

fn unknown_route(app: &Arc<App>) -> MethodRouter {
    let app = Arc::clone(app);
    any(move |name: axum::extract::Path<String>, request: Request<Body>| {
        let app = Arc::clone(&app);
        async move {
            let error = caller(&request).err().or_else(|| app.dispatch.catalog().find(&name).err());
            app.failure(error.unwrap_or_else(|| Error::not_found("there is no such tool")))
        }
    })
}

fn post_route(app: &Arc<App>, entry: &Arc<Entry>) -> MethodRouter {
    let (app, entry) = (Arc::clone(app), Arc::clone(entry));
    post(move |named: RawPathParams, request: Request<Body>| {
        call(Arc::clone(&app), Arc::clone(&entry), named, request)
    })
}

fn get_route(app: &Arc<App>, entry: &Arc<Entry>) -> MethodRouter {
    let (app, entry) = (Arc::clone(app), Arc::clone(entry));
    get(move |named: RawPathParams, request: Request<Body>| {
        call(Arc::clone(&app), Arc::clone(&entry), named, request)
    })
}

/// The route of a tool that reads, which a link may call if its arguments fit into one. That takes its schema, which
/// is made when somebody asks; so the methods are told apart here, as a router would.
fn read_route(app: &Arc<App>, entry: &Arc<Entry>) -> MethodRouter {
    let (app, entry) = (Arc::clone(app), Arc::clone(entry));
    any(move |named: RawPathParams, request: Request<Body>| {
        let (app, entry) = (Arc::clone(&app), Arc::clone(&entry));
        async move {
            let is_linked = || is_linkable(&entry);
            match *request.method() {
                Method::POST => call(app, entry, named, request).await,
                Method::GET | Method::HEAD if is_linked() => call(app, entry, named, request).await,
                _ => {
                    let allow = if is_linked() { "POST,GET,HEAD" } else { "POST" };
                    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, allow)]).into_response()
                }
            }
        }
    })
}

fn delete_route(app: &Arc<App>, entry: &Arc<Entry>) -> MethodRouter {
    let (app, entry) = (Arc::clone(app), Arc::clone(entry));
    delete(move |named: RawPathParams, request: Request<Body>| {
        call(Arc::clone(&app), Arc::clone(&entry), named, request)
    })
}

/// Runs one tool.
async fn call(app: Arc<App>, entry: Arc<Entry>, named: RawPathParams, request: Request<Body>) -> Response {
    let form = Form::preferred(request.headers());
    if let Err(error) = caller(&request)
        && !entry.facts.needs.contains(&Permission::Public)
    {
        // Before its arguments are looked at: a stranger learns nothing from their faults.
        return app.failure(error);
    }
    match begin(&entry, &named, request).await {
        Err(error) => app.failure(error),
        Ok(mut call) => {
            call.wants_view = form.shows_view();
            if form == Form::Events {
                call.patience = Patience::Endless;
                return stream::respond(&app, &entry, call);
            }
            let reply = Attended::new(Arc::clone(&app.dispatch), &entry, call).await;
            render(&entry, &reply, form)
        }
    }
}

async fn begin(entry: &Entry, named: &RawPathParams, request: Request<Body>) -> Result<Call> {
    let Some(caller) = request.extensions().get::<Caller>().cloned() else {
        return Err(Error::internal("a request came past the front"));
    };
    let request_id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let mut arguments = if request.method() == Method::POST {
        object(&whole(request.into_body()).await?)?
    } else {
        query::arguments(entry, request.uri().query())?
    };
    for (name, value) in named {
        if arguments.insert(name.to_owned(), value.into()).is_some() {
            return Err(Error::invalid(name, "is in the path already"));
        }
    }
    let mut call = Call::new(entry.facts.name, arguments, caller, Surface::Rest);
    if let Some(request_id) = request_id {
        call.request_id = request_id;
    }
    Ok(call)
}

/// The body, which the front has read already.
async fn whole(body: Body) -> Result<Bytes> {
    let collected = body.collect().await;
    Ok(collected.map_err(|error| Error::internal("reading a body twice").with_source(error))?.to_bytes())
}

/// A body as arguments; none at all is no arguments.
fn object(body: &[u8]) -> Result<Map<String, Value>> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err(Error::new(ErrorKind::InvalidArgument, "the body must be one JSON object")),
        Err(error) => Err(Error::new(ErrorKind::BadRequest, "reading the body as JSON")
            .with("line", error.line())
            .with("column", error.column())),
    }
}

/// The reply in the form that the client prefers. Failures are JSON in every form but those made for programs.
pub(crate) fn render(entry: &Entry, reply: &Reply, form: Form) -> Response {
    let envelope = &reply.envelope;
    let status = status_of(envelope);
    let form =
        if envelope.is_error() && matches!(form, Form::Markdown | Form::Html) { Form::Json } else { form };
    let response = match form {
        Form::Json | Form::Events => json(status, &envelope.to_value()),
        Form::View => answer(status, media::VIEW, bytes_of(&full(reply))),
        Form::Markdown => answer(status, media::MARKDOWN, gabier_display::markdown(&reply.view)),
        Form::Html => answer(status, media::HTML, html::page(&entry.title(), &html::result(&reply.view))),
        Form::Ndjson => lines(status, envelope),
    };
    with_headers(response, envelope)
}

/// Everything that another process needs to show the reply as this one would.
pub(crate) fn full(reply: &Reply) -> Value {
    json!({
        "envelope": reply.envelope.to_value(),
        "view": reply.view,
        "exit_code": reply.envelope.exit_code(),
    })
}

/// A result that is one list of objects gives a line each; any other is one line.
fn lines(status: StatusCode, envelope: &Envelope) -> Response {
    let mut text = Vec::new();
    let mut line = |value: &Value| {
        text.extend_from_slice(&bytes_of(value));
        text.push(b'\n');
    };
    match envelope {
        Envelope::Failure { .. } => line(&envelope.to_value()),
        Envelope::Success { data, .. } => match only_list(data) {
            Some(items) => items.iter().for_each(&mut line),
            None => line(data),
        },
    }
    answer(status, media::NDJSON, text)
}

fn only_list(data: &Value) -> Option<&Vec<Value>> {
    let mut lists = data
        .as_object()?
        .values()
        .filter_map(Value::as_array)
        .filter(|items| items.iter().any(Value::is_object));
    let only = lists.next()?;
    lists.next().is_none().then_some(only)
}
