//! Many files on their way together, and what an earlier attempt at the same has left.

use std::sync::Arc;

use super::job::Job;
use super::path::random;
use super::report::Report;
use super::resume::{Checkpoint, Page};

/// Many files on their way together. A page in the journal stays until all have arrived, so the next attempt knows
/// that what it finds there may be its own.
pub(super) struct Batch {
    job: Arc<Job>,
    page: Option<Box<dyn Page>>,
    place: Option<Vec<u8>>,
    mark: u32,
}

impl Batch {
    /// Looks for an earlier attempt that went the same way (`up`, `down`).
    pub(super) async fn begin(job: &Arc<Job>, way: &str, from: &[u8], to: &[u8]) -> Self {
        job.go_together();
        let page = match &job.options.resume {
            Some(resume) => resume.page(way, &[from, b" -> ", to].concat()).await,
            None => None,
        };
        let left = match &page {
            Some(page) => page.load().await.ok().flatten(),
            None => None,
        };
        if left.is_some() {
            job.go_on();
        }
        // The same in every attempt, so that the next one knows what any has left.
        let mark = match left.as_ref().and_then(Checkpoint::mark) {
            Some(mark) => mark,
            None => random().unwrap_or(0),
        };
        if mark > 0 && page.is_some() {
            job.mark(mark);
        }
        Self { job: job.clone(), page, place: left.map(|left| left.temporary), mark }
    }

    /// Where the earlier attempt put them.
    pub(super) fn place(&self) -> Option<&[u8]> {
        self.place.as_deref()
    }

    /// From here on, some may be at the place.
    pub(super) async fn open(&self, place: &[u8]) {
        if let Some(page) = &self.page
            && page.save(&Checkpoint::of_folder(place, self.mark)).await.is_ok()
        {
            self.job.keep();
        }
    }

    /// The last has been tried; what did not arrive keeps the page.
    pub(super) async fn close(self, report: &Report) {
        if let Some(page) = self.page
            && report.failed.is_empty()
        {
            // What is known beyond its time costs the next attempt a comparison, no more.
            let _ = page.forget().await;
        }
    }
}
