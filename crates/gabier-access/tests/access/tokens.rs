//! Tokens in the store: what is kept of them, who sees a change, and how they are named.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gabier_access::{Access, Edit, Expiry, NewToken, Settings, TokenKind, TokenState};
use gabier_store::{Embedded, Expect, Memory, Openers, Opening, Records};
use gabier_tool::Permission;
use gabier_tool::guard::{Authority, Credential};
use serde_json::json;

use crate::support::{BOOTSTRAP, Door, told};

const READ: &[Permission] = &[Permission::Read];

fn bytes_below(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes.extend(bytes_below(&path));
        } else if path.is_file() {
            bytes.extend(fs::read(&path).unwrap());
        }
    }
    bytes
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn fifty_tokens_leave_nothing_but_digests_in_the_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let door =
        Door::over(Arc::new(Embedded::open(folder.path(), None).unwrap()), &Settings::default(), Vec::new());
    let mut minted = Vec::new();
    for number in 0..50 {
        minted.push(door.mint(NewToken::new(format!("client {number}"), READ)).await);
    }
    let bytes = bytes_below(folder.path());
    assert!(holds(&bytes, "client 49"), "the search finds what is there");
    for one in &minted {
        let text = one.token.expose();
        assert!(holds(&bytes, &one.id.hex()));
        for part in [text, &text[11..54], &text[11..31]] {
            assert!(!holds(&bytes, part));
        }
    }
}

