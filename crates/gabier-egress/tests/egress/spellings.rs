//! Every way to write an address that must not be reached.

use std::sync::Arc;

use gabier_egress::{Egress, Reach, Settings};
use gabier_tool::ErrorKind;

use crate::stub::{Stub, Table, ended, get, opening};

/// Hosts that lead, or would lead, to this machine, a private network or a metadata service.
const HOSTS: &[&str] = &[
    // Loopback in every spelling of a URL.
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7F000001",
    "0x7f.1",
    "0177.0.0.1",
    "0x7f.0x0.0x0.0x1",
    "127.0x1",
    "0177.1",
    "0x7f.0.1",
    "127.000.000.001",
    "%31%32%37.0.0.1",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "127．0．0．1",
    "0",
    "0.0.0.0",
    "0x0",
    "0.0",
    "000.0.0.0",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::]",
    "[::0]",
    // IPv4 inside IPv6: mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP.
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:1]",
    "[::FFFF:127.0.0.1]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[64:ff9b:1:7f00:0:100::]",
    "[2002:7f00:1::]",
    "[2002:7f00:1::1]",
    "[2001:0:7f00:1:0:0:80ff:fffe]",
    "[2606:4700::5efe:7f00:1]",
    "[2606:4700::200:5efe:7f00:1]",
    "[fe80::5efe:127.0.0.1]",
    // Private, shared, link-local, multicast and other networks.
    "10.0.0.1",
    "10.1",
    "0xa000001",
    "012.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "0xc0a80001",
    "3232235521",
    "100.64.0.1",
    "169.254.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[fc00::1]",
    "[fd00::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[::ffff:10.0.0.1]",
    // Metadata services.
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    // Names.
    "localhost",
    "LOCALHOST",
    "localhost.",
    "ｌocalhost",
    "trap.test",
    "metadata.test",
    "mixed.test",
];

fn names() -> Table {
    Table::default()
        .with("localhost", &["127.0.0.1", "::1"])
        .with("localhost.", &["127.0.0.1", "::1"])
        .with("trap.test", &["127.0.0.1"])
        .with("metadata.test", &["169.254.169.254"])
        .with("mixed.test", &["1.1.1.1", "::ffff:127.0.0.1"])
}

#[tokio::test]
async fn no_spelling_of_a_forbidden_address_makes_a_connection() {
    assert!(HOSTS.len() >= 60);
    let trap = Stub::trap().await;
    let egress = Egress::with_names(Settings::default(), Arc::new(names()));
    for host in HOSTS {
        for url in [format!("http://{host}:{}/", trap.port), format!("https://{host}:{}/", trap.port)] {
            let result = get(&egress, Reach::Public, &url).await;
            let error = result.expect_err(&url);
            assert_eq!(error.kind(), ErrorKind::Forbidden, "{url}: {error:?}");
            assert!(ended(&Err(error)).starts_with("egress.address_"), "{url}");
        }
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn a_name_that_is_no_address_and_no_host_is_no_url() {
    let egress = Egress::with_names(Settings::default(), Arc::new(names()));
    for url in [
        "http://",
        "http://127.0.0.1.0x/",
        "http://256.0.0.1/",
        "http://127.0.0.1.1/",
        "http://[::1%25lo]/",
        "http://[::1/",
        "http://4294967296/",
        "http://exa mple/",
        "/relative",
    ] {
        let error = get(&egress, Reach::Public, url).await.expect_err(url);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{url}: {error:?}");
    }
}

#[tokio::test]
async fn the_trap_is_reached_by_those_who_may() {
    let trap = Stub::trap().await;
    let url = trap.url("/");
    let (closed, open) = (Egress::new(Settings::default()), opening(&[trap.port]));
    assert_eq!(ended(&get(&closed, Reach::Own, &url).await), "trapped");
    assert_eq!(ended(&get(&closed, Reach::Configured, &url).await), "trapped");
    assert_eq!(ended(&get(&open, Reach::Public, &url).await), "trapped");
    assert_eq!(trap.connections(), 3);
}

#[tokio::test]
async fn the_allow_list_opens_exactly_one_port() {
    let (open, closed) = (Stub::trap().await, Stub::trap().await);
    let egress = opening(&[open.port]);
    assert_eq!(ended(&get(&egress, Reach::Public, &open.url("/")).await), "trapped");
    assert_eq!(ended(&get(&egress, Reach::Public, &closed.url("/")).await), "egress.address_loopback");
    let six = format!("http://[::1]:{}/", open.port);
    assert_eq!(ended(&get(&egress, Reach::Public, &six).await), "egress.address_loopback");
    assert_eq!((open.connections(), closed.connections()), (1, 0));
}

#[tokio::test]
async fn a_registration_is_vetted_without_a_connection() {
    let trap = Stub::trap().await;
    let egress = Egress::new(Settings::default());
    assert!(egress.vet("webhook", Reach::Public, &trap.url("/")).await.is_err());
    assert!(egress.vet("webhook", Reach::Own, &trap.url("/")).await.is_ok());
    assert_eq!(trap.connections(), 0);
}
