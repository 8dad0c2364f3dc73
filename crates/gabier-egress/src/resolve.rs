//! From names to vetted addresses: the whole answer is refused if one address is.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::{BoxFuture, ready};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::vet::{Policy, Refusal};

/// Where addresses come from: the system in the product, a table in tests.
pub trait Names: Send + Sync + 'static {
    /// All addresses of a name.
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver, asked off the async threads.
pub struct SystemNames;

impl Names for SystemNames {
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Why a name has no address to dial.
pub(crate) enum Unresolved {
    /// The resolver failed.
    Failed(io::Error),
    /// A rule refuses one of its addresses.
    Refused(Refusal),
}

/// Resolves a name once and vets the whole answer.
pub(crate) async fn resolve(
    names: &dyn Names,
    name: &str,
    policy: &Policy<'_>,
) -> Result<Vec<IpAddr>, Unresolved> {
    let addresses = names.addresses(name).await.map_err(Unresolved::Failed)?;
    if addresses.is_empty() {
        return Err(Unresolved::Failed(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
    }
    for address in &addresses {
        policy.vet(*address).map_err(|refusal| {
            Unresolved::Refused(Refusal::new(refusal.rule, format!("{name} at {}", refusal.target)))
        })?;
    }
    Ok(addresses)
}

/// The addresses that were vetted for one name, and nothing else: what the HTTP client dials.
#[derive(Clone)]
pub(crate) struct Pinned {
    name: Arc<str>,
    addresses: Arc<[IpAddr]>,
}

impl Pinned {
    pub(crate) fn new(name: &str, addresses: Vec<IpAddr>) -> Self {
        Self { name: name.into(), addresses: addresses.into() }
    }
}

impl Resolve for Pinned {
    fn resolve(&self, name: Name) -> Resolving {
        if name.as_str() != &*self.name {
            return Box::pin(ready(Err("the name was not vetted".into())));
        }
        let addresses: Vec<_> = self.addresses.iter().map(|address| SocketAddr::new(*address, 0)).collect();
        Box::pin(ready(Ok(Box::new(addresses.into_iter()) as Addrs)))
    }
}
