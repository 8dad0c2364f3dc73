//! Where the server is, and how that is shown.

use std::sync::Arc;

use gabier_store::{Error, ErrorKind, Opening, Result, Store};
use redis::Client;
use url::Url;

use crate::listen::Listener;
use crate::presence::Presence;
use crate::{Queue, Records};

/// Opens the store behind `redis://[user:password@]host[:port][/database]`, or `rediss:` for TLS. Nothing is sent: the
/// first call connects.
///
/// Fails with `Unsupported` when the URL is not one. A password is in no message, nor in the place that is shown.
pub fn open(url: &str, opening: &Opening) -> Result<Store> {
    let address = Address::parse(url)?;
    let listener = Arc::new(Listener::start(address.client.clone())?);
    let queue = Queue::new(&address.client, Arc::clone(&listener))?;
    let records = Records::new(&address.client, listener);
    let presence = Presence::start(address.client, &opening.role)?;
    Ok(Store {
        records: Arc::new(records),
        queue: Arc::new(queue),
        presence: Some(Arc::new(presence)),
        embedded: None,
        place: address.place,
    })
}

/// Where a URL leads, without anything secret. Nothing is sent.
///
/// Fails as [`open`] does.
pub fn place(url: &str) -> Result<String> {
    Address::parse(url).map(|address| address.place)
}

/// A server's address, understood.
pub(crate) struct Address {
    /// What connects to it.
    pub(crate) client: Client,
    /// The address without anything secret.
    pub(crate) place: String,
}

impl Address {
    /// Understands a URL.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let parsed = Url::parse(url).map_err(|source| refused().because(source))?;
        if parsed.host_str().is_none_or(str::is_empty) {
            return Err(refused());
        }
        // The client's own error is not passed on: it may repeat the URL.
        let client = Client::open(parsed.as_str()).map_err(|_| refused())?;
        Ok(Self { client, place: shown(parsed) })
    }
}

/// The URL without user, password and parameters.
fn shown(mut url: Url) -> String {
    // Neither fails for a URL with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

fn refused() -> Error {
    let message = "open the store: the URL is not of the form redis://[user:password@]host[:port][/database]";
    Error::new(ErrorKind::Unsupported, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str) -> String {
        match Address::parse(url) {
            Ok(address) => address.place,
            Err(error) => format!("{:?}: {error}", error.kind()),
        }
    }

    #[test]
    fn a_place_is_shown_without_its_password() {
        assert_eq!(check("redis://queue.example"), "redis://queue.example");
        assert_eq!(check("redis://:hunter2@queue.example:6380/2"), "redis://queue.example:6380/2");
        assert_eq!(check("rediss://ann:hunter2@queue.example/0?x=hunter2"), "rediss://queue.example/0");
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for url in ["redis:", "redis://:hunter2@", "redis://:hunter2@host/none", "redis://:hunter2@host:port"]
        {
            let refused = check(url);
            assert!(refused.starts_with("Unsupported: open the store: the URL"), "{url}: {refused}");
            assert!(!refused.contains("hunter2"));
        }
    }

    #[test]
    fn opening_needs_no_server() {
        let store = open("redis://:hunter2@127.0.0.1:1", &Opening::role("cli")).unwrap();
        assert_eq!(format!("{store:?}"), r#"Store { place: "redis://127.0.0.1:1", .. }"#);
    }
}
