//! The interactive shell: every tool, without leaving.

mod editor;
mod history;
mod notices;
mod split;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use gabier_tool::schema::Param;
use gabier_tool::{Error, ErrorKind, nearest};
use serde_json::{Map, Value};

use crate::backend::{Answer, Backend};
use crate::cli::{Cli, Parsed};
use crate::globals::{Color, Format, Globals};
use crate::terminal::Terminal;

use editor::{Editor, Line};
use notices::Notices;
use split::{Words, split};

/// What the shell itself knows, with what it does.
const WORDS: [(&str, &str); 8] = [
    ("help", "List the commands, or explain one: help ping host"),
    ("health", "Is the server well?"),
    ("about", "What is this?"),
    ("use", "Choose a host for the commands that follow; alone: no host"),
    ("clear", "Clear the screen"),
    ("exit", "Leave"),
    ("quit", "Leave"),
    ("q", "Leave"),
];

/// The shell over a command line and a backend.
pub struct Shell {
    cli: Arc<Cli>,
    terminal: Arc<Terminal>,
    backend: Arc<dyn Backend>,
    notices: Notices,
    globals: Globals,
    history: Option<PathBuf>,
    kind: Option<String>,
    chosen: Option<String>,
}

/// What a line led to.
enum Next {
    Go(u8),
    Leave,
}

impl Shell {
    /// A shell; the flags given to it hold for every line that does not say otherwise.
    pub fn new(cli: &Cli, terminal: &Arc<Terminal>, backend: &Arc<dyn Backend>, globals: &Globals) -> Self {
        Self {
            cli: Arc::new(cli.for_shell()),
            terminal: Arc::clone(terminal),
            backend: Arc::clone(backend),
            notices: Notices::new(backend, {
                let terminal = Arc::clone(terminal);
                Arc::new(move |line| terminal.say(&line))
            }),
            globals: globals.clone(),
            history: None,
            kind: None,
            chosen: None,
        }
    }

    /// Keeps what was typed, without secrets, in a file that only its owner reads.
    #[must_use]
    pub fn history(mut self, file: PathBuf) -> Self {
        self.history = Some(file);
        self
    }

    /// Says which kind of parameter `use` fills, such as `host`.
    #[must_use]
    pub fn selects(mut self, kind: &str) -> Self {
        self.kind = Some(kind.to_owned());
        self
    }

    /// Reads lines until `exit` or the end of input, and gives the exit code of the last. Without a terminal it reads
    /// standard input line by line, for scripts.
    pub async fn run(mut self) -> u8 {
        // The lines are the shell's: no parameter reads them.
        if let Err(error) = self.terminal.take_input("the shell") {
            return self.terminal.fail(error, &self.globals);
        }
        if self.terminal.stdin_is_tty && self.terminal.stdout_is_tty {
            self.interact().await
        } else {
            self.script().await
        }
    }

    async fn script(&mut self) -> u8 {
        let mut code = 0;
        let mut pending = String::new();
        while let Some(line) = self.terminal.read_line() {
            pending.push_str(&line);
            if split(&pending) == Words::Open {
                pending.push('\n');
                continue;
            }
            match self.line(&std::mem::take(&mut pending)).await {
                Next::Go(next) => code = next,
                Next::Leave => return code,
            }
        }
        if pending.is_empty() { code } else { self.refuse("a quote is not closed") }
    }

    async fn interact(&mut self) -> u8 {
        let mut editor =
            match Editor::new(&self.cli, self.history.as_deref(), self.terminal.look(&self.globals).color) {
                Ok(editor) => editor,
                Err(error) => return self.terminal.fail(error, &self.globals),
            };
        self.notices.say_by(editor.above());
        loop {
            let prompt = self.prompt();
            let read = tokio::task::spawn_blocking(move || {
                let line = editor.read(&prompt);
                (editor, line)
            });
            let Ok((back, line)) = read.await else { return self.refuse("the terminal cannot be read") };
            editor = back;
            match line {
                Line::Given(line) => {
                    if let Next::Leave = self.line(&line).await {
                        return 0;
                    }
                }
                Line::Dropped => {}
                Line::End => return 0,
            }
        }
    }

    fn prompt(&self) -> String {
        let name = &self.cli.about().name;
        self.chosen.as_ref().map_or_else(|| format!("{name}> "), |chosen| format!("{name} [{chosen}]> "))
    }

    async fn line(&mut self, line: &str) -> Next {
        let words = match split(line) {
            Words::Closed(words) => words,
            Words::Open => return Next::Go(self.refuse("a quote is not closed")),
        };
        let Some((first, rest)) = words.split_first() else { return Next::Go(0) };
        if first.starts_with('#') {
            return Next::Go(0);
        }
        let code = match (first.as_str(), rest) {
            ("exit" | "quit" | "q", []) => return Next::Leave,
            ("clear", []) => {
                self.terminal.print("\u{1b}[2J\u{1b}[H");
                0
            }
            ("help", []) => self.help(),
            ("help", topic) => self.explain(topic).await,
            ("use", [] | [_]) => self.select(rest.first()),
            ("health" | "about", flags) if self.cli.known(&format!("system_{first}")).is_some() => {
                let words: Vec<String> = [&["system".to_owned(), first.clone()], flags].concat();
                self.command(&words).await
            }
            _ => self.command(&words).await,
        };
        Next::Go(code)
    }

