//! From words to arguments: one path for argv, query string, form field and wizard answer.

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::schema::{Kind, Param};

/// Joins the words given for parameters into a JSON object, over a base (`--input`); words win. What a word means is
/// the parameter's kind; whether it is allowed is the validator's business. Absent parameters stay absent: defaults
/// are the server's.
pub fn assemble(
    params: &[Param],
    base: Map<String, Value>,
    words_of: &dyn Fn(&Param) -> Vec<String>,
) -> Result<Map<String, Value>> {
    let mut arguments = base;
    for param in params {
        let words = words_of(param);
        if !words.is_empty() {
            put(&mut arguments, &param.path, value(param, &param.kind, &words)?);
        }
    }
    Ok(arguments)
}

fn value(param: &Param, kind: &Kind, words: &[String]) -> Result<Value> {
    let word = words.last().map(String::as_str).unwrap_or_default();
    Ok(match kind {
        Kind::Bool => match word {
            "" | "true" | "on" | "yes" | "1" => true.into(),
            "false" | "off" | "no" | "0" => false.into(),
            _ => return Err(Error::invalid(&param.path.join("."), "must be true or false")),
        },
        Kind::Int { .. } | Kind::Num => {
            serde_json::from_str::<serde_json::Number>(word)
                .map(Value::Number)
                .map_err(|_| Error::invalid(&param.path.join("."), "must be a number"))?
        }
        Kind::Str { .. } | Kind::Enum(_) => word.into(),
        Kind::List(item) => {
            words.iter().map(|word| value(param, item, std::slice::from_ref(word))).collect::<Result<_>>()?
        }
        Kind::Map(_) | Kind::Record(_) | Kind::Json => {
            serde_json::from_str(word).map_err(|_| Error::invalid(&param.path.join("."), "must be JSON"))?
        }
    })
}

fn put(object: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            object.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = object.entry(first.as_str()).or_insert_with(|| Value::Object(Map::new()));
            if let Some(inner) = inner.as_object_mut() {
                put(inner, rest, value);
            }
        }
    }
}
