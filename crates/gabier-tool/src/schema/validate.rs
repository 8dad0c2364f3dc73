//! Arguments against the schema, with every fault turned into a parameter, a flag and a sentence.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, ValidationError};
use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::nearest::nearest;
use crate::schema::normalise::normalise;

/// The compiled schema of one tool's input.
pub struct Validator {
    schema: Value,
    compiled: Option<jsonschema::Validator>,
}

/// The most faults that one answer names.
const MOST: usize = 20;

impl Validator {
    /// Compiles a schema. One that does not compile lets nothing pass: [`crate::lint`] finds it before that.
    pub fn new(schema: &Value) -> Self {
        let compiled = jsonschema::options().with_draft(Draft::Draft202012).build(schema).ok();
        Self { schema: schema.clone(), compiled }
    }

    /// True when the schema compiled.
    pub fn is_sound(&self) -> bool {
        self.compiled.is_some()
    }

    /// The arguments in the schema's own spelling, or `INVALID_ARGUMENT` with `details.errors[]`
    /// = {pointer, parameter, flag, message}.
    pub fn check(&self, mut arguments: Map<String, Value>) -> Result<Value> {
        normalise(&mut arguments, &self.schema)?;
        let value = Value::Object(arguments);
        let Some(compiled) = &self.compiled else {
            return Err(Error::internal("compiling the tool's input schema"));
        };
        if compiled.is_valid(&value) {
            return Ok(value);
        }
        let mut faults = Vec::new();
        for error in compiled.iter_errors(&value) {
            self.explain(&error, &mut faults);
            if faults.len() >= MOST {
                break;
            }
        }
        faults.truncate(MOST);
        Err(failure(&faults))
    }

    fn explain(&self, error: &ValidationError<'_>, faults: &mut Vec<Fault>) {
        let pointer = error.instance_path().to_string();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for name in unexpected {
                    faults.push(Fault::unknown(&pointer, name, &self.schema));
                }
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                faults.push(Fault::at(&format!("{pointer}/{}", escape(name)), "is required"));
            }
            ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
                if let Some(words) = words_of(context) {
                    faults.push(Fault::at(&pointer, &format!("must be one of {}", words.join(", "))));
                    return;
                }
                match chosen_branch(context) {
                    Some(errors) => errors.iter().for_each(|inner| self.explain(inner, faults)),
                    None => faults.push(Fault::at(&pointer, "fits none of the allowed forms")),
                }
            }
            kind => faults.push(Fault::at(&pointer, &sentence(kind))),
        }
    }
}

/// The words of a documented enumeration: a union of nothing but constants.
fn words_of(context: &[Vec<ValidationError<'static>>]) -> Option<Vec<String>> {
    context
        .iter()
        .map(|errors| match errors.as_slice() {
            [only] => match only.kind() {
                ValidationErrorKind::Constant { expected_value } => {
                    Some(expected_value.as_str().map_or_else(|| expected_value.to_string(), str::to_owned))
                }
                _ => None,
            },
            _ => None,
        })
        .collect()
}

/// The branch of a union that was meant: the one whose tag matched, else the one with the fewest faults.
fn chosen_branch<'a>(
    context: &'a [Vec<ValidationError<'static>>],
) -> Option<&'a Vec<ValidationError<'static>>> {
    let is_tag = |error: &ValidationError<'_>| matches!(error.kind(), ValidationErrorKind::Constant { .. });
    let tagged = context.iter().filter(|errors| !errors.iter().any(is_tag)).min_by_key(|errors| errors.len());
    tagged.or_else(|| context.iter().min_by_key(|errors| errors.len()))
}

struct Fault {
    pointer: String,
    message: String,
}

impl Fault {
    fn at(pointer: &str, message: &str) -> Self {
        Self { pointer: pointer.to_owned(), message: message.to_owned() }
    }

    fn unknown(parent: &str, name: &str, schema: &Value) -> Self {
        let properties = schema_at(schema, parent).and_then(|inner| inner.get("properties")?.as_object());
        let known = properties.into_iter().flat_map(Map::keys).map(String::as_str);
        let near = nearest(name, known.clone(), 1);
        let message = if let Some(near) = near.first() {
            format!("is unknown; did you mean {near}?")
        } else {
            let known: Vec<&str> = known.collect();
            if known.is_empty() {
                "is unknown; there are no parameters here".to_owned()
            } else {
                format!("is unknown; known are {}", known.join(", "))
            }
        };
        Self { pointer: format!("{parent}/{}", escape(&printable(name))), message }
    }

    /// `/files/0/local` = `files.0.local`.
    fn parameter(&self) -> String {
        let parts: Vec<String> = self.pointer.split('/').skip(1).map(unescape).collect();
        parts.join(".")
    }

    /// `/retry/max` = `--retry-max`; list indexes have no flag of their own.
    fn flag(&self) -> String {
        let words: Vec<String> = self
            .pointer
            .split('/')
            .skip(1)
            .filter(|part| part.parse::<usize>().is_err())
            .map(|part| unescape(part).replace('_', "-"))
            .collect();
        format!("--{}", words.join("-"))
    }
}

