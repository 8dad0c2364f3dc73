//! What every store of records must keep: one suite, called by the tests of each.
//!
//! It is compiled always, and not behind a cargo feature: stores in other crates call it too, a second feature set
//! would build the dependencies twice, and a program that does not call it does not carry it.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::{Change, ErrorKind, Expect, Record, Records, Version};

/// Holds a store to the whole contract. Each claim gets a new, empty store.
///
/// # Panics
/// At the first claim that the store does not keep.
pub async fn holds<R: Records>(mut empty: impl AsyncFnMut() -> R) {
    what_was_put_is_got(&empty().await).await;
    every_json_value_comes_back_as_it_was(&empty().await).await;
    any_text_is_a_key(&empty().await).await;
    lists_hold_one_kind_in_the_order_of_keys(&empty().await).await;
    kinds_are_those_that_have_records(&empty().await).await;
    a_write_against_the_expectation_is_a_conflict(&empty().await).await;
    a_version_is_never_used_twice(&empty().await).await;
    removing_says_whether_there_was_something(&empty().await).await;
    several_changes_are_made_all_or_none(&empty().await).await;
    later_changes_of_a_call_see_the_earlier(&empty().await).await;
    the_generation_moves_with_changes_and_only_then(&empty().await).await;
    changes_wake_who_waits(&empty().await).await;
    of_racing_writers_none_is_lost(&empty().await).await;
    a_sound_store_has_no_faults(&empty().await).await;
}

async fn what_was_put_is_got(store: &dyn Records) {
    assert_eq!(store.get("host", "web1").await.expect("get"), None);
    let version = put(store, "web1", json!({"port": 22})).await;
    let expected = Record { key: "web1".to_owned(), value: json!({"port": 22}), version };
    assert_eq!(store.get("host", "web1").await.expect("get"), Some(expected));
    assert_eq!(store.get("token", "web1").await.expect("get"), None, "kinds are apart");
}

async fn kinds_are_those_that_have_records(store: &dyn Records) {
    assert_eq!(store.kinds().await.expect("kinds"), Vec::<String>::new());
    for kind in ["token", "host", "zone"] {
        store.put(kind, "one", json!(1), Expect::Absent).await.expect("put");
    }
    assert!(store.remove("zone", "one", Expect::Any).await.expect("remove"));
    assert_eq!(store.kinds().await.expect("kinds"), ["host", "token"]);
}

async fn every_json_value_comes_back_as_it_was(store: &dyn Records) {
    let values = [
        Value::Null,
        json!(true),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(0.1 + 0.2),
        json!(5e-324),
        json!(1.797_693_134_862_315_7e308),
        json!("nul \0, quote \", é, 𝄞"),
        json!([[], {}, [null]]),
        json!({"z": 1, "a": {"deep": [1, 2.5, "x"]}, "": 0}),
        json!("x".repeat(300_000)),
    ];
    for value in values {
        put(store, "web1", value.clone()).await;
        let text = serde_json::to_string(&value).expect("JSON");
        let got = store.get("host", "web1").await.expect("get").expect("the record");
        assert_eq!(serde_json::to_string(&got.value).expect("JSON"), text);
    }
}

async fn any_text_is_a_key(store: &dyn Records) {
    let keys = ["", " ", "a:b/c", "quote ' \" ;--", "nul \0 within", "été", "𝄞", "%", "_", "*"];
    for (number, key) in keys.into_iter().enumerate() {
        put(store, key, json!(number)).await;
    }
    for (number, key) in keys.into_iter().enumerate() {
        let record = store.get("host", key).await.expect("get").expect("the record");
        assert_eq!((record.key.as_str(), record.value), (key, json!(number)));
    }
}

async fn lists_hold_one_kind_in_the_order_of_keys(store: &dyn Records) {
    for key in ["b", "é", "a", "Z", "a0", "10", "9"] {
        put(store, key, json!(key)).await;
    }
    store.put("hos", "a", json!(0), Expect::Any).await.expect("put");
    store.put("host2", "a", json!(0), Expect::Any).await.expect("put");
    assert_eq!(keys(store).await, ["10", "9", "Z", "a", "a0", "b", "é"]);
    assert_eq!(store.list("none").await.expect("list"), []);
}

async fn a_write_against_the_expectation_is_a_conflict(store: &dyn Records) {
    let first = store.put("host", "web1", json!(1), Expect::Absent).await.expect("put");
    let second = store.put("host", "web1", json!(2), Expect::Version(first)).await.expect("put");
    assert_ne!(first, second);
    for expect in [Expect::Absent, Expect::Version(first), Expect::Version(Version::new(u64::MAX))] {
        let refused = store.put("host", "web1", json!(3), expect).await.expect_err("a conflict");
        assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
        let refused = store.remove("host", "web1", expect).await.expect_err("a conflict");
        assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    }
    let refused =
        store.put("host", "other", json!(3), Expect::Version(second)).await.expect_err("a conflict");
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    let expected = Record { key: "web1".to_owned(), value: json!(2), version: second };
    assert_eq!(store.list("host").await.expect("list"), [expected]);
}

