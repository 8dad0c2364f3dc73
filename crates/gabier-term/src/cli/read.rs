//! From what clap matched to a tool's arguments.

use std::collections::HashMap;

use clap::ArgMatches;
use gabier_tool::schema::{Kind, Param, assemble};
use gabier_tool::{Error, Result};
use serde_json::{Map, Value};

use crate::cli::tree::positional_id;
use crate::source::Sources;

/// The arguments given as flags and words, over those of `--input`.
pub(crate) fn arguments(
    params: &[Param],
    matches: &ArgMatches,
    sources: &Sources<'_>,
) -> Result<Map<String, Value>> {
    let mut words: HashMap<&str, Vec<String>> = HashMap::new();
    for param in params {
        let given = given(param, matches);
        if !given.is_empty() {
            words.insert(&param.flag, resolve(param, given, sources)?);
        }
    }
    assemble(params, sources.input()?, &|param| words.get(param.flag.as_str()).cloned().unwrap_or_default())
}

/// The words for a parameter, in their order.
fn given(param: &Param, matches: &ArgMatches) -> Vec<String> {
    let values = |id: &str| -> Vec<String> {
        let known = matches.try_get_many::<String>(id).ok().flatten();
        known.into_iter().flatten().cloned().collect()
    };
    let mut words = values(&positional_id(param));
    words.extend(values(&param.flag));
    words
}

/// Words with secrets and standard input read from where they are.
fn resolve(param: &Param, words: Vec<String>, sources: &Sources<'_>) -> Result<Vec<String>> {
    let name = param.path.join(".");
    if words.len() > 1 && !param.kind.is_many() {
        return Err(Error::invalid(&name, "is given twice"));
    }
    words
        .into_iter()
        .map(|word| match &param.kind {
            Kind::Map(_) if param.secret => match word.split_once('=') {
                Some((key, source)) => Ok(format!("{key}={}", sources.secret(&name, source)?)),
                None => Ok(word),
            },
            _ if param.secret => sources.secret(&name, &word),
            _ if param.stdin && word == "-" => sources.text(&name),
            _ => Ok(word),
        })
        .collect()
}
