//! The threads that read, so that no reader waits for the writer and no async thread for the disk.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::ended;
use super::sqlite::{Access, connect};
use crate::{Error, Result};

/// How many connections read.
const READERS: usize = 2;

type Question = Box<dyn FnOnce(&Connection) + Send>;

/// Hands questions to whichever reading thread is free.
pub(super) struct Readers {
    questions: Option<Sender<Question>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Opens the connections and starts a thread for each.
    pub(super) fn start(file: &Path) -> Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let start = |_| {
            let connection = connect(file, Access::Read)?;
            let receiver = Arc::clone(&receiver);
            thread::Builder::new()
                .name("store-reader".to_owned())
                .spawn(move || answer_until_closed(&connection, &receiver))
                .map_err(|source| Error::io("start a thread that reads", source))
        };
        let threads = (0..READERS).map(start).collect::<Result<_>>()?;
        Ok(Self { questions: Some(sender), threads })
    }

    /// Runs on a reading connection; sees every commit that was acknowledged before.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let question: Question = Box::new(move |connection| {
            // A caller that went away asked for no answer.
            let _ = reply.send(run(connection));
        });
        let questions = self.questions.as_ref().ok_or_else(ended)?;
        questions.send(question).map_err(|_| ended())?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.questions = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn answer_until_closed(connection: &Connection, questions: &Mutex<Receiver<Question>>) {
    loop {
        let question = questions.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match question {
            Ok(question) => question(connection),
            Err(_) => return,
        }
    }
}
