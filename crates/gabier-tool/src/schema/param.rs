//! The small flat form between JSON Schema and the faces that read words: command line, shell, query, form.

use serde_json::Value;

use crate::schema::flatten::Walk;

/// Flags that belong to every command and cannot be a tool's.
pub const RESERVED: [&str; 17] = [
    "json", "output", "input", "yes", "color", "width", "url", "token", "quiet", "verbose", "help",
    "version", "no-input", "no-pager", "data-dir", "config", "env-file",
];

/// One parameter, at any depth.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each read by its own name")]
pub struct Param {
    /// The names from the root, such as `["retry", "max"]`.
    pub path: Vec<String>,
    /// The flag without dashes, such as `retry-max`.
    pub flag: String,
    /// True when the natural flag was taken or reserved, so that `flag` is another one.
    pub renamed: bool,
    /// Older names of the parameter.
    pub aliases: Vec<String>,
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
    /// The flag of a parameter and the values of it under which this one counts.
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
    /// The parameters of an input schema, in its order. Nothing is refused: what has no flat form takes JSON, a
    /// reserved flag becomes `--arg-…`, a second owner of a flag gets a number. A schema marked `x-foreign` gives
    /// no positional words and no one-letter flags: their order is not ours to promise.
    pub fn of(schema: &Value) -> Vec<Self> {
        let mut params = Walk::over(schema);
        let mut taken: Vec<String> = Vec::with_capacity(params.len());
        for param in &mut params {
            let natural = if RESERVED.contains(&param.flag.as_str()) {
                format!("arg-{}", param.flag)
            } else {
                param.flag.clone()
            };
            let numbered = (2..).map(|number| format!("{natural}-{number}"));
            let free = std::iter::once(natural.clone()).chain(numbered).find(|flag| !taken.contains(flag));
            let flag = free.unwrap_or(natural);
            param.renamed = flag != param.flag;
            taken.push(flag.clone());
            param.flag = flag;
        }
        params
    }
}

impl Kind {
    /// True for what one word holds and a list may stand in a row of words.
    pub fn is_scalar(&self) -> bool {
        matches!(self, Self::Bool | Self::Int { .. } | Self::Num | Self::Str { .. } | Self::Enum(_))
    }

    /// True for what may be given more than once.
    pub fn is_many(&self) -> bool {
        matches!(self, Self::List(_) | Self::Map(_))
    }
}

/// A path as a flag: `["retry", "maxTries"]` = `retry-max-tries`.
pub(crate) fn flag_of(path: &[String]) -> String {
    let words: Vec<String> = path.iter().map(|part| kebab(part)).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "arg".to_owned() } else { words.join("-") }
}

