//! Redirects: followed by us, each hop vetted.

use gabier_egress::{Egress, Reach, Request, Settings};
use http::Method;

use crate::stub::{Stub, ended, get, opening, plain, redirect};

#[tokio::test]
async fn five_redirects_are_followed_and_a_sixth_is_not() {
    for (length, expected) in [(5, "arrived"), (6, "CONNECTION_FAILED")] {
        let stub = Stub::start(move |head| {
            let hop: usize = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
            if hop == length { plain("arrived") } else { redirect(302, &format!("/{}", hop + 1)) }
        })
        .await;
        let egress = opening(&[stub.port]);
        assert_eq!(ended(&get(&egress, Reach::Public, &stub.url("/0")).await), expected);
    }
}

#[tokio::test]
async fn no_redirect_leads_to_what_a_first_url_could_not_reach() {
    let trap = Stub::trap().await;
    for (target, rule) in [
        (format!("http://127.0.0.1:{}/", trap.port), "egress.address_loopback"),
        (format!("http://2130706433:{}/", trap.port), "egress.address_loopback"),
        (format!("http://localhost:{}/", trap.port), "egress.address_loopback"),
        (format!("//[::1]:{}/", trap.port), "egress.address_loopback"),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), "egress.address_metadata"),
        ("http://[::ffff:10.0.0.1]/".to_owned(), "egress.address_private"),
        ("file:///etc/passwd".to_owned(), "egress.scheme"),
        ("gopher://127.0.0.1:25/".to_owned(), "egress.scheme"),
        ("http://user:pw@example.org/".to_owned(), "egress.credentials_in_url"),
    ] {
        let location = target.clone();
        let stub = Stub::start(move |_| redirect(302, &location)).await;
        let egress = opening(&[stub.port]);
        assert_eq!(ended(&get(&egress, Reach::Public, &stub.url("/")).await), rule, "{target}");
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn a_configured_endpoint_may_not_redirect_inside() {
    let trap = Stub::trap().await;
    let inside = trap.url("/");
    let stub = Stub::start(move |_| redirect(302, &inside)).await;
    let egress = Egress::new(Settings::default());
    assert_eq!(ended(&get(&egress, Reach::Configured, &stub.url("/")).await), "egress.address_loopback");
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn a_redirect_without_a_location_is_the_answer() {
    let stub = Stub::start(|_| b"HTTP/1.1 302 Found\r\nContent-Length: 4\r\n\r\nhere".to_vec()).await;
    let page = get(&opening(&[stub.port]), Reach::Public, &stub.url("/")).await.unwrap();
    assert_eq!((page.status.as_u16(), &page.body[..]), (302, &b"here"[..]));
}

#[tokio::test]
async fn methods_change_as_browsers_change_them() {
    for (method, status, expected) in [
        (Method::POST, 301, "GET"),
        (Method::POST, 302, "GET"),
        (Method::POST, 303, "GET"),
        (Method::PUT, 303, "GET"),
        (Method::HEAD, 303, "HEAD"),
        (Method::PUT, 302, "PUT"),
        (Method::POST, 307, "POST"),
        (Method::DELETE, 308, "DELETE"),
    ] {
        let stub = Stub::start(
            move |head| {
                if head.contains(" /end ") { plain("") } else { redirect(status, "/end") }
            },
        )
        .await;
        let mut request = Request::get("http_request", Reach::Public, stub.url("/"));
        request.method = method.clone();
        opening(&[stub.port]).send(request).await.unwrap();
        let last = stub.heads().pop().unwrap();
        assert!(last.starts_with(&format!("{expected} /end ")), "{method} {status}: {last}");
    }
}
