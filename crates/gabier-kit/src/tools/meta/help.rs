//! The help text of one tool, or what there is.

use std::fmt::Write as _;

use gabier_tool::schema::{Kind, Param};
use gabier_tool::{Block, Context, Effect, Entry, Permission, Result, Text, Tool, View};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tools::Services;

/// Explain one tool, or list all tools with a line each.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Help {
    /// The tool to explain; all when absent.
    #[schemars(length(min = 1, max = 64), extend("x-complete" = "tool", "x-cli" = {"positional": true}))]
    tool: Option<String>,
}

/// A help text.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HelpText {
    /// The text, in Markdown.
    text: Text,
}

impl Tool<Services> for Help {
    const NAME: &'static str = "help";
    const EFFECT: Effect = Effect::Read;
    const PERMISSION: Permission = Permission::Public;
    const KEYWORDS: &'static str = "manual usage explain aide manuel";
    type Output = HelpText;

    async fn run(self, ctx: &Context<Services>) -> Result<HelpText> {
        let dispatch = ctx.services.dispatch()?;
        let text = match &self.tool {
            Some(name) => explain(dispatch.catalog().find(name)?),
            None => overview(dispatch.listed(ctx.caller(), "all").map(|entry| &**entry)),
        };
        Ok(HelpText { text: text.into() })
    }

    fn view(output: &HelpText, _: &Value) -> View {
        View::block(Block::Markdown { text: output.text.0.clone() })
    }
}

fn overview<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    let mut text = String::new();
    let mut toolset = "";
    for entry in entries {
        if entry.toolset != toolset {
            toolset = entry.toolset;
            let _ = writeln!(text, "\n## {toolset}\n");
        }
        let _ = writeln!(text, "- **{}**: {}", entry.facts.name, entry.schemas().summary);
    }
    text.trim_start().to_owned()
}

fn explain(entry: &Entry) -> String {
    let schemas = entry.schemas();
    let needs: Vec<&str> = entry.facts.needs.iter().map(|need| need.name()).collect();
    let mut text = format!(
        "# {}\n\n{}\n\nEffect: {}. Needs: {}.\n",
        entry.facts.name,
        schemas.description,
        entry.facts.effect.name(),
        needs.join(" or "),
    );
    if !entry.params().is_empty() {
        text.push_str("\n## Parameters\n\n");
    }
    for param in entry.params() {
        let required = if param.required { ", required" } else { "" };
        let default = param.default.as_ref().map(|value| format!(", default {value}")).unwrap_or_default();
        let name = param.path.join(".");
        let _ = writeln!(text, "- **{name}** ({}{required}{default}): {}", kind_words(param), param.help);
    }
    text
}

fn kind_words(param: &Param) -> String {
    fn words(kind: &Kind) -> String {
        match kind {
            Kind::Bool => "yes or no".to_owned(),
            Kind::Int { min: Some(min), max: Some(max) } => format!("{min} to {max}"),
            Kind::Int { .. } => "whole number".to_owned(),
            Kind::Num => "number".to_owned(),
            Kind::Str { .. } => "text".to_owned(),
            Kind::Enum(choices) => {
                choices.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>().join(" | ")
            }
            Kind::List(item) => format!("list of {}", words(item)),
            Kind::Map(_) => "names and values".to_owned(),
            Kind::Record(_) | Kind::Json => "JSON".to_owned(),
        }
    }
    words(&param.kind)
}
