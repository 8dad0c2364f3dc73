//! Whatever is asked of both stores, they answer the same.

use gabier_store::{Change, Embedded, Error, ErrorKind, Expect, Memory, Record, Records, Version};
use proptest::prelude::*;
use serde_json::{Value, json};

#[derive(Debug, Clone)]
enum Step {
    Get(&'static str, &'static str),
    List(&'static str),
    Apply(Vec<Draft>),
    Change(Draft),
    Reopen,
}

/// A change whose expected version is counted back from the newest one.
#[derive(Debug, Clone)]
struct Draft {
    kind: &'static str,
    key: &'static str,
    value: Option<Value>,
    expect: Guess,
}

#[derive(Debug, Clone)]
enum Guess {
    Any,
    Absent,
    Present,
    Wrong(u64),
}

#[derive(Debug, PartialEq)]
enum Answer {
    Record(Option<Record>),
    Records(Vec<Record>),
    Version(Version),
    Removed(bool),
    Done,
    Failed(ErrorKind, String),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (kind(), key()).prop_map(|(kind, key)| Step::Get(kind, key)),
        1 => kind().prop_map(Step::List),
        5 => draft().prop_map(Step::Change),
        2 => prop::collection::vec(draft(), 0..5).prop_map(Step::Apply),
        1 => Just(Step::Reopen),
    ]
}

fn draft() -> impl Strategy<Value = Draft> {
    let guess = prop_oneof![
        4 => Just(Guess::Any),
        2 => Just(Guess::Absent),
        4 => Just(Guess::Present),
        1 => (0_u64..8).prop_map(Guess::Wrong),
    ];
    (kind(), key(), prop::option::weighted(0.6, value()), guess)
        .prop_map(|(kind, key, value, expect)| Draft { kind, key, value, expect })
}

fn kind() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["host", "token"][..])
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["", "a", "B", "é", "a\0b"][..])
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::collection::vec(("[a-c]", any::<i32>()), 0..4).prop_map(|fields| {
            Value::Object(fields.into_iter().map(|(name, number)| (name, json!(number))).collect())
        }),
    ]
}

async fn change(store: &dyn Records, draft: Draft) -> Change {
    let expect = match draft.expect {
        Guess::Any => Expect::Any,
        Guess::Absent => Expect::Absent,
        Guess::Wrong(number) => Expect::Version(Version::new(number)),
        Guess::Present => match store.get(draft.kind, draft.key).await.unwrap() {
            Some(record) => Expect::Version(record.version),
            None => Expect::Absent,
        },
    };
    match draft.value {
        Some(value) => Change::put(draft.kind, draft.key, value, expect),
        None => Change::remove(draft.kind, draft.key, expect),
    }
}

async fn answer(store: &dyn Records, step: Step) -> Answer {
    let failed = |error: Error| Answer::Failed(error.kind(), error.to_string());
    match step {
        Step::Reopen => Answer::Done,
        Step::Get(kind, key) => store.get(kind, key).await.map_or_else(failed, Answer::Record),
        Step::List(kind) => store.list(kind).await.map_or_else(failed, Answer::Records),
        Step::Apply(drafts) => {
            let mut changes = Vec::new();
            for draft in drafts {
                changes.push(change(store, draft).await);
            }
            store.apply(changes).await.map_or_else(failed, |()| Answer::Done)
        }
        Step::Change(draft) => match change(store, draft).await {
            Change::Put { kind, key, value, expect } => {
                store.put(&kind, &key, value, expect).await.map_or_else(failed, Answer::Version)
            }
            Change::Remove { kind, key, expect } => {
                store.remove(&kind, &key, expect).await.map_or_else(failed, Answer::Removed)
            }
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_answers_as_memory_does(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let memory = Memory::default();
        let mut embedded = Some(Embedded::open(directory.path(), None).unwrap());
        for step in steps {
            if matches!(step, Step::Reopen) {
                drop(embedded.take());
                embedded = Some(Embedded::open(directory.path(), None).unwrap());
            }
            let embedded = embedded.as_ref().unwrap();
            let expected = runtime.block_on(answer(&memory, step.clone()));
            prop_assert_eq!(runtime.block_on(answer(embedded, step)), expected);
            prop_assert_eq!(embedded.generation().unwrap(), memory.generation().unwrap());
        }
        for kind in ["host", "token"] {
            let expected = runtime.block_on(memory.list(kind)).unwrap();
            prop_assert_eq!(runtime.block_on(embedded.as_ref().unwrap().list(kind)).unwrap(), expected);
        }
    }
}