fn failure(faults: &[Fault]) -> Error {
    let message = match faults {
        [] => "the arguments do not fit the tool's schema".to_owned(),
        [only] if only.pointer.is_empty() => format!("the arguments: {}", only.message),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
            format!("{}: {}{more}", first.parameter(), first.message)
        }
    };
    let errors: Vec<Value> = faults
        .iter()
        .map(|fault| {
            json!({
                "pointer": fault.pointer, "parameter": fault.parameter(),
                "flag": fault.flag(), "message": fault.message,
            })
        })
        .collect();
    Error::new(ErrorKind::InvalidArgument, message).with("errors", Value::Array(errors))
}

/// What is wrong, without the value: it may be a secret.
fn sentence(kind: &ValidationErrorKind) -> String {
    match kind {
        ValidationErrorKind::Type { kind } => format!("must be {}", type_words(kind)),
        ValidationErrorKind::Enum { options } => {
            let words: Vec<String> = options
                .as_array()
                .into_iter()
                .flatten()
                .map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned))
                .collect();
            format!("must be one of {}", words.join(", "))
        }
        ValidationErrorKind::Constant { expected_value } => format!("must be {expected_value}"),
        ValidationErrorKind::Minimum { limit } => format!("must be at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("must be at most {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("must be greater than {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        ValidationErrorKind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        ValidationErrorKind::MinLength { limit } => format!("must have at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::MinItems { limit } => format!("must have at least {limit} items"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} items"),
        ValidationErrorKind::MinProperties { limit } => format!("must have at least {limit} entries"),
        ValidationErrorKind::MaxProperties { limit } => format!("must have at most {limit} entries"),
        ValidationErrorKind::UniqueItems => "must not repeat an item".to_owned(),
        ValidationErrorKind::Pattern { pattern } => format!("must match {pattern}"),
        ValidationErrorKind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        ValidationErrorKind::Format { format } => format!("must be a valid {format}"),
        ValidationErrorKind::PropertyNames { error } => format!("has a bad key: {}", sentence(error.kind())),
        other => format!("breaks the rule {:?}", other.keyword()),
    }
}

fn type_words(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => article(&one.to_string()),
        TypeKind::Multiple(many) => {
            many.iter().map(|one| article(&one.to_string())).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn article(word: &str) -> String {
    let article = if word.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {word}")
}

/// The sub-schema that describes the value at a pointer.
fn schema_at<'a>(schema: &'a Value, pointer: &str) -> Option<&'a Value> {
    pointer.split('/').skip(1).try_fold(schema, |schema, part| {
        let part = unescape(part);
        schema
            .get("properties")
            .and_then(|properties| properties.get(&part))
            .or_else(|| schema.get("items"))
            .or_else(|| schema.get("additionalProperties"))
    })
}

/// A name from outside, short enough and free of controls for a message.
fn printable(name: &str) -> String {
    let short: String = name.chars().take(64).collect();
    short.escape_debug().to_string()
}

fn escape(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: Value, expected: &str) {
        let validator = Validator::new(&json!({
            "type": "object",
            "properties": {
                "host": {"type": "string", "minLength": 1},
                "count": {"type": "integer", "minimum": 1, "maximum": 20},
                "retry": {
                    "type": "object", "additionalProperties": false,
                    "properties": {"max_tries": {"type": "integer"}},
                },
                "sort": {"type": "string", "enum": ["cpu", "memory"]},
            },
            "required": ["host"],
            "additionalProperties": false,
        }));
        let Value::Object(object) = arguments else { panic!("arguments are an object") };
        let said = match validator.check(object) {
            Ok(value) => value.to_string(),
            Err(error) => error.details()["errors"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|fault| format!("{} {}", fault["flag"], fault["message"]).replace('"', ""))
                .collect::<Vec<_>>()
                .join("; "),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn every_fault_names_its_flag_and_the_cure() {
        check(json!({}), "--host is required");
        check(json!({"host": "a", "count": 21}), "--count must be at most 20");
        check(json!({"host": ""}), "--host must not be empty");
        check(json!({"host": "a", "sort": "size"}), "--sort must be one of cpu, memory");
        check(json!({"host": 1, "count": "x"}), "--host must be a string; --count must be an integer");
        check(json!({"host": "a", "retry": {"max_tries": "x"}}), "--retry-max-tries must be an integer");
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_the_nearest_name() {
        check(json!({"host": "a", "cuont": 1}), "--cuont is unknown; did you mean count?");
        check(json!({"host": "a", "retry": {"wait": 1}}), "--retry-wait is unknown; known are max_tries");
    }

    #[test]
    fn good_arguments_pass_in_the_schemas_own_spelling() {
        check(json!({"host": "a", "retry": {"maxTries": 3.0}}), r#"{"host":"a","retry":{"max_tries":3}}"#);
    }
}
