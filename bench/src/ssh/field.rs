//! Where the contest takes place: the server, the folders, and which peers there are.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use super::book::Who;
use super::product::{Home, Product};
use super::program::succeeds;
use super::script;
use super::sshd::Sshd;

/// The host's name in the product.
pub(super) const HOST: &str = "bench";

/// The server and the folders of a run.
pub(super) struct Field {
    pub(super) sshd: Sshd,
    pub(super) home: PathBuf,
    /// Folders of the client and of the server, on the same disk.
    pub(super) here: PathBuf,
    pub(super) there: PathBuf,
    /// The peers that are not installed.
    absent: Vec<Who>,
    copies: AtomicU32,
}

impl Field {
    pub(super) async fn open(home: &Path) -> Result<Self> {
        let home = home.to_owned();
        let (here, there) = (home.join("here"), home.join("there"));
        fs::create_dir_all(&here)?;
        fs::create_dir_all(&there)?;
        let sshd = Sshd::start(&home).await?;
        let absent = Who::ALL.into_iter().filter(|who| !is_there(*who)).collect();
        Ok(Self { sshd, home, here, there, absent, copies: AtomicU32::new(0) })
    }

    /// The product with the server as its one host, through a port.
    pub(super) async fn product(&self, port: u16) -> Result<Product> {
        let product = Product::start(self.product_home()?).await?;
        product.caller().await?.add(&self.sshd, HOST, port).await?;
        Ok(product)
    }

    /// A home of the product without hosts.
    pub(super) fn product_home(&self) -> Result<Home> {
        Home::new(&self.sshd, &self.here)
    }

    /// A name that nothing has, in a folder.
    pub(super) fn fresh(&self, folder: &Path) -> PathBuf {
        folder.join(format!("copy-{}", self.copies.fetch_add(1, Ordering::Relaxed)))
    }

    /// True when a peer takes part.
    pub(super) fn has(&self, who: Who) -> bool {
        !self.absent.contains(&who)
    }

    /// The peers that take no part.
    pub(super) fn missing(&self) -> Vec<String> {
        let line = |who: &Who| format!("{} is not measured: bench/peers/setup installs it", who.name());
        self.absent.iter().map(line).collect()
    }
}

/// OpenSSH's programs must be there; the others may be absent.
fn is_there(who: Who) -> bool {
    match who {
        Who::Node | Who::AsyncSsh => script::is_installed(who),
        Who::Rsync => succeeds(Path::new("rsync"), &["--version"]),
        _ => true,
    }
}
