//! A server put into the text of a configuration, or taken out; all else, comments too, stays as it was.

use gabier_tool::{Error, ErrorKind, Result};
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstRootNode};
use serde_json::Value;

use super::clients::Format;

/// The text with a server under that key and name, or without it when there is none.
///
/// # Errors
/// `CONFLICT` when the text is not of its format, or holds something else where servers should be.
pub(super) fn with_server(
    format: Format,
    text: &str,
    key: &str,
    name: &str,
    server: Option<&Value>,
) -> Result<String> {
    match format {
        Format::Json => json(text, key, name, server),
        Format::Toml => toml(text, key, name, server),
    }
}

fn json(text: &str, key: &str, name: &str, server: Option<&Value>) -> Result<String> {
    let options = ParseOptions {
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        ..ParseOptions::default()
    };
    let root = CstRootNode::parse(text, &options).map_err(|error| unreadable("JSON", &error))?;
    let Some(server) = server else {
        let found = root.object_value().and_then(|root| root.object_value(key)?.get(name));
        if let Some(found) = found {
            found.remove();
        }
        return Ok(root.to_string());
    };
    let object = root.object_value_or_create().ok_or_else(|| misplaced("the file"))?;
    let servers = object.object_value_or_create(key).ok_or_else(|| misplaced(key))?;
    match servers.get(name) {
        Some(present) if present.to_serde_value().as_ref() == Some(server) => {}
        Some(present) => present.set_value(input(server)),
        None => drop(servers.append(name, input(server))),
    }
    let mut text = root.to_string();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(flag) => CstInputValue::Bool(*flag),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(fields) => {
            CstInputValue::Object(fields.iter().map(|(name, value)| (name.clone(), input(value))).collect())
        }
    }
}

fn toml(text: &str, key: &str, name: &str, server: Option<&Value>) -> Result<String> {
    let mut document: toml_edit::DocumentMut = text.parse().map_err(|error| unreadable("TOML", &error))?;
    let Some(server) = server else {
        let servers = document.get_mut(key).and_then(toml_edit::Item::as_table_like_mut);
        if let Some(servers) = servers {
            servers.remove(name);
        }
        return Ok(document.to_string());
    };
    let mut empty = toml_edit::Table::new();
    empty.set_implicit(true);
    let servers = document.entry(key).or_insert(toml_edit::Item::Table(empty));
    let servers = servers.as_table_like_mut().ok_or_else(|| misplaced(key))?;
    let mut table = toml_edit::Table::new();
    for (field, value) in server.as_object().into_iter().flatten() {
        let value = match value {
            Value::Array(items) => {
                items.iter().filter_map(Value::as_str).collect::<toml_edit::Array>().into()
            }
            other => toml_edit::Value::from(other.as_str().unwrap_or_default()),
        };
        table.insert(field, toml_edit::Item::Value(value));
    }
    let is_same = servers.get(name).is_some_and(|present| {
        present.to_string().split_whitespace().eq(table.to_string().split_whitespace())
    });
    if !is_same {
        servers.insert(name, toml_edit::Item::Table(table));
    }
    Ok(document.to_string())
}

fn unreadable(format: &str, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Conflict, format!("reading it: it is not sound {format}: {error}"))
}

fn misplaced(what: &str) -> Error {
    Error::new(ErrorKind::Conflict, format!("reading it: {what} is no object"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server() -> Value {
        json!({"command": "/usr/bin/gabier", "args": ["mcp"]})
    }

    fn put(format: Format, text: &str, key: &str) -> String {
        with_server(format, text, key, "gabier", Some(&server())).unwrap()
    }

    #[test]
    fn an_empty_file_becomes_one_with_a_server() {
        let text = put(Format::Json, "", "mcpServers");
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read, json!({"mcpServers": {"gabier": server()}}));
        let text = put(Format::Toml, "", "mcp_servers");
        assert_eq!(text, "[mcp_servers.gabier]\ncommand = \"/usr/bin/gabier\"\nargs = [\"mcp\"]\n");
    }

    #[test]
    fn comments_and_other_servers_stay() {
        let text = "// mine\n{\n  \"theme\": \"dark\", // at night\n  \"context_servers\": {\n    \"other\": {\"command\": \"x\"},\n  },\n}\n";
        let changed = put(Format::Json, text, "context_servers");
        for kept in ["// mine", "\"theme\": \"dark\", // at night", "\"other\": {\"command\": \"x\"}"] {
            assert!(changed.contains(kept), "{changed}");
        }
        assert_eq!(put(Format::Json, &changed, "context_servers"), changed, "a second time changes nothing");
        let back = with_server(Format::Json, &changed, "context_servers", "gabier", None).unwrap();
        assert!(!back.contains("gabier") && back.contains("\"other\""), "{back}");

        let text = "# mine\nmodel = \"x\" # fast\n\n[mcp_servers.other]\ncommand = \"y\"\n";
        let changed = put(Format::Toml, text, "mcp_servers");
        assert!(changed.starts_with(text) && changed.contains("[mcp_servers.gabier]"), "{changed}");
        assert_eq!(put(Format::Toml, &changed, "mcp_servers"), changed, "a second time changes nothing");
        assert_eq!(with_server(Format::Toml, &changed, "mcp_servers", "gabier", None).unwrap(), text);
    }

    #[test]
    fn what_is_there_under_the_name_is_replaced() {
        let text = r#"{"mcpServers": {"gabier": {"command": "/old"}}}"#;
        let read: Value = serde_json::from_str(&put(Format::Json, text, "mcpServers")).unwrap();
        assert_eq!(read["mcpServers"]["gabier"], server());
        let changed = put(Format::Toml, "[mcp_servers.gabier]\ncommand = \"/old\"\n", "mcp_servers");
        assert!(changed.contains("/usr/bin/gabier") && !changed.contains("/old"), "{changed}");
    }

    #[test]
    fn a_file_that_is_not_sound_is_left_alone() {
        for (format, text) in [
            (Format::Json, "{\"mcpServers\": "),
            (Format::Json, "[]"),
            (Format::Json, "{\"mcpServers\": []}"),
            (Format::Json, "{'mcpServers': {}}"),
            (Format::Toml, "mcpServers = \n"),
            (Format::Toml, "mcpServers = 1\n"),
        ] {
            let refused = with_server(format, text, "mcpServers", "gabier", Some(&server())).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Conflict, "{text}");
        }
    }
}
