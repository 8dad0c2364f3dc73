//! Tools found by what they do.

use gabier_tool::{Context, Effect, Entry, Permission, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tools::Services;
use crate::tools::meta::rank::rank;

/// The most hits of one answer.
const MOST: usize = 5;

/// Find tools by what they do.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ToolSearch {
    /// What you want to do, in a few words.
    #[schemars(length(min = 1, max = 200))]
    query: String,
}

/// The tools found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Hits {
    /// Best first, at most five.
    tools: Vec<Hit>,
}

/// A tool found.
#[derive(Debug, Serialize, JsonSchema)]
struct Hit {
    /// The name.
    name: &'static str,
    /// What it does.
    summary: String,
    /// Its parameters; required ones carry `*`.
    parameters: String,
}

impl Tool<Services> for ToolSearch {
    const NAME: &'static str = "tool_search";
    const EFFECT: Effect = Effect::Read;
    const PERMISSION: Permission = Permission::Public;
    const PROFILE: Profile = Profile::LeanOnly;
    const KEYWORDS: &'static str = "find chercher outil";
    type Output = Hits;

    async fn run(self, ctx: &Context<Services>) -> Result<Hits> {
        let dispatch = ctx.services.dispatch()?;
        let entries: Vec<&Entry> = dispatch.listed(ctx.caller(), "all").map(|entry| &**entry).collect();
        let documents: Vec<String> = entries.iter().map(|entry| document(entry)).collect();
        let tools =
            rank(&self.query, &documents).into_iter().take(MOST).map(|index| hit(entries[index])).collect();
        Ok(Hits { tools })
    }
}

/// What a tool is found by; its name counts twice.
fn document(entry: &Entry) -> String {
    let name = entry.facts.name.replace('_', " ");
    let aliases = entry.facts.aliases.join(" ");
    format!(
        "{name} {name} {aliases} {} {} {}",
        entry.toolset,
        entry.facts.keywords,
        entry.schemas().description
    )
}

fn hit(entry: &Entry) -> Hit {
    let parameters: Vec<String> = entry
        .params()
        .iter()
        .filter(|param| !param.common)
        .map(|param| format!("{}{}", param.path.join("."), if param.required { "*" } else { "" }))
        .collect();
    Hit {
        name: entry.facts.name,
        summary: entry.schemas().summary.clone(),
        parameters: parameters.join(", "),
    }
}
