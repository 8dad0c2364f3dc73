//! The scripts of the queue: BullMQ's own, each as a function, within one of ours.
//!
//! BullMQ changes a job by one script per step. Those scripts come from the pinned crate `bullmq-official`, which keeps them to
//! itself: `build.rs` takes them from its source. Ours call them as functions. So the job and our record of the task
//! change together or not at all, by the server's clock, and a crash between the two cannot happen.
//!
//! Adding, claiming and completing are what most calls are about, and are about many jobs at once. For jobs that need
//! nothing special (no parent, no children, no duplicates, no delay, no limit) ours do what BullMQ's scripts do, with all
//! that the jobs have in common done once; every other job goes through BullMQ's scripts.

use redis::Script;

/// What every script begins with.
const COMMON: &str = include_str!("../lua/common.lua");

/// All scripts of the queue.
pub(crate) struct Scripts {
    pub(crate) enqueue: Script,
    pub(crate) step: Script,
    pub(crate) beat: Script,
    pub(crate) note: Script,
    pub(crate) output: Script,
    pub(crate) cancel_ids: Script,
    pub(crate) cancel_page: Script,
    pub(crate) input: Script,
    pub(crate) get: Script,
    pub(crate) limit: Script,
    pub(crate) pause: Script,
    pub(crate) reap: Script,
    pub(crate) prune: Script,
    pub(crate) chained: Script,
    pub(crate) bury: Script,
    pub(crate) due: Script,
    pub(crate) delivered: Script,
    pub(crate) replay: Script,
    pub(crate) import: Script,
    pub(crate) next_due: Script,
    pub(crate) sweep: Script,
    pub(crate) sweep_live: Script,
}

/// Puts scripts of BullMQ, what they share and one of ours together.
macro_rules! script {
    ([$($theirs:literal),*], [$($shared:literal),*], $ours:literal) => {
        Script::new(&assemble(
            &[$(($theirs, include_str!(concat!(env!("OUT_DIR"), "/bullmq/", $theirs, ".lua")))),*],
            &[$(include_str!(concat!("../lua/", $shared, ".lua")),)* include_str!(concat!("../lua/", $ours, ".lua"))],
        ))
    };
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            enqueue: script!(["addPrioritizedJob-9", "addDelayedJob-6"], ["adding", "limits"], "enqueue"),
            step: script!(
                [
                    "moveToActive-11",
                    "moveToFinished-14",
                    "moveToDelayed-11",
                    "moveJobFromActiveToWait-9",
                    "addStandardJob-9"
                ],
                ["ending", "adding", "limits", "losing", "adopt"],
                "step"
            ),
            beat: script!([], [], "beat"),
            note: script!(["updateProgress-3", "addLog-2"], [], "note"),
            output: script!([], [], "output"),
            cancel_ids: script!([], ["cancel"], "cancel_ids"),
            cancel_page: script!([], ["cancel"], "cancel_page"),
            input: script!([], [], "input"),
            get: script!(["addStandardJob-9"], ["ending", "foreign"], "get"),
            limit: script!([], ["limits"], "limit"),
            pause: script!(["pause-7"], [], "pause"),
            reap: script!(
                ["moveToFinished-14", "moveJobFromActiveToWait-9", "addStandardJob-9"],
                ["ending", "losing"],
                "reap"
            ),
            prune: script!([], [], "prune"),
            chained: script!([], [], "chained"),
            bury: script!([], [], "bury"),
            due: script!([], [], "due"),
            delivered: script!([], [], "delivered"),
            replay: script!([], [], "replay"),
            import: script!(
                ["addPrioritizedJob-9", "addDelayedJob-6", "addStandardJob-9"],
                ["ending", "adding"],
                "import"
            ),
            next_due: script!([], ["limits"], "next_due"),
            sweep: script!(["addStandardJob-9"], ["ending", "adopt", "foreign"], "sweep"),
            sweep_live: script!(["addStandardJob-9"], ["ending", "foreign"], "sweep_live"),
        }
    }
}

/// One script: `bull_<name>(KEYS, ARGV)` for each of theirs, what ours share, and the last of ours as what is run.
fn assemble(theirs: &[(&str, &str)], ours: &[&str]) -> String {
    let mut text = String::new();
    for (name, source) in theirs {
        let name = name.split('-').next().unwrap_or(name);
        text.extend(["local function bull_", name, "(KEYS, ARGV)\n", source, "\nend\n"]);
    }
    text.push_str(COMMON);
    let (last, shared) = ours.split_last().unwrap_or((&"", &[]));
    text.extend(shared.iter().copied());
    text.extend(["local function main()\n", last, "\nend\nlocal answer = main()\nflush()\nreturn answer\n"]);
    text
}
