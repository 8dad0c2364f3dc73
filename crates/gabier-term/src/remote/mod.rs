//! A server as a backend: gabier's own REST, or any MCP server over Streamable HTTP.

mod cache;
mod clean;
mod events;
mod heard;
mod mcp;
mod rest;
mod wire;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use gabier_tool::{Clock, Error, ErrorKind, Feedback, Result, ToolInfo};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use url::{Host, Url};

use crate::backend::{Answer, Backend};

use cache::Cache;
use heard::Heard;
use mcp::Mcp;
use rest::Rest;
use wire::Wire;

/// Where a server is and how it knows us.
#[derive(Clone, Default)]
pub struct Server {
    /// Its address: of the server, or of its MCP endpoint.
    pub url: String,
    /// The bearer token.
    pub token: Option<gabier_tool::Secret>,
    /// Where the list of tools is kept between runs.
    pub cache: Option<PathBuf>,
}

/// The tools of a server.
pub struct Remote {
    wire: Arc<Wire>,
    base: Url,
    cache: Cache,
    clock: Arc<dyn Clock>,
    face: OnceCell<Face>,
    /// The list that told what the server speaks, for whoever asks for it first.
    listed: Mutex<Option<Vec<ToolInfo>>>,
}

/// What the server speaks.
enum Face {
    Rest(Rest),
    Mcp(Mcp),
}

impl Remote {
    /// A server, not yet asked anything. A token goes over https, or over http to this machine alone.
    pub fn new(server: Server, clock: Arc<dyn Clock>) -> Result<Self> {
        let refuse = |message: &str| Error::invalid("url", message);
        let base = Url::parse(&server.url).map_err(|_| refuse("must be a URL such as https://host:8000"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(refuse("must begin with http:// or https://"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(refuse("must hold no credential; give it as --token"));
        }
        if base.scheme() == "http" && server.token.is_some() && !is_loopback(&base) {
            return Err(refuse("a token is sent over https only, except to this machine"));
        }
        let wire = Arc::new(Wire::new(server.token)?);
        Ok(Self {
            wire,
            cache: Cache::new(server.cache, &base),
            base,
            clock,
            face: OnceCell::new(),
            listed: Mutex::new(None),
        })
    }

    /// Finds out what the server speaks: an address that ends in an MCP endpoint says so; else REST is asked for its
    /// list, and MCP where there is none.
    async fn face(&self) -> Result<&Face> {
        self.face
            .get_or_try_init(|| async {
                if self
                    .base
                    .path_segments()
                    .and_then(Iterator::last)
                    .is_some_and(|last| matches!(last, "mcp" | "stream"))
                {
                    return Ok(Face::Mcp(Mcp::new(Arc::clone(&self.wire), self.base.clone())));
                }
                let rest = Rest::new(Arc::clone(&self.wire), &self.base);
                match rest.tools(&self.cache).await {
                    Ok(Some(tools)) => {
                        self.keep(Some(tools));
                        Ok(Face::Rest(rest))
                    }
                    Ok(None) => self.mcp().await,
                    Err(error) => Err(error),
                }
            })
            .await
    }

    async fn mcp(&self) -> Result<Face> {
        let own = Mcp::new(Arc::clone(&self.wire), self.base.clone());
        if own.tools().await.is_ok() {
            return Ok(Face::Mcp(own));
        }
        let endpoint = wire::below(&self.base, "mcp");
        let below = Mcp::new(Arc::clone(&self.wire), endpoint);
        match below.tools().await {
            Ok(_) => Ok(Face::Mcp(below)),
            Err(_) => {
                Err(Error::new(ErrorKind::NotFound, format!("{} lists no tools, by REST or MCP", self.base))
                    .with_next("check the address; an MCP endpoint often ends in /mcp"))
            }
        }
    }

    fn keep(&self, tools: Option<Vec<ToolInfo>>) -> Option<Vec<ToolInfo>> {
        std::mem::replace(&mut *self.listed.lock().unwrap_or_else(PoisonError::into_inner), tools)
    }

    async fn list(&self) -> Result<Vec<ToolInfo>> {
        let face = self.face().await?;
        let mut tools = match (self.keep(None), face) {
            (Some(tools), _) => tools,
            (None, Face::Rest(rest)) => rest.tools(&self.cache).await?.unwrap_or_default(),
            (None, Face::Mcp(mcp)) => mcp.tools().await?,
        };
        tools.iter_mut().for_each(clean::tool);
        Ok(tools)
    }

    /// Asks the server to end a task; its own answer then tells how it ended.
    async fn cancel(&self, id: &str) {
        let mut arguments = Map::new();
        arguments.insert("id".to_owned(), id.into());
        // Whether it worked shows in how the call itself ends.
        let _ = self.answer("task_cancel", arguments, Arc::new(gabier_tool::Silent)).await;
    }

    async fn answer(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        feedback: Arc<dyn Feedback>,
    ) -> Result<Answer> {
        match self.face().await? {
            Face::Rest(rest) => rest.call(name, arguments, &*feedback).await,
            Face::Mcp(mcp) => mcp.call(name, arguments, &*feedback).await,
        }
    }
}

impl Backend for Remote {
    fn tools(&self) -> BoxFuture<'_, Result<Vec<ToolInfo>>> {
        Box::pin(self.list())
    }

    fn call<'a>(
        &'a self,
        name: &'a str,
        arguments: Map<String, Value>,
        feedback: Arc<dyn Feedback>,
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let heard = Arc::new(Heard::new(feedback));
            let answering = self.answer(name, arguments, Arc::clone(&heard) as _);
            futures::pin_mut!(answering);
            let answered = tokio::select! {
                answered = &mut answering => answered,
                () = cancel.cancelled() => match heard.task_id() {
                    Some(id) => {
                        self.cancel(id).await;
                        answering.await
                    }
                    // The server stops a call whose connection is dropped.
                    None => Err(Error::new(ErrorKind::Cancelled, format!("{name} was cancelled by its caller"))),
                },
            };
            let answered = answered.map_err(|error| heard.explain(error));
            let mut answer = answered.unwrap_or_else(|error| Answer::failed(error, &*self.clock));
            clean::answer(&mut answer);
            answer
        })
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}
