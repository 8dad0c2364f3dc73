//! What running tasks tell, and who hears of it.

use tokio::sync::broadcast::Receiver;

use super::Trial;
use super::support::{LONG, QUEUE, add, claim_one, end, finish, fresh, get, task};
use crate::queue::{
    Fence, Notes, Output, OutputRange, Progress, Queue, Skipped, State, Stream, Task, TaskChange, TaskId,
};

fn progress(done: f64) -> Notes {
    let progress = Progress { done, total: Some(100.0), message: Some(format!("at {done}")) };
    Notes { progress: Some(progress), ..Notes::default() }
}

fn written(stream: Stream, bytes: impl Into<Vec<u8>>) -> Notes {
    Notes { output: vec![(stream, bytes.into())], ..Notes::default() }
}

async fn running(queue: &dyn Queue) -> Task {
    add(queue, task()).await;
    claim_one(queue, LONG).await
}

async fn read(queue: &dyn Queue, id: &TaskId, stream: Stream, from: u64, length: usize) -> Output {
    queue.output(id, stream, OutputRange { from, length }).await.expect("output")
}

pub(super) async fn the_latest_progress_wins(trial: &dyn Trial) {
    let queue = trial.open().await;
    let task = running(&*queue).await;
    for done in [10.0, 99.0, 62.5] {
        queue.note(&task.asked.id, task.fence, progress(done)).await.expect("note");
    }
    let got = get(&*queue, &task.asked.id).await;
    assert_eq!(got.progress, progress(62.5).progress);
    assert!(got.updated >= task.updated);
    queue.note(&task.asked.id, task.fence, progress(63.0)).await.expect("note");
    assert!(end(&*queue, &task.asked.id, task.fence, finish(State::Completed)).await);
    let got = get(&*queue, &task.asked.id).await;
    assert_eq!(got.progress, progress(63.0).progress, "what was said before the end is kept");
    queue.note(&task.asked.id, task.fence, progress(64.0)).await.expect("note");
    assert_eq!(get(&*queue, &task.asked.id).await, got, "what is said after it is not");
    queue.note(&fresh(), Fence(1), progress(1.0)).await.expect("note");
}

pub(super) async fn output_is_read_by_stream_and_range(trial: &dyn Trial) {
    let queue = trial.open().await;
    let task = running(&*queue).await;
    let id = &task.asked.id;
    assert_eq!(read(&*queue, id, Stream::Stdout, 0, 10).await, Output::default());
    assert_eq!(read(&*queue, &fresh(), Stream::Stdout, 0, 10).await, Output::default());
    let notes = Notes {
        progress: None,
        output: vec![
            (Stream::Stdout, b"one\ntw".to_vec()),
            (Stream::Stderr, b"\xff\0no\n".to_vec()),
            (Stream::Stdout, b"o\nthree".to_vec()),
        ],
        skipped: Vec::new(),
    };
    queue.note(id, task.fence, notes).await.expect("note");
    queue.note(id, task.fence, written(Stream::Stdout, "\n4")).await.expect("note");
    let all = read(&*queue, id, Stream::Stdout, 0, 1_000).await;
    let expected = Output {
        from: 0,
        bytes: b"one\ntwo\nthree\n4".to_vec(),
        total_bytes: 15,
        total_lines: 3,
        stored_bytes: 15,
        gap: None,
    };
    assert_eq!(all, expected);
    let part = read(&*queue, id, Stream::Stdout, 4, 3).await;
    assert_eq!((part.from, part.bytes.as_slice(), part.total_bytes), (4, b"two".as_slice(), 15));
    let beyond = read(&*queue, id, Stream::Stdout, 99, 3).await;
    assert_eq!((beyond.bytes, beyond.total_bytes), (Vec::new(), 15));
    let errors = read(&*queue, id, Stream::Stderr, 0, 1_000).await;
    assert_eq!((errors.bytes.as_slice(), errors.total_lines), (b"\xff\0no\n".as_slice(), 1));
    assert_eq!(read(&*queue, id, Stream::Log, 0, 10).await.total_bytes, 0);
    assert!(end(&*queue, id, task.fence, finish(State::Completed)).await);
    assert_eq!(read(&*trial.open().await, id, Stream::Stdout, 0, 1_000).await, expected);
}

