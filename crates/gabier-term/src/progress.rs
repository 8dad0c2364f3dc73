//! What a running call says, on stderr.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures::future::BoxFuture;
use gabier_tool::{
    Abilities, Answer, Error, ErrorKind, Feedback, Level, OutputStream, Progress, Question, Result,
    Sanitised, View, neutralise,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::globals::{Format, Globals};
use crate::prompt;
use crate::shown::Shown;
use crate::terminal::Terminal;

/// Where a person watches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Screen {
    /// Stdout, with errors on stderr.
    Out,
    /// Stderr alone.
    Err,
}

/// Shows progress as a bar on a terminal, and log lines anywhere.
pub(crate) struct Live {
    terminal: Arc<Terminal>,
    globals: Globals,
    bar: Mutex<Option<ProgressBar>>,
    task: OnceLock<String>,
    shown: Mutex<Shown>,
}

impl Live {
    pub(crate) fn new(terminal: Arc<Terminal>, globals: Globals) -> Self {
        Self { terminal, globals, bar: Mutex::new(None), task: OnceLock::new(), shown: Mutex::default() }
    }

    /// The task that the call is.
    pub(crate) fn task_id(&self) -> Option<&str> {
        self.task.get().map(String::as_str)
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }

    /// Where what a command writes is shown while it comes: with the result when a person reads that, else where
    /// messages go; nowhere when nobody watches.
    fn screen(&self) -> Option<Screen> {
        if self.globals.format != Format::Table || self.globals.quiet {
            return None;
        }
        match (self.terminal.stdout_is_tty, self.terminal.stderr_is_tty) {
            (true, _) => Some(Screen::Out),
            (false, true) => Some(Screen::Err),
            (false, false) => None,
        }
    }

    /// The view without what a person has seen come; none when that was all of it.
    pub(crate) fn without_seen(&self, view: View) -> Option<View> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).taken_from(view)
    }

    fn say(&self, text: &str) {
        match &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(|| self.terminal.say(text)),
            None => self.terminal.say(text),
        }
    }
}

impl Feedback for Live {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bar has a thousand steps")]
    fn progress(&self, progress: Progress) {
        if !self.terminal.stderr_is_tty || self.globals.quiet {
            return;
        }
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bar.get_or_insert_with(|| bar_of(progress.total.is_some()));
        if let Some(total) = progress.total.filter(|total| *total > 0.0) {
            bar.set_length(1000);
            bar.set_position((progress.done / total * 1000.0).clamp(0.0, 1000.0) as u64);
        } else {
            bar.tick();
        }
        if let Some(message) = progress.message {
            bar.set_message(message);
        }
    }

    fn log(&self, level: Level, message: &str) {
        let wanted = match level {
            _ if self.globals.quiet => false,
            Level::Warn | Level::Error => true,
            Level::Info => self.globals.verbose >= 1 || self.terminal.stderr_is_tty,
            Level::Debug => self.globals.verbose >= 2,
        };
        if wanted {
            self.say(message);
        }
    }

    fn content(&self, content: &Value) {
        if !self.globals.quiet {
            let text = content.get("text").unwrap_or(content);
            self.say(text.as_str().map_or_else(|| text.to_string(), str::to_owned).as_str());
        }
    }

    fn wants_output(&self) -> bool {
        self.screen().is_some()
    }

    fn output(&self, stream: OutputStream, bytes: &[u8]) {
        let Some(screen) = self.screen() else { return };
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        neutralise(&mut text, &mut Sanitised::default());
        let show = || match (screen, stream) {
            (Screen::Out, OutputStream::Stdout) => self.terminal.print(&text),
            _ => self.terminal.say(text.strip_suffix('\n').unwrap_or(&text)),
        };
        match &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(show),
            None => show(),
        }
        if screen == Screen::Out {
            self.shown.lock().unwrap_or_else(PoisonError::into_inner).note(stream, &text);
        }
    }

    fn task(&self, id: &str) {
        let _ = self.task.set(id.to_owned());
        if self.globals.verbose >= 1 {
            self.say(&format!("task {id}"));
        }
    }

    fn abilities(&self) -> Abilities {
        Abilities { log: true, report_progress: true, stream_content: true }
    }

    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(async move {
            if !self.terminal.can_ask(&self.globals) {
                return Err(Error::new(
                    ErrorKind::ConfirmationRequired,
                    format!("{} (nobody can be asked here)", question.text),
                )
                .with("question", question.key.as_str()));
            }
            self.clear();
            let question = question.clone();
            tokio::task::spawn_blocking(move || prompt::answer(&question))
                .await
                .map_err(|error| Error::internal("asking a person").with_source(error))?
        })
    }
}

fn bar_of(has_total: bool) -> ProgressBar {
    let template = if has_total {
        "{bar:24} {percent:>3}% {elapsed} {wide_msg}"
    } else {
        "{spinner} {elapsed} {wide_msg}"
    };
    let bar = if has_total { ProgressBar::new(1000) } else { ProgressBar::new_spinner() };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
