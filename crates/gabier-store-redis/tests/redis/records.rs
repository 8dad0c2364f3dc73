//! Records on a real server.

use std::time::{Duration, Instant};

use gabier_store::{ErrorKind, Expect, Opening, Store, contract};
use gabier_store_redis::open;
use serde_json::json;

use crate::server::Server;

fn store(server: &Server) -> Store {
    open(&server.url(), &Opening::role("test")).expect("open")
}

#[tokio::test]
async fn the_contract_of_records_is_kept() {
    let server = Server::start();
    contract::holds(async || {
        redis::cmd("FLUSHALL").exec(&mut server.connection()).expect("FLUSHALL");
        gabier_store_redis::Records::at(&server.url()).expect("a URL")
    })
    .await;
}

#[tokio::test]
async fn a_write_of_another_process_is_seen_at_once() {
    let server = Server::start();
    let (here, there) = (store(&server).records, store(&server).records);
    for number in 0..100 {
        let before = there.generation().expect("generation");
        here.put("host", "web1", json!(number), Expect::Any).await.expect("put");
        assert!(there.generation().expect("generation") > before);
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_within_two_seconds() {
    let mut server = Server::start();
    let records = store(&server).records;
    records.put("host", "web1", json!(1), Expect::Any).await.expect("put");
    let generation = records.generation().expect("generation");
    server.signal("STOP");
    for _ in 0..2 {
        let since = Instant::now();
        let refused = records.get("host", "web1").await.expect_err("nobody answers");
        assert_eq!(refused.kind(), ErrorKind::Unreachable, "{refused}");
        assert!(refused.kind().is_retriable() && since.elapsed() < Duration::from_secs(2));
        let since = Instant::now();
        records.generation().expect_err("nobody answers");
        assert!(since.elapsed() < Duration::from_millis(900), "{:?}", since.elapsed());
    }
    server.signal("CONT");
    records.get("host", "web1").await.expect("it answers again");
    server.kill();
    let refused = records.put("host", "web1", json!(2), Expect::Any).await.expect_err("nobody is there");
    assert_eq!(refused.kind(), ErrorKind::Unreachable, "{refused}");
    records.generation().expect_err("nobody is there");
    server.restart();
    assert_eq!(records.get("host", "web1").await.expect("get"), None, "it kept nothing");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(records.generation().expect("generation") < generation);
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_killed_server() {
    let mut server = Server::durable();
    let records = store(&server).records;
    for number in 0..200 {
        records.put("host", &format!("web{number}"), json!(number), Expect::Absent).await.expect("put");
    }
    server.kill();
    server.restart();
    assert_eq!(records.list("host").await.expect("list").len(), 200);
    assert_eq!(records.check().await.expect("check"), Vec::<String>::new());
}

#[tokio::test]
async fn a_record_that_others_broke_is_named() {
    let server = Server::start();
    let records = store(&server).records;
    records.put("host", "web1", json!(1), Expect::Any).await.expect("put");
    redis::cmd("HSET")
        .arg("gabier:{r}:k:host")
        .arg("web2")
        .arg("7\n{")
        .exec(&mut server.connection())
        .expect("HSET");
    let faults = records.check().await.expect("check");
    assert_eq!(faults, ["read the host record web2: it is not as it was written"]);
}
