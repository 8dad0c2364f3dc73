//! Where a value comes from that must not, or need not, stand on the command line.

use gabier_tool::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

use crate::globals::Globals;
use crate::terminal::Terminal;

/// The longest secret or input that is read from a file, in bytes.
const LONGEST: u64 = 16 << 20;

/// Reads secrets, `--input` and `-` for one command.
pub struct Sources<'a> {
    terminal: &'a Terminal,
    globals: &'a Globals,
}

impl<'a> Sources<'a> {
    /// The sources of a terminal.
    pub fn new(terminal: &'a Terminal, globals: &'a Globals) -> Self {
        Self { terminal, globals }
    }

    /// The secret a source names: `env:NAME`, `file:PATH`, `-`, `prompt`. The word itself is never repeated: it may
    /// be the secret.
    pub fn secret(&self, name: &str, source: &str) -> Result<String> {
        match Source::parse(source) {
            Some(Source::Variable(variable)) => self
                .terminal
                .environment
                .get(variable)
                .ok_or_else(|| Error::invalid(name, format!("the variable {variable} is not set"))),
            Some(Source::File(path)) => read_file(name, path).map(first_line),
            Some(Source::Input) => self.terminal.read_input(name).map(first_line),
            Some(Source::Prompt) => self.ask(name),
            None => Err(literal(name)),
        }
    }

    /// The token of `--token`: a source, or the token itself, which is taken with a warning.
    pub fn token(&self, source: &str) -> Result<String> {
        if Source::parse(source).is_some() {
            return self.secret("token", source);
        }
        self.terminal.say(
            "warning: a token on the command line is seen by every process of this machine; \
             give --token env:NAME or file:PATH",
        );
        Ok(source.to_owned())
    }

    /// The object of `--input`: JSON, `@file`, or `-`.
    pub fn input(&self) -> Result<Map<String, Value>> {
        let text = match self.globals.input.as_deref() {
            None => return Ok(Map::new()),
            Some("-") => self.terminal.read_input("input")?,
            Some(word) => match word.strip_prefix('@') {
                Some(path) => read_file("input", path)?,
                None => word.to_owned(),
            },
        };
        match serde_json::from_str(&text) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(Error::invalid("input", "must be a JSON object")),
            Err(error) => Err(Error::invalid("input", format!("must be a JSON object ({error})"))),
        }
    }

    /// All of standard input, for a parameter that may read it.
    pub fn text(&self, name: &str) -> Result<String> {
        self.terminal.read_input(name)
    }

    fn ask(&self, name: &str) -> Result<String> {
        if !self.terminal.can_ask(self.globals) {
            let flag = name.replace(['_', '.'], "-");
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("{name}: nobody can be asked here; give --{flag} env:NAME, file:PATH or -"),
            ));
        }
        rpassword::prompt_password(format!("{name}: "))
            .map_err(|_| Error::invalid(name, "no secret was entered"))
    }
}

/// A source as written.
enum Source<'a> {
    Variable(&'a str),
    File(&'a str),
    Input,
    Prompt,
}

impl<'a> Source<'a> {
    fn parse(word: &'a str) -> Option<Self> {
        match word {
            "-" => Some(Self::Input),
            "prompt" => Some(Self::Prompt),
            word => match word.split_once(':') {
                Some(("env", name)) if !name.is_empty() => Some(Self::Variable(name)),
                Some(("file", path)) if !path.is_empty() => Some(Self::File(path)),
                _ => None,
            },
        }
    }
}

/// True when a word names a source and so is no secret itself.
pub(crate) fn is_source(word: &str) -> bool {
    Source::parse(word).is_some()
}

fn literal(name: &str) -> Error {
    Error::invalid(
        name,
        "a secret is not written on the command line, where other processes and the history see it; \
         give env:NAME, file:PATH, - or prompt",
    )
}

fn read_file(name: &str, path: &str) -> Result<String> {
    let refuse = |reason: &str| Error::invalid(name, format!("{path} {reason}"));
    let facts = std::fs::metadata(path).map_err(|_| refuse("cannot be read"))?;
    if facts.is_dir() || facts.len() > LONGEST {
        return Err(refuse("is no file of at most 16 MiB"));
    }
    std::fs::read_to_string(path).map_err(|_| refuse("cannot be read as text"))
}

/// Files of secrets end with a line feed that is not part of them.
fn first_line(mut text: String) -> String {
    let end = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(end);
    text
}
