//! Query strings as arguments.

use std::borrow::Cow;

use gabier_tool::schema::{Kind, Param, assemble, known_name};
use gabier_tool::{Entry, Error, ErrorKind, Result};
use serde_json::{Map, Value};

type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The arguments of a query string, in the spellings that every face takes. What no parameter is called goes on as it
/// came: the validator names the nearest.
pub(crate) fn arguments(entry: &Entry, query: Option<&str>) -> Result<Map<String, Value>> {
    let pairs: Pairs<'_> = serde_urlencoded::from_str(query.unwrap_or_default())
        .map_err(|error| Error::new(ErrorKind::BadRequest, "reading the query string").with_source(error))?;
    let mut words: Vec<(&Param, Vec<String>)> = Vec::new();
    let mut unknown = Map::new();
    for (key, value) in pairs {
        // The token's own place was judged by the front, before any tool.
        let Some(param) = named(entry, &key) else {
            unknown.insert(key.into_owned(), value.into_owned().into());
            continue;
        };
        match words.iter_mut().find(|(own, _)| std::ptr::eq(*own, param)) {
            Some((_, all)) if matches!(param.kind, Kind::List(_)) => all.push(value.into_owned()),
            Some(_) => return Err(Error::invalid(&param.path.join("."), "is given more than once")),
            None => words.push((param, vec![value.into_owned()])),
        }
    }
    for (param, all) in &words {
        if param.kind == Kind::Bool && all.iter().any(|word| word != "true" && word != "false") {
            return Err(Error::invalid(&param.path.join("."), "must be true or false"));
        }
    }
    let given = |param: &Param| {
        words.iter().find(|(own, _)| own.path == param.path).map(|(_, all)| all.clone()).unwrap_or_default()
    };
    assemble(entry.params(), unknown, &given)
}

fn named<'a>(entry: &'a Entry, key: &str) -> Option<&'a Param> {
    let params = entry.params();
    let name = params.iter().find(|param| param.path == [key]);
    name.or_else(|| {
        let known = known_name(key, &entry.schemas().input)?;
        params.iter().find(|param| param.path == [known.as_str()])
    })
}