/// A name in kebab case: `maxTries`, `max_tries` and `Max Tries` are all `max-tries`.
pub fn kebab(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut word = String::with_capacity(name.len() + 4);
    for (at, &letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            if !word.is_empty() && !word.ends_with('-') {
                word.push('-');
            }
            continue;
        }
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(at + 1);
        let begins = letter.is_uppercase()
            && (before.is_some_and(|c| c.is_lowercase() || c.is_ascii_digit())
                || before.is_some_and(|c| c.is_uppercase()) && after.is_some_and(|c| c.is_lowercase()));
        if begins && !word.ends_with('-') {
            word.push('-');
        }
        word.extend(letter.to_lowercase());
    }
    word.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One line a parameter: flag, marks, kind.
    fn check(schema: &Value, expected: &[&str]) {
        let lines: Vec<String> = Param::of(schema).iter().map(line).collect();
        assert_eq!(lines, expected);
    }

    fn line(param: &Param) -> String {
        let mut line = param.flag.clone();
        if param.positional {
            line.push('^');
        }
        if param.required {
            line.push('!');
        }
        if param.secret {
            line.push_str(" secret");
        }
        line = format!("{line} {}", word(&param.kind));
        if let Some((flag, values)) = &param.only_if {
            line = format!("{line} with {flag}={}", values.join("|"));
        }
        if let Some((prefix, help)) = &param.group {
            line = format!("{line} in {prefix} ({help})");
        }
        line
    }

    fn word(kind: &Kind) -> String {
        match kind {
            Kind::Bool => "bool".to_owned(),
            Kind::Int { min, max } => format!(
                "int {}..{}",
                min.map(|n| n.to_string()).unwrap_or_default(),
                max.map(|n| n.to_string()).unwrap_or_default()
            ),
            Kind::Num => "num".to_owned(),
            Kind::Str { .. } => "str".to_owned(),
            Kind::Enum(words) => {
                words.iter().map(|(word, help)| format!("{word}:{help}")).collect::<Vec<_>>().join(",")
            }
            Kind::List(item) => format!("[{}]", word(item)),
            Kind::Map(item) => format!("{{{}}}", word(item)),
            Kind::Record(params) => {
                format!("({})", params.iter().map(line).collect::<Vec<_>>().join("; "))
            }
            Kind::Json => "json".to_owned(),
        }
    }

    #[test]
    fn a_required_scalar_may_stand_without_its_flag() {
        let schema = json!({
            "properties": {
                "host": {"type": "string"},
                "count": {"type": "integer", "minimum": 1, "exclusiveMaximum": 21},
                "secret": {"type": "string", "writeOnly": true},
                "all": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["host", "secret", "all"],
        });
        check(&schema, &["host^! str", "count int 1..20", "secret! secret str", "all! [str]"]);
    }

    #[test]
    fn a_nested_object_becomes_flags_by_path_under_one_heading() {
        let schema = json!({
            "properties": {"retry": {
                "description": "What to do when it fails.",
                "properties": {"max": {"type": "integer"}, "wait": {"properties": {"first_ms": {"type": "number"}}}},
                "required": ["max"],
            }},
        });
        check(
            &schema,
            &[
                "retry-max int .. in retry (What to do when it fails.)",
                "retry-wait-first-ms num in retry-wait ()",
            ],
        );
    }

    #[test]
    fn a_tagged_union_gives_its_flag_to_the_tag() {
        let schema = json!({
            "required": ["auth"],
            "properties": {"auth": {"description": "How to log in.", "oneOf": [
                {"description": "By key.", "properties": {"kind": {"const": "key"}, "path": {"type": "string"}}},
                {"properties": {"kind": {"const": "password"}, "user": {"type": "string"},
                    "password": {"type": "string", "format": "password"}}},
                {"properties": {"kind": {"enum": ["both"]}, "user": {"type": "string"}}},
            ]}},
        });
        check(
            &schema,
            &[
                "auth! key:By key.,password:,both:",
                "auth-path str with auth=key in auth (How to log in.)",
                "auth-user str with auth=password|both in auth (How to log in.)",
                "auth-password secret str with auth=password in auth (How to log in.)",
            ],
        );
        let paths: Vec<String> = Param::of(&schema).iter().map(|param| param.path.join(".")).collect();
        assert_eq!(paths[..2], ["auth.kind", "auth.path"]);
    }

    #[test]
    fn documented_words_keep_their_help() {
        let schema = json!({"properties": {"sort": {"oneOf": [
            {"const": "cpu", "description": "By processor."}, {"enum": ["memory", "name"]},
        ]}}});
        check(&schema, &["sort cpu:By processor.,memory:,name:"]);
    }

    #[test]
    fn lists_maps_and_records_are_seen_through() {
        let schema = json!({"properties": {
            "ports": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "env": {"type": "object", "additionalProperties": {"type": "string"}},
            "files": {"type": "array", "items": {"type": "object", "properties": {
                "local": {"type": "string"}, "remote": {"type": "string"}}, "required": ["local"]}},
            "steps": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "object"}]}},
            "grid": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
        }});
        check(
            &schema,
            &[
                "ports [int 0..]",
                "env {str}",
                "files [(local! str; remote str)]",
                "steps [json]",
                "grid [json]",
            ],
        );
    }

    #[test]
    fn recursion_and_depth_end_in_json() {
        let schema = json!({
            "properties": {
                "tree": {"$ref": "#/$defs/Node", "description": "A tree."},
                "me": {"$ref": "#"},
                "leaf": {"$ref": "#/$defs/Leaf"},
                "gone": {"$ref": "#/$defs/Missing"},
                "a": {"properties": {"b": {"properties": {"c": {"properties": {"d": {"type": "string"}}}}}}},
            },
            "$defs": {
                "Node": {"properties": {"next": {"$ref": "#/$defs/Other"}}},
                "Other": {"properties": {"back": {"$ref": "#/$defs/Node"}}},
                "Leaf": {"type": ["integer", "null"]},
            },
        });
        check(&schema, &["tree json", "me json", "leaf int ..", "gone json", "a-b-c json in a-b ()"]);
    }

    #[test]
    fn reserved_and_doubled_flags_get_names_of_their_own() {
        let schema = json!({"properties": {
            "json": {"type": "boolean"}, "a_b": {"type": "string"}, "aB": {"type": "string"},
            "a": {"properties": {"b": {"type": "string"}}}, "???": {"type": "string"},
        }});
        check(&schema, &["arg-json bool", "a-b str", "a-b-2 str", "a-b-3 str in a ()", "arg str"]);
        assert!(Param::of(&schema).iter().filter(|param| param.renamed).count() == 3);
    }

    #[test]
    fn hints_say_what_no_type_can_say() {
        let schema = json!({"properties": {
            "text": {"type": "string", "x-cli": {"positional": true, "stdin": true}},
            "count": {"type": "integer", "x-cli": {"short": "c", "flag": "times"}},
        }});
        let params = Param::of(&schema);
        assert!(params[0].positional && params[0].stdin);
        assert_eq!((params[1].short, params[1].flag.as_str()), (Some('c'), "times"));
        let mut foreign = schema.clone();
        foreign["x-foreign"] = true.into();
        let params = Param::of(&foreign);
        assert!(!params[0].positional && params[1].short.is_none());
    }

    #[test]
    fn foreign_schemas_are_never_refused() {
        let schema = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "anyOf": [
                {"properties": {"maxResults": {"type": ["integer", "null"]}}, "required": ["maxResults"]},
                {"properties": {"query": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
            ],
            "allOf": [{"properties": {"HTTPProxy": {"const": "x"}}}],
            "properties": {
                "pair": {"type": "array", "items": [{"type": "string"}, {"type": "integer"}]},
                "any": true, "level": {"enum": [1, 2, 3]}, "mixed": {"enum": [1, "a"]},
                "either": {"type": ["string", "integer"]},
            },
        });
        check(
            &schema,
            &[
                "pair json",
                "any json",
                "level int 1..3",
                "mixed json",
                "either json",
                "http-proxy x:",
                "max-results int ..",
                "query str",
            ],
        );
    }

    #[test]
    fn any_value_at_all_is_read_without_a_panic() {
        for schema in [json!(null), json!([]), json!(true), json!({"properties": 3}), json!({"$ref": 5})] {
            assert!(Param::of(&schema).is_empty(), "{schema}");
        }
    }
}
