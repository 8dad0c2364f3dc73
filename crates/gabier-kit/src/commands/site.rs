//! Where a command runs: its app, its words, its settings; and what it leaves.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches};
use gabier_term::{About, Answer, Backend, Environment, Globals, Local, Remote, Server, Sources, Terminal};
use gabier_tool::schema::{Kind, Param};
use gabier_tool::{Clock, Error, ErrorKind, Result, Secret, Surface, View};
use gabier_web::Metrics;
use serde_json::Value;

use crate::app::App;
use crate::clock::SystemClock;
use crate::config::{Config, Flag, Loaded, Loader, read};
use crate::wiring::{Wired, wire};

/// Where a command runs.
pub(crate) struct Site<'a> {
    pub(crate) app: &'a App,
    pub(crate) argv: Vec<OsString>,
    pub(crate) globals: Globals,
    pub(crate) terminal: Arc<Terminal>,
    clock: Arc<dyn Clock>,
    loader: Loader,
    loaded: Result<Loaded, String>,
}

impl<'a> Site<'a> {
    /// The command line and the environment of this process.
    pub(crate) fn of_process(app: &'a App) -> Self {
        let argv: Vec<OsString> = std::env::args_os().collect();
        let globals = Globals::scan(&argv);
        let loader = Loader {
            name: app.name.to_owned(),
            sections: app.sections.clone(),
            variables: app.variables.clone(),
            config: globals.config.clone(),
            env_file: globals.env_file.clone(),
            flags: global_flags(&globals),
            ..Loader::default()
        }
        .with_environment();
        let loaded = loader.load().map_err(|error| error.message().to_owned());
        let variables = loader.environment.clone();
        let environment = Environment::new(move |name| {
            variables.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
        });
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let terminal = Arc::new(Terminal::of_process(environment, Arc::clone(&clock)));
        Self { app, argv, globals, terminal, clock, loader, loaded }
    }

    /// What the program says of itself.
    pub(crate) fn about(&self) -> About {
        About {
            name: self.app.name.to_owned(),
            version: self.app.version.to_owned(),
            summary: self.app.about.to_owned(),
        }
    }

    /// The settings, or every bad field.
    pub(crate) fn loaded(&self) -> Result<&Loaded> {
        self.loaded.as_ref().map_err(|message| self.unusable(message.clone()))
    }

    /// The settings with those that the flags of a command set.
    pub(crate) fn loaded_with(&self, section: &str, matches: &ArgMatches) -> Result<Loaded> {
        let mut flags = self.loader.flags.clone();
        flags.extend(flags_of(section, matches)?);
        self.loader.with_flags(flags).load().map_err(|error| self.unusable(error.message().to_owned()))
    }

    /// The settings with one more, which a flag of a command sets.
    pub(crate) fn loaded_with_secret(&self, key: &str, value: String) -> Result<Loaded> {
        let name = key.rsplit('.').next().unwrap_or(key).to_owned();
        let mut flags = self.loader.flags.clone();
        flags.push(Flag { key: key.to_owned(), name, value: value.into() });
        self.loader.with_flags(flags).load().map_err(|error| self.unusable(error.message().to_owned()))
    }

    /// A configuration that nothing can run with: exit 1, not the 2 of a bad command line.
    pub(crate) fn unusable(&self, message: String) -> Error {
        Error::new(ErrorKind::NotAvailable, message).with_next(format!("{} config check", self.app.name))
    }

    /// Everything but the faces, under settings.
    pub(crate) fn wire(&self, loaded: &Loaded, role: &str, metrics: Option<&Arc<Metrics>>) -> Result<Wired> {
        wire(self.app, loaded, role, metrics).map_err(|error| self.configured(error))
    }

    /// A failure of what the settings say: a bad value is a bad configuration here.
    pub(crate) fn configured(&self, error: Error) -> Error {
        match (error.kind(), error.next()) {
            (ErrorKind::InvalidArgument, Some(next)) => {
                self.unusable(error.message().to_owned()).with_next(next)
            }
            (ErrorKind::InvalidArgument, None) => self.unusable(error.message().to_owned()),
            _ => error,
        }
    }

    /// The same site with the settings read again.
    pub(crate) fn reloaded(&self) -> Self {
        Self::of_process(self.app)
    }

    /// The clock of this process.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// What the settings are made of.
    pub(crate) fn loader(&self) -> &Loader {
        &self.loader
    }

