//! What the web says, by way of DuckDuckGo.

use gabier_egress::{Page, Reach, Request};
use gabier_tool::{Context, Effect, Error, ErrorKind, Permission, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::results::{self, SearchResult};
use crate::Services;

/// The search page that needs no key and no script.
const ENDPOINT: &str = "https://html.duckduckgo.com/html/";

/// Searches the web with DuckDuckGo.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WebSearch {
    /// Words to search for.
    #[schemars(length(min = 1, max = 500))]
    query: String,
    /// Most results.
    #[serde(default = "usual_results")]
    #[schemars(range(min = 1, max = 20))]
    max_results: usize,
}

fn usual_results() -> usize {
    5
}

/// What was found, from outside and not to be trusted.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Found {
    /// The results, best first.
    results: Vec<SearchResult>,
    /// Who was asked.
    engine: String,
}

impl Tool<Services> for WebSearch {
    const NAME: &'static str = "web_search";
    const EFFECT: Effect = Effect::Read;
    const PERMISSION: Permission = Permission::Net;
    const PROFILE: Profile = Profile::Core;
    const ALIASES: &'static [&'static str] = &["search_web"];
    const OPEN_WORLD: bool = true;
    type Output = Found;

    async fn run(self, ctx: &Context<Services>) -> Result<Found> {
        let network = &ctx.services.network;
        let configured = network.settings.web_search.endpoint.as_deref();
        let reach = if configured.is_some() { Reach::Configured } else { Reach::Public };
        let mut url = Url::parse(configured.unwrap_or(ENDPOINT)).map_err(|error| {
            Error::new(ErrorKind::NotAvailable, "web_search.endpoint is no URL").with_source(error)
        })?;
        url.query_pairs_mut().append_pair("q", &self.query);
        let page = network.egress.send(Request::get(Self::NAME, reach, url.as_str())).await?;
        let results = read(page, self.max_results).await?;
        let results = results.ok_or_else(|| unreadable(&url))?;
        Ok(Found { results, engine: "duckduckgo".to_owned() })
    }
}

/// Reads a page off the async threads. Anything but 200 is DuckDuckGo's way to refuse robots.
async fn read(page: Page, most: usize) -> Result<Option<Vec<SearchResult>>> {
    if page.status != 200 {
        return Ok(None);
    }
    tokio::task::spawn_blocking(move || results::read(&String::from_utf8_lossy(&page.body), most))
        .await
        .map_err(|error| Error::internal("reading a page of search results").with_source(error))
}

fn unreadable(url: &Url) -> Error {
    let reason = "the search engine's answer holds no results that can be read";
    Error::new(ErrorKind::ConnectionFailed, format!("searching the web failed: {reason}"))
        .with("host", url.host_str().unwrap_or_default())
        .with("reason", reason)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::network::results::tests::PAGE;
    use crate::network::stub::{Stub, services};
    use crate::network::{self, Settings};
    use crate::testing::{call_as, token_bearer};

    async fn search(stub: &Stub, arguments: &str) -> String {
        let web_search = network::settings::WebSearch { endpoint: Some(stub.url("/html/")) };
        let services = services(&Settings { web_search, ..Settings::default() });
        call_as::<WebSearch>(&Arc::new(services), token_bearer(&["*"]), arguments).await
    }

    #[tokio::test]
    async fn the_words_are_asked_and_the_results_read() {
        let stub = Stub::ok(PAGE.as_bytes()).await;
        let found = search(&stub, r#"{"query": "rust & co", "max_results": 1}"#).await;
        assert_eq!(
            found,
            r#"{"results":[{"title":"Rust Language","url":"https://www.rust-lang.org/?a=1&b=2","snippet":"A language & its tools."}],"engine":"duckduckgo"}"#
        );
        assert!(stub.request().starts_with("GET /html/?q=rust+%26+co HTTP/1.1\r\n"), "{}", stub.request());
    }

    #[tokio::test]
    async fn a_page_without_results_is_an_error_and_nothing_is_invented() {
        let captcha = Stub::ok(b"<html>Are you a robot?</html>").await;
        let refused =
            Stub::start("HTTP/1.1 202 Accepted\r\nConnection: close\r\n\r\n", PAGE.as_bytes()).await;
        for stub in [captcha, refused] {
            let found = search(&stub, r#"{"query": "rust"}"#).await;
            assert!(found.starts_with("CONNECTION_FAILED searching the web failed"), "{found}");
        }
    }

    #[tokio::test]
    async fn an_empty_or_endless_query_is_refused() {
        let stub = Stub::ok(PAGE.as_bytes()).await;
        for query in [String::new(), "a".repeat(501)] {
            let found = search(&stub, &format!(r#"{{"query": "{query}"}}"#)).await;
            assert!(found.starts_with("INVALID_ARGUMENT"), "{found}");
        }
        assert_eq!(stub.connections(), 0);
    }
}
