//! `gabier worker`, from the line that says where it works to the end of the test.

use rustix::process::Signal;

use crate::harness::{Home, PATIENCE, Running, Watched};

/// A worker that runs tasks; it is killed when this is dropped.
pub(crate) struct Worker {
    running: Running,
    ends: std::sync::mpsc::Receiver<()>,
}

impl Worker {
    #[track_caller]
    pub(crate) fn start(home: &Home) -> Self {
        let mut running = Running::start(&mut home.command(&["worker"]));
        let (stderr, ends) = Watched::read(running.child().stderr.take().unwrap());
        stderr.wait_for("where it works", |text| text.contains("tasks at once").then_some(()));
        Self { running, ends }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.running.signal(signal);
    }

    /// Waits for the end and gives back the exit code.
    #[track_caller]
    pub(crate) fn end(mut self) -> Option<i32> {
        self.running.end_within(PATIENCE, &self.ends).code()
    }
}
