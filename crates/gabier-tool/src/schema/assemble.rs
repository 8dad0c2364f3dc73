//! From words to arguments, and back: one path for argv, query string, form field and wizard answer.

use serde_json::{Map, Number, Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Kind, Param};

/// Joins the words given for parameters into a JSON object, over a base (`--input`); words win. What a word means is
/// the parameter's kind; whether it is allowed is the validator's business. Absent parameters stay absent: defaults
/// are the server's.
///
/// A list of numbers or closed words also splits at commas; text never does. A map takes `KEY=VALUE`, a record
/// `local=a,remote=b` with `\,` for a comma, and both take JSON.
pub fn assemble(
    params: &[Param],
    base: Map<String, Value>,
    words_of: &dyn Fn(&Param) -> Vec<String>,
) -> Result<Map<String, Value>> {
    let mut arguments = base;
    for param in params {
        let words = words_of(param);
        if !words.is_empty() {
            let value = value(&param.kind, &words).map_err(|message| fault(param, &message))?;
            put(&mut arguments, &param.path, value);
        }
    }
    Ok(arguments)
}

/// The words that [`assemble`] turns into the parameter's value in some arguments; none when it is absent.
pub fn words(param: &Param, arguments: &Value) -> Vec<String> {
    let value = param.path.iter().try_fold(arguments, |value, name| value.get(name));
    value.map(|value| words_of(&param.kind, value)).unwrap_or_default()
}

/// What is wrong with the words for a parameter, as the validator would say it.
fn fault(param: &Param, message: &str) -> Error {
    let name = param.path.join(".");
    let error = json!({
        "pointer": format!("/{}", param.path.join("/")), "parameter": name,
        "flag": format!("--{}", param.flag), "message": message,
    });
    Error::new(ErrorKind::InvalidArgument, format!("{name}: {message}"))
        .with("errors", Value::Array(vec![error]))
}

type Read<T> = std::result::Result<T, String>;

fn value(kind: &Kind, words: &[String]) -> Read<Value> {
    match kind {
        Kind::List(item) => list(item, words),
        Kind::Map(item) => map(item, words),
        kind => one(kind, words.last().map(String::as_str).unwrap_or_default()),
    }
}

fn one(kind: &Kind, word: &str) -> Read<Value> {
    match kind {
        Kind::Bool => truth(word).map(Value::Bool),
        Kind::Int { .. } | Kind::Num => number(word).map(Value::Number),
        Kind::Str { .. } | Kind::Enum(_) => Ok(word.into()),
        Kind::Record(fields) => record(fields, word),
        Kind::Json => json_or_text(word),
        Kind::List(_) | Kind::Map(_) => value(kind, &[word.to_owned()]),
    }
}

fn truth(word: &str) -> Read<bool> {
    match word.to_ascii_lowercase().as_str() {
        "" | "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

fn number(word: &str) -> Read<Number> {
    let word = word.trim().trim_start_matches('+');
    let digits = word.strip_prefix('-').unwrap_or(word);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let whole = word.parse::<i64>().map(Number::from).or_else(|_| word.parse::<u64>().map(Number::from));
        return whole.map_err(|_| "is beyond every whole number that fits in 64 bits".to_owned());
    }
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let float = word.parse::<f64>().ok().filter(|_| is_number && !digits.is_empty());
    float.and_then(Number::from_f64).ok_or_else(|| "must be a number".to_owned())
}

/// JSON, or text where the word cannot be meant as JSON: a union may allow plain text.
fn json_or_text(word: &str) -> Read<Value> {
    serde_json::from_str(word).or_else(|error| {
        if word.trim_start().starts_with(['{', '[', '"']) {
            Err(format!("must be JSON ({error})"))
        } else {
            Ok(word.into())
        }
    })
}

fn list(item: &Kind, words: &[String]) -> Read<Value> {
    let mut items = Vec::new();
    for word in words {
        match item {
            Kind::Int { .. } | Kind::Num | Kind::Enum(_) | Kind::Bool => {
                for part in word.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                    items.push(one(item, part)?);
                }
            }
            Kind::Record(_) if word.trim_start().starts_with('[') => {
                let more: Vec<Value> =
                    serde_json::from_str(word).map_err(|error| format!("must be JSON ({error})"))?;
                items.extend(more);
            }
            _ => items.push(one(item, word)?),
        }
    }
    Ok(Value::Array(items))
}

