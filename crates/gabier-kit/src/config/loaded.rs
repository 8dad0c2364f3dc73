//! The settings as they are, and where each is from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use gabier_tool::schema::Param;
use gabier_tool::{Error, ErrorKind, REDACTED, Result};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::config::address::without_password;
use crate::config::variable::variable_of;
use crate::config::{Config, Variable};

/// Where a setting is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// A `.env` file: the file and the variable.
    EnvFile(PathBuf, String),
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::EnvFile(path, name) => write!(f, "{name} in {}", path.display()),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// The settings as they are.
pub struct Loaded {
    pub(super) tree: Value,
    pub(super) origins: BTreeMap<String, Origin>,
    pub(super) params: Vec<Param>,
    pub(super) prefix: String,
    pub(super) variables: Vec<Variable>,
    /// The file that `config edit` opens.
    pub file: PathBuf,
    /// What has no effect or is no setting.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// The settings of every server.
    pub fn config(&self) -> Result<Config> {
        self.section()
    }

    /// The settings of an app: the root keys that the type knows.
    pub fn section<T: DeserializeOwned + JsonSchema>(&self) -> Result<T> {
        let schema = gabier_tool::schema::input::<T>();
        let known = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let own: Map<String, Value> = self
            .tree
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| known.contains_key(*key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        serde_json::from_value(Value::Object(own)).map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, format!("reading the configuration: {error}"))
        })
    }

    /// Where a key is from.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// Every setting: key, value as shown, origin. Secrets are redacted.
    pub fn rows(&self) -> Vec<(String, Value, Origin)> {
        self.params
            .iter()
            .map(|param| {
                let key = param.path.join(".");
                let value = param.path.iter().try_fold(&self.tree, |value, name| value.get(name));
                let shown = match value {
                    Some(value) if param.secret && !value.is_null() => REDACTED.into(),
                    Some(Value::String(text)) => without_password(text).into(),
                    Some(value) => value.clone(),
                    None => param.default.clone().unwrap_or(Value::Null),
                };
                let origin = self.origin(&key);
                (key, shown, origin)
            })
            .collect()
    }

    /// Every parameter with the names of its variables: for the reference and `.env.example`.
    pub fn variables(&self) -> Vec<(&Param, Vec<String>)> {
        use crate::config::VariableUse::{Environment, Finder, Idle, Key, Milliseconds, Paths, Switch, Word};
        self.params
            .iter()
            .map(|param| {
                let key = param.path.join(".");
                let mut names: Vec<String> = self
                    .variables
                    .iter()
                    .filter(|variable| match variable.usage {
                        Key(own) | Milliseconds(own) | Word(own) | Paths(own) | Switch(own, _) => own == key,
                        Environment => key == "log.format",
                        Finder | Idle(_) => false,
                    })
                    .map(|variable| variable.name.to_owned())
                    .collect();
                names.push(variable_of(&self.prefix, param));
                (param, names)
            })
            .collect()
    }
}