pub(super) async fn what_is_left_out_of_an_output_counts_nevertheless(trial: &dyn Trial) {
    let queue = trial.open().await;
    let task = running(&*queue).await;
    let id = &task.asked.id;
    let flood = Notes {
        skipped: vec![(Stream::Stdout, Skipped { bytes: 1_000, lines: 7 })],
        ..written(Stream::Stdout, "head\n")
    };
    queue.note(id, task.fence, flood).await.expect("note");
    queue.note(id, task.fence, written(Stream::Stdout, "tail\n")).await.expect("note");
    let silent =
        Notes { skipped: vec![(Stream::Stderr, Skipped { bytes: 3, lines: 0 })], ..Notes::default() };
    queue.note(id, task.fence, silent).await.expect("note");
    let expected = Output {
        from: 1_005,
        bytes: b"tail\n".to_vec(),
        total_bytes: 1_010,
        total_lines: 9,
        stored_bytes: 10,
        gap: Some((5, 1_005)),
    };
    assert_eq!(read(&*queue, id, Stream::Stdout, 500, 99).await, expected);
    assert_eq!(read(&*queue, id, Stream::Stdout, 0, 99).await.bytes, b"head\n");
    let errors = read(&*queue, id, Stream::Stderr, 0, 99).await;
    assert_eq!((errors.bytes.len(), errors.total_bytes, errors.stored_bytes), (0, 3, 0));
    // What is left out later leaves out the end before it.
    let more = Notes {
        skipped: vec![(Stream::Stdout, Skipped { bytes: 90, lines: 1 })],
        ..written(Stream::Stdout, "middle\n")
    };
    queue.note(id, task.fence, more).await.expect("note");
    queue.note(id, task.fence, written(Stream::Stdout, "end\n")).await.expect("note");
    let last = read(&*queue, id, Stream::Stdout, 5, 99).await;
    assert_eq!(
        (last.from, last.bytes.as_slice(), last.total_bytes, last.total_lines, last.stored_bytes),
        (1_107, b"end\n".as_slice(), 1_111, 12, 9)
    );
    assert!(end(&*queue, id, task.fence, finish(State::Completed)).await);
    assert_eq!(read(&*trial.open().await, id, Stream::Stdout, 5, 99).await, last);
}

pub(super) async fn of_a_huge_output_head_and_tail_are_kept(trial: &dyn Trial) {
    let queue = trial.open().await;
    let task = running(&*queue).await;
    let id = &task.asked.id;
    // 24 MiB of numbered lines of 16 bytes.
    let lines: Vec<u8> = (0..1_572_864).flat_map(|number| format!("{number:015}\n").into_bytes()).collect();
    for piece in lines.chunks(65_000) {
        queue.note(id, task.fence, written(Stream::Stdout, piece)).await.expect("note");
    }
    let head = read(&*queue, id, Stream::Stdout, 0, 1_000).await;
    assert_eq!(head.bytes, lines[..1_000]);
    assert_eq!((head.total_bytes, head.total_lines), (lines.len() as u64, 1_572_864));
    assert!(head.stored_bytes <= 10 << 20 && head.stored_bytes > 256 << 10);
    let (gap, after) = head.gap.expect("the middle is gone");
    assert_eq!(head.stored_bytes, head.total_bytes - (after - gap));
    let at = usize::try_from(after).expect("small");
    for from in [gap, u64::midpoint(gap, after), after] {
        let rest = read(&*queue, id, Stream::Stdout, from, 100).await;
        assert_eq!((rest.from, rest.bytes.as_slice()), (after, &lines[at..at + 100]));
    }
    let across = read(&*queue, id, Stream::Stdout, gap - 10, 100).await;
    let gap = usize::try_from(gap).expect("small");
    assert_eq!(across.bytes, lines[gap - 10..gap], "a part ends where the gap begins");
    let tail = read(&*queue, id, Stream::Stdout, head.total_bytes - 16, 100).await;
    assert_eq!(tail.bytes, lines[lines.len() - 16..]);
}

pub(super) async fn another_process_sees_notes_soon(trial: &dyn Trial) {
    let (here, there) = (trial.open().await, trial.open().await);
    let task = running(&*here).await;
    let id = &task.asked.id;
    let mut changes = there.changes();
    here.note(id, task.fence, written(Stream::Log, "copying\n")).await.expect("note");
    while read(&*there, id, Stream::Log, 0, 100).await.bytes != b"copying\n" {
        let _ = changes.recv().await;
    }
}

/// Waits until something is told that fits, or that may mean anything.
async fn heard(changes: &mut Receiver<TaskChange>, wanted: &TaskChange) {
    loop {
        match changes.recv().await {
            Ok(change) if change == *wanted || change == TaskChange::Anything => return,
            Ok(_) => {}
            Err(error) => panic!("{wanted:?} was not told: {error}"),
        }
    }
}

pub(super) async fn changes_reach_who_listens(trial: &dyn Trial) {
    let queue = trial.open().await;
    changes_reach(&*queue, &*queue).await;
}

pub(super) async fn changes_of_another_process_reach_who_listens(trial: &dyn Trial) {
    let (here, there) = (trial.open().await, trial.open().await);
    changes_reach(&*here, &*there).await;
}

async fn changes_reach(doing: &dyn Queue, listening: &dyn Queue) {
    let mut changes = listening.changes();
    let id = add(doing, task()).await;
    heard(&mut changes, &TaskChange::Work(QUEUE.to_owned())).await;
    let told = TaskChange::Task(id.clone());
    let held = claim_one(doing, LONG).await;
    let mut changes = listening.changes();
    doing.note(&id, held.fence, progress(50.0)).await.expect("note");
    heard(&mut changes, &told).await;
    let mut changes = listening.changes();
    doing.cancel(&id, "stop").await.expect("cancel");
    heard(&mut changes, &told).await;
    let mut changes = listening.changes();
    assert!(end(doing, &id, held.fence, finish(State::Cancelled)).await);
    heard(&mut changes, &told).await;
    assert_eq!(get(listening, &id).await.state, State::Cancelled, "what was told can be seen");
}
