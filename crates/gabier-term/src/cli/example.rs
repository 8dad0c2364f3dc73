//! Command lines from the examples of schemas.

use gabier_tool::schema::words;
use serde_json::{Map, Value};

use crate::cli::Known;

/// The examples of a tool's long help; empty when its schema has none.
pub(crate) fn lines(known: &Known, program: &str) -> String {
    let lines: Vec<String> =
        examples(known).iter().map(|arguments| format!("  {}", line(known, program, arguments))).collect();
    if lines.is_empty() { String::new() } else { format!("Examples:\n{}", lines.join("\n")) }
}

/// The examples of the schema, or one made of its parameters' own.
fn examples(known: &Known) -> Vec<Value> {
    let input = &known.info.input;
    if let Some(examples) = input.get("examples").and_then(Value::as_array) {
        return examples.iter().take(3).cloned().collect();
    }
    let properties = input.get("properties").and_then(Value::as_object);
    let mut arguments = Map::new();
    for (name, schema) in properties.into_iter().flatten() {
        if let Some(example) = schema.get("examples").and_then(|examples| examples.get(0)) {
            arguments.insert(name.clone(), example.clone());
        }
    }
    if arguments.is_empty() { Vec::new() } else { vec![Value::Object(arguments)] }
}

/// The command line for some arguments.
pub(crate) fn line(known: &Known, program: &str, arguments: &Value) -> String {
    let mut line = format!("{program} {}", known.flat.replacen('-', " ", 1));
    let (mut flags, mut bare) = (String::new(), String::new());
    for param in &known.params {
        for word in words(param, arguments) {
            let word = if param.secret { "prompt".to_owned() } else { quoted(&word) };
            if param.positional && !word.starts_with('-') {
                bare = format!("{bare} {word}");
            } else if word == "true" {
                flags = format!("{flags} --{}", param.flag);
            } else if word.starts_with('-') || word == "false" {
                flags = format!("{flags} --{}={word}", param.flag);
            } else {
                flags = format!("{flags} --{} {word}", param.flag);
            }
        }
    }
    line.push_str(&bare);
    line.push_str(&flags);
    line
}

/// A word as a POSIX shell, and ours, reads it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
