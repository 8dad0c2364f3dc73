//! Callers of work that starts after their call.

use std::sync::Arc;

use gabier_access::{NewToken, Settings};
use gabier_tool::guard::{Authority as _, Credential};
use gabier_tool::{Caller, Permission, Result};

use crate::support::{BOOTSTRAP, Door};

const HERE: Option<&str> = Some("192.0.2.1");

/// The rights of the caller, or the failure's code.
fn rights(restored: Result<Caller>) -> String {
    match restored {
        Ok(caller) => caller.permissions.iter().map(Permission::name).collect::<Vec<_>>().join(" "),
        Err(error) => error.kind().code().to_owned(),
    }
}

#[tokio::test]
async fn a_caller_comes_back_by_its_subject_with_the_rights_of_that_moment() {
    let door = Door::with_bootstrap();
    let minted = door.mint(NewToken::new("ci", &[Permission::Read, Permission::Write])).await;
    let token = minted.token.expose();
    let caller = door.identify(Credential::Bearer(token), HERE).await.unwrap();
    assert_eq!(rights(door.access.restore(&caller.subject).await), "read write");
    door.access.revoke(&minted.id.hex()).await.unwrap();
    assert_eq!(rights(door.access.restore(&caller.subject).await), "UNAUTHENTICATED");

    let administrator = door.identify(Credential::Bearer(BOOTSTRAP), HERE).await.unwrap();
    assert_eq!(rights(door.access.restore(&administrator.subject).await), "read net write admin approve");
    let user = door.access.os_user();
    assert_eq!(rights(door.access.restore(&user.subject).await), "read net write admin approve");
    for nobody in ["", "user:4294967294", "bootstrap:OTHER", "token:00000000"] {
        assert_eq!(rights(door.access.restore(nobody).await), "UNAUTHENTICATED", "{nobody:?}");
    }
}

#[tokio::test]
async fn an_anonymous_callers_work_loses_its_rights_with_the_first_token() {
    let door = Door::open();
    let caller = door.identify(Credential::None, HERE).await.unwrap();
    assert_eq!(rights(door.access.restore(&caller.subject).await), "read net");
    door.mint(NewToken::new("ci", &[Permission::Read])).await;
    assert!(door.access.restore(&caller.subject).await.unwrap().is_stranger());
}

#[tokio::test]
async fn a_foreign_producers_jobs_have_the_rights_of_the_settings_and_reach_nothing() {
    let door = Door::open();
    let producer = door.access.restore("queue:async-tasks").await.unwrap();
    assert!(producer.resources.is_empty());
    assert_eq!(rights(Ok(producer)), "read net write");

    let mut settings = Settings::default();
    settings.producers.permissions.clear();
    let door = Door::over(Arc::new(gabier_store::Memory::default()), &settings, Vec::new());
    assert!(door.access.restore("queue:async-tasks").await.unwrap().is_stranger());
}
