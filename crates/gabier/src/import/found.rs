//! What files tell of hosts, APIs and tasks, before it is compared with what is here.

use std::path::{Path, PathBuf};

use gabier_host::Alias;
use gabier_kit::queue::Task;
use gabier_tool::{Error, ErrorKind, Result, Secret};
use gabier_toolbox::{apis, hosts};
use serde_json::{Map, Value};

/// All that was found.
#[derive(Default)]
pub(super) struct Found {
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
    /// Hosts; one that others go through comes before them.
    pub(super) hosts: Vec<Host>,
    /// APIs.
    pub(super) apis: Vec<Api>,
    /// What was run, ended.
    pub(super) tasks: Vec<Task>,
    /// What cannot be taken.
    pub(super) refused: Vec<Refused>,
}

/// A host.
pub(super) struct Host {
    pub(super) alias: Alias,
    pub(super) known: hosts::Known,
    pub(super) file: PathBuf,
    /// What a person must know of it.
    pub(super) notes: Vec<String>,
}

/// An API.
pub(super) struct Api {
    pub(super) alias: String,
    pub(super) url: String,
    pub(super) auth: String,
    pub(super) known: apis::Known,
    pub(super) file: PathBuf,
}

/// A record that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) file: PathBuf,
    pub(super) record: String,
    pub(super) fault: Fault,
}

/// What is wrong with a record: the field, where it is one, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) field: Option<String>,
    pub(super) why: String,
}

impl Fault {
    pub(super) fn at(field: &str, why: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), why: why.into() }
    }

    /// A refusal of `field: sentence`, as checks of parameters give it.
    pub(super) fn of(error: &Error) -> Self {
        match error.message().split_once(": ") {
            Some((field, why)) if error.kind() == ErrorKind::InvalidArgument && !field.contains(' ') => {
                Self::at(field, why)
            }
            _ => Self { field: None, why: error.message().to_owned() },
        }
    }
}

impl Found {
    /// Notes a record that cannot be taken.
    pub(super) fn refuse(&mut self, file: &Path, record: &str, fault: Fault) {
        self.refused.push(Refused { file: file.to_owned(), record: record.to_owned(), fault });
    }

    /// A JSON file, when it is there. One that cannot be read ends the import before anything is changed.
    pub(super) fn json(&mut self, file: &Path) -> Result<Option<Value>> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(file, &error.to_string())),
        };
        // Only the place: what stands there may be a secret.
        let value = serde_json::from_str(&text).map_err(|error| {
            unreadable(file, &format!("line {}, column {} is no JSON", error.line(), error.column()))
        })?;
        self.files.push(file.to_owned());
        Ok(Some(value))
    }

    /// The records of a JSON file that holds an object, by name.
    pub(super) fn records(&mut self, file: &Path) -> Result<Map<String, Value>> {
        match self.json(file)? {
            None => Ok(Map::new()),
            Some(Value::Object(records)) => Ok(records),
            Some(_) => Err(unreadable(file, "it holds no object")),
        }
    }
}

/// A file that stops everything.
pub(super) fn unreadable(file: &Path, why: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("reading {}: {why}; nothing was taken", file.display()))
        .with_next("mend the file or move it away, and import again")
}

/// The fields of a record, taken one by one; what is left at the end is not known here.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    /// The fields of a record.
    pub(super) fn of(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            _ => Err(Fault { field: None, why: "is no object".to_owned() }),
        }
    }

    /// A text; absent when it is missing, `null` or empty.
    pub(super) fn text(&mut self, field: &str) -> Result<Option<String>, Fault> {
        match self.0.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok((!text.is_empty()).then_some(text)),
            Some(_) => Err(Fault::at(field, "takes a text")),
        }
    }

    /// A text that must be there.
    pub(super) fn needed(&mut self, field: &str) -> Result<String, Fault> {
        self.text(field)?.ok_or_else(|| Fault::at(field, "is missing"))
    }

    /// A secret.
    pub(super) fn secret(&mut self, field: &str) -> Result<Option<Secret>, Fault> {
        self.text(field).map(|text| text.map(Secret::from))
    }

    /// A port, as a number or as its digits.
    pub(super) fn port(&mut self, field: &str) -> Result<Option<u16>, Fault> {
        let port = match self.0.remove(field) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_u64().and_then(|port| u16::try_from(port).ok()),
            Some(Value::String(digits)) => digits.parse().ok(),
            Some(_) => None,
        };
        port.filter(|port| *port > 0).map(Some).ok_or_else(|| Fault::at(field, "takes 1 to 65535"))
    }

    /// The names of the fields that nobody took.
    pub(super) fn rest(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_of_the_wrong_kind_is_named_and_its_value_is_not() {
        let mut fields =
            Fields::of(json!({"port": "secret-5", "password": 5, "user": "", "more": 1})).unwrap();
        assert_eq!(fields.port("port"), Err(Fault::at("port", "takes 1 to 65535")));
        assert_eq!(fields.secret("password").unwrap_err(), Fault::at("password", "takes a text"));
        assert_eq!(fields.needed("user"), Err(Fault::at("user", "is missing")));
        assert_eq!(fields.rest(), ["more"]);
        assert!(Fields::of(json!([])).is_err());
    }

    #[test]
    fn a_refused_parameter_is_a_field_and_any_other_failure_is_not() {
        assert_eq!(Fault::of(&Error::invalid("host", "takes a name")), Fault::at("host", "takes a name"));
        assert_eq!(Fault::of(&Error::not_found("finding x: none")).field, None);
    }
}