async fn a_version_is_never_used_twice(store: &dyn Records) {
    let first = put(store, "web1", json!(1)).await;
    assert!(store.remove("host", "web1", Expect::Version(first)).await.expect("remove"));
    let second = store.put("host", "web1", json!(1), Expect::Absent).await.expect("put");
    assert_ne!(first, second);
    let refused = store.remove("host", "web1", Expect::Version(first)).await.expect_err("a conflict");
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
}

async fn removing_says_whether_there_was_something(store: &dyn Records) {
    assert!(!store.remove("host", "web1", Expect::Any).await.expect("remove"));
    assert!(!store.remove("host", "web1", Expect::Absent).await.expect("remove"));
    put(store, "web1", json!(1)).await;
    assert!(store.remove("host", "web1", Expect::Any).await.expect("remove"));
    assert_eq!(store.get("host", "web1").await.expect("get"), None);
}

async fn several_changes_are_made_all_or_none(store: &dyn Records) {
    let kept = put(store, "kept", json!("old")).await;
    let generation = store.generation().expect("generation");
    let refused = store.apply(vec![
        Change::put("host", "new", json!(1), Expect::Absent),
        Change::put("host", "kept", json!("new"), Expect::Version(kept)),
        Change::remove("host", "kept", Expect::Any),
        Change::put("host", "kept", json!("newer"), Expect::Version(kept)),
    ]);
    let refused = refused.await.expect_err("a conflict");
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    let expected = Record { key: "kept".to_owned(), value: json!("old"), version: kept };
    assert_eq!(store.list("host").await.expect("list"), [expected]);
    assert_eq!(store.generation().expect("generation"), generation, "nothing was changed");

    let made = store.apply(vec![
        Change::put("host", "new", json!(1), Expect::Absent),
        Change::remove("host", "kept", Expect::Version(kept)),
    ]);
    made.await.expect("apply");
    assert_eq!(keys(store).await, ["new"]);
    store.apply(Vec::new()).await.expect("no change at all");
}

async fn later_changes_of_a_call_see_the_earlier(store: &dyn Records) {
    let made = store.apply(vec![
        Change::put("host", "a", json!(1), Expect::Absent),
        Change::remove("host", "a", Expect::Any),
        Change::put("host", "a", json!(2), Expect::Absent),
        Change::put("host", "a", json!(3), Expect::Any),
    ]);
    made.await.expect("apply");
    assert_eq!(store.get("host", "a").await.expect("get").expect("the record").value, json!(3));
}

async fn the_generation_moves_with_changes_and_only_then(store: &dyn Records) {
    let mut last = store.generation().expect("generation");
    put(store, "web1", json!(1)).await;
    let mut moved = |is_expected: bool, what: &str| {
        let now = store.generation().expect("generation");
        assert_eq!(now > last, is_expected, "{what}: {last} to {now}");
        assert!(now >= last, "it never runs backwards");
        last = now;
    };
    moved(true, "put");
    put(store, "web1", json!(1)).await;
    moved(true, "put of the same value");
    store.get("host", "web1").await.expect("get");
    store.list("host").await.expect("list");
    moved(false, "reading");
    store.put("host", "web1", json!(2), Expect::Absent).await.expect_err("a conflict");
    moved(false, "conflict");
    store.remove("host", "none", Expect::Any).await.expect("remove");
    moved(false, "removal of nothing");
    store.apply(vec![Change::remove("host", "web1", Expect::Any)]).await.expect("apply");
    moved(true, "removal");
}

async fn changes_wake_who_waits(store: &dyn Records) {
    let mut changes = store.changes();
    changes.mark_unchanged();
    put(store, "web1", json!(1)).await;
    let generation = store.generation().expect("generation");
    while *changes.borrow_and_update() != generation {
        changes.changed().await.expect("the store is there");
    }
}

async fn of_racing_writers_none_is_lost(store: &dyn Records) {
    put(store, "counter", json!(0)).await;
    join_all((0..16).map(|_| async {
        for _ in 0..4 {
            increment(store, "counter").await;
        }
    }))
    .await;
    assert_eq!(store.get("host", "counter").await.expect("get").expect("the record").value, json!(64));
}

async fn a_sound_store_has_no_faults(store: &dyn Records) {
    put(store, "web1", json!(1)).await;
    assert_eq!(store.check().await.expect("check"), Vec::<String>::new());
}

/// Adds one to a counter among the hosts, reading and trying again until nobody came in between.
///
/// # Panics
/// When the store fails or the counter is not there.
pub async fn increment(store: &dyn Records, key: &str) {
    loop {
        let record = store.get("host", key).await.expect("get").expect("the counter");
        let next = json!(record.value.as_u64().expect("a number") + 1);
        match store.put("host", key, next, Expect::Version(record.version)).await {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
        }
    }
}

async fn put(store: &dyn Records, key: &str, value: Value) -> Version {
    store.put("host", key, value, Expect::Any).await.expect("put")
}

async fn keys(store: &dyn Records) -> Vec<String> {
    store.list("host").await.expect("list").into_iter().map(|record| record.key).collect()
}
