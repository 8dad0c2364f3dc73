//! Tokens as a person makes them, and one whose time is over.

use serde_json::{Value, json};

use super::Home;

/// Makes a token with these rights on the command line; gives back its data.
#[track_caller]
pub(crate) fn mint(home: &Home, name: &str, permissions: &[&str]) -> Value {
    let made = home.call("admin_create_token", &json!({"client_name": name, "permissions": permissions}));
    assert_eq!(made["status"], "created", "{made}");
    made["data"].clone()
}

/// Lets the time of a token be over: nobody can wait for it, so the store is told that it was made long ago.
pub(crate) fn expire(home: &Home, name: &str) {
    let store = rusqlite::Connection::open(home.data_dir().join("gabier.db")).unwrap();
    let changed = store
        .execute(
            "UPDATE record SET value = json_set(value, '$.expires', '2026-01-01T00:00:00Z')
             WHERE kind = 'token' AND json_extract(value, '$.name') = ?1",
            [name],
        )
        .unwrap();
    assert_eq!(changed, 1, "the store holds no token {name}");
    store.execute("UPDATE meta SET number = number + 1 WHERE name = 'generation'", []).unwrap();
}
