//! `store migrate`, `check` and `compact`: the store stays where it is.

use gabier_store::Embedded;
use gabier_tool::Result;
use serde_json::json;

use super::{address, directory, failed, open};
use crate::commands::{Report, Site};

pub(super) fn migrate(site: &Site<'_>) -> Result<Report> {
    let address = address(site, None)?;
    let Some(directory) = directory(&address) else {
        let place = open(&address)?.place;
        return Ok(Report::data(json!({"store": place, "next": "nothing to do: only SQLite has formats"})));
    };
    let before = Embedded::format_in(&directory).map_err(failed)?;
    let place = open(&address)?.place;
    Ok(Report::data(json!({"store": place, "format": Embedded::FORMAT, "format_before": before})))
}

pub(super) async fn check(site: &Site<'_>) -> Result<Report> {
    let store = open(&address(site, None)?)?;
    let faults = store.records.check().await.map_err(failed)?;
    let exit = u8::from(!faults.is_empty());
    Ok(Report::data(json!({"store": store.place, "ok": faults.is_empty(), "faults": faults})).with_exit(exit))
}

pub(super) async fn compact(site: &Site<'_>) -> Result<Report> {
    let store = open(&address(site, None)?)?;
    let keep = site.loaded()?.config()?.tasks.retention();
    let mut removed = 0;
    loop {
        let some = store.queue.prune(keep).await.map_err(failed)?;
        removed += some;
        if some == 0 {
            break;
        }
    }
    let mut data = json!({"store": store.place, "removed_tasks": removed});
    match &store.embedded {
        Some(embedded) => {
            let length = || std::fs::metadata(embedded.file()).map_or(0, |metadata| metadata.len());
            let before = length();
            embedded.compact().await.map_err(failed)?;
            data["bytes_before"] = before.into();
            data["bytes"] = length().into();
        }
        None => data["next"] = "Redis rewrites its own file; at once by redis-cli BGREWRITEAOF".into(),
    }
    Ok(Report::data(data))
}
