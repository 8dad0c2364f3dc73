//! Names: resolved once, the whole answer vetted, only vetted addresses dialled.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gabier_egress::{Allow, Egress, Reach, Settings};

use crate::stub::{Stub, Table, ended, get, redirect};

fn one_port(port: u16) -> Settings {
    let allow = Allow { cidr: "127.0.0.1".parse().unwrap(), port: Some(port), tool: None };
    Settings { allow: vec![allow], metadata: false }
}

#[tokio::test]
async fn one_forbidden_address_refuses_the_whole_answer() {
    let trap = Stub::trap().await;
    let names = Table::default().with("mixed.test", &["127.0.0.1", "10.0.0.1"]);
    let egress = Egress::with_names(one_port(trap.port), Arc::new(names));
    let url = format!("http://mixed.test:{}/", trap.port);
    assert_eq!(ended(&get(&egress, Reach::Public, &url).await), "egress.address_private");
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn a_name_that_rebinds_between_check_and_use_finds_no_gap() {
    let trap = Stub::trap().await;
    // A guard that resolves twice would see the allowed address first and dial the forbidden one.
    let names =
        Arc::new(Table::default().with("rebind.test", &["127.0.0.1"]).with("rebind.test", &["127.0.0.2"]));
    let egress = Egress::with_names(one_port(trap.port), Arc::clone(&names) as _);
    let url = format!("http://rebind.test:{}/", trap.port);
    assert_eq!(ended(&get(&egress, Reach::Public, &url).await), "trapped");
    assert_eq!(names.asked.load(Ordering::SeqCst), 1);
    assert_eq!(ended(&get(&egress, Reach::Public, &url).await), "egress.address_loopback");
    assert_eq!(trap.connections(), 1);
}

#[tokio::test]
async fn a_name_that_rebinds_between_hops_is_vetted_at_each() {
    let trap = Stub::start(|_| redirect(302, "/again")).await;
    let names = Table::default().with("rebind.test", &["127.0.0.1"]).with("rebind.test", &["127.0.0.2"]);
    let egress = Egress::with_names(one_port(trap.port), Arc::new(names));
    let url = format!("http://rebind.test:{}/", trap.port);
    assert_eq!(ended(&get(&egress, Reach::Public, &url).await), "egress.address_loopback");
    assert_eq!(trap.connections(), 1);
}

#[tokio::test]
async fn the_name_and_not_the_address_is_the_host_of_the_request() {
    let stub = Stub::trap().await;
    let names = Table::default().with("named.test", &["127.0.0.1"]);
    let egress = Egress::with_names(one_port(stub.port), Arc::new(names));
    let url = format!("http://named.test:{}/", stub.port);
    assert_eq!(ended(&get(&egress, Reach::Public, &url).await), "trapped");
    let head = stub.heads().pop().unwrap().to_lowercase();
    assert!(head.contains(&format!("host: named.test:{}\r\n", stub.port)), "{head}");
}

#[tokio::test]
async fn an_unknown_name_is_a_failed_connection() {
    let egress = Egress::with_names(Settings::default(), Arc::new(Table::default()));
    let error = get(&egress, Reach::Public, "http://nowhere.test/").await.unwrap_err();
    assert_eq!(error.kind().code(), "CONNECTION_FAILED");
    assert_eq!(error.details()["host"], "nowhere.test");
    assert_eq!(error.details()["reason"], "cannot resolve nowhere.test");
}