#[tokio::test]
async fn a_token_revoked_by_one_process_is_refused_by_the_next_call_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().display().to_string();
    let open = |role: &str| {
        let store = Openers::default().open(&url, &Opening::role(role)).unwrap();
        let records = Arc::clone(&store.records);
        (store, Door::over(records, &Settings::default(), Vec::new()))
    };
    let ((_first, serve), (_second, cli)) = (open("serve"), open("cli"));
    for _ in 0..20 {
        let minted = cli.mint(NewToken::new("ci", READ)).await;
        assert_eq!(serve.who(minted.token.expose()).await, "ci", "made there, known here");
        let caller = serve.identify(Credential::Bearer(minted.token.expose()), None).await.unwrap();
        cli.access.revoke(&minted.id.hex()).await.unwrap();
        assert_eq!(told(serve.access.refresh(&caller).await), "UNAUTHENTICATED");
        let again = serve.identify(Credential::Bearer(minted.token.expose()), None).await;
        assert_eq!(told(again), "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn parallel_changes_of_one_token_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let records: Arc<dyn Records> = Arc::new(Embedded::open(folder.path(), None).unwrap());
    let doors: Vec<Door> =
        (0..4).map(|_| Door::over(Arc::clone(&records), &Settings::default(), Vec::new())).collect();
    let minted = doors[0].mint(NewToken { resources: Some(vec![]), ..NewToken::new("ci", READ) }).await;
    let id = minted.id.hex();
    let edits = doors.iter().enumerate().map(async |(number, door)| {
        let edit = Edit { add_resources: vec![format!("host:h{number}")], ..Edit::default() };
        door.access.update(&id, &edit).await.unwrap();
    });
    futures::future::join_all(edits).await;
    let mut resources = doors[0].access.list().await.unwrap()[0].grant.resources.clone();
    resources.sort();
    assert_eq!(resources, ["host:h0", "host:h1", "host:h2", "host:h3"]);
}

#[tokio::test]
async fn an_update_is_made_in_full_or_not_at_all() {
    let door = Door::open();
    let resources = Some(vec!["host:a".to_owned(), "host:b".to_owned()]);
    let minted = door.mint(NewToken { resources, ..NewToken::new("ci", READ) }).await;
    let id = minted.id.prefix();
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let update = async |edit: Edit| match door.access.update(&id, &edit).await {
        Ok(changed) => format!("{:?} -> {:?}", changed.previous.resources, changed.current.resources),
        Err(error) => error.message().to_owned(),
    };
    let edit =
        Edit { add_resources: words(&["host:c"]), remove_resources: words(&["host:a"]), ..Edit::default() };
    assert_eq!(update(edit).await, r#"["host:a", "host:b"] -> ["host:b", "host:c"]"#);
    let edit =
        Edit { add_resources: words(&["planet:mars"]), set_permissions: Some(vec![]), ..Edit::default() };
    assert!(update(edit).await.starts_with("add_resources: \"planet:mars\""));
    assert_eq!(door.access.list().await.unwrap()[0].grant.permissions, READ, "nothing of it was done");
    let edit = Edit {
        set_resources: Some(words(&["host:z"])),
        remove_resources: words(&["host:b"]),
        ..Edit::default()
    };
    assert_eq!(update(edit).await, "set_resources: cannot be given with add_resources or remove_resources");
    assert_eq!(update(Edit::default()).await, "nothing was given to change");
    let edit = Edit { remove_resources: words(&["host:b", "host:c"]), ..Edit::default() };
    assert_eq!(update(edit).await, r#"["host:b", "host:c"] -> []"#);
    let edit = Edit { set_resources: Some(words(&["*", "*"])), ..Edit::default() };
    assert_eq!(update(edit).await, r#"[] -> ["*"]"#);
}

#[tokio::test]
async fn a_token_is_named_by_eight_digits_or_more_and_by_no_ambiguous_ones() {
    let records = Arc::new(Memory::default());
    let door = Door::over(records.clone(), &Settings::default(), Vec::new());
    let minted = door.mint(NewToken::new("ci", READ)).await;
    let row = serde_json::to_value(&minted.grant).unwrap();
    for end in ["0", "1"] {
        records
            .put("token", &format!("abcdef01{}{end}", "0".repeat(55)), row.clone(), Expect::Absent)
            .await
            .unwrap();
    }
    let revoke = async |prefix: &str| match door.access.revoke(prefix).await {
        Ok(changed) => format!("{} {}", changed.id.hex(), changed.current.name),
        Err(error) => error.kind().code().to_owned(),
    };
    assert_eq!(revoke("abcdef01").await, "CONFLICT");
    assert_eq!(revoke("ABCDEF0100").await, "CONFLICT");
    assert_eq!(revoke("0000000000").await, "NOT_FOUND");
    for wrong in ["abcdef0", "", "not a hash", &"a".repeat(65)] {
        assert_eq!(revoke(wrong).await, "INVALID_ARGUMENT", "{wrong:?}");
    }
    let known = format!("{} ci", minted.id.hex());
    assert_eq!(revoke(&minted.id.hex()[..8]).await, known);
    assert_eq!(revoke(&minted.id.hex()).await, known, "twice is as once");
}

#[tokio::test]
async fn a_token_ends_after_ninety_days_an_administrators_after_thirty_and_never_only_when_told() {
    let door = Door::open();
    let days = async |permissions: &[Permission], expiry: Expiry| {
        let new = NewToken { expiry, ..NewToken::new("t", permissions) };
        match door.access.create(&door.access.os_user(), new).await {
            Ok(minted) => minted.grant.expires.map_or("never".to_owned(), |expires| {
                (expires - minted.grant.created).num_days().to_string()
            }),
            Err(error) => error.kind().code().to_owned(),
        }
    };
    assert_eq!(days(READ, Expiry::Usual).await, "90");
    assert_eq!(days(&[Permission::Admin], Expiry::Usual).await, "30");
    assert_eq!(days(READ, Expiry::Days(365)).await, "365");
    assert_eq!(days(READ, Expiry::Days(0)).await, "INVALID_ARGUMENT");
    assert_eq!(days(READ, Expiry::Days(366)).await, "INVALID_ARGUMENT");
    assert_eq!(days(READ, Expiry::Never).await, "never");
    assert!(door.access.advice().await.unwrap()[0].ends_with("(t) never expires"));
}

#[tokio::test]
async fn a_successor_has_the_same_grant_and_the_old_token_ends_after_the_overlap() {
    let door = Door::open();
    let resources = Some(vec!["host:a".to_owned()]);
    let old = door.mint(NewToken { resources, ..NewToken::new("ci", READ) }).await;
    door.clock.turn(Duration::from_hours(1));
    let overlap = Duration::from_hours(24);
    let new = door.access.rotate(&door.access.os_user(), &old.id.prefix(), overlap).await.unwrap();
    assert_eq!(
        (&new.grant.resources, &new.grant.permissions),
        (&old.grant.resources, &old.grant.permissions)
    );
    assert_eq!(
        new.grant.expires.unwrap() - new.grant.created,
        old.grant.expires.unwrap() - old.grant.created
    );
    assert_eq!([door.who(old.token.expose()).await, door.who(new.token.expose()).await], ["ci", "ci"]);
    door.clock.turn(overlap);
    assert_eq!(door.who(old.token.expose()).await, "UNAUTHENTICATED");
    assert_eq!(door.who(new.token.expose()).await, "ci");
    let again = door.access.rotate(&door.access.os_user(), &old.id.prefix(), overlap).await;
    assert_eq!(again.unwrap_err().kind().code(), "CONFLICT");
}

#[tokio::test]
async fn the_administration_is_begun_once_and_recovered_at_any_time() {
    let door = Door::open();
    let user = door.access.os_user();
    let first = door.access.init_admin(&user, "admin").await.unwrap();
    assert_eq!((first.grant.kind, first.grant.resources.as_slice()), (TokenKind::Adm, &["*".to_owned()][..]));
    assert_eq!(door.access.init_admin(&user, "admin").await.unwrap_err().kind().code(), "CONFLICT");
    let other = door.mint(NewToken::new("ci", READ)).await;
    let (second, revoked) = door.access.recover_admin(&user, "again", true).await.unwrap();
    assert_eq!(revoked, 2);
    let mut who = Vec::new();
    for one in [&first, &other, &second] {
        who.push(door.who(one.token.expose()).await);
    }
    assert_eq!(who, ["UNAUTHENTICATED", "UNAUTHENTICATED", "again"]);
}

#[tokio::test]
async fn use_is_written_by_the_minute_and_never_by_the_request() {
    let records = Arc::new(Memory::default());
    let door = Door::over(records.clone(), &Settings::default(), Vec::new());
    let minted = door.mint(NewToken::new("ci", READ)).await;
    let generation = records.generation().unwrap();
    for _ in 0..100 {
        door.who(minted.token.expose()).await;
    }
    assert_eq!(records.generation().unwrap(), generation, "requests write nothing");
    door.access.tend().await.unwrap();
    assert_eq!(records.generation().unwrap(), generation + 1);
    door.access.tend().await.unwrap();
    assert_eq!(records.generation().unwrap(), generation + 1, "what is written is not written again");

    let other = Door::over(records, &Settings::default(), Vec::new());
    let listed = other.access.list().await.unwrap();
    assert_eq!(listed[0].last_used.unwrap().timestamp(), 1_800_000_000);
    assert_eq!(listed[0].state, TokenState::Valid);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_opens_nothing_and_breaks_nothing() {
    let records = Arc::new(Memory::default());
    let door = Door::over(records.clone(), &Settings::default(), Vec::new());
    records.put("token", &"0".repeat(64), json!({"name": "from the future"}), Expect::Any).await.unwrap();
    let stranger = door.identify(Credential::None, None).await.unwrap();
    assert!(stranger.is_stranger(), "a token that is not understood is a token all the same");
    let minted = door.mint(NewToken::new("ci", READ)).await;
    assert_eq!(door.who(minted.token.expose()).await, "ci");
}

#[test]
fn a_digest_of_the_settings_is_a_bootstrap_token_and_a_wrong_one_refuses_the_start() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let digest = gabier_access::TokenId::of(BOOTSTRAP).hex();
    let settings = Settings { bootstrap_token_sha256: Some(digest), ..Settings::default() };
    let door = Door::over(Arc::new(Memory::default()), &settings, Vec::new());
    assert_eq!(runtime.block_on(door.who(BOOTSTRAP)), "bootstrap_token_sha256");

    let settings = Settings { bootstrap_token_sha256: Some("abc".to_owned()), ..Settings::default() };
    let refused =
        Access::new(Arc::new(Memory::default()), crate::support::HandClock::new(), &settings, Vec::new());
    assert!(refused.is_err_and(|error| error.message().starts_with("bootstrap_token_sha256: ")));
}