    async fn command(&self, words: &[String]) -> u8 {
        match self.cli.parse(&self.argv(words), &self.terminal) {
            Parsed::Tool { name, arguments, globals } => {
                let globals = over(&self.globals, globals);
                let arguments = self.with_chosen(&name, arguments);
                let told = |answer: &Answer| self.notices.await_end(answer);
                self.cli.call_and(&self.terminal, &*self.backend, (&name, arguments), &globals, &told).await
            }
            Parsed::Exit { text, code } => {
                self.terminal.print(&text);
                code
            }
            Parsed::Failed { error, globals } => self.unknown(words, error, globals),
            Parsed::Command { .. } | Parsed::Shell { .. } => {
                self.refuse("this command is not one of the shell")
            }
        }
    }

    /// Says what is wrong; for an unknown first word, which known one is near.
    fn unknown(&self, words: &[String], error: Error, globals: Globals) -> u8 {
        let tree = self.cli.tree();
        let first = words.first().map(String::as_str).unwrap_or_default();
        if first.starts_with('-') || tree.find_subcommand(first).is_some() {
            return self.terminal.fail(error, &over(&self.globals, globals));
        }
        let known =
            tree.get_subcommands().map(clap::Command::get_name).chain(WORDS.iter().map(|(word, _)| *word));
        let near = nearest(first, known, 3);
        let error = Error::new(ErrorKind::InvalidArgument, format!("there is no command {first:?}"));
        let error = if near.is_empty() {
            error.with_next("help lists the commands")
        } else {
            error.with_next(format!("did you mean {}?", near.join(", ")))
        };
        self.terminal.fail(error, &over(&self.globals, globals))
    }

    fn help(&self) -> u8 {
        use std::fmt::Write as _;
        let mut text = String::from("Commands of the shell:\n");
        for (word, help) in WORDS {
            let _ = writeln!(text, "  {word:<10}{help}");
        }
        text.push_str("\nTools:\n");
        for known in self.cli.tools() {
            let words = gabier_tool::schema::kebab(&known.name).replacen('-', " ", 1);
            let _ = writeln!(text, "  {words:<28}{}", known.summary);
        }
        self.terminal.page(&text, &self.globals);
        0
    }

    async fn explain(&self, topic: &[String]) -> u8 {
        if let [word] = topic
            && let Some((_, help)) = WORDS.iter().find(|(own, _)| own == word)
        {
            self.terminal.print(&format!("{help}\n"));
            return 0;
        }
        let words: Vec<String> = [topic, &["--help".to_owned()]].concat();
        self.command(&words).await
    }

    fn select(&mut self, name: Option<&String>) -> u8 {
        if self.kind.is_none() {
            return self.refuse("there is nothing to choose here");
        }
        self.chosen = name.cloned();
        0
    }

    /// The arguments with the chosen host where one is needed and none was given. Words stand in order, so a line that
    /// is one short began with the word after the host.
    fn with_chosen(&self, name: &str, mut arguments: Map<String, Value>) -> Map<String, Value> {
        let (Some(kind), Some(chosen), Some(known)) = (&self.kind, &self.chosen, self.cli.known(name)) else {
            return arguments;
        };
        let fits =
            |param: &&Param| param.required && param.path.len() == 1 && param.complete.as_ref() == Some(kind);
        let Some(host) = known.params.iter().find(fits) else { return arguments };
        let words = known.params.iter().filter(|param| param.required && param.positional);
        let words: Vec<&String> = words.filter_map(|param| param.path.first()).collect();
        let given = words.iter().filter(|name| arguments.contains_key(name.as_str())).count();
        let is_in_order = words.iter().take(given).all(|name| arguments.contains_key(name.as_str()));
        if host.positional
            && words.first().copied() == host.path.first()
            && given + 1 == words.len()
            && is_in_order
        {
            for pair in words.windows(2).rev() {
                if let Some(value) = arguments.shift_remove(pair[0].as_str()) {
                    arguments.insert(pair[1].clone(), value);
                }
            }
        }
        if let Some(name) = host.path.first() {
            arguments.entry(name.as_str()).or_insert_with(|| chosen.as_str().into());
        }
        arguments
    }

    fn argv(&self, words: &[String]) -> Vec<OsString> {
        std::iter::once(&self.cli.about().name).chain(words).map(OsString::from).collect()
    }

    fn refuse(&self, message: &str) -> u8 {
        self.terminal.fail(Error::new(ErrorKind::InvalidArgument, message), &self.globals)
    }
}

/// The flags of a line, over those of the shell.
fn over(shell: &Globals, line: Globals) -> Globals {
    Globals {
        format: if line.format == Format::Table { shell.format } else { line.format },
        color: if line.color == Color::Auto { shell.color } else { line.color },
        yes: line.yes || shell.yes,
        no_input: line.no_input || shell.no_input,
        quiet: line.quiet || shell.quiet,
        verbose: line.verbose.max(shell.verbose),
        width: line.width.or(shell.width),
        no_pager: line.no_pager || shell.no_pager,
        ..line
    }
}
