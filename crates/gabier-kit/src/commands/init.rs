//! `init`: a configuration to begin with.

use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Command};
use gabier_tool::schema::{Kind, Param};
use gabier_tool::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::commands::{Report, Site};
use crate::config::read;

/// The settings that the wizard asks for.
const ASKED: [&str; 4] = ["server.host", "server.port", "server.profile", "log.level"];

pub(crate) fn command() -> Command {
    Command::new("init").about("Write a configuration file to begin with").arg(
        Arg::new("defaults")
            .long("defaults")
            .action(ArgAction::SetTrue)
            .help("Ask nothing and take the defaults"),
    )
}

pub(crate) fn run(site: &Site<'_>, matches: &ArgMatches) -> Result<Report> {
    let file = site.config_file();
    if file.exists() {
        return Err(Error::new(ErrorKind::Conflict, format!("writing {}: it exists", file.display()))
            .with_next(format!("{} config edit", site.app.name)));
    }
    let silent = matches.get_flag("defaults") || site.globals.no_input || !std::io::stdin().is_terminal();
    let loader = site.loader();
    let params = Param::of(&loader.schema());
    let mut document = toml_edit::DocumentMut::new();
    for key in ASKED {
        let Some(param) = params.iter().find(|param| param.path.join(".") == key) else { continue };
        let value = if silent { param.default.clone().unwrap_or(Value::Null) } else { ask(param)? };
        put(&mut document, param, &value);
    }
    write(&file, &document.to_string())?;
    Ok(Report::data(json!({"file": file.display().to_string(), "next": format!("{} serve", site.app.name)})))
}

/// Asks for one setting, with its default, until the words fit.
fn ask(param: &Param) -> Result<Value> {
    let default =
        param.default.as_ref().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let prompt = format!("{} ({})", param.help.trim_end_matches('.'), param.path.join("."));
    let failed = |error: inquire::InquireError| {
        Error::new(ErrorKind::Cancelled, "asking for the configuration").with_source(error)
    };
    let word = if let Kind::Enum(words) = &param.kind {
        let words: Vec<String> = words.iter().map(|(word, _)| word.clone()).collect();
        let start = words.iter().position(|word| Some(word) == default.as_ref()).unwrap_or(0);
        inquire::Select::new(&prompt, words).with_starting_cursor(start).prompt().map_err(failed)?
    } else {
        let mut question = inquire::Text::new(&prompt);
        if let Some(default) = &default {
            question = question.with_default(default);
        }
        question.prompt().map_err(failed)?
    };
    read(param, &[word]).map(Option::unwrap_or_default)
}

fn put(document: &mut toml_edit::DocumentMut, param: &Param, value: &Value) {
    let (Some(section), Some(name)) = (param.path.first(), param.path.get(1)) else { return };
    let item = match value {
        Value::Number(number) => number.as_i64().map(toml_edit::value),
        Value::Bool(flag) => Some(toml_edit::value(*flag)),
        Value::String(text) => Some(toml_edit::value(text.as_str())),
        _ => None,
    };
    let Some(mut item) = item else { return };
    let table = document.entry(section).or_insert_with(toml_edit::table);
    if let (Some(table), Some(value)) = (table.as_table_mut(), item.as_value_mut()) {
        table.insert(name, toml_edit::Item::Value(value.clone()));
        if let Some(mut key) = table.key_mut(name) {
            key.leaf_decor_mut().set_prefix(format!("# {}\n", param.help));
        }
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Unavailable, format!("writing {}: {error}", file.display()))
    };
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut opened =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
    opened.write_all(text.as_bytes()).and_then(|()| opened.sync_all()).map_err(failed)
}
