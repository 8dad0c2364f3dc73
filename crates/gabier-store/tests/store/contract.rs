//! Both stores keep the one contract.

use std::sync::Arc;

use gabier_store::{Change, Embedded, Expect, Memory, Presence, Records, contract};

#[tokio::test]
async fn the_memory_store_keeps_the_contract() {
    contract::holds(async || Memory::default()).await;
}

#[tokio::test]
async fn the_embedded_store_keeps_the_contract() {
    let base = tempfile::tempdir().unwrap();
    let mut number = 0;
    contract::holds(async || {
        number += 1;
        Embedded::open(&base.path().join(number.to_string()), None).unwrap()
    })
    .await;
}

#[tokio::test]
async fn two_openings_of_one_directory_tell_each_other_of_changes() {
    let base = tempfile::tempdir().unwrap();
    for presences in [false, true] {
        let open = || {
            let presence =
                presences.then(|| Arc::new(Presence::hold(&base.path().join("run"), "test").unwrap()));
            Embedded::open(&base.path().join("data"), presence).unwrap()
        };
        let (here, there) = (open(), open());
        let mut changes = here.changes();
        let before = *changes.borrow_and_update();
        there.apply(vec![Change::put("host", "web1", 1.into(), Expect::Any)]).await.unwrap();
        changes.wait_for(|generation| *generation > before).await.unwrap();
    }
}
