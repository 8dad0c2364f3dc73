//! One call from the command line or the shell: ask, confirm, run, show.

use std::sync::Arc;

use futures::FutureExt;
use gabier_tool::schema::{Param, assemble};
use gabier_tool::{Effect, Error, ErrorKind, Result};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::backend::{Answer, Backend};
use crate::cli::Cli;
use crate::globals::Globals;
use crate::progress::Live;
use crate::prompt;
use crate::terminal::Terminal;

/// The exit code of a call that a person stopped.
const INTERRUPTED: u8 = 130;

impl Cli {
    /// Calls a tool and writes how it ended; gives the exit code. Missing parameters are asked for and destroying is
    /// confirmed on a terminal; elsewhere both are errors that name the flag. Ctrl-C cancels the call, twice leaves.
    pub async fn call(
        &self,
        terminal: &Arc<Terminal>,
        backend: &dyn Backend,
        (name, arguments): (&str, Map<String, Value>),
        globals: &Globals,
    ) -> u8 {
        self.call_and(terminal, backend, (name, arguments), globals, &|_| {}).await
    }

    /// The same, for who must know the answer too.
    pub(crate) async fn call_and(
        &self,
        terminal: &Arc<Terminal>,
        backend: &dyn Backend,
        (name, arguments): (&str, Map<String, Value>),
        globals: &Globals,
        told: &(dyn Fn(&Answer) + Sync),
    ) -> u8 {
        let Some(known) = self.known(name) else {
            // The backend knows best how to say which names are near.
            return self.run(terminal, backend, (name, arguments), &[], globals, told).await;
        };
        let ready = complete(terminal, &known.params, arguments, globals).and_then(|arguments| {
            confirm(terminal, &known.info.name, known.info.effect, &arguments, globals)?;
            Ok(arguments)
        });
        match ready {
            Ok(arguments) => {
                let call = (known.info.name.as_str(), arguments);
                self.run(terminal, backend, call, &known.params, globals, told).await
            }
            Err(error) => terminal.show_for(&Answer::failed(error, &*terminal.clock), globals, &known.params),
        }
    }

    async fn run(
        &self,
        terminal: &Arc<Terminal>,
        backend: &dyn Backend,
        (name, arguments): (&str, Map<String, Value>),
        params: &[Param],
        globals: &Globals,
        told: &(dyn Fn(&Answer) + Sync),
    ) -> u8 {
        let live = Arc::new(Live::new(Arc::clone(terminal), globals.clone()));
        let cancel = CancellationToken::new();
        let mut call = backend.call(name, arguments, Arc::clone(&live) as _, cancel.clone()).fuse();
        let answer = loop {
            tokio::select! {
                answer = &mut call => break answer,
                () = terminal.interrupted() => {
                    if cancel.is_cancelled() {
                        live.clear();
                        return INTERRUPTED;
                    }
                    cancel.cancel();
                    live.clear();
                    let what = live.task_id().map_or_else(|| "stopping".to_owned(), |id| format!("cancelling task {id}"));
                    terminal.say(&format!("{what}; press Ctrl-C again to leave at once"));
                }
            }
        };
        live.clear();
        told(&answer);
        let is_given_up = cancel.is_cancelled() && answer.is_error();
        let Answer { envelope, view, exit_code } = answer;
        let code = if let Some(view) = live.without_seen(view) {
            terminal.show_for(&Answer { envelope, view, exit_code }, globals, params)
        } else {
            terminal.say_message(&envelope, globals);
            exit_code
        };
        if is_given_up { INTERRUPTED } else { code }
    }
}

/// The arguments with what was missing, asked for.
fn complete(
    terminal: &Terminal,
    params: &[Param],
    arguments: Map<String, Value>,
    globals: &Globals,
) -> Result<Map<String, Value>> {
    let missing: Vec<Param> = params.iter().filter(|param| is_missing(param, &arguments)).cloned().collect();
    if missing.is_empty() {
        return Ok(arguments);
    }
    if !terminal.can_ask(globals) {
        return Err(missing_error(&missing));
    }
    let given = prompt::words(&missing)?;
    assemble(&missing, arguments, &|param| {
        given.iter().find(|(flag, _)| *flag == param.flag).map(|(_, words)| words.clone()).unwrap_or_default()
    })
}

/// True for a required parameter that is not there, in either spelling.
fn is_missing(param: &Param, arguments: &Map<String, Value>) -> bool {
    let Some((first, rest)) = param.path.split_first() else { return false };
    let names = || param.aliases.iter().map(String::as_str).chain([first.as_str()]);
    let is_spelling = |given: &str| {
        names().any(|name| {
            given == name || gabier_tool::schema::kebab(given) == gabier_tool::schema::kebab(name)
        })
    };
    let found = arguments.iter().find(|(given, _)| is_spelling(given)).map(|(_, value)| value);
    param.required
        && found.is_none_or(|value| rest.iter().try_fold(value, |value, name| value.get(name)).is_none())
}

fn missing_error(missing: &[Param]) -> Error {
    let errors: Vec<Value> = missing
        .iter()
        .map(|param| {
            json!({
                "pointer": format!("/{}", param.path.join("/")), "parameter": param.path.join("."),
                "flag": format!("--{}", param.flag), "message": "is required",
            })
        })
        .collect();
    let first = missing.first().map(|param| param.path.join(".")).unwrap_or_default();
    let more = if missing.len() > 1 { format!(" (and {} more)", missing.len() - 1) } else { String::new() };
    Error::new(ErrorKind::InvalidArgument, format!("{first}: is required{more}"))
        .with("errors", Value::Array(errors))
        .with_next("--help shows every parameter")
}

/// Lets a destroying call pass when it was confirmed.
fn confirm(
    terminal: &Terminal,
    name: &str,
    effect: Effect,
    arguments: &Map<String, Value>,
    globals: &Globals,
) -> Result<()> {
    let is_trial = arguments.get("dry_run").is_some_and(|value| value == true);
    if effect != Effect::Destroy || is_trial || globals.yes {
        return Ok(());
    }
    let text = format!("{name} removes or overwrites for good");
    if terminal.can_ask(globals) && prompt::confirm(&format!("{text}. Go on?"))? {
        return Ok(());
    }
    Err(Error::new(ErrorKind::ConfirmationRequired, format!("{text}; nothing was done"))
        .with_next("add --yes to confirm, or --dry-run to see what would be done"))
}
