//! The small flat form between JSON Schema and the faces that read words: command line, shell, query, form.

use serde_json::Value;

/// One parameter, at any depth.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// The names from the root, such as `["retry", "max"]`.
    pub path: Vec<String>,
    /// The flag without dashes, such as `retry-max`.
    pub flag: String,
    /// A one-letter flag.
    pub short: Option<char>,
    /// True when the word may stand without its flag.
    pub positional: bool,
    /// What it takes.
    pub kind: Kind,
    /// True when the call fails without it.
    pub required: bool,
    /// What the server uses when it is absent; shown, never sent.
    pub default: Option<Value>,
    /// The help text.
    pub help: String,
    /// The object it belongs to: flag prefix and help text.
    pub group: Option<(String, String)>,
    /// The parameter and the values of it under which this one counts.
    pub only_if: Option<(String, Vec<String>)>,
    /// True for secrets: taken from a source, never echoed.
    pub secret: bool,
    /// True when `-` reads standard input.
    pub stdin: bool,
    /// What completes it, such as `host` or `path`.
    pub complete: Option<String>,
    /// True for the parameters that dispatch adds.
    pub common: bool,
}

/// What a parameter takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Yes or no.
    Bool,
    /// A whole number.
    Int {
        /// The least.
        min: Option<i128>,
        /// The most.
        max: Option<i128>,
    },
    /// Any number.
    Num,
    /// Text.
    Str {
        /// A regular expression it must match.
        pattern: Option<String>,
        /// The least and the most characters.
        length: (Option<u64>, Option<u64>),
    },
    /// One of some words, each with its help text.
    Enum(Vec<(String, String)>),
    /// Several values.
    List(Box<Self>),
    /// Names and values.
    Map(Box<Self>),
    /// An object, as an item of a list.
    Record(Vec<Param>),
    /// Anything deeper, as JSON text.
    Json,
}

impl Param {
    /// The parameters of an input schema, in its order.
    pub fn of(schema: &Value) -> Vec<Self> {
        let required = |name: &str| {
            schema
                .get("required")
                .and_then(Value::as_array)
                .is_some_and(|all| all.iter().any(|own| own == name))
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        properties
            .into_iter()
            .flatten()
            .map(|(name, inner)| Self {
                path: vec![name.clone()],
                flag: name.replace('_', "-"),
                short: None,
                positional: required(name),
                kind: Kind::of(inner),
                required: required(name),
                default: inner.get("default").cloned(),
                help: inner.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
                group: None,
                only_if: None,
                secret: inner.get("writeOnly").is_some_and(|mark| mark == true),
                stdin: false,
                complete: inner.get("x-complete").and_then(Value::as_str).map(str::to_owned),
                common: inner.get("x-common").is_some_and(|mark| mark == true),
            })
            .collect()
    }
}

impl Kind {
    fn of(schema: &Value) -> Self {
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            let words = words.iter().filter_map(Value::as_str).map(|word| (word.to_owned(), String::new()));
            return Self::Enum(words.collect());
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("boolean") => Self::Bool,
            Some("integer") => Self::Int {
                min: schema.get("minimum").and_then(Value::as_i64).map(Into::into),
                max: schema.get("maximum").and_then(Value::as_i64).map(Into::into),
            },
            Some("number") => Self::Num,
            Some("string") => Self::Str {
                pattern: schema.get("pattern").and_then(Value::as_str).map(str::to_owned),
                length: (
                    schema.get("minLength").and_then(Value::as_u64),
                    schema.get("maxLength").and_then(Value::as_u64),
                ),
            },
            Some("array") => Self::List(Box::new(schema.get("items").map_or(Self::Json, Self::of))),
            _ => Self::Json,
        }
    }
}
