//! The flags of every command.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueEnum, ValueHint, value_parser};

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Tables and panels for people.
    #[default]
    Table,
    /// The envelope.
    Json,
    /// One JSON line a row.
    Ndjson,
    /// Markdown.
    Markdown,
    /// HTML.
    Html,
    /// The envelope with its view, for another face to render.
    View,
}

impl Format {
    /// True where programs read the output, and the failure envelope goes to stdout.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Ndjson | Self::View)
    }
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Table, Self::Json, Self::Ndjson, Self::Markdown, Self::Html, Self::View]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Table => ("table", "Tables and panels for people"),
            Self::Json => ("json", "The envelope"),
            Self::Ndjson => ("ndjson", "One JSON line a row"),
            Self::Markdown => ("markdown", "Markdown"),
            Self::Html => ("html", "HTML"),
            Self::View => ("view", "The envelope with its view"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal that can.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ValueEnum for Color {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::Always, Self::Never]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }))
    }
}

/// The flags of every command, as given.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub struct Globals {
    /// `--url`: the server to call instead of this machine.
    pub url: Option<String>,
    /// `--token`: the source of the token, or the token itself.
    pub token: Option<String>,
    /// `--output` or `--json`.
    pub format: Format,
    /// `--yes`: confirms what destroys.
    pub yes: bool,
    /// `--no-input`: a needed question is an error.
    pub no_input: bool,
    /// `--quiet`: errors alone on stderr.
    pub quiet: bool,
    /// How many `-v`.
    pub verbose: u8,
    /// `--color`.
    pub color: Color,
    /// `--width`.
    pub width: Option<u16>,
    /// `--no-pager`.
    pub no_pager: bool,
    /// `--input`: arguments as JSON, `@file` or `-`.
    pub input: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--env-file`.
    pub env_file: Option<PathBuf>,
}

impl Globals {
    /// Reads the flags of every command before the commands are known: what decides between this machine and a
    /// remote server must be read before the tools of either are listed. Everything else is passed over.
    pub fn scan(argv: &[OsString]) -> Self {
        let known = args();
        let own = own_words(argv, &known);
        let command = Command::new("scan").no_binary_name(true).disable_help_flag(true).args(known);
        command.try_get_matches_from(own).map(|matches| Self::of(&matches)).unwrap_or_default()
    }

    /// The flags in what was parsed.
    pub fn of(matches: &ArgMatches) -> Self {
        let text = |id: &str| matches.get_one::<String>(id).cloned();
        let path = |id: &str| matches.get_one::<PathBuf>(id).cloned();
        let format = matches.get_one::<Format>("@output").copied();
        Self {
            url: text("@url"),
            token: text("@token"),
            format: format.unwrap_or(if matches.get_flag("@json") { Format::Json } else { Format::Table }),
            yes: matches.get_flag("@yes"),
            no_input: matches.get_flag("@no-input"),
            quiet: matches.get_flag("@quiet"),
            verbose: matches.get_count("@verbose"),
            color: matches.get_one::<Color>("@color").copied().unwrap_or_default(),
            width: matches.get_one::<u16>("@width").copied(),
            no_pager: matches.get_flag("@no-pager"),
            input: text("@input"),
            data_dir: path("@data-dir"),
            config: path("@config"),
            env_file: path("@env-file"),
        }
    }
}

/// The flags as clap knows them; the `@` keeps their ids apart from every parameter's.
pub(crate) fn args() -> Vec<Arg> {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(format!("@{name}")).long(name).value_name(value).help(help)
    };
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(format!("@{name}")).long(name).help(help).action(ArgAction::SetTrue)
    };
    let path = |arg: Arg| arg.value_parser(value_parser!(PathBuf)).value_hint(ValueHint::AnyPath);
    let args = vec![
        switch("json", "Write the envelope as JSON").short('j'),
        option("output", "FORMAT", "How to write the result").short('o').value_parser(value_parser!(Format)),
        option("input", "JSON", "All arguments as JSON, @FILE, or - for standard input; flags win over it"),
        switch("yes", "Confirm what removes or overwrites for good"),
        option("url", "URL", "Call the server at this address instead of this machine").short('u'),
        option("token", "SOURCE", "Token for the server: env:NAME, file:PATH, - or prompt").short('t'),
        switch("quiet", "Write errors alone to stderr"),
        Arg::new("@verbose")
            .short('v')
            .long("verbose")
            .help("Say more; twice for everything")
            .action(ArgAction::Count),
        switch("no-input", "Fail instead of asking"),
        option("color", "WHEN", "When to colour").value_parser(value_parser!(Color)),
        option("width", "COLUMNS", "Width of tables").value_parser(value_parser!(u16).range(20..)),
        switch("no-pager", "Never page long results"),
        path(option("data-dir", "PATH", "Where this installation keeps its state")),
        path(option("config", "PATH", "Configuration file")),
        path(option("env-file", "PATH", "File of variables")),
    ];
    let everyday = ["@json", "@output", "@input", "@yes", "@url"];
    args.into_iter()
        .map(|arg| {
            let is_rare = !everyday.contains(&arg.get_id().as_str());
            arg.global(true).hide_short_help(is_rare).help_heading("Options of every command")
        })
        .collect()
}

/// The words that belong to the flags of every command, up to `--`.
fn own_words(argv: &[OsString], known: &[Arg]) -> Vec<OsString> {
    let mut own = Vec::new();
    let mut words = argv.iter().skip(1);
    while let Some(word) = words.next() {
        let Some(text) = word.to_str() else { continue };
        if text == "--" {
            break;
        }
        let Some((arg, has_value)) = owner(text, known) else { continue };
        own.push(word.clone());
        if arg.get_action().takes_values() && !has_value {
            own.extend(words.next().cloned());
        }
    }
    own
}

/// The flag a word is, and whether the word holds its value too.
fn owner<'a>(word: &str, known: &'a [Arg]) -> Option<(&'a Arg, bool)> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, has_value) = long.split_once('=').map_or((long, false), |(name, _)| (name, true));
        return known.iter().find(|arg| arg.get_long() == Some(name)).map(|arg| (arg, has_value));
    }
    let mut letters = word.strip_prefix('-')?.chars();
    let mut found = None;
    while let Some(letter) = letters.next() {
        let arg = known.iter().find(|arg| arg.get_short() == Some(letter))?;
        if arg.get_action().takes_values() {
            return Some((arg, !letters.as_str().is_empty()));
        }
        found = Some((arg, false));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(line: &str) -> Globals {
        let argv: Vec<OsString> = std::iter::once("x").chain(line.split(' ')).map(Into::into).collect();
        Globals::scan(&argv)
    }

    #[test]
    fn the_server_is_known_before_the_tools_are() {
        let globals = scan("ping host a --count 3 -u http://h:1 --token=env:T -vj --unknown x");
        assert_eq!(globals.url.as_deref(), Some("http://h:1"));
        assert_eq!(globals.token.as_deref(), Some("env:T"));
        assert_eq!((globals.verbose, globals.format), (1, Format::Json));
    }

    #[test]
    fn words_after_two_dashes_are_not_flags() {
        assert_eq!(scan("calculator -- --url x -j"), Globals::default());
    }

    #[test]
    fn a_bad_value_is_left_for_the_real_parser_to_name() {
        assert_eq!(scan("-o nonsense --yes"), Globals::default());
        assert_eq!(scan("-ndjson"), Globals::default());
    }
}
