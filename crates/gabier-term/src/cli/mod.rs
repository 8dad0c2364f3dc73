//! The command line over any list of tools.

mod example;
mod name;
mod read;
mod tree;

use std::ffi::OsString;

use clap::error::ErrorKind as ClapErrorKind;
use clap::{ArgMatches, Command};
use gabier_tool::schema::Param;
use gabier_tool::{Error, ErrorKind, Result, ToolInfo};
use serde_json::{Map, Value};

use crate::complete::Completers;
use crate::globals::{Format, Globals};
use crate::source::Sources;
use crate::terminal::Terminal;

pub(crate) use example::quoted;
pub(crate) use tree::Purpose;

/// What a program says of itself.
#[derive(Clone, Debug)]
pub struct About {
    /// Its name on the command line and in the shell's prompt.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is, in one line.
    pub summary: String,
}

/// The commands: one for every tool, and those of the program itself.
pub struct Cli {
    about: About,
    tools: Vec<Known>,
    commands: Vec<Command>,
    completers: Completers,
    is_shell: bool,
}

/// A tool with what the command line needs of it.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) info: ToolInfo,
    pub(crate) params: Vec<Param>,
    /// The flat command, such as `ping-host`.
    pub(crate) flat: String,
}

/// What a command line means.
#[derive(Debug)]
pub enum Parsed {
    /// Call a tool.
    Tool {
        /// The tool's name on the wire.
        name: String,
        /// Its arguments, as far as they were given.
        arguments: Map<String, Value>,
        /// The flags of every command.
        globals: Globals,
    },
    /// Run a command of the program itself.
    Command {
        /// The command.
        name: String,
        /// What was given to it.
        matches: ArgMatches,
        /// The flags of every command.
        globals: Globals,
    },
    /// Start the interactive shell.
    Shell {
        /// The flags of every command.
        globals: Globals,
    },
    /// Print a text and leave: help, version.
    Exit {
        /// The text, for stdout.
        text: String,
        /// The exit code.
        code: u8,
    },
    /// Say what is wrong with the command line, and leave: see [`Terminal::fail`].
    Failed {
        /// What is wrong.
        error: Error,
        /// The flags of every command, as far as they could be read.
        globals: Globals,
    },
}

impl Cli {
    /// A command line over a list of tools.
    pub fn new(about: About, tools: Vec<ToolInfo>) -> Self {
        let mut taken = Vec::new();
        let tools = tools
            .into_iter()
            .map(|info| {
                let flat = name::flat(&info.name, &taken);
                taken.push(flat.clone());
                Known { params: Param::of(&info.input), flat, info }
            })
            .collect();
        Self { about, tools, commands: Vec::new(), completers: Completers::new(), is_shell: false }
    }

    /// Adds a command of the program itself. Where it has the name of a group of tools, the bare word is the command.
    #[must_use]
    pub fn command(mut self, command: Command) -> Self {
        self.commands.push(command);
        self
    }

    /// Adds what completes parameters by their kind, such as `host`.
    #[must_use]
    pub fn completers(mut self, completers: Completers) -> Self {
        self.completers = completers;
        self
    }

    /// What the program says of itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The tools.
    pub fn tools(&self) -> impl Iterator<Item = &ToolInfo> {
        self.tools.iter().map(|known| &known.info)
    }

    /// The command tree as clap knows it, for completion and manual pages.
    pub fn tree(&self) -> Command {
        self.tree_for(Purpose::Complete)
    }

    /// The same tree as help shows it.
    pub(crate) fn help_tree(&self) -> Command {
        self.tree_for(Purpose::Help)
    }

    /// The same tools without the program's own commands.
    pub(crate) fn for_shell(&self) -> Self {
        Self {
            about: self.about.clone(),
            tools: self.tools.clone(),
            commands: Vec::new(),
            completers: self.completers.clone(),
            is_shell: true,
        }
    }

