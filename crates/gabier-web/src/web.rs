//! The web server: what it is made of, and its routes in one list.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use gabier_tool::{Caller, Dispatch, Error, ErrorKind, Health, Result};
use http::{HeaderMap, Request};

use crate::answer::failure;
use crate::front::Front;
use crate::listener::Bound;
use crate::metrics::Metrics;
use crate::openapi::Documents;
use crate::options::WebOptions;
use crate::tls::Certificate;
use crate::{docs_ui, health, landing, list, reference, rest};

/// The HTTP face of a dispatch, before it listens.
pub struct Web {
    app: Arc<App>,
    mounted: Router,
    certificate: Option<Arc<Certificate>>,
}

/// What all routes share.
pub(crate) struct App {
    pub(crate) options: WebOptions,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) health: Arc<dyn Health>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) documents: Documents,
    pub(crate) listing: list::Listing,
    pub(crate) started: Duration,
}

/// Refuses configured paths that are malformed, ours, or given twice: routes must not shadow each other.
fn check_paths(options: &WebOptions) -> Result<()> {
    const OURS: [&str; 7] = ["/", "/ready", "/metrics", "/openapi.json", "/docs", "/redoc", "/tools"];
    /// Tasks as resources, whose routes name the task.
    const TASKS: &str = "/api/v1/tasks";
    const OUR_FOLDERS: [&str; 3] = ["/api/", "/call/", "/assets/"];
    let mut seen: Vec<(&str, &str)> = vec![("GET", "/healthz")];
    let health = (options.health_path != "/healthz").then_some(("GET", options.health_path.as_str()));
    let aliases = options.mcp_aliases.iter().filter(|alias| **alias != options.mcp_path);
    let endpoints = [&options.mcp_path].into_iter().chain(aliases);
    let endpoints = endpoints.flat_map(|path| [("GET", path.as_str()), ("POST", path.as_str())]);
    let short = options.short_routes.iter().map(|short| (short.method.as_str(), short.path.as_str()));
    for (method, path) in health.into_iter().chain(endpoints).chain(short) {
        let refused = |why: &str| {
            Err(Error::new(ErrorKind::InvalidArgument, format!("the configured path {path:?} {why}")))
        };
        // A route to a task names it; nothing else of ours or of the settings may.
        let is_of_tasks =
            path.strip_prefix(TASKS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if is_of_tasks && !options.short_routes.iter().any(|short| short.path == path) {
            return refused("is taken");
        }
        if !path.starts_with('/') || !is_of_tasks && path.contains(['{', '}', '?', '#']) {
            return refused("must start with / and be a plain path");
        }
        if is_of_tasks {
            continue;
        }
        let is_ours = OURS.contains(&path) || OUR_FOLDERS.iter().any(|folder| path.starts_with(folder));
        if is_ours || seen.contains(&(method, path)) {
            return refused("is taken");
        }
        seen.push((method, path));
    }
    Ok(())
}

impl App {
    /// The answer to a failure.
    pub(crate) fn failure(&self, error: Error) -> Response {
        failure(error, &*self.dispatch.guards().clock)
    }

    /// How long the server has been up.
    pub(crate) fn uptime(&self) -> Duration {
        self.dispatch.guards().clock.monotonic().saturating_sub(self.started)
    }
}

impl Web {
    /// A server for that dispatch. `metrics` is the one that the dispatch's guards feed. An unusable certificate or
    /// short route is refused here.
    pub fn new(
        options: WebOptions,
        dispatch: Arc<Dispatch>,
        health: Arc<dyn Health>,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        let certificate = options.tls.clone().map(Certificate::load).transpose()?;
        check_paths(&options)?;
        for short in &options.short_routes {
            dispatch.catalog().find(&short.tool)?;
        }
        let started = dispatch.guards().clock.monotonic();
        let listing = list::Listing::new(dispatch.catalog());
        let documents = Documents::default();
        let app = App { options, dispatch, health, metrics, documents, listing, started };
        Ok(Self { app: Arc::new(app), mounted: Router::new(), certificate })
    }

    /// Adds routes of another face. They get everything that ours get: the checks before, the identified
    /// [`Caller`] in the request's extensions, the id in `x-request-id`, the headers after. Their paths must not be
    /// ours, and they must bring no fallback.
    #[must_use]
    pub fn mount(mut self, router: Router) -> Self {
        self.mounted = self.mounted.merge(router);
        self
    }

    /// Reads the certificate anew (`SIGHUP`); a bad one leaves the old one in use.
    pub fn certificate(&self) -> Option<Reload> {
        self.certificate.clone().map(Reload)
    }

    /// Takes the port. Beyond loopback only with TLS, or a proxy that has it, and with a token.
    pub async fn bind(self) -> Result<Bound> {
        self.check_exposure().await?;
        let routes = routes(&self.app).merge(self.mounted);
        let app = &self.app;
        let front =
            Front::new(app.options.clone(), Arc::clone(&app.dispatch), routes, Arc::clone(&app.metrics));
        Bound::new(&app.options, front, self.certificate).await
    }

    async fn check_exposure(&self) -> Result<()> {
        let options = &self.app.options;
        if options.bind.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        let refused = |why: &str, next: &str| {
            Err(Error::new(ErrorKind::InvalidArgument, format!("listening on {}: {why}", options.bind))
                .with_next(next))
        };
        if options.tls.is_none() && !options.behind_proxy {
            return refused(
                "beyond loopback, a server without TLS sends tokens in the clear",
                "configure a certificate, or behind_proxy when a proxy ends TLS",
            );
        }
        if !self.app.needs_token().await? {
            return refused(
                "beyond loopback, a server needs a token",
                "make one with `gabier admin init`, or set AUTH_TOKEN",
            );
        }
        Ok(())
    }
}

impl App {
    /// True when the server knows a token, so that a caller without one is a stranger.
    pub(crate) async fn needs_token(&self) -> Result<bool> {
        use gabier_tool::guard::{Credential, Origin};
        let origin = Origin { surface: gabier_tool::Surface::Web, address: None };
        let nobody = self.dispatch.guards().authority.identify(Credential::None, origin).await?;
        Ok(nobody.is_stranger())
    }
}

/// Reads the certificate anew.
#[derive(Clone)]
pub struct Reload(Arc<Certificate>);

impl Reload {
    /// Now; the old one stays in use when the new one is bad.
    pub fn now(&self) -> Result<()> {
        self.0.reload()
    }
}

/// A handler that takes the app and the request's headers.
macro_rules! page {
    ($app:expr, $handler:path) => {{
        let app = Arc::clone($app);
        get(move |headers: HeaderMap| {
            let app = Arc::clone(&app);
            async move { $handler(&app, &headers).await }
        })
    }};
}

fn routes(app: &Arc<App>) -> Router {
    Router::new()
        .route("/", page!(app, landing::landing))
        .merge(health_routes(app))
        .route("/ready", page!(app, health::ready))
        .route("/openapi.json", page!(app, crate::openapi::document))
        .route("/docs", page!(app, docs_ui::docs))
        .route("/redoc", page!(app, reference::reference))
        .route("/assets/{name}", {
            let app = Arc::clone(app);
            get(move |path: axum::extract::Path<String>, headers: HeaderMap| {
                let app = Arc::clone(&app);
                async move { docs_ui::asset(&app, &path, &headers) }
            })
        })
        .merge(metrics_route(app))
        .merge(rest::routes(app))
}

fn health_routes(app: &Arc<App>) -> Router {
    let router = Router::new().route("/healthz", page!(app, health::health));
    match app.options.health_path.as_str() {
        "/healthz" => router,
        path => router.route(path, page!(app, health::health)),
    }
}

fn metrics_route(app: &Arc<App>) -> Router {
    let app = Arc::clone(app);
    Router::new().route(
        "/metrics",
        get(move |request: Request<axum::body::Body>| {
            let app = Arc::clone(&app);
            async move {
                match caller(&request) {
                    Ok(_) => health::metrics(&app),
                    Err(error) => app.failure(error),
                }
            }
        }),
    )
}

/// The caller that the front put into the request; strangers are refused.
pub(crate) fn caller<B>(request: &Request<B>) -> Result<&Caller> {
    request.extensions().get::<Caller>().filter(|caller| !caller.is_stranger()).ok_or_else(|| {
        Error::new(ErrorKind::Unauthenticated, "this needs a token")
            .with_next("send the header Authorization: Bearer TOKEN")
    })
}
