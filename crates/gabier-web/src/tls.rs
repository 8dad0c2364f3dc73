//! TLS with a certificate that can be exchanged while the server runs.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use gabier_tool::{Error, ErrorKind, Result};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::options::TlsFiles;

/// The certificate in use and where it came from.
#[derive(Debug)]
pub(crate) struct Certificate {
    files: TlsFiles,
    current: ArcSwap<CertifiedKey>,
    seen: Mutex<Stamps>,
}

/// When the two files last changed.
type Stamps = [Option<SystemTime>; 2];

impl Certificate {
    /// Reads the files; a server does not start without a good pair.
    pub(crate) fn load(files: TlsFiles) -> Result<Arc<Self>> {
        let seen = stamps(&files);
        let current = read(&files)?;
        Ok(Arc::new(Self { files, current: ArcSwap::from_pointee(current), seen: Mutex::new(seen) }))
    }

    /// Reads the files anew; a bad pair leaves the certificate in use where it is.
    pub(crate) fn reload(&self) -> Result<()> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamps(&self.files);
        let fresh = read(&self.files).inspect_err(|error| {
            tracing::error!(%error, "the new certificate is not usable; the old one stays");
        })?;
        self.current.store(Arc::new(fresh));
        tracing::info!(cert = %self.files.cert.display(), "the certificate was read anew");
        Ok(())
    }

    /// Reads the files anew when one of them changed.
    pub(crate) fn reload_if_changed(&self) {
        let changed = *self.seen.lock().unwrap_or_else(PoisonError::into_inner) != stamps(&self.files);
        if changed {
            // A bad pair was logged, and is looked at again at its next change.
            let _ = self.reload();
        }
    }

    /// TLS 1.3 and 1.2, HTTP/1.1 alone.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("choosing TLS versions").with_source(error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(Arc::clone(self))));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

#[derive(Debug)]
struct Resolver(Arc<Certificate>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current.load_full())
    }
}

fn stamps(files: &TlsFiles) -> Stamps {
    let changed = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    [changed(&files.cert), changed(&files.key)]
}

fn read(files: &TlsFiles) -> Result<CertifiedKey> {
    let unusable = |what: &str, path: &Path| {
        Error::new(ErrorKind::InvalidArgument, format!("reading the {what} {}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| unusable("TLS certificate", &files.cert).with_source(error))?;
    if chain.is_empty() {
        return Err(unusable("TLS certificate", &files.cert));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unusable("TLS key", &files.key).with_source(error))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(|error| unusable("pair of TLS certificate and", &files.key).with_source(error))
}
