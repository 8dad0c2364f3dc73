//! Who is behind which credential.

use std::time::Duration;

use gabier_access::{Expiry, NewToken, Settings, Token, TokenKind};
use gabier_tool::guard::{Authority, Credential};
use gabier_tool::{CallerKind, Permission, Resource};
use std::sync::Arc;

use crate::support::{BOOTSTRAP, Door, told};

const HERE: Option<&str> = Some("192.0.2.1");

#[tokio::test]
async fn without_any_token_a_caller_may_read_and_fetch_and_reach_files_alone() {
    let door = Door::open();
    let caller = door.identify(Credential::None, HERE).await.unwrap();
    assert!(!caller.is_stranger());
    let rights: Vec<_> = caller.permissions.iter().collect();
    assert_eq!(rights, [Permission::Read, Permission::Net]);
    assert_eq!(*caller.resources, [Resource::parse("root:/")]);
}

#[tokio::test]
async fn once_there_is_a_token_whoever_shows_none_is_a_stranger() {
    let door = Door::open();
    let before = door.identify(Credential::None, HERE).await.unwrap();
    let minted = door.mint(NewToken::new("ci", &[Permission::Read])).await;
    assert!(door.identify(Credential::None, HERE).await.unwrap().is_stranger());
    assert!(door.access.refresh(&before).await.unwrap().is_stranger(), "an old session has no old rights");

    door.access.revoke(&minted.id.hex()).await.unwrap();
    assert!(door.identify(Credential::None, HERE).await.unwrap().is_stranger(), "nothing opens by revoking");
    assert!(Door::with_bootstrap().identify(Credential::None, HERE).await.unwrap().is_stranger());
}

#[tokio::test]
async fn the_operating_systems_user_has_every_right_unless_the_settings_say_less() {
    let door = Door::open();
    let caller = door.identify(Credential::OsUser, None).await.unwrap();
    assert_eq!(caller.permissions.iter().count(), 5);
    assert_eq!(caller.resources.iter().map(ToString::to_string).collect::<Vec<_>>(), ["*"]);

    let mut settings = Settings::default();
    settings.stdio.permissions = Some(vec![Permission::Read]);
    let door = Door::over(Arc::new(gabier_store::Memory::default()), &settings, Vec::new());
    let caller = door.identify(Credential::OsUser, None).await.unwrap();
    assert_eq!(caller.permissions.iter().collect::<Vec<_>>(), [Permission::Read]);
}

#[tokio::test]
async fn a_bootstrap_token_is_an_administrator_and_nothing_near_it_is() {
    let door = Door::with_bootstrap();
    let caller = door.identify(Credential::Bearer(BOOTSTRAP), HERE).await.unwrap();
    assert_eq!((caller.kind, &*caller.name), (CallerKind::Bootstrap, "AUTH_TOKEN"));
    assert_eq!(caller.permissions.iter().count(), 5);
    for near in ["", " ", &BOOTSTRAP[1..], &format!("{BOOTSTRAP} "), &BOOTSTRAP.to_lowercase()] {
        assert_eq!(door.who(near).await, "UNAUTHENTICATED", "{near:?}");
    }
}

#[tokio::test]
async fn garbled_unknown_expired_and_revoked_tokens_are_answered_alike() {
    let door = Door::open();
    let live = door.mint(NewToken::new("ci", &[Permission::Read])).await;
    let revoked = door.mint(NewToken::new("gone", &[Permission::Read])).await;
    door.access.revoke(&revoked.id.prefix()).await.unwrap();
    let short = NewToken { expiry: Expiry::Days(1), ..NewToken::new("short", &[Permission::Read]) };
    let expired = door.mint(short).await;
    door.clock.turn(Duration::from_hours(24));

    assert_eq!(door.who(live.token.expose()).await, "ci");
    let unknown = Token::mint(TokenKind::Pat).unwrap();
    let text = live.token.expose();
    let twice = format!("{text},{text}");
    let mut answers = Vec::new();
    for (number, wrong) in [
        "x",
        &text[..59],
        &text.replace("pat", "adm"),
        &twice,
        unknown.expose(),
        revoked.token.expose(),
        expired.token.expose(),
    ]
    .into_iter()
    .enumerate()
    {
        let from = format!("198.51.100.{number}");
        let error = door.identify(Credential::Bearer(wrong), Some(&from)).await.unwrap_err();
        answers.push(format!("{} {:?} {:?}", error.message(), error.details(), error.next()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_valid_token_is_served_while_its_address_is_turned_away_for_guessing() {
    let door = Door::with_bootstrap();
    let live = door.mint(NewToken::new("ci", &[Permission::Read])).await;
    for _ in 0..10 {
        assert_eq!(door.who("guess").await, "UNAUTHENTICATED");
    }
    assert_eq!(door.who("guess").await, "RATE_LIMITED");
    assert_eq!(door.who(Token::mint(TokenKind::Adm).unwrap().expose()).await, "RATE_LIMITED");
    assert_eq!(door.who(live.token.expose()).await, "ci");
    assert_eq!(door.who(BOOTSTRAP).await, "AUTH_TOKEN");
    assert_eq!(told(door.identify(Credential::Bearer("guess"), Some("192.0.2.9")).await), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_token_bound_to_networks_comes_from_there_alone() {
    let door = Door::open();
    let networks = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    let bound = door.mint(NewToken { networks, ..NewToken::new("lan", &[Permission::Read]) }).await;
    let from = async |address: Option<&str>| {
        told(door.identify(Credential::Bearer(bound.token.expose()), address).await)
    };
    for address in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7"] {
        assert_eq!(from(Some(address)).await, "lan");
    }
    assert_eq!(from(Some("192.0.2.1")).await, "UNAUTHENTICATED");
    assert_eq!(from(None).await, "UNAUTHENTICATED");
}

#[tokio::test]
async fn rights_are_those_of_this_moment_and_end_with_the_token() {
    let door = Door::open();
    let minted = door.mint(NewToken::new("ci", &[Permission::Read])).await;
    let caller = door.identify(Credential::Bearer(minted.token.expose()), HERE).await.unwrap();
    let edit = gabier_access::Edit { set_permissions: Some(vec![Permission::Write]), ..Default::default() };
    door.access.update(&minted.id.hex(), &edit).await.unwrap();
    let now = door.access.refresh(&caller).await.unwrap();
    assert_eq!(now.permissions.iter().collect::<Vec<_>>(), [Permission::Write]);

    door.access.revoke(&minted.id.hex()).await.unwrap();
    assert_eq!(told(door.access.refresh(&caller).await), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_clock_that_is_set_back_wakes_no_expired_token() {
    let door = Door::open();
    let minted = door.mint(NewToken::new("ci", &[Permission::Read])).await;
    door.clock.set_wall(chrono::TimeDelta::days(91));
    assert_eq!(door.who(minted.token.expose()).await, "UNAUTHENTICATED");
    door.clock.set_wall(chrono::TimeDelta::days(-91));
    assert_eq!(door.who(minted.token.expose()).await, "UNAUTHENTICATED");
}
