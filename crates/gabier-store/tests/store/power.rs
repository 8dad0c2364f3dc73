//! What the disk is told, seen by strace: how often it is synced, and what a power cut would leave.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gabier_store::queue::{Queue, TaskId};
use gabier_store::{Embedded, Records};

use crate::processes::Other;
use crate::workers::claim;

/// A child whose system calls of these names are written to a file.
#[expect(clippy::disallowed_methods, reason = "the test looks at what another process asks of the kernel")]
fn traced(directory: &Path, calls: &str, trace: &Path) -> Other {
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-xx", "-s", "200000", "-e", &format!("trace={calls}"), "-o"]).arg(trace);
    command.arg(std::env::current_exe().unwrap());
    let mut other = Other::start_by(command, directory);
    assert_eq!(other.ask("open"), "opened");
    other
}

/// Gives an order and waits until it is done.
fn done(other: &mut Other, order: &str) {
    other.tell(order);
    while other.hear().expect("the child lives; strace is installed") != "done" {}
}

#[test]
fn every_acknowledged_step_was_synced_and_those_that_come_together_share_it() {
    let base = tempfile::tempdir().unwrap();
    let trace = base.path().join("trace");
    let mut other = traced(&base.path().join("data"), "fdatasync,fsync", &trace);
    let mut before = 0;
    let mut synced = |other: &mut Other, order: &str| {
        done(other, order);
        let lines = fs::read_to_string(&trace).unwrap();
        let now = lines.lines().filter(|line| line.contains("= 0") || line.contains("unfinished")).count();
        std::mem::replace(&mut before, now).abs_diff(now)
    };
    synced(&mut other, "add 1");
    let one_by_one = synced(&mut other, "add 20");
    assert!((20..=24).contains(&one_by_one), "20 tasks one by one: {one_by_one} syncs");
    let together = synced(&mut other, "add-together 200");
    assert!((1..=20).contains(&together), "200 tasks at once: {together} syncs");
    // 221 tasks by three: each claim and each end is synced.
    let worked = synced(&mut other, "work until-empty");
    assert!((74 + 221..74 + 221 + 30).contains(&worked), "74 claims and 221 ends: {worked} syncs");
    let idle = synced(&mut other, "work until-empty");
    assert_eq!(idle, 0, "who finds nothing to do writes nothing");
}

/// What happened to the files, in order.
enum Event {
    Write(PathBuf, u64, Vec<u8>),
    Truncate(PathBuf, u64),
    Sync(PathBuf),
    /// A line that the child printed: something it acknowledged.
    Told(String),
}

/// Reads the trace; a call counts when it has returned.
fn events(trace: &str) -> Vec<Event> {
    let mut begun = HashMap::<&str, String>::new();
    let mut events = Vec::new();
    for line in trace.lines() {
        let (process, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if let Some(start) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(process, start.to_owned());
            continue;
        }
        let call = match call.split_once(" resumed>") {
            Some((_, end)) => begun.remove(process).unwrap_or_default() + end,
            None => call.to_owned(),
        };
        events.extend(event(&call));
    }
    events
}

fn event(call: &str) -> Option<Event> {
    let (name, rest) = call.split_once('(')?;
    let (rest, outcome) = rest.rsplit_once(" = ")?;
    if outcome.starts_with('-') {
        return None;
    }
    let (descriptor, file) = rest.split_once('<')?;
    let (file, rest) = file.split_once('>')?;
    let file = PathBuf::from(String::from_utf8(unescaped(file)).ok()?);
    let rest = rest.trim_end().trim_end_matches(')').trim_start_matches(", ");
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match name {
        "pwrite64" => {
            let (bytes, place) = rest.trim_start_matches('"').split_once('"')?;
            Some(Event::Write(file, number(place.rsplit(',').next()?)?, unescaped(bytes)))
        }
        "write" if descriptor == "1" => {
            let (bytes, _) = rest.trim_start_matches('"').split_once('"')?;
            Some(Event::Told(String::from_utf8(unescaped(bytes)).ok()?))
        }
        "ftruncate" => Some(Event::Truncate(file, number(rest)?)),
        "fdatasync" | "fsync" => Some(Event::Sync(file)),
        _ => None,
    }
}

/// Reads `\x2f\x74`; text that is not escaped stands for itself.
fn unescaped(text: &str) -> Vec<u8> {
    if !text.starts_with("\\x") {
        return text.as_bytes().to_vec();
    }
    text.split("\\x").skip(1).map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect()
}

/// A file as the disk has it, and what it was told since and may forget.
#[derive(Default)]
struct OnDisk {
    synced: Vec<u8>,
    pending: Vec<(u64, Option<Vec<u8>>)>,
}

