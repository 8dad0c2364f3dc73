//! TLS, and its certificate exchanged under way.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gabier_web::{TlsFiles, WebOptions};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::Connection;
use crate::fixture::{Server, World, options, web};

const ONE: [&str; 2] = [include_str!("tls/one.pem"), include_str!("tls/one.key")];
const TWO: [&str; 2] = [include_str!("tls/two.pem"), include_str!("tls/two.key")];

fn write(folder: &Path, pair: [&str; 2]) -> TlsFiles {
    let files = TlsFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
    std::fs::write(&files.cert, pair[0]).unwrap();
    std::fs::write(&files.key, pair[1]).unwrap();
    files
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// A connection that trusts both certificates, and the one it was shown.
async fn connect(server: &Server) -> (Connection<TlsStream<TcpStream>>, CertificateDer<'static>) {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(ONE[0])).unwrap();
    roots.add(certificate(TWO[0])).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let socket = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
    let shown = socket.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
    (Connection::over(socket), shown)
}

#[tokio::test]
async fn a_new_certificate_is_served_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let tls = Some(write(folder.path(), ONE));
    let world = Arc::new(World::default());
    let web = web(WebOptions { tls, ..options() }, &world, false);
    let reload = web.certificate().unwrap();
    let server = Server::serve(web, world).await;

    let (mut connection, shown) = connect(&server).await;
    assert_eq!(shown, certificate(ONE[0]));
    let answer = connection.send("GET /health", &["Origin: https://localhost"], "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("strict-transport-security").is_some());
    assert_eq!(connection.send("GET /health", &["Origin: http://localhost"], "").await.status, 403);

    write(folder.path(), ["no certificate", TWO[1]]);
    assert!(reload.now().is_err());
    write(folder.path(), [ONE[0], TWO[1]]);
    assert!(reload.now().is_err(), "a key of another certificate");
    assert_eq!(connect(&server).await.1, certificate(ONE[0]));

    write(folder.path(), TWO);
    reload.now().unwrap();
    assert_eq!(connect(&server).await.1, certificate(TWO[0]));
}

#[tokio::test]
async fn changed_files_are_noticed_without_being_told() {
    let folder = tempfile::tempdir().unwrap();
    let tls = Some(write(folder.path(), ONE));
    let server = Server::start(WebOptions { tls, ..options() }, false).await;
    assert_eq!(connect(&server).await.1, certificate(ONE[0]));
    write(folder.path(), TWO);
    let exchanged = async { while connect(&server).await.1 != certificate(TWO[0]) {} };
    tokio::time::timeout(Duration::from_secs(5), exchanged).await.expect("within five seconds");
}

#[tokio::test]
async fn a_plain_request_to_a_tls_port_gets_nothing_and_harms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let tls = Some(write(folder.path(), ONE));
    let server = Server::start(WebOptions { tls, ..options() }, false).await;
    let mut plain = Connection::open(server.address).await;
    plain.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(!plain.closed().await.starts_with(b"HTTP"));
    assert_eq!(connect(&server).await.0.send("GET /health", &[], "").await.status, 200);
}
