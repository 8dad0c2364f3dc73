//! URLs of requests, where every name resolves to this machine.
#![no_main]

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use gabier_egress::{Class, Egress, Names, Reach, Settings, classify};
use libfuzzer_sys::fuzz_target;
use url::{Host, Url};

struct Home;

impl Names for Home {
    fn addresses<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(ready(Ok(vec![Ipv4Addr::LOCALHOST.into()])))
    }
}

static EGRESS: LazyLock<Egress> = LazyLock::new(|| Egress::with_names(Settings::default(), Arc::new(Home)));

fuzz_target!(|url: &str| {
    let vetted =
        EGRESS.vet("http_request", Reach::Public, url).now_or_never().expect("nothing is waited for");
    if vetted.is_err() {
        return;
    }
    let url = Url::parse(url).expect("what passed is a URL");
    assert!(matches!(url.scheme(), "http" | "https"));
    let address: IpAddr = match url.host() {
        Some(Host::Ipv4(address)) => address.into(),
        Some(Host::Ipv6(address)) => address.into(),
        _ => panic!("a name passed that resolves to this machine: {url}"),
    };
    assert!(matches!(classify(address), Class::Global), "{url}");
});