    /// The tool that a line begins with, and the words after it.
    pub(crate) fn tool_of_words<'a>(&self, words: &'a [String]) -> Option<(&Known, &'a [String])> {
        let (first, rest) = words.split_first()?;
        if let Some(verb) = rest.first()
            && let Some(known) = self.tool_at(&[first, verb])
        {
            return Some((known, &rest[1..]));
        }
        self.tool_at(&[first]).map(|known| (known, rest))
    }

    /// Every spelling of every flag that takes a secret.
    pub(crate) fn secret_flags(&self) -> Vec<String> {
        let mut flags = vec!["--token".to_owned(), "-t".to_owned()];
        for param in self.tools.iter().flat_map(|known| &known.params).filter(|param| param.secret) {
            flags.push(format!("--{}", param.flag));
            flags.extend(tree::spellings(param, &[]).iter().map(|spelling| format!("--{spelling}")));
        }
        flags
    }

    pub(crate) fn known(&self, name: &str) -> Option<&Known> {
        let is_named =
            |known: &&Known| known.info.name == name || known.info.aliases.iter().any(|alias| alias == name);
        self.tools.iter().find(is_named)
    }

    /// Reads a command line; the first word is the program's. Secrets, `--input` and `-` are read from the terminal.
    pub fn parse(&self, argv: &[OsString], terminal: &Terminal) -> Parsed {
        let wants_help =
            argv.iter().skip(1).take_while(|word| *word != "--").any(|word| word == "-h" || word == "--help");
        let mut tree = self.tree_for(if wants_help { Purpose::Help } else { Purpose::Parse });
        let scanned = Globals::scan(argv);
        let (color, width) = {
            let look = terminal.look(&scanned);
            (look.color, look.width)
        };
        tree = tree.color(if color { clap::ColorChoice::Always } else { clap::ColorChoice::Never });
        tree = tree.term_width(width.unwrap_or(100));
        match tree.try_get_matches_from(argv) {
            Ok(matches) => self.resolve(&matches, terminal),
            Err(error) => refused(&error, scanned, color),
        }
    }

    fn resolve(&self, matches: &ArgMatches, terminal: &Terminal) -> Parsed {
        let mut path = Vec::new();
        let mut inner = matches;
        while let Some((name, next)) = inner.subcommand() {
            path.push(name);
            inner = next;
        }
        let globals = Globals::of(inner);
        let read = |known: &Known| {
            let sources = Sources::new(terminal, &globals);
            read::arguments(&known.params, inner, &sources)
        };
        let outcome: Result<(String, Map<String, Value>)> = match path.as_slice() {
            ["shell"] if !self.has_command("shell") => return Parsed::Shell { globals },
            ["call"] if !self.has_command("call") => {
                let name = inner.get_one::<String>("tool").cloned().unwrap_or_default();
                Sources::new(terminal, &globals).input().map(|input| (name, input))
            }
            path => match self.tool_at(path) {
                Some(known) => read(known).map(|arguments| (known.info.name.clone(), arguments)),
                None => return command(matches, globals),
            },
        };
        match outcome {
            Ok((name, arguments)) => Parsed::Tool { name, arguments, globals },
            Err(error) => Parsed::Failed { error, globals },
        }
    }

    fn has_command(&self, name: &str) -> bool {
        self.commands.iter().any(|command| command.get_name() == name)
    }

    /// The tool of a path of words; the words of the program's own commands win.
    fn tool_at(&self, path: &[&str]) -> Option<&Known> {
        let own = self
            .commands
            .iter()
            .find(|command| path.first().is_some_and(|first| command.get_name() == *first));
        let is_own = match (own, path) {
            (Some(_), [_]) => true,
            (Some(command), [_, verb, ..]) => command.find_subcommand(verb).is_some(),
            _ => false,
        };
        if is_own {
            return None;
        }
        self.tools.iter().find(|known| match path {
            [flat] => known.flat == *flat,
            [group, verb] => known.flat.split_once('-') == Some((*group, *verb)),
            _ => false,
        })
    }
}

fn command(matches: &ArgMatches, globals: Globals) -> Parsed {
    match matches.subcommand() {
        Some((name, matches)) => Parsed::Command { name: name.to_owned(), matches: matches.clone(), globals },
        None => Parsed::Failed {
            error: Error::new(ErrorKind::InvalidArgument, "a command is missing")
                .with_next("--help lists them"),
            globals,
        },
    }
}

/// What clap did not accept, or was only asked to explain.
fn refused(error: &clap::Error, mut globals: Globals, color: bool) -> Parsed {
    let text = error.render();
    let text = if color { text.ansi().to_string() } else { text.to_string() };
    match error.kind() {
        ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion => Parsed::Exit { text, code: 0 },
        ClapErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if !globals.format.is_json() => {
            let error = Error::new(ErrorKind::InvalidArgument, "a command is missing").with("help", text);
            Parsed::Failed { error, globals }
        }
        _ => {
            let plain = error.render().to_string();
            let plain = plain.strip_prefix("error: ").unwrap_or(&plain);
            let message = plain.split("\n\n").next().unwrap_or_default().trim();
            let next: Vec<&str> = plain
                .split("\n\n")
                .skip(1)
                .map(str::trim)
                .filter(|part| !part.is_empty() && !part.starts_with("Usage:"))
                .collect();
            if error.kind() == ClapErrorKind::InvalidValue && plain.contains("--output") {
                globals.format = Format::Table;
            }
            let error = Error::new(ErrorKind::InvalidArgument, message.replace("\n  ", " "));
            Parsed::Failed { error: error.with_next(next.join("\n")), globals }
        }
    }
}