impl OnDisk {
    fn apply(bytes: &mut Vec<u8>, at: u64, written: Option<&[u8]>) {
        let at = usize::try_from(at).unwrap();
        match written {
            None => bytes.resize(at, 0),
            Some(written) => {
                bytes.resize(bytes.len().max(at + written.len()), 0);
                bytes[at..at + written.len()].copy_from_slice(written);
            }
        }
    }

    fn sync(&mut self) {
        for (at, written) in std::mem::take(&mut self.pending) {
            Self::apply(&mut self.synced, at, written.as_deref());
        }
    }

    /// What is left when the power goes: any part of what was not synced, in any order of loss.
    fn after_cut(&self, dice: &mut u64) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        let mode = roll(dice) % 3;
        for (at, written) in &self.pending {
            if mode == 1 || mode == 2 && roll(dice).is_multiple_of(2) {
                Self::apply(&mut bytes, *at, written.as_deref());
            }
        }
        bytes
    }
}

fn roll(dice: &mut u64) -> u64 {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    *dice >> 8
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged() {
    let base = tempfile::tempdir().unwrap();
    let (data, trace) = (base.path().join("data"), base.path().join("trace"));
    let calls = "pwrite64,write,ftruncate,fdatasync,fsync";
    let mut other = traced(&data, calls, &trace);
    for _ in 0..6 {
        done(&mut other, "add 12");
        done(&mut other, "work until-empty");
        done(&mut other, "add 5");
    }
    drop(other);
    let events = events(&fs::read_to_string(&trace).unwrap());
    let told = events.iter().filter(|event| matches!(event, Event::Told(_))).count();
    assert!(told >= 6 * (12 + 12 + 5), "the trace was understood: {told}");
    let mut dice = 0x9e37_79b9_7f4a_7c15;
    let opened =
        events.iter().position(|event| matches!(event, Event::Told(text) if text.contains("opened")));
    let opened = opened.unwrap();
    for round in 0..60 {
        let span = u64::try_from(events.len() - opened).unwrap();
        let cut = opened + usize::try_from(roll(&mut dice) % span).unwrap();
        let place = base.path().join(format!("round{round}"));
        let acknowledged = lay_out(&events[..=cut], &data, &place, &mut dice);
        survives(&place, &acknowledged).await;
        fs::remove_dir_all(&place).unwrap();
    }
}

/// Writes the files as a cut after these events leaves them; gives what had been acknowledged.
fn lay_out(events: &[Event], data: &Path, place: &Path, dice: &mut u64) -> Vec<String> {
    let mut files = BTreeMap::<PathBuf, OnDisk>::new();
    let mut acknowledged = Vec::new();
    for event in events {
        match event {
            Event::Write(file, at, bytes) => {
                files.entry(file.clone()).or_default().pending.push((*at, Some(bytes.clone())));
            }
            Event::Truncate(file, length) => {
                files.entry(file.clone()).or_default().pending.push((*length, None));
            }
            Event::Sync(file) => {
                if let Some(file) = files.get_mut(file) {
                    file.sync();
                }
            }
            Event::Told(text) => {
                acknowledged.extend(text.split_once("> ").map(|(_, line)| line.trim().to_owned()));
            }
        }
    }
    drop(Embedded::open(place, None).unwrap());
    fs::remove_file(place.join("gabier.db")).unwrap();
    for (file, on_disk) in files.iter().filter(|(file, _)| file.starts_with(data)) {
        let name = file.file_name().unwrap();
        let is_part = ["gabier.db", "gabier.db-wal", "gabier.db.generation"].iter().any(|part| name == *part);
        if is_part {
            let copy = place.join(name);
            fs::write(&copy, on_disk.after_cut(dice)).unwrap();
            fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
    }
    acknowledged
}

async fn survives(place: &Path, acknowledged: &[String]) {
    let store = Embedded::open(place, None).unwrap();
    assert_eq!(Records::check(&store).await.unwrap(), Vec::<String>::new());
    let mut issued = HashSet::new();
    for line in acknowledged {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["added", id] => {
                let task = Queue::get(&store, &TaskId::new(id)).await.unwrap();
                assert!(task.is_some(), "{id} was acknowledged and is lost");
            }
            ["started", id, fence] => {
                let task = Queue::get(&store, &TaskId::new(id)).await.unwrap().unwrap();
                let fence: u64 = fence.parse().unwrap();
                assert!(task.fence.0 >= fence, "the start of {id} is forgotten");
                issued.insert((task.asked.id, fence));
            }
            _ => {}
        }
    }
    for task in claim(&store, "after", 1_000, 60_000).await {
        assert!(issued.insert((task.asked.id.clone(), task.fence.0)), "a fence was given twice");
    }
}