    /// The file that `config edit` opens.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.globals
            .config
            .clone()
            .or_else(|| self.loader.user_file())
            .unwrap_or_else(|| PathBuf::from("config.toml"))
    }

    /// A variable of the environment.
    pub(crate) fn environment(&self, name: &str) -> Option<&str> {
        self.loader.variable(name)
    }

    /// Where the tool calls of a surface go: a server when one is named, else this process.
    pub(crate) async fn backend(&self, surface: Surface) -> Result<Arc<dyn Backend>> {
        let loaded = self.loaded()?;
        let config = loaded.config()?;
        let url = self.url(&config);
        if url.is_empty() {
            let wired = self.wire(loaded, "cli", None)?;
            let caller = wired.identify(surface).await?;
            return Ok(Arc::new(Local::new(wired.dispatch, caller, surface)));
        }
        let server = Server { url, token: self.token(&config)?, cache: self.cache() };
        Ok(Arc::new(Remote::new(server, Arc::clone(&self.clock))?))
    }

    /// True when a server is named.
    pub(crate) fn is_remote(&self) -> Result<bool> {
        Ok(!self.url(&self.loaded()?.config()?).is_empty())
    }

    fn url(&self, config: &Config) -> String {
        self.globals.url.clone().unwrap_or_else(|| config.client.url.clone())
    }

    fn token(&self, config: &Config) -> Result<Option<Secret>> {
        match &self.globals.token {
            Some(source) => {
                Sources::new(&self.terminal, &self.globals).token(source).map(|token| Some(token.into()))
            }
            None => Ok(config.client.token.clone()),
        }
    }

    /// Where a remote server's list of tools is kept.
    fn cache(&self) -> Option<PathBuf> {
        use etcetera::base_strategy::BaseStrategy as _;
        Some(Loader::folders()?.cache_dir().join(self.app.name))
    }

    /// Where the shell's history is kept.
    pub(crate) fn state(&self) -> Option<PathBuf> {
        use etcetera::base_strategy::BaseStrategy as _;
        Some(Loader::folders()?.state_dir()?.join(self.app.name))
    }
}

/// The flags of `serve` for the settings of a section.
pub(crate) fn setting_flags(section: &str) -> Vec<Arg> {
    params(section).iter().map(flag_of).collect()
}

fn params(section: &str) -> Vec<Param> {
    let schema = gabier_tool::schema::input::<Config>();
    Param::of(&schema).into_iter().filter(|param| param.path.len() == 2 && param.path[0] == section).collect()
}

fn flag_of(param: &Param) -> Arg {
    let name = param.path[1].replace('_', "-");
    let arg = Arg::new(name.clone()).long(name).help(param.help.clone());
    match &param.kind {
        Kind::Bool => arg.num_args(0..=1).default_missing_value("true").value_name("BOOL"),
        Kind::List(_) => arg.action(ArgAction::Append).value_delimiter(',').value_name("LIST"),
        Kind::Enum(words) => arg
            .value_name("WORD")
            .value_parser(words.iter().map(|(word, _)| word.clone()).collect::<Vec<_>>()),
        _ => arg.value_name(param.path[1].to_uppercase()),
    }
}

/// The settings that the flags of a command set.
fn flags_of(section: &str, matches: &ArgMatches) -> Result<Vec<Flag>> {
    let mut flags = Vec::new();
    for param in params(section) {
        let name = param.path[1].replace('_', "-");
        let Some(words) = matches.get_many::<String>(&name) else { continue };
        let words: Vec<String> = words.cloned().collect();
        if let Some(value) = read(&param, &words)? {
            flags.push(Flag { key: param.path.join("."), name, value });
        }
    }
    Ok(flags)
}

/// The settings that the flags of every command set.
fn global_flags(globals: &Globals) -> Vec<Flag> {
    let data_dir = globals.data_dir.as_ref().map(|dir| Flag {
        key: "data_dir".to_owned(),
        name: "data-dir".to_owned(),
        value: dir.to_string_lossy().into_owned().into(),
    });
    let level = match globals.verbose {
        0 => None,
        1 => Some("info"),
        _ => Some("debug"),
    };
    let level = level.map(|level| Flag {
        key: "log.level".to_owned(),
        name: "verbose".to_owned(),
        value: level.into(),
    });
    data_dir.into_iter().chain(level).collect()
}

/// What a command leaves.
pub(crate) enum Report {
    /// Nothing to show.
    Done,
    /// Text as it stands.
    Text(String),
    /// A result, shown like a tool's.
    Answer(Box<Answer>),
}

impl Report {
    pub(crate) fn done() -> Self {
        Self::Done
    }

    pub(crate) fn text(text: String) -> Self {
        Self::Text(text)
    }

    pub(crate) fn data(data: Value) -> Self {
        let view = View::of(&data);
        Self::shown(data, view)
    }

    pub(crate) fn shown(data: Value, view: View) -> Self {
        Self::Answer(Box::new(Answer::of(data, view)))
    }

    pub(crate) fn with_exit(mut self, code: u8) -> Self {
        if let Self::Answer(answer) = &mut self {
            answer.exit_code = code;
        }
        self
    }
}