fn map(item: &Kind, words: &[String]) -> Read<Value> {
    let mut entries = Map::new();
    for word in words {
        if word.trim_start().starts_with('{') {
            let more: Map<String, Value> =
                serde_json::from_str(word).map_err(|error| format!("must be JSON ({error})"))?;
            entries.extend(more);
        } else {
            let (key, text) = word.split_once('=').ok_or("must be KEY=VALUE")?;
            entries.insert(key.to_owned(), one(item, text)?);
        }
    }
    Ok(Value::Object(entries))
}

fn record(fields: &[Param], word: &str) -> Read<Value> {
    if word.trim_start().starts_with('{') {
        return serde_json::from_str(word).map_err(|error| format!("must be JSON ({error})"));
    }
    let mut object = Map::new();
    for part in split(word) {
        let (name, text) = part.split_once('=').unwrap_or((&part, ""));
        let field = fields
            .iter()
            .find(|field| field.flag == name || field.path.last().is_some_and(|own| own == name));
        let Some(field) = field else {
            let known: Vec<&str> =
                fields.iter().filter_map(|field| field.path.last()).map(String::as_str).collect();
            return Err(format!("has no field of that name; write {}=…", known.join("=…,")));
        };
        let value = one(&field.kind, text).map_err(|message| format!("{}: {message}", field.flag))?;
        put(&mut object, &field.path, value);
    }
    Ok(Value::Object(object))
}

