//! Completion in bash, zsh, fish and the shell of our own, from the same tree of commands.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use clap::Command;
use clap_complete::engine::{CompletionCandidate, ValueCompleter};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};
use gabier_tool::{Error, ErrorKind, Result};

/// The variable through which a shell asks for candidates.
pub const VARIABLE: &str = "COMPLETE";

/// Lists what may stand for a kind of parameter: names with their help texts.
type List = dyn Fn() -> Vec<(String, String)> + Send + Sync;

/// Live values by kind, such as `host`. Paths complete without one.
#[derive(Clone, Default)]
pub struct Completers(HashMap<String, Arc<List>>);

impl Completers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the values of a kind; asked anew for each completion.
    #[must_use]
    pub fn with(
        mut self,
        kind: &str,
        list: impl Fn() -> Vec<(String, String)> + Send + Sync + 'static,
    ) -> Self {
        self.0.insert(kind.to_owned(), Arc::new(list));
        self
    }

    pub(crate) fn of(&self, kind: &str) -> Option<Live> {
        self.0.get(kind).cloned().map(Live)
    }
}

/// The live values of one kind.
pub(crate) struct Live(Arc<List>);

impl ValueCompleter for Live {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let start = current.to_string_lossy();
        let values = (self.0)().into_iter().filter(|(value, _)| value.starts_with(&*start));
        values
            .map(|(value, help)| {
                CompletionCandidate::new(value)
                    .help(Some(help).filter(|help| !help.is_empty()).map(Into::into))
            })
            .collect()
    }
}

/// The script that a shell reads once, so that it asks this program from then on.
pub fn completions(shell: &str, name: &str, program: &str) -> Result<String> {
    let mut script = Vec::new();
    of_name(shell)?
        .write_registration(VARIABLE, name, name, program, &mut script)
        .map_err(|error| Error::internal("writing a completion script").with_source(error))?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// Answers a shell that asks: `asked` is the variable [`VARIABLE`], `argv` all words of the process. `None` when no
/// shell asks.
pub fn candidates(
    asked: Option<&str>,
    mut tree: Command,
    argv: &[OsString],
    folder: Option<&Path>,
) -> Result<Option<String>> {
    let Some(shell) = asked.filter(|shell| !shell.is_empty() && *shell != "0") else { return Ok(None) };
    let shell = of_name(shell)?;
    let words: Vec<OsString> = argv.iter().skip_while(|word| *word != "--").skip(1).cloned().collect();
    let mut answer = Vec::new();
    tree.build();
    shell
        .write_complete(&mut tree, words, folder, &mut answer)
        .map_err(|error| Error::internal("completing a command line").with_source(error))?;
    Ok(Some(String::from_utf8_lossy(&answer).into_owned()))
}

fn of_name(shell: &str) -> Result<&'static dyn EnvCompleter> {
    let name = Path::new(shell).file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let known: [&'static dyn EnvCompleter; 3] = [&Bash, &Zsh, &Fish];
    known
        .into_iter()
        .find(|known| known.is(name))
        .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "the shell must be bash, zsh or fish"))
}
