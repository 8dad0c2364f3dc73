//! The first page: what this server is, and where to go.

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use maud::html;
use serde_json::{Map, Value, json};

use crate::accept::Form;
use crate::answer::{answer, json as json_answer, media};
use crate::html::page;
use crate::web::App;

/// JSON, or a page for whoever asks for one.
pub(crate) async fn landing(app: &App, headers: &HeaderMap) -> Response {
    let options = &app.options;
    let tools = app.dispatch.catalog().len();
    let links = links(app);
    if Form::preferred(headers) != Form::Html {
        let links: Map<String, Value> =
            links.into_iter().map(|(name, path, _)| (name.to_owned(), path.into())).collect();
        let value =
            json!({"service": options.service, "version": options.version, "tools": tools, "links": links});
        return json_answer(StatusCode::OK, &value);
    }
    let content = html! {
        header { p.brand { (options.service) " " (options.version) } }
        main #main {
            h1 { (options.service) }
            p { (tools) " tools, over MCP, REST, the command line and these pages." }
            dl {
                @for (_, path, what) in links {
                    div { dt { a href=(path) { (path) } } dd { (what) } }
                }
            }
        }
    };
    answer(StatusCode::OK, media::HTML, page(&options.service, &content))
}

fn links(app: &App) -> Vec<(&'static str, String, &'static str)> {
    let options = &app.options;
    let mut links = vec![
        ("docs", "/docs".to_owned(), "Try the tools in Swagger UI"),
        ("redoc", "/redoc".to_owned(), "The reference, for reading"),
        ("openapi", "/openapi.json".to_owned(), "The OpenAPI 3.1 document"),
        ("tools", "/api/v1/tools".to_owned(), "The tools that you may use, as JSON"),
        ("mcp", options.mcp_path.clone(), "The MCP endpoint, for clients"),
    ];
    for alias in options.mcp_aliases.iter().filter(|alias| **alias != options.mcp_path) {
        links.push(("mcp_alias", alias.clone(), "The same endpoint under another name"));
    }
    links.push(("health", options.health_path.clone(), "Whether the server is alive"));
    links.push(("ready", "/ready".to_owned(), "Whether every part of it works"));
    links.push(("metrics", "/metrics".to_owned(), "What it counted, as OpenMetrics"));
    links
}
