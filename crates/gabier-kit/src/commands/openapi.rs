//! `openapi`: the document that `/openapi.json` serves.

use clap::Command;
use gabier_tool::{Error, Result};

use crate::commands::{Report, Site};

pub(crate) fn command() -> Command {
    Command::new("openapi").about("Print the OpenAPI 3.1 document of the REST face")
}

pub(crate) fn run(site: &Site<'_>) -> Result<Report> {
    let wired = site.wire(site.loaded()?, "cli", None)?;
    let document = wired.openapi(site.app);
    let text = serde_json::to_string_pretty(&document)
        .map_err(|error| Error::internal("writing the OpenAPI document").with_source(error))?;
    Ok(Report::text(text + "\n"))
}
