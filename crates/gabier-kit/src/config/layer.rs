//! One source of settings: a file, the environment, the command line.

use std::collections::BTreeMap;
use std::path::Path;

use gabier_tool::schema::Param;
use gabier_tool::{Result, nearest};
use serde_json::{Map, Value};

use crate::config::loaded::Origin;
use crate::config::variable::variable_of;
use crate::config::{Variable, VariableUse};

/// Settings by dotted key, each with the place it is from.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    pub(crate) values: BTreeMap<String, (Value, Origin)>,
    pub(crate) warnings: Vec<String>,
    pub(crate) faults: Vec<String>,
}

impl Layer {
    /// The settings of a TOML text.
    pub(crate) fn of_toml(path: &Path, text: &str, params: &[Param]) -> Self {
        let mut layer = Self::default();
        match text.parse::<toml::Table>() {
            Ok(table) => match serde_json::to_value(table) {
                Ok(Value::Object(tree)) => layer.flatten(&mut Vec::new(), tree, params, path),
                _ => layer.faults.push(format!("{}: holds no table", path.display())),
            },
            Err(error) => layer.faults.push(format!("{}: {}", path.display(), error.to_string().trim_end())),
        }
        layer
    }

    fn flatten(&mut self, at: &mut Vec<String>, tree: Map<String, Value>, params: &[Param], file: &Path) {
        for (name, value) in tree {
            at.push(name);
            let key = at.join(".");
            let is_leaf = params.iter().any(|param| param.path == *at);
            match value {
                Value::Object(inner) if !is_leaf => self.flatten(at, inner, params, file),
                value if is_leaf => {
                    self.values.insert(key.clone(), (value, Origin::File(file.to_owned())));
                }
                _ => self.faults.push(unknown(&key, params, &file.display().to_string())),
            }
            at.pop();
        }
    }

    /// The settings of environment variables: `PREFIX_SECTION_KEY`, and the names of `known`.
    pub(crate) fn of_variables(
        variables: &[(String, String)],
        prefix: &str,
        known: &[Variable],
        params: &[Param],
        origin: impl Fn(&str) -> Origin,
    ) -> Self {
        let mut layer = Self::default();
        for variable in known.iter().rev() {
            let Some((_, text)) = variables.iter().find(|(name, _)| name == variable.name) else { continue };
            layer.apply(variable, text, params, &origin);
        }
        let own = format!("{prefix}_");
        for (name, text) in variables.iter().filter(|(name, _)| name.starts_with(&own)) {
            if known.iter().any(|variable| variable.name == name) {
                continue;
            }
            if let Some(param) = params.iter().find(|param| variable_of(prefix, param) == *name) {
                layer.set(param, text, origin(name));
            } else {
                let names: Vec<String> = params.iter().map(|param| variable_of(prefix, param)).collect();
                let near = nearest(name, names.iter().map(String::as_str), 1);
                let hint = near.first().map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                layer.warnings.push(format!("{name}: is no variable of this program{hint}"));
            }
        }
        layer
    }

    fn apply(&mut self, variable: &Variable, text: &str, params: &[Param], origin: &dyn Fn(&str) -> Origin) {
        let param = |key: &str| params.iter().find(|param| param.path.join(".") == key);
        let from = origin(variable.name);
        match variable.usage {
            VariableUse::Key(key) => {
                if let Some(param) = param(key) {
                    self.set(param, text, from);
                }
            }
            VariableUse::Word(key) => {
                if let Some(param) = param(key) {
                    self.set(param, &text.to_lowercase(), from);
                }
            }
            VariableUse::Milliseconds(key) => match (param(key), seconds(text)) {
                (Some(param), Some(seconds)) => self.set(param, &seconds, from),
                _ => self.faults.push(format!("{}: must be a number of milliseconds", variable.name)),
            },
            VariableUse::Paths(key) => {
                let paths: Vec<Value> =
                    text.split([':', ',']).filter(|path| !path.is_empty()).map(Value::from).collect();
                self.values.insert(key.to_owned(), (Value::Array(paths), from));
            }
            VariableUse::Switch(key, value) => match text.to_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => {
                    self.values.insert(key.to_owned(), (value.into(), from));
                }
                "" | "0" | "false" | "no" | "off" => {}
                _ => {
                    self.warnings.push(format!("{}: must be true or false; it is left alone", variable.name));
                }
            },
            VariableUse::Environment => match text {
                "production" => {
                    self.values.insert("log.format".to_owned(), ("json".into(), from));
                }
                "development" | "test" => {
                    if text == "development" {
                        let key = "tasks.concurrency".to_owned();
                        self.values.entry(key).or_insert_with(|| (2.into(), from.clone()));
                    }
                    self.values.insert("log.format".to_owned(), ("pretty".into(), from));
                }
                _ => self.faults.push(format!("{}: must be development, production or test", variable.name)),
            },
            VariableUse::Finder => {}
            VariableUse::Idle(reason) => {
                self.warnings.push(format!("{}: has no effect, because {reason}", variable.name));
            }
        }
    }

    /// Sets a key from words: the same reading as a flag's.
    fn set(&mut self, param: &Param, text: &str, origin: Origin) {
        let words = if matches!(param.kind, gabier_tool::schema::Kind::List(_)) {
            text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
        } else {
            vec![text.to_owned()]
        };
        match read(param, &words) {
            Ok(Some(value)) => {
                self.values.insert(param.path.join("."), (value, origin));
            }
            Ok(None) => {}
            Err(error) => self.faults.push(format!("{origin}: {}", error.message())),
        }
    }
}

/// Milliseconds in words as seconds in words; whole ones stay whole.
fn seconds(text: &str) -> Option<String> {
    let milliseconds: u64 = text.trim().parse().ok()?;
    Some(match milliseconds % 1000 {
        0 => (milliseconds / 1000).to_string(),
        rest => format!("{}.{rest:03}", milliseconds / 1000),
    })
}

/// The value of a parameter's words.
pub(crate) fn read(param: &Param, words: &[String]) -> Result<Option<Value>> {
    let tree = gabier_tool::schema::assemble(std::slice::from_ref(param), Map::new(), &|_| words.to_vec())?;
    Ok(param.path.iter().try_fold(&Value::Object(tree), |value, name| value.get(name)).cloned())
}

fn unknown(key: &str, params: &[Param], place: &str) -> String {
    let keys: Vec<String> = params.iter().map(|param| param.path.join(".")).collect();
    let near = nearest(key, keys.iter().map(String::as_str), 1);
    let hint = near.first().map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    format!("{place}: {key}: is no setting{hint}")
}
