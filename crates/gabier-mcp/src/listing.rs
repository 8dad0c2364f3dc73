//! Tools as MCP lists them: projected once, then copied.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use gabier_tool::schema::{Detail, mcp_hints, mcp_input, mcp_output};
use gabier_tool::{Caller, Catalog, Dispatch, Effect, Entry};
use rmcp::ErrorData;
use rmcp::model::{JsonObject, Tool};
use serde_json::{Map, Value, json};

/// Tools of one page.
const PAGE: usize = 100;

/// The published form of every tool.
pub(crate) struct Listing {
    catalog: HashMap<&'static str, Published>,
    raw: Vec<(Tool, Value)>,
}

/// One tool, in each form as soon as somebody asked for it.
#[derive(Default)]
struct Published {
    slim: OnceLock<Value>,
    full: OnceLock<Value>,
    headers: OnceLock<Option<Arc<JsonObject>>>,
}

/// A page of a list.
pub(crate) struct Page {
    /// The tools.
    pub(crate) tools: Vec<Value>,
    /// Where the next page begins.
    pub(crate) next: Option<String>,
}

impl Listing {
    /// The list of a catalog and of raw tools.
    pub(crate) fn new(catalog: &Catalog, raw: Vec<Tool>) -> Self {
        let catalog = catalog.iter().map(|entry| (entry.facts.name, Published::default())).collect();
        let raw = raw.into_iter().map(|tool| {
            let value = serde_json::to_value(&tool).unwrap_or_default();
            (tool, value)
        });
        Self { catalog, raw: raw.collect() }
    }

    /// All tools a caller sees in a profile, in the order of the catalog.
    pub(crate) fn all(&self, dispatch: &Dispatch, caller: &Caller, profile: &str) -> Vec<Value> {
        let detail = detail(profile);
        let entries = dispatch.listed(caller, profile);
        let published =
            entries.filter_map(|entry| Some(self.catalog.get(entry.facts.name)?.get(entry, detail)));
        published.cloned().chain(self.raw.iter().map(|(_, value)| value.clone())).collect()
    }

    /// One page of that list.
    pub(crate) fn page(
        &self,
        dispatch: &Dispatch,
        caller: &Caller,
        profile: &str,
        cursor: Option<&str>,
    ) -> Result<Page, ErrorData> {
        let mut tools = self.all(dispatch, caller, profile);
        let start = match cursor {
            None => 0,
            Some(cursor) => cursor
                .parse()
                .ok()
                .filter(|start| (1..tools.len()).contains(start))
                .ok_or_else(|| ErrorData::invalid_params("the cursor is not one of this list's", None))?,
        };
        tools.drain(..start);
        let next = (tools.len() > PAGE).then(|| (start + PAGE).to_string());
        tools.truncate(PAGE);
        Ok(Page { tools, next })
    }

    /// The raw tool of that name.
    pub(crate) fn raw(&self, name: &str) -> Option<&Tool> {
        self.raw.iter().map(|(tool, _)| tool).find(|tool| tool.name == name)
    }

    /// The input schema of a tool that takes arguments from headers.
    pub(crate) fn with_headers(&self, entry: &Entry) -> Option<Arc<JsonObject>> {
        let published = self.catalog.get(entry.facts.name)?;
        published
            .headers
            .get_or_init(|| {
                let input = mcp_input(entry, Detail::Full);
                has_header(&input).then(|| Arc::new(input))
            })
            .clone()
    }
}

impl Published {
    fn get(&self, entry: &Entry, detail: Detail) -> &Value {
        match detail {
            Detail::Slim => self.slim.get_or_init(|| publish(entry, detail)),
            Detail::Full => self.full.get_or_init(|| publish(entry, detail)),
        }
    }
}

/// The small profiles say less, for the sake of the model's window.
fn detail(profile: &str) -> Detail {
    if matches!(profile, "core" | "lean") { Detail::Slim } else { Detail::Full }
}

fn publish(entry: &Entry, detail: Detail) -> Value {
    let mut tool = Map::new();
    tool.insert("name".to_owned(), entry.facts.name.into());
    if detail == Detail::Full || !entry.facts.title.is_empty() {
        tool.insert("title".to_owned(), entry.title().into());
    }
    tool.insert("description".to_owned(), entry.schemas().description.as_str().into());
    tool.insert("inputSchema".to_owned(), mcp_input(entry, detail).into());
    if detail == Detail::Full {
        tool.insert("outputSchema".to_owned(), mcp_output(entry).into());
    }
    tool.insert("annotations".to_owned(), annotations(entry));
    tool.into()
}

/// Annotations from the effect (tools.md §2): the same table that guards the call.
fn annotations(entry: &Entry) -> Value {
    let facts = &entry.facts;
    let mut hints = match facts.effect {
        Effect::Read => json!({"readOnlyHint": true}),
        effect => json!({
            "readOnlyHint": false,
            "destructiveHint": matches!(effect, Effect::Exec | Effect::Destroy),
            "idempotentHint": facts.idempotent,
        }),
    };
    hints["openWorldHint"] = (facts.open_world || facts.effect == Effect::Exec).into();
    for (name, value) in mcp_hints(entry).into_iter().flatten() {
        hints[name.as_str()] = value.clone();
    }
    hints
}

fn has_header(schema: &JsonObject) -> bool {
    schema.contains_key("x-mcp-header")
        || schema.values().any(|inner| match inner {
            Value::Object(object) => has_header(object),
            Value::Array(items) => items.iter().filter_map(Value::as_object).any(has_header),
            _ => false,
        })
}
