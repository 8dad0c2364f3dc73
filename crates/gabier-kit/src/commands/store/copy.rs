//! `store copy`: from any store to any other.

use std::path::Path;

use clap::ArgMatches;
use gabier_store::copy::{Contents, copy, refuse_full, refuse_shared};
use gabier_store::{Embedded, Store};
use gabier_tool::{Error, ErrorKind, Result};
use serde_json::json;

use super::staged::Staged;
use super::{address, directory, failed, open};
use crate::commands::{Report, Site};

const READING: &str = "copy from";
const WRITING: &str = "copy to";

pub(super) async fn run(site: &Site<'_>, given: &ArgMatches) -> Result<Report> {
    let named = |name: &str| address(site, given.get_one::<String>(name).map(String::as_str));
    let (source, target) = (named("from")?, named("to")?);
    if source == target {
        return Err(Error::new(ErrorKind::InvalidArgument, "copying a store to itself"));
    }
    refuse_missing(&source)?;
    let from = open(&source)?;
    refuse_shared(&from, READING).map_err(failed)?;
    let name = from.place.clone();
    let (place, copied) = into(&from, &name, &target, WRITING, given.get_flag("force")).await?;
    let Contents { records, tasks } = copied;
    Ok(Report::data(json!({"from": name, "to": place, "records": records, "tasks": tasks})))
}

/// Puts what a store holds, whose name is `source` for people, where an address says; `doing` names that. A SQLite
/// store is made aside first and appears as a whole; on Redis a copy that broke off is seen as such.
pub(super) async fn into(
    from: &Store,
    source: &str,
    target: &str,
    doing: &str,
    is_forced: bool,
) -> Result<(String, Contents)> {
    let Some(directory) = directory(target) else {
        let to = open(target)?;
        refuse(&to, source, doing, is_forced).await?;
        let copied = copy(from, source, &to).await.map_err(|error| {
            failed(error).with_next("make the same copy again: it goes on where this one ended")
        })?;
        return Ok((to.place.clone(), copied));
    };
    let file = directory.join("gabier.db");
    if file.is_file() {
        refuse(&open(target)?, source, doing, is_forced).await?;
    }
    let staged = Staged::beside(&directory)?;
    let store = staged.store()?;
    let copied = copy(from, source, &store).await.map_err(failed)?;
    let whole = staged.file("whole.db");
    staged.write(&store, &whole).await?;
    drop(store);
    Embedded::restore(&directory, &whole).map_err(failed)?;
    Ok((format!("sqlite:{}", file.display()), copied))
}

/// Refuses a target that others use, and one that holds something unless that is said to be right.
pub(super) async fn refuse(to: &Store, source: &str, doing: &str, is_forced: bool) -> Result<()> {
    refuse_shared(to, doing).map_err(failed)?;
    if is_forced {
        return Ok(());
    }
    refuse_full(to, source, doing).await.map_err(|error| match error.kind() {
        gabier_store::ErrorKind::Conflict => failed(error).with_next("give --force if that may go"),
        _ => failed(error),
    })
}

/// A source that is not there is a slip, and not an empty store to be made.
fn refuse_missing(source: &str) -> Result<()> {
    match directory(source) {
        Some(directory) if !directory.join("gabier.db").is_file() => Err(missing(&directory)),
        _ => Ok(()),
    }
}

fn missing(directory: &Path) -> Error {
    Error::not_found(format!("{} holds no store", directory.display()))
}
