//! Rules that hold for every tool of every list.

use std::collections::HashMap;

use serde_json::Value;

use crate::catalog::{Catalog, Entry};
use crate::schema::Validator;

/// What is wrong with a catalog, one sentence a fault; empty when nothing is.
pub fn lint(catalog: &Catalog) -> Vec<String> {
    let mut faults = lint_names(catalog);
    for entry in catalog.iter() {
        faults.extend(lint_entry(entry).into_iter().map(|fault| format!("{}: {fault}", entry.facts.name)));
    }
    faults
}

/// The names that two tools have: what can be told without making any schema.
pub fn lint_names(catalog: &Catalog) -> Vec<String> {
    let mut faults = Vec::new();
    let mut names: HashMap<&str, &str> = HashMap::new();
    for entry in catalog.iter() {
        for name in std::iter::once(&entry.facts.name).chain(entry.facts.aliases) {
            if let Some(other) = names.insert(name, entry.facts.name) {
                faults.push(format!("{name}: is the name of two tools, {other} and {}", entry.facts.name));
            }
        }
    }
    faults
}

fn lint_entry(entry: &Entry) -> Vec<String> {
    let mut faults = Vec::new();
    let schemas = entry.schemas();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if entry.facts.name.is_empty() || entry.facts.name.len() > 64 || !entry.facts.name.chars().all(is_word) {
        faults.push("the name must be 1 to 64 letters, digits and underscores".to_owned());
    }
    let sentence = schemas.summary.split(". ").next().unwrap_or_default();
    if sentence.is_empty() {
        faults.push("the struct has no doc comment".to_owned());
    }
    if sentence.chars().count() > 120 {
        faults.push("the first sentence is longer than 120 characters".to_owned());
    }
    if schemas.description.chars().count() > 600 {
        faults.push("the description is longer than 600 characters".to_owned());
    }
    if !Validator::new(&schemas.input).is_sound() {
        faults.push("the input schema does not compile".to_owned());
    }
    for (which, schema) in [("input", &schemas.input), ("output", &schemas.output)] {
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            faults.push(format!("the {which} must be an object"));
        }
    }
    undescribed(&schemas.input, "input", &mut faults);
    undescribed(&schemas.output, "output", &mut faults);
    // A required parameter stands without its flag (`http request URL`), so that a taken flag hides nothing.
    for param in entry.params().iter().filter(|param| param.renamed && !param.positional) {
        let path = param.path.join(".");
        faults.push(format!(
            "{path}: its flag is taken by another parameter or every command; --{} would stand in",
            param.flag
        ));
    }
    faults
}

fn undescribed(schema: &Value, path: &str, faults: &mut Vec<String>) {
    for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("{path}.{name}");
        if inner.get("description").and_then(Value::as_str).is_none_or(str::is_empty) {
            faults.push(format!("{path}: has no description"));
        }
        undescribed(inner, &path, faults);
    }
    if let Some(items) = schema.get("items") {
        undescribed(items, path, faults);
    }
}
