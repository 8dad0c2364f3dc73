//! Room for calls: places in flight, first come first served, and steady rates.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use gabier_access::{InFlight, Limits, PerMinute, Settings};
use gabier_tool::guard::{Credential, Permit, Rate};
use gabier_tool::{Caller, Result};

use crate::support::{Door, HandClock, entry};

const PATIENCE: Duration = Duration::from_secs(30);

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

async fn caller(name: &str) -> Caller {
    let caller = Door::open().identify(Credential::None, Some("192.0.2.1")).await.unwrap();
    Caller { subject: name.into(), ..caller }
}

fn limits(clock: &Arc<HandClock>, total: u32, per_caller: u32) -> Limits {
    let in_flight = InFlight { total: number(total), per_caller: number(per_caller) };
    Limits::new(clock.clone(), &Settings { in_flight, ..Settings::default() })
}

fn code(result: Option<Result<Permit>>) -> String {
    match result {
        None => "waits".to_owned(),
        Some(Ok(_)) => "in".to_owned(),
        Some(Err(error)) => format!("{} {}", error.kind().code(), error.details()["retry_after_ms"]),
    }
}

#[tokio::test]
async fn calls_wait_in_the_order_in_which_they_came() {
    let clock = HandClock::new();
    let (limits, tool, me) = (limits(&clock, 10, 1), entry("look"), caller("a").await);
    let order = Mutex::new(Vec::new());
    let mut calls: FuturesUnordered<_> = (0..20)
        .map(|place| {
            let (limits, tool, me, order) = (&limits, &tool, &me, &order);
            async move {
                let permit = limits.admit(me, tool, PATIENCE).await.unwrap();
                order.lock().unwrap().push(place);
                tokio::task::yield_now().await;
                drop(permit);
            }
        })
        .collect();
    while calls.next().await.is_some() {}
    assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    assert_eq!(limits.in_flight(), 0);
}

#[tokio::test]
async fn a_call_that_finds_no_place_within_its_patience_is_refused() {
    let clock = HandClock::new();
    let (limits, tool, me) = (limits(&clock, 10, 1), entry("look"), caller("a").await);
    let place = limits.admit(&me, &tool, PATIENCE).await.unwrap();
    let mut second = limits.admit(&me, &tool, PATIENCE);
    assert_eq!(code((&mut second).now_or_never()), "waits");
    clock.turn(Duration::from_secs(29));
    assert_eq!(code((&mut second).now_or_never()), "waits");
    clock.turn(Duration::from_secs(1));
    assert_eq!(code(Some(second.await)), "RATE_LIMITED 1000");
    drop(place);
    assert_eq!(code(limits.admit(&me, &tool, PATIENCE).now_or_never()), "in");
}

#[tokio::test]
async fn one_callers_crowd_leaves_room_for_another() {
    let clock = HandClock::new();
    let (limits, tool) = (limits(&clock, 4, 2), entry("look"));
    let (greedy, other) = (caller("greedy").await, caller("other").await);
    let mut crowd: Vec<_> = (0..6).map(|_| limits.admit(&greedy, &tool, PATIENCE)).collect();
    let mut held = Vec::new();
    for call in &mut crowd {
        held.extend(call.now_or_never());
    }
    assert_eq!(held.len(), 2);
    assert_eq!(code(limits.admit(&other, &tool, PATIENCE).now_or_never()), "in");
}

#[tokio::test]
async fn a_tool_with_a_bucket_of_its_own_is_slowed_alone() {
    let clock = HandClock::new();
    let mut settings = Settings::default();
    let rate = PerMinute { calls: number(60), burst: number(3) };
    settings.rates.tools = [("port_scan".to_owned(), rate)].into();
    let limits = Limits::new(clock.clone(), &settings);
    let (scan, look, me, other) = (entry("port_scan"), entry("look"), caller("a").await, caller("b").await);
    for _ in 0..3 {
        assert_eq!(code(limits.admit(&me, &scan, PATIENCE).now_or_never()), "in");
    }
    assert_eq!(code(limits.admit(&me, &scan, PATIENCE).now_or_never()), "RATE_LIMITED 1000");
    assert_eq!(code(limits.admit(&me, &look, PATIENCE).now_or_never()), "in");
    assert_eq!(code(limits.admit(&other, &scan, PATIENCE).now_or_never()), "in");
    clock.turn(Duration::from_secs(1));
    limits.sweep();
    assert_eq!(code(limits.admit(&me, &scan, PATIENCE).now_or_never()), "in");
    assert_eq!(code(limits.admit(&me, &scan, PATIENCE).now_or_never()), "RATE_LIMITED 1000");
}

#[tokio::test]
async fn ten_thousand_callers_leave_nothing_behind_that_matters() {
    let clock = HandClock::new();
    let (limits, tool, me) = (limits(&clock, 10, 1), entry("look"), caller("a").await);
    let place = limits.admit(&me, &tool, PATIENCE).await.unwrap();
    for number in 0..10_000 {
        let caller = Caller { subject: format!("token:{number}").into(), ..me.clone() };
        drop(limits.admit(&caller, &tool, PATIENCE).await.unwrap());
    }
    let mut second = limits.admit(&me, &tool, PATIENCE);
    assert_eq!(code((&mut second).now_or_never()), "waits", "a caller in flight is never forgotten");
    drop(place);
    assert_eq!(code((&mut second).now_or_never()), "in");
}
