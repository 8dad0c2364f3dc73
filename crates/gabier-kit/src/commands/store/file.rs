//! `store backup` and `store restore`: one file, whatever the store is.

use std::path::Path;

use gabier_store::Embedded;
use gabier_store::copy::{Contents, copy};
use gabier_tool::{Error, ErrorKind, Result};
use serde_json::json;

use super::copy::{into, refuse};
use super::staged::Staged;
use super::{address, directory, failed, open};
use crate::commands::{Report, Site};

const RESTORING: &str = "restore";

pub(super) async fn backup(site: &Site<'_>, file: &Path) -> Result<Report> {
    if file.exists() {
        let message = format!("{} is there already, and nothing is overwritten", file.display());
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    let store = open(&address(site, None)?)?;
    let Contents { records, tasks } = Contents::of(&store).await.map_err(failed)?;
    if let Some(embedded) = &store.embedded {
        embedded.backup(file).await.map_err(failed)?;
    } else {
        let staged = Staged::beside(file)?;
        let aside = staged.store()?;
        copy(&store, &store.place, &aside).await.map_err(failed)?;
        staged.write(&aside, file).await?;
    }
    let bytes = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    let file = file.display().to_string();
    Ok(Report::data(
        json!({"store": store.place, "file": file, "bytes": bytes, "records": records, "tasks": tasks}),
    ))
}

pub(super) async fn restore(site: &Site<'_>, file: &Path, is_forced: bool) -> Result<Report> {
    let target = address(site, None)?;
    let Some(directory) = directory(&target) else {
        let staged = Staged::beside(file)?;
        staged.fill(file)?;
        let name = file.display().to_string();
        let (place, copied) = into(&staged.store()?, &name, &target, RESTORING, is_forced).await?;
        return Ok(told(&place, copied));
    };
    // Looked through aside before anything is touched: what it holds is told, and a fault ends it here.
    let staged = Staged::beside(&directory)?;
    staged.fill(file)?;
    let contents = Contents::of(&staged.store()?).await.map_err(failed)?;
    let whole = directory.join("gabier.db");
    if whole.is_file() && !is_forced {
        refuse(&open(&target)?, &file.display().to_string(), RESTORING, is_forced).await?;
    }
    Embedded::restore(&directory, file).map_err(failed)?;
    Ok(told(&format!("sqlite:{}", whole.display()), contents))
}

fn told(place: &str, Contents { records, tasks }: Contents) -> Report {
    Report::data(json!({"store": place, "records": records, "tasks": tasks}))
}
