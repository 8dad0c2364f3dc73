//! Who shares a server.

use std::time::{Duration, Instant};

use gabier_store::{Opening, Store};
use gabier_store_redis::open;

use crate::server::Server;

fn join(server: &Server, role: &str) -> Store {
    open(&server.url(), &Opening::role(role)).expect("open")
}

fn roles(store: &Store) -> Vec<String> {
    let others = store.presence.as_ref().expect("a presence").others();
    let mut roles: Vec<_> = others.expect("others").into_iter().map(|seen| seen.role).collect();
    roles.sort();
    roles
}

/// What is told is told by a thread: soon, but not at once.
#[track_caller]
fn soon(store: &Store, expected: &[&str]) {
    let end = Instant::now() + Duration::from_secs(10);
    while roles(store) != expected {
        assert!(Instant::now() < end, "{:?} instead of {expected:?}", roles(store));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn processes_see_one_another_come_and_go() {
    let mut server = Server::durable();
    let (serve, worker) = (join(&server, "serve"), join(&server, "worker"));
    soon(&serve, &["worker"]);
    soon(&worker, &["serve"]);
    let names: Vec<_> =
        [&serve, &worker].map(|store| store.presence.as_ref().expect("one").id().to_owned()).into();
    assert_ne!(names[0], names[1]);
    server.kill();
    assert!(serve.presence.as_ref().expect("one").others().is_err());
    server.restart();
    // Nobody asks again at once, and the word that was kept in the server's file still holds.
    let end = Instant::now() + Duration::from_secs(10);
    while serve.presence.as_ref().expect("one").others().is_err() {
        assert!(Instant::now() < end, "nobody asks again");
        std::thread::sleep(Duration::from_millis(50));
    }
    soon(&serve, &["worker"]);
    drop(worker);
    soon(&serve, &[]);
}

#[test]
fn who_leaves_is_seen_no_more_though_its_store_is_still_held() {
    let server = Server::durable();
    let (serve, worker) = (join(&server, "serve"), join(&server, "worker"));
    soon(&serve, &["worker"]);
    worker.presence.as_ref().expect("one").leave();
    assert_eq!(roles(&serve), [""; 0]);
}
