//! The files of the MCP orchestrator (mcp-sftp-orchestrator, versions 8 to 11): hosts and APIs as JSON, secrets in the
//! clear.

use std::path::{Path, PathBuf};

use gabier_host::{Alias, HostChange};
use gabier_tool::{Redactor, Result};
use gabier_toolbox::{apis, hosts};
use serde_json::{Map, Value};

use super::found::{Api, Fault, Fields, Found, Host};
use super::history;
use super::keys::Keys;

/// The fields of an API that hold secrets.
const API_SECRETS: [&str; 2] = ["api_key", "htpasswd_pass"];

/// Reads all files of a data directory.
pub(super) fn read(folder: &Path, keys: &Keys, found: &mut Found) -> Result<()> {
    // A secret of a record that is refused may stand in a command of the history as well.
    let secrets = Redactor::new();
    let file = folder.join("servers.json");
    for (alias, value) in found.records(&file)? {
        learn(&secrets, &value, &["password", "passphrase"]);
        match server(&alias, value, keys) {
            Ok((alias, known, notes)) => {
                found.hosts.push(Host { alias, known, notes, file: file.clone() });
            }
            Err(fault) => found.refuse(&file, &alias, fault),
        }
    }
    let file = folder.join("apis.json");
    for (alias, value) in found.records(&file)? {
        learn(&secrets, &value, &API_SECRETS);
        match api(&alias, value, &file) {
            Ok(api) => found.apis.push(api),
            Err(fault) => found.refuse(&file, &alias, fault),
        }
    }
    history::read(folder, &secrets, found)
}

fn learn(secrets: &Redactor, record: &Value, fields: &[&str]) {
    let values = fields.iter().filter_map(|field| record.get(*field)?.as_str());
    secrets.learn_all(values.map(Into::into));
}

fn server(alias: &str, value: Value, keys: &Keys) -> Result<(Alias, hosts::Known, Vec<String>), Fault> {
    let alias: Alias = alias.parse().map_err(|error| Fault::of(&error))?;
    let mut fields = Fields::of(value)?;
    let key_path = match fields.text("keyPath")? {
        Some(path) => Some(path),
        None => fields.text("key_path")?,
    };
    let key_path = key_path.map(|path| keys.expand(&path)).transpose()?;
    let known = hosts::Known {
        change: HostChange {
            host: Some(fields.needed("host")?),
            user: Some(fields.needed("user")?),
            port: fields.port("port")?,
            key_path,
            ..HostChange::default()
        },
        password: fields.secret("password")?,
        passphrase: fields.secret("passphrase")?,
    };
    if known.change.key_path.is_none() && known.password.is_none() {
        return Err(Fault::at("keyPath", "is missing, and `password` too: nothing to log in with"));
    }
    let mut notes: Vec<String> = known.change.key_path.iter().filter_map(|key| keys.notes(key)).collect();
    notes.extend(fields.rest().iter().map(|field| format!("its field {field} has no place here")));
    Ok((alias, known, notes))
}

fn api(alias: &str, value: Value, file: &Path) -> Result<Api, Fault> {
    let mut fields: Map<String, Value> = Fields::of(value)?.0;
    // An empty secret is none; an empty scheme is a word.
    let is_none = |field: &str, value: &Value| match value.as_str() {
        Some(text) => text.is_empty() && API_SECRETS.contains(&field),
        None => value.is_null(),
    };
    fields.retain(|field, value| !is_none(field, value));
    let word = |field: &str| fields.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (url, auth) = (word("url"), word("auth_method"));
    fields.insert("alias".to_owned(), alias.into());
    if has_password(&url) {
        return Err(Fault::at(
            "url",
            "holds a user or a password: they belong into htpasswd_user and htpasswd_pass",
        ));
    }
    let known = apis::Known::read(fields).map_err(|error| {
        let fault = Fault::of(&error);
        // What no parameter is named for is where the API is.
        Fault { field: fault.field.or_else(|| Some("url".to_owned())), ..fault }
    })?;
    let auth = if auth.is_empty() { "none".to_owned() } else { auth };
    Ok(Api { alias: alias.to_owned(), url, auth, known, file: PathBuf::from(file) })
}

fn has_password(url: &str) -> bool {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    after.split(['/', '?', '#']).next().is_some_and(|place| place.contains('@'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(record: Value) -> Fault {
        server("web1", record, &Keys::default()).map(drop).unwrap_err()
    }

    #[test]
    fn a_server_comes_with_its_secrets_apart() {
        let record = json!({"host": "h", "user": "u", "keyPath": "/k", "password": "pw", "colour": "red"});
        let (alias, known, notes) = server("web1", record, &Keys::default()).unwrap();
        assert_eq!((alias.as_str(), known.change.credential.as_deref()), ("web1", None));
        assert_eq!(known.password.unwrap().expose(), "pw");
        assert!(notes.iter().any(|note| note.contains("colour")), "{notes:?}");
    }

    #[test]
    fn a_bad_server_is_refused_by_its_field() {
        for (record, field) in [
            (json!({"user": "u", "password": "pw"}), "host"),
            (json!({"host": "h", "user": 5, "password": "pw"}), "user"),
            (json!({"host": "h", "user": "u"}), "keyPath"),
            (json!({"host": "h", "user": "u", "keyPath": "id"}), "keyPath"),
            (json!({"host": "h", "user": "u", "password": "pw", "port": 0}), "port"),
        ] {
            assert_eq!(fault(record).field.as_deref(), Some(field));
        }
        assert_eq!(server("a b", json!({}), &Keys::default()).map(drop).unwrap_err().field.unwrap(), "alias");
    }

    #[test]
    fn an_api_is_judged_as_api_add_judges_it() {
        let file = Path::new("apis.json");
        let record = json!({
            "url": "http://a/", "auth_method": "api_key", "api_key": "k", "auth_scheme": "", "htpasswd_pass": "",
        });
        let taken = api("a", record, file).map_err(|fault| fault.why).unwrap();
        assert_eq!((taken.url.as_str(), taken.auth.as_str()), ("http://a/", "api_key"));
        for (record, field) in [
            (json!({"url": "ftp://a/"}), "url"),
            (json!({"url": "http://ann:pw@a/"}), "url"),
            (json!({"url": "http://a/", "auth_method": "magic"}), "auth_method"),
            (json!({"url": "http://a/", "auth_method": "htpasswd", "htpasswd_pass": "p"}), "htpasswd_user"),
        ] {
            assert_eq!(api("a", record, file).map(drop).unwrap_err().field.as_deref(), Some(field));
        }
    }
}
