//! Which store a URL means.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::queue::Queue;
use crate::{Embedded, Error, ErrorKind, Memory, Neighbours, Presence, Records, Result};

/// A store that was opened, and this process's presence where there are others.
#[derive(Clone)]
pub struct Store {
    /// Where records rest.
    pub records: Arc<dyn Records>,
    /// Where tasks rest: the same store.
    pub queue: Arc<dyn Queue>,
    /// This process among those that share the store; none when no other can.
    pub presence: Option<Arc<dyn Neighbours>>,
    /// The store itself where it is a file of this machine, which can be compacted.
    pub embedded: Option<Arc<Embedded>>,
    /// What to show people: `memory:` or `sqlite:/path/gabier.db`, without any secret.
    pub place: String,
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").field("place", &self.place).finish_non_exhaustive()
    }
}

/// What a process says when it opens a store.
#[derive(Debug, Clone)]
pub struct Opening {
    /// What the process is, in one word that others see: `serve`, `worker`, `mcp`, `cli` …
    pub role: String,
    /// Where the processes meet; `run` within the data directory when absent.
    pub runtime_directory: Option<PathBuf>,
}

impl Opening {
    /// An opening under a role, with the processes meeting in the data directory.
    pub fn role(role: impl Into<String>) -> Self {
        Self { role: role.into(), runtime_directory: None }
    }
}

type Opener = Box<dyn Fn(&str, &Opening) -> Result<Store> + Send + Sync>;

/// The schemes that are known, each with what opens it.
pub struct Openers(Vec<(&'static str, Opener)>);

impl Default for Openers {
    /// `memory:` and `sqlite:PATH`, a path of a data directory.
    fn default() -> Self {
        Self(Vec::new()).with("memory", open_memory).with("sqlite", open_embedded)
    }
}

impl Openers {
    /// Knows one more scheme. The opener gets the whole URL; it must not wait for a network, but connect at the
    /// first call.
    #[must_use]
    pub fn with(
        mut self,
        scheme: &'static str,
        opener: impl Fn(&str, &Opening) -> Result<Store> + Send + Sync + 'static,
    ) -> Self {
        self.0.push((scheme, Box::new(opener)));
        self
    }

    /// Opens the store that a URL means; text without a scheme is the path of a data directory. Blocks for some
    /// milliseconds.
    ///
    /// Fails with `Unsupported` when the scheme is not known, and as the store does. A URL may hold a password, so
    /// that of an unknown scheme is not repeated.
    pub fn open(&self, url: &str, opening: &Opening) -> Result<Store> {
        let Some(scheme) = scheme(url) else { return open_directory(Path::new(url), opening) };
        match self.0.iter().find(|(known, _)| *known == scheme) {
            Some((_, opener)) => opener(url, opening),
            None => Err(self.unknown(scheme)),
        }
    }

    /// Whether the scheme of a URL is known; a path of a data directory has none and is.
    pub fn knows(&self, url: &str) -> bool {
        scheme(url).is_none_or(|scheme| self.0.iter().any(|(known, _)| *known == scheme))
    }

    fn unknown(&self, scheme: &str) -> Error {
        let known: Vec<_> = self.0.iter().map(|(known, _)| format!("{known}:")).collect();
        let message = format!(
            "open the store: {scheme}: is not one of the known schemes {}; a data directory is given as sqlite:PATH",
            known.join(", ")
        );
        Error::new(ErrorKind::Unsupported, message)
    }
}

impl fmt::Debug for Openers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.iter().map(|(scheme, _)| scheme)).finish()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an opener like the others, which can fail")]
fn open_memory(_url: &str, _opening: &Opening) -> Result<Store> {
    let memory = Arc::new(Memory::default());
    let place = "memory:".to_owned();
    Ok(Store { records: memory.clone(), queue: memory, presence: None, embedded: None, place })
}

/// `sqlite:/data`, `sqlite:///data` and `sqlite:data`; what follows the scheme is the path as it stands.
fn open_embedded(url: &str, opening: &Opening) -> Result<Store> {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    open_directory(Path::new(path.strip_prefix("//").unwrap_or(path)), opening)
}

fn open_directory(directory: &Path, opening: &Opening) -> Result<Store> {
    if directory.as_os_str().is_empty() {
        return Err(Error::new(ErrorKind::Unsupported, "open the store: no data directory was named"));
    }
    let meeting = opening.runtime_directory.clone().unwrap_or_else(|| directory.join("run"));
    // First the data directory: its refusals matter more, and `run` lies in it.
    crate::private::make_directory(directory)?;
    let presence = Arc::new(Presence::hold(&meeting, &opening.role)?);
    let embedded = Arc::new(Embedded::open(directory, Some(Arc::clone(&presence)))?);
    let place = format!("sqlite:{}", embedded.file().display());
    let (records, queue) = (embedded.clone(), embedded.clone());
    Ok(Store { records, queue, presence: Some(presence), embedded: Some(embedded), place })
}

/// The scheme before the first colon, when it has the form of one (RFC 3986, two letters at least).
fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once(':')?;
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    is_scheme.then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str) -> String {
        match Openers::default().open(url, &Opening::role("cli")) {
            Ok(store) => store.place,
            Err(error) => format!("{:?}: {error}", error.kind()),
        }
    }

    #[test]
    fn a_directory_may_be_named_by_path_or_by_url() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("data").display().to_string();
        let place = format!("sqlite:{path}/gabier.db");
        for url in [path.clone(), format!("sqlite:{path}"), format!("sqlite://{path}")] {
            assert_eq!(check(&url), place);
        }
        assert_eq!(check("memory:"), "memory:");
    }

    #[test]
    fn an_unknown_scheme_names_the_known_ones_and_no_password() {
        let refused = check("redis://:hunter2@queue.example:6379/0");
        assert_eq!(
            refused,
            "Unsupported: open the store: redis: is not one of the known schemes memory:, sqlite:; a data directory \
             is given as sqlite:PATH"
        );
        assert_eq!(check(""), "Unsupported: open the store: no data directory was named");
        assert_eq!(check("sqlite:"), "Unsupported: open the store: no data directory was named");
    }

    #[test]
    fn a_scheme_can_be_added() {
        let openers = Openers::default().with("redis", open_memory);
        assert_eq!(openers.open("redis://queue", &Opening::role("cli")).unwrap().place, "memory:");
    }

    #[test]
    fn the_processes_of_a_store_meet() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().display().to_string();
        let openers = Openers::default();
        let serve = openers.open(&path, &Opening::role("serve")).unwrap();
        let cli = openers.open(&path, &Opening::role("cli")).unwrap();
        let others = cli.presence.unwrap().others().unwrap();
        assert_eq!(others.iter().map(|seen| seen.role.as_str()).collect::<Vec<_>>(), ["serve"]);
        assert!(base.path().join("run").is_dir());
        drop(serve);
    }
}
