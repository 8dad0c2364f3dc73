//! Where the store is, put together from its URL and the settings that fill what the URL leaves out.

use std::path::Path;

use gabier_tool::{Error, ErrorKind, REDACTED, Result};
use secrecy::SecretString;
use url::Url;

use super::{Loaded, Origin, Store};
use crate::store::is_redis;

impl Store {
    /// True when the store is on Redis.
    pub(crate) fn is_redis(&self) -> bool {
        is_redis(&self.url)
    }

    /// The whole address, with the password in it.
    ///
    /// Fails with `INVALID_ARGUMENT` when the URL of a Redis is none; the URL is not repeated.
    pub(crate) fn address(&self, data_dir: &Path) -> Result<String> {
        if self.url.is_empty() {
            return Ok(format!("sqlite:{}", data_dir.display()));
        }
        if self.is_redis() { self.redis() } else { Ok(self.url.clone()) }
    }

    /// The password that the URL holds.
    pub(crate) fn password(&self) -> Option<SecretString> {
        let (url, _) = parsed(&self.url).ok()?;
        url.password().map(SecretString::from)
    }

    fn redis(&self) -> Result<String> {
        let (mut url, left_out) = parsed(&self.url)?;
        let refused =
            |key: &str| Error::new(ErrorKind::InvalidArgument, format!("store.{key}: makes no address"));
        if left_out.host {
            url.set_host(Some(&self.redis_host)).map_err(|_| refused("redis_host"))?;
        }
        if left_out.port {
            url.set_port(Some(self.redis_port)).map_err(|()| refused("redis_port"))?;
        }
        if let (true, Some(password)) = (left_out.password, &self.redis_password) {
            url.set_password(Some(password.expose())).map_err(|()| refused("redis_password"))?;
        }
        Ok(url.into())
    }
}

/// What a URL of Redis leaves to other settings.
struct LeftOut {
    host: bool,
    port: bool,
    password: bool,
}

/// A URL of Redis; `redis:` and `redis://` leave everything out.
fn parsed(url: &str) -> Result<(Url, LeftOut)> {
    let refused = || {
        let message = "store.url: must be of the form redis://[[user][:password]@][host[:port]][/database]";
        Error::new(ErrorKind::InvalidArgument, message)
    };
    let (scheme, rest) = url.split_once(':').ok_or_else(refused)?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let user = authority.rfind('@').map_or(0, |at| at + 1);
    let host_is_left_out = authority.len() == user || authority[user..].starts_with(':');
    let host = if host_is_left_out { "localhost" } else { "" };
    let (user, rest) = rest.split_at(user);
    let url = Url::parse(&format!("{scheme}://{user}{host}{rest}")).map_err(|_| refused())?;
    let left_out =
        LeftOut { host: host_is_left_out, port: url.port().is_none(), password: url.password().is_none() };
    Ok((url, left_out))
}

/// The settings of Redis that somebody set and that have no effect, each with the reason.
pub(super) fn idle(loaded: &Loaded) -> Vec<String> {
    let Ok(store) = loaded.config().map(|config| config.store) else { return Vec::new() };
    let why = if store.is_redis() { None } else { Some("the store is not Redis (store.url)") };
    let left_out = parsed(&store.url).ok().map(|(_, left_out)| left_out);
    let named = |is_left_out: fn(&LeftOut) -> bool, why: &'static str| {
        left_out.as_ref().is_some_and(|left_out| !is_left_out(left_out)).then_some(why)
    };
    [
        ("store.redis_host", named(|left_out| left_out.host, "store.url names a host")),
        ("store.redis_port", named(|left_out| left_out.port, "store.url names a port")),
        ("store.redis_password", named(|left_out| left_out.password, "store.url has a password")),
    ]
    .into_iter()
    .filter_map(|(key, named)| match loaded.origin(key) {
        Origin::Default => None,
        origin => Some(format!("{origin}: {key}: has no effect, because {}", why.or(named)?)),
    })
    .collect()
}

/// A text that may be a URL, with its password made unreadable.
pub(super) fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let Some((user, password)) = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')) else {
        return text.to_owned();
    };
    let after = &rest[user.len() + 1 + password.len()..];
    format!("{scheme}://{user}:{REDACTED}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str) -> String {
        let store = Store {
            url: url.to_owned(),
            redis_host: "queue".to_owned(),
            redis_port: 7,
            redis_password: Some("p@ss".to_owned().into()),
        };
        store.address(Path::new("/data")).unwrap_or_else(|error| error.message().to_owned())
    }

    #[test]
    fn what_the_url_leaves_out_other_settings_say() {
        assert_eq!(check("redis:"), "redis://:p%40ss@queue:7");
        assert_eq!(check("redis://"), "redis://:p%40ss@queue:7");
        assert_eq!(check("rediss:///2"), "rediss://:p%40ss@queue:7/2");
        assert_eq!(check("redis://other"), "redis://:p%40ss@other:7");
        assert_eq!(check("redis://ann:own@other:9/1"), "redis://ann:own@other:9/1");
        assert_eq!(check("redis://:own@other:9"), "redis://:own@other:9");
        assert_eq!(check("redis://:own@/1"), "redis://:own@queue:7/1");
        assert_eq!(check("redis://:9"), "redis://:p%40ss@queue:9");
        assert_eq!(check(""), "sqlite:/data");
        assert_eq!(check("memory:"), "memory:");
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        let refused = check("redis://:hunter2@host:port");
        assert!(refused.starts_with("store.url: must be of the form") && !refused.contains("hunter2"));
    }

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        assert_eq!(without_password("redis://ann:hunter2@host:1/0"), "redis://ann:[REDACTED]@host:1/0");
        assert_eq!(without_password("redis://:hun@ter2@host"), "redis://:[REDACTED]@host");
        for plain in ["redis://host:1", "redis://ann@host", "sqlite:/data", "/a:b@c", ""] {
            assert_eq!(without_password(plain), plain);
        }
    }
}
