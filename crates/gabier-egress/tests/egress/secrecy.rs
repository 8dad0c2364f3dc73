//! What the caller gave for one origin stays there.

use bytes::Bytes;
use gabier_egress::{Reach, Request};
use http::{HeaderName, HeaderValue, Method};

use crate::stub::{Stub, ended, opening, plain, redirect};

fn secret(url: String) -> Request {
    Request::get("http_request", Reach::Public, url)
        .with_header(HeaderName::from_static("authorization"), HeaderValue::from_static("Bearer s3cret"))
        .with_header(HeaderName::from_static("cookie"), HeaderValue::from_static("session=s3cret"))
        .with_header(HeaderName::from_static("x-api-key"), HeaderValue::from_static("s3cret"))
}

#[tokio::test]
async fn headers_follow_a_redirect_within_the_origin() {
    let stub =
        Stub::start(|head| if head.contains(" /end ") { plain("end") } else { redirect(302, "/end") }).await;
    assert_eq!(ended(&opening(&[stub.port]).send(secret(stub.url("/"))).await), "end");
    assert_eq!(stub.heads().pop().unwrap().matches("s3cret").count(), 3);
}

#[tokio::test]
async fn no_header_leaves_the_origin_not_even_by_way_back() {
    let home = Stub::start(|head| {
        if head.contains(" /back ") {
            plain("back")
        } else {
            redirect(302, head.split(' ').nth(1).unwrap().split_once("to=").unwrap().1)
        }
    })
    .await;
    let back = home.url("/back");
    let foreign = Stub::start(move |_| redirect(302, &back)).await;
    let first = home.url(&format!("/?to={}", foreign.url("/")));
    assert_eq!(ended(&opening(&[home.port, foreign.port]).send(secret(first)).await), "back");
    assert_eq!(home.heads()[0].matches("s3cret").count(), 3);
    assert!(!foreign.heads()[0].contains("s3cret"), "{:?}", foreign.heads());
    assert!(!home.heads()[1].contains("s3cret"), "{:?}", home.heads());
    assert!(!foreign.heads()[0].to_lowercase().contains("referer"), "{:?}", foreign.heads());
}

#[tokio::test]
async fn a_body_does_not_leave_the_origin() {
    let foreign = Stub::trap().await;
    let away = foreign.url("/");
    let home = Stub::start(move |_| redirect(307, &away)).await;
    let mut request = secret(home.url("/"));
    request.method = Method::POST;
    request.body = Some(Bytes::from_static(b"s3cret"));
    let result = opening(&[home.port, foreign.port]).send(request).await;
    assert_eq!(ended(&result), "egress.body_to_foreign_origin");
    assert_eq!(foreign.connections(), 0);
}