/// The parts between commas; a backslash takes the next comma or backslash as it is.
fn split(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = word.chars().peekable();
    while let Some(letter) = letters.next() {
        let escaped = if letter == '\\' { letters.next_if(|next| matches!(next, ',' | '\\')) } else { None };
        match (escaped, letter, parts.last_mut()) {
            (Some(escaped), _, Some(part)) => part.push(escaped),
            (None, ',', _) => parts.push(String::new()),
            (None, letter, Some(part)) => part.push(letter),
            (_, _, None) => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn put(object: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            object.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = object.entry(first.as_str()).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Some(inner) = inner.as_object_mut() {
                put(inner, rest, value);
            }
        }
    }
}

fn words_of(kind: &Kind, value: &Value) -> Vec<String> {
    match (kind, value) {
        (Kind::List(item), Value::Array(items)) if items.is_empty() => match **item {
            Kind::Int { .. } | Kind::Num | Kind::Enum(_) | Kind::Bool => vec![String::new()],
            _ => Vec::new(),
        },
        (Kind::List(item), Value::Array(items)) => items.iter().map(|value| word_of(item, value)).collect(),
        (Kind::Map(item), Value::Object(entries)) => entries
            .iter()
            .map(|(key, value)| match value {
                _ if key.contains('=') || key.trim_start().starts_with('{') => {
                    json!({key: value}).to_string()
                }
                value => format!("{key}={}", word_of(item, value)),
            })
            .collect(),
        (kind, value) => vec![word_of(kind, value)],
    }
}

fn word_of(kind: &Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::Str { .. } | Kind::Enum(_), Value::String(text)) => text.clone(),
        // Text that would be read as something else keeps its quotes.
        (Kind::Json, Value::String(text)) if json_or_text(text).is_ok_and(|read| read == *value) => {
            text.clone()
        }
        (_, value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schema::Validator;

    fn schema() -> Value {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "host": {"type": "string"},
                "count": {"type": "integer"},
                "ratio": {"type": "number"},
                "force": {"type": "boolean"},
                "sort": {"enum": ["cpu", "memory"]},
                "ports": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                "names": {"type": "array", "items": {"type": "string"}},
                "env": {"type": "object", "additionalProperties": {"type": "string"}},
                "limits": {"type": "object", "additionalProperties": {"type": "integer"}},
                "files": {"type": "array", "items": {"type": "object", "additionalProperties": false, "properties": {
                    "local": {"type": "string"}, "mode": {"type": "integer"}, "deep": {"type": "object"}}}},
                "retry": {"type": "object", "additionalProperties": false, "properties": {
                    "max": {"type": "integer"}, "wait": {"type": "object", "additionalProperties": false,
                        "properties": {"ms": {"type": "number"}}}}},
                "auth": {"oneOf": [
                    {"type": "object", "additionalProperties": false, "required": ["kind"],
                        "properties": {"kind": {"const": "key"}, "path": {"type": "string"}}},
                    {"type": "object", "additionalProperties": false, "required": ["kind"],
                        "properties": {"kind": {"const": "none"}}}]},
                "any": true,
            },
        })
    }

    /// `flag words…` in, arguments or the fault out.
    fn check(given: &[(&str, &str)], expected: &Value) {
        let params = Param::of(&schema());
        let words = |param: &Param| {
            let own = given.iter().filter(|(flag, _)| *flag == param.flag);
            own.map(|(_, word)| (*word).to_owned()).collect()
        };
        match assemble(&params, Map::new(), &words) {
            Ok(arguments) => assert_eq!(Value::Object(arguments), *expected),
            Err(error) => assert_eq!(json!(error.message()), *expected),
        }
    }

    #[test]
    fn numbers_keep_every_digit_that_64_bits_hold() {
        check(&[("count", "18446744073709551615")], &json!({"count": u64::MAX}));
        check(&[("count", "-9223372036854775808")], &json!({"count": i64::MIN}));
        check(&[("ratio", ".5")], &json!({"ratio": 0.5}));
        check(&[("count", "1e3")], &json!({"count": 1000.0}));
        check(
            &[("count", "18446744073709551616")],
            &json!("count: is beyond every whole number that fits in 64 bits"),
        );
        for word in ["", "x", "0x10", "NaN", "inf", "-", "1e999"] {
            check(&[("count", word)], &json!("count: must be a number"));
        }
    }

    #[test]
    fn lists_split_at_commas_only_where_no_comma_can_be_meant() {
        check(&[("ports", "22,80"), ("ports", "443")], &json!({"ports": [22, 80, 443]}));
        check(&[("names", "a,b"), ("names", "c")], &json!({"names": ["a,b", "c"]}));
        check(&[("ports", "")], &json!({"ports": []}));
    }

    #[test]
    fn maps_and_records_are_written_with_equals_signs() {
        check(&[("env", "A=1=2"), ("env", "B=")], &json!({"env": {"A": "1=2", "B": ""}}));
        check(&[("limits", "cpu=3")], &json!({"limits": {"cpu": 3}}));
        check(&[("env", "A")], &json!("env: must be KEY=VALUE"));
        check(
            &[("files", r"local=a\,b,mode=7"), ("files", r#"{"local":"c"}"#)],
            &json!({"files": [{"local": "a,b", "mode": 7}, {"local": "c"}]}),
        );
        check(&[("files", r#"[{"local":"a"},{}]"#)], &json!({"files": [{"local": "a"}, {}]}));
        check(
            &[("files", "locla=a")],
            &json!("files: has no field of that name; write local=…,mode=…,deep=…"),
        );
    }

    #[test]
    fn nested_words_make_their_objects() {
        check(
            &[("retry-max", "3"), ("retry-wait-ms", "1.5"), ("auth", "key"), ("auth-path", "p")],
            &json!({"retry": {"max": 3, "wait": {"ms": 1.5}}, "auth": {"kind": "key", "path": "p"}}),
        );
    }

    #[test]
    fn anything_takes_json_or_plain_text() {
        check(&[("any", "{\"a\":1}")], &json!({"any": {"a": 1}}));
        check(&[("any", "plain")], &json!({"any": "plain"}));
        check(&[("any", "{broken")], &json!("any: must be JSON (key must be a string at line 1 column 2)"));
    }

    #[test]
    fn words_win_over_the_base_and_a_fault_names_the_flag() {
        let params = Param::of(&schema());
        let base = json!({"host": "a", "retry": {"max": 1, "wait": {"ms": 1}}});
        let Value::Object(base) = base else { panic!("an object") };
        let words = |param: &Param| if param.flag == "retry-max" { vec!["2".to_owned()] } else { Vec::new() };
        let arguments = assemble(&params, base, &words).unwrap();
        assert_eq!(Value::Object(arguments), json!({"host": "a", "retry": {"max": 2, "wait": {"ms": 1}}}));
        let words = |param: &Param| if param.flag == "retry-max" { vec!["x".to_owned()] } else { Vec::new() };
        let error = assemble(&params, Map::new(), &words).unwrap_err();
        assert_eq!(error.details()["errors"][0]["flag"], "--retry-max");
        assert_eq!(error.details()["errors"][0]["pointer"], "/retry/max");
    }

    fn maybe<T: std::fmt::Debug + Clone + 'static>(
        inner: impl Strategy<Value = T> + 'static,
    ) -> impl Strategy<Value = Option<T>> {
        proptest::option::of(inner)
    }

    prop_compose! {
        fn arguments()(
            host in maybe(".*"), count in maybe(any::<i64>()), force in maybe(any::<bool>()),
            ratio in maybe(-1e9f64..1e9), sort in maybe(prop_oneof![Just("cpu"), Just("memory")]),
            ports in maybe(prop::collection::vec(any::<u64>(), 0..4)),
            names in maybe(prop::collection::vec(".*", 1..4)),
            env in maybe(prop::collection::hash_map(".*", ".*", 1..3)),
            files in maybe(prop::collection::vec((maybe(".*"), maybe(any::<u8>())), 1..3)),
            wait in maybe(0u32..9), auth in maybe(maybe("[a-z,=]*")), anything in maybe(".*"),
        ) -> Value {
            let mut object = Map::new();
            let mut set = |name: &str, value: Option<Value>| {
                if let Some(value) = value { object.insert(name.to_owned(), value); }
            };
            set("host", host.map(Into::into));
            set("count", count.map(Into::into));
            set("force", force.map(Into::into));
            set("ratio", ratio.map(Into::into));
            set("sort", sort.map(Into::into));
            set("ports", ports.map(|ports| json!(ports)));
            set("names", names.map(|names| json!(names)));
            set("env", env.map(|env| json!(env)));
            set("files", files.map(|files| files.into_iter().map(|(local, mode)| {
                let mut file = Map::new();
                if let Some(local) = local { file.insert("local".to_owned(), local.into()); }
                if let Some(mode) = mode { file.insert("mode".to_owned(), mode.into()); }
                Value::Object(file)
            }).collect()));
            set("retry", wait.map(|ms| json!({"max": ms, "wait": {"ms": ms}})));
            set("auth", auth.map(|path| match path {
                Some(path) => json!({"kind": "key", "path": path}),
                None => json!({"kind": "none"}),
            }));
            set("any", anything.map(Into::into));
            Value::Object(object)
        }
    }

    proptest! {
        #[test]
        fn arguments_survive_the_way_through_words(arguments in arguments()) {
            let params = Param::of(&schema());
            let read = assemble(&params, Map::new(), &|param| words(param, &arguments)).unwrap();
            prop_assert_eq!(Value::Object(read.clone()), arguments);
            prop_assert!(Validator::new(&schema()).check(read).is_ok());
        }

        #[test]
        fn no_word_makes_it_panic(word in ".*", more in ".*") {
            let params = Param::of(&schema());
            let given = [word, more];
            for chosen in &params {
                let words = |param: &Param| if param == chosen { given.to_vec() } else { Vec::new() };
                let _ = assemble(&params, Map::new(), &words);
            }
        }
    }
}
