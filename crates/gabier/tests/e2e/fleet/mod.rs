//! Hosts from the outside: the real binary against real servers.

mod apis;
mod bench;
mod canaries;
mod crowd;
mod faults;
mod first;
mod import;
mod injection;
mod keys;
mod many;
mod monitor;
mod names;
mod parts;
mod resume;
mod secrets;
mod stop;
mod story;
mod terminal;
mod transfer;

use serde_json::{Value, json};

use crate::harness::Home;
use crate::sshd::Server;

/// What `server_add` takes for the test's account on a server.
fn host(alias: &str, server: &Server) -> Value {
    json!({
        "alias": alias, "host": "127.0.0.1", "port": server.port, "user": server.user,
        "key_path": server.key.to_str().unwrap(),
    })
}

/// Whoever runs the server may do everything.
const TOKEN: &str = "a-bootstrap-token-of-whoever-keeps-the-fleet";

/// A home that may read the keys of the servers' folders and believes no `known_hosts`.
fn home() -> Home {
    let keys = std::env::temp_dir();
    let config = format!("[ssh]\nkey_roots = [\"{}\"]\nknown_hosts = [\"/nowhere\"]\n", keys.display());
    Home::with_config(&config).with("AUTH_TOKEN", TOKEN)
}

/// A server of that home, asked by whoever may do everything.
#[track_caller]
fn serve(home: &Home) -> crate::harness::Server {
    home.serve(&[]).with_token(TOKEN)
}

/// A home that knows servers.
#[track_caller]
fn home_with(servers: &[(&str, &Server)]) -> Home {
    let home = home();
    for (alias, server) in servers {
        let added = home.call("server_add", &host(alias, server));
        assert_eq!(added["status"], "created", "{added}");
    }
    home
}

/// Every byte below a folder, by file.
fn files_below(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if let (true, Ok(bytes)) = (path.is_file(), std::fs::read(&path)) {
            files.push((path.display().to_string(), bytes));
        }
    }
    files
}
