//! What a server is made of, besides the kit.

use std::sync::Arc;

use futures::future::BoxFuture;
use gabier_access::secret::Vault;
use gabier_egress::Egress;
use gabier_mcp::McpExtras;
use gabier_store::Records;
use gabier_store::queue::Queue;
use gabier_term::{Completers, Globals, Terminal};
use gabier_tool::{Caller, Catalog, Clock, Error, ErrorKind, Health, Result, Toolset};
use gabier_web::ShortRoute;
use http::Method;
use inquire::Confirm;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::{Loaded, Variable};
use crate::doctor::Check;
use crate::store::LazyStore;

/// A server of one's own: a name, lists of tools, and what belongs to them. [`App::run`] gives it every face.
///
/// ```no_run
/// # use gabier_kit::App;
/// # use gabier_tool::Toolset;
/// # const TOOLS: Toolset<()> = Toolset { name: "hello", tools: &[] };
/// fn main() -> std::process::ExitCode {
///     App::new("hello", env!("CARGO_PKG_VERSION")).tools(&[TOOLS], |_| Ok(())).run()
/// }
/// ```
pub struct App {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) about: &'static str,
    pub(crate) instructions: &'static str,
    pub(crate) licenses: &'static str,
    pub(crate) binders: Vec<Box<Binder>>,
    pub(crate) sections: Vec<Value>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) groups: Vec<(&'static str, &'static [&'static str])>,
    pub(crate) short_routes: Vec<ShortRoute>,
    pub(crate) checks: Vec<Box<dyn Check>>,
    pub(crate) commands: Vec<Box<dyn OwnCommand>>,
    pub(crate) parts: Vec<Arc<dyn Health>>,
    pub(crate) diagnoses: Vec<(&'static str, &'static str)>,
    pub(crate) completers: Completers,
    pub(crate) selects: Option<&'static str>,
    pub(crate) extras: Option<Arc<dyn McpExtras>>,
}

/// Opens services and binds tools to them.
type Binder = dyn Fn(&Setup<'_>, &mut Catalog) -> Result<()> + Send + Sync;

/// A command of an app that is no tool.
pub trait OwnCommand: Send + Sync + 'static {
    /// The command as clap knows it.
    fn command(&self) -> clap::Command;

    /// Does what it says; the result is shown like a tool's.
    fn run<'a>(&'a self, setup: &'a Setup<'a>, matches: &'a clap::ArgMatches)
    -> BoxFuture<'a, Result<Value>>;

    /// The exit code that goes with a result: 3 for what was done in part.
    fn exit_code(&self, _: &Value) -> u8 {
        0
    }
}

/// What services are made of.
pub struct Setup<'a> {
    /// The settings.
    pub loaded: &'a Loaded,
    /// The only way out over HTTP.
    pub egress: &'a Arc<Egress>,
    /// The data directory; tools must not hand out what is in it.
    pub data_dir: &'a std::path::Path,
    /// The store's records; opened by the call that needs one.
    pub records: &'a Arc<dyn Records>,
    /// Where time comes from.
    pub clock: &'a Arc<dyn Clock>,
    /// The secrets of the installation; opened by the call that needs one.
    pub vault: &'a Arc<Vault>,
    /// The operating system's user who started this process.
    pub user: &'a Caller,
    pub(crate) store: &'a Arc<LazyStore>,
    pub(crate) person: Option<Person<'a>>,
}

/// Who is at the terminal of a command.
#[derive(Clone, Copy)]
pub(crate) struct Person<'a> {
    pub(crate) terminal: &'a Terminal,
    pub(crate) globals: &'a Globals,
}

impl Setup<'_> {
    /// The app's own settings.
    pub fn settings<T: DeserializeOwned + JsonSchema>(&self) -> Result<T> {
        self.loaded.section()
    }

    /// The store's tasks; opens it.
    pub fn queue(&self) -> Result<Arc<dyn Queue>> {
        self.store.store().map(|store| store.queue).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "opening the store of tasks").with_source(error)
        })
    }

    /// Shows a person what is about to be done, and returns once that was agreed to: by `--yes`, or by an answer.
    ///
    /// Fails with `CONFIRMATION_REQUIRED` where it was not, and where nobody can be asked.
    pub fn agree(&self, what: &str, question: &str) -> Result<()> {
        let Some(Person { terminal, globals }) = self.person else {
            return Err(unasked(question));
        };
        if globals.yes {
            return Ok(());
        }
        if terminal.can_ask(globals) {
            terminal.say(what);
            if Confirm::new(question).with_default(false).prompt().unwrap_or(false) {
                return Ok(());
            }
        }
        Err(unasked(question))
    }
}

