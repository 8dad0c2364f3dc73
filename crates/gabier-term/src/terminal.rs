//! The three streams of the process, and how they like their text.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gabier_tool::{Clock, Error, Result};
use tokio::sync::Notify;

use crate::environment::Environment;
use crate::globals::{Color, Globals};

/// The terminal, or what stands in its place in a pipe or a test.
pub struct Terminal {
    pub(crate) stdin_is_tty: bool,
    pub(crate) stdout_is_tty: bool,
    pub(crate) stderr_is_tty: bool,
    pub(crate) environment: Environment,
    pub(crate) clock: Arc<dyn Clock>,
    input: Mutex<Box<dyn BufRead + Send>>,
    input_owner: Mutex<Option<String>>,
    out: Mutex<Out>,
    err: Mutex<Box<dyn Write + Send>>,
    interrupts: Option<Arc<Notify>>,
}

/// Stdout until its reader leaves.
struct Out {
    stream: Box<dyn Write + Send>,
    is_closed: bool,
}

/// How text for stdout is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Colours and weights.
    pub color: bool,
    /// Boxes around tables and panels.
    pub boxes: bool,
    /// Columns; `None` = no limit.
    pub width: Option<usize>,
}

impl Terminal {
    /// The terminal of this process.
    pub fn of_process(environment: Environment, clock: Arc<dyn Clock>) -> Self {
        Self {
            stdin_is_tty: io::stdin().is_terminal(),
            stdout_is_tty: io::stdout().is_terminal(),
            stderr_is_tty: io::stderr().is_terminal(),
            environment,
            clock,
            input: Mutex::new(Box::new(io::BufReader::new(io::stdin()))),
            input_owner: Mutex::new(None),
            out: Mutex::new(Out { stream: Box::new(io::stdout()), is_closed: false }),
            err: Mutex::new(Box::new(io::stderr())),
            interrupts: None,
        }
    }

    /// A terminal that is none: reads a text, keeps what is written.
    pub fn captured(input: &str, environment: Environment, clock: Arc<dyn Clock>) -> (Self, Captured) {
        let captured = Captured::default();
        let terminal = Self {
            stdin_is_tty: false,
            stdout_is_tty: false,
            stderr_is_tty: false,
            environment,
            clock,
            input: Mutex::new(Box::new(io::Cursor::new(input.to_owned().into_bytes()))),
            input_owner: Mutex::new(None),
            out: Mutex::new(Out { stream: Box::new(captured.out.clone()), is_closed: false }),
            err: Mutex::new(Box::new(captured.err.clone())),
            interrupts: Some(Arc::clone(&captured.interrupts)),
        };
        (terminal, captured)
    }

    /// Writes text to stdout. A reader that left (`| head`) is no failure: what follows is written nowhere.
    pub fn print(&self, text: &str) {
        let mut out = lock(&self.out);
        if out.is_closed {
            return;
        }
        let written = out.stream.write_all(text.as_bytes()).and_then(|()| out.stream.flush());
        out.is_closed = written.is_err();
    }

    /// Writes a message to stderr.
    pub fn say(&self, text: &str) {
        let mut err = lock(&self.err);
        // Nobody is left to tell when stderr itself is gone.
        let _ = writeln!(err, "{text}").and_then(|()| err.flush());
    }

    /// How text for stdout is written: flags, then variables, then the stream itself.
    pub fn look(&self, globals: &Globals) -> Look {
        let columns = || self.environment.get("COLUMNS").and_then(|text| text.parse().ok());
        let tty = || terminal_size::terminal_size().map(|(width, _)| width.0);
        let width = globals.width.or_else(columns).or_else(|| self.stdout_is_tty.then(tty).flatten());
        Look {
            color: self.wants_color(globals.color, self.stdout_is_tty),
            boxes: self.stdout_is_tty,
            width: width.map(usize::from),
        }
    }

    /// True when messages on stderr are coloured.
    pub(crate) fn colors_messages(&self, globals: &Globals) -> bool {
        self.wants_color(globals.color, self.stderr_is_tty)
    }

    fn wants_color(&self, color: Color, is_tty: bool) -> bool {
        match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if self.environment.is_set("NO_COLOR") => false,
            Color::Auto
                if self
                    .environment
                    .get("CLICOLOR_FORCE")
                    .is_some_and(|value| !value.is_empty() && value != "0") =>
            {
                true
            }
            Color::Auto => is_tty && self.environment.get("TERM").is_none_or(|term| term != "dumb"),
        }
    }

    /// True when a person can be asked.
    pub fn can_ask(&self, globals: &Globals) -> bool {
        self.stdin_is_tty && self.stderr_is_tty && !globals.no_input
    }

    /// All of standard input, once: `owner` is named to whoever asks next.
    pub(crate) fn read_input(&self, owner: &str) -> Result<String> {
        self.take_input(owner)?;
        let mut text = String::new();
        io::Read::read_to_string(&mut *lock(&self.input), &mut text)
            .map_err(|_| Error::invalid(owner, "standard input is not readable text"))?;
        Ok(text)
    }

    /// One line of standard input for the shell that owns it; `None` at its end.
    pub(crate) fn read_line(&self) -> Option<String> {
        let mut line = String::new();
        let read = lock(&self.input).read_line(&mut line).unwrap_or(0);
        (read > 0).then(|| line.trim_end_matches(['\n', '\r']).to_owned())
    }

    /// Reserves standard input.
    pub(crate) fn take_input(&self, owner: &str) -> Result<()> {
        let mut taken = lock(&self.input_owner);
        if let Some(first) = &*taken {
            return Err(Error::invalid(owner, format!("cannot read standard input: {first} reads it")));
        }
        *taken = Some(owner.to_owned());
        Ok(())
    }

    /// Resolves when a person presses Ctrl-C.
    pub(crate) async fn interrupted(&self) {
        match &self.interrupts {
            Some(interrupts) => interrupts.notified().await,
            None => {
                if tokio::signal::ctrl_c().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// What a captured terminal was told, and its Ctrl-C key.
#[derive(Clone, Default)]
pub struct Captured {
    out: Buffer,
    err: Buffer,
    interrupts: Arc<Notify>,
}

impl Captured {
    /// Takes what stands on stdout.
    pub fn out(&self) -> String {
        self.out.take()
    }

    /// Takes what stands on stderr.
    pub fn err(&self) -> String {
        self.err.take()
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        self.interrupts.notify_one();
    }
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn take(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut *lock(&self.0))).into_owned()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