fn unasked(question: &str) -> Error {
    Error::new(ErrorKind::ConfirmationRequired, format!("{question} Nobody agreed, and nothing was done"))
        .with_next("add --yes to agree, or --dry-run to see what would be done")
}

impl App {
    /// An app of that name and version; the name is its folders', its variables' and its clients'.
    pub fn new(name: &'static str, version: &'static str) -> Self {
        Self {
            name,
            version,
            about: "A server over one list of tools.",
            instructions: "",
            licenses: "",
            binders: Vec::new(),
            sections: Vec::new(),
            variables: Vec::new(),
            groups: Vec::new(),
            short_routes: Vec::new(),
            checks: Vec::new(),
            commands: Vec::new(),
            parts: Vec::new(),
            diagnoses: Vec::new(),
            completers: Completers::new(),
            selects: None,
            extras: None,
        }
    }

    /// One sentence about the program.
    #[must_use]
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// What MCP clients tell their model about the server, at most 2,000 characters.
    #[must_use]
    pub fn instructions(mut self, instructions: &'static str) -> Self {
        self.instructions = instructions;
        self
    }

    /// What `version --licenses` prints.
    #[must_use]
    pub fn licenses(mut self, licenses: &'static str) -> Self {
        self.licenses = licenses;
        self
    }

    /// Adds toolsets over services that `open` makes. Opening must be cheap: what costs is opened by the call that
    /// needs it.
    #[must_use]
    pub fn tools<S: Send + Sync + 'static>(
        mut self,
        toolsets: &'static [Toolset<S>],
        open: impl Fn(&Setup<'_>) -> Result<S> + Send + Sync + 'static,
    ) -> Self {
        self.binders.push(Box::new(move |setup, catalog| {
            let services = Arc::new(open(setup)?);
            for toolset in toolsets {
                catalog.bind(*toolset, &services);
            }
            Ok(())
        }));
        self
    }

    /// Adds sections to the configuration: the fields of a closed struct.
    #[must_use]
    pub fn settings<T: DeserializeOwned + Serialize + JsonSchema>(mut self) -> Self {
        self.sections.push(gabier_tool::schema::input::<T>());
        self
    }

    /// Adds variables of the environment that set the app's keys under other names.
    #[must_use]
    pub fn variables(mut self, variables: &[Variable]) -> Self {
        self.variables.extend_from_slice(variables);
        self
    }

    /// Names a profile: the tools of some toolsets, or single tools.
    #[must_use]
    pub fn profile(mut self, name: &'static str, members: &'static [&'static str]) -> Self {
        self.groups.push((name, members));
        self
    }

    /// Adds a short HTTP route to a tool.
    #[must_use]
    pub fn short_route(mut self, method: Method, path: &str, tool: &str) -> Self {
        self.short_routes.push(ShortRoute { method, path: path.to_owned(), tool: tool.to_owned() });
        self
    }

    /// Adds a check to `doctor`.
    #[must_use]
    pub fn check(mut self, check: impl Check) -> Self {
        self.checks.push(Box::new(check));
        self
    }

    /// Adds a command that is no tool.
    #[must_use]
    pub fn command(mut self, command: impl OwnCommand) -> Self {
        self.commands.push(Box::new(command));
        self
    }

    /// Adds parts whose state `/ready` and `system_health` show; a part that opens lazily is opened by being asked.
    #[must_use]
    pub fn part(mut self, part: impl Health) -> Self {
        self.parts.push(Arc::new(part));
        self
    }

    /// Adds a part to `system_diagnostics`: the answer of a tool that needs no arguments, with the caller's own rights.
    #[must_use]
    pub fn diagnosis(mut self, part: &'static str, tool: &'static str) -> Self {
        self.diagnoses.push((part, tool));
        self
    }

    /// Adds the live values of a kind of parameter (`x-complete`), each with its help text.
    #[must_use]
    pub fn completer(
        mut self,
        kind: &str,
        list: impl Fn() -> Vec<(String, String)> + Send + Sync + 'static,
    ) -> Self {
        self.completers = self.completers.with(kind, list);
        self
    }

    /// Names the kind of parameter that `use` chooses in the shell.
    #[must_use]
    pub fn selects(mut self, kind: &'static str) -> Self {
        self.selects = Some(kind);
        self
    }

    /// Adds what MCP has and a tool has not.
    #[must_use]
    pub fn mcp_extras(mut self, extras: Arc<dyn McpExtras>) -> Self {
        self.extras = Some(extras);
        self
    }

    /// Reads the command line of this process and does what it says.
    pub fn run(self) -> std::process::ExitCode {
        crate::commands::run(&self)
    }
}
