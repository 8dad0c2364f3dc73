//! What a tool is: the struct of its arguments plus `run`.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::call::{Context, Running};
use crate::effect::{Effect, Mode, Permission, Profile, Retry};
use crate::envelope::Outcome;
use crate::error::{Error, ErrorKind, Result};
use crate::neutralise::Sanitised;
use crate::schema;
use crate::view::View;

/// A tool. `Self` is its input; the doc comments of the struct and its fields are the help text of every face.
pub trait Tool<S: Send + Sync + 'static>: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The name on the wire, `noun_verb`.
    const NAME: &'static str;
    /// The worst it can do.
    const EFFECT: Effect;
    /// When its answer comes.
    const MODE: Mode = Mode::Inline;
    /// The right it needs.
    const PERMISSION: Permission = Self::EFFECT.permission();
    /// The rights of which one is enough, where there is more than one.
    const NEEDS: &'static [Permission] = &[Self::PERMISSION];
    /// The smallest profile that lists it.
    const PROFILE: Profile = Profile::Full;
    /// Whether a failed attempt may be repeated.
    const RETRY: Retry = Retry::Never;
    /// What sort of task it makes, for statistics: `tool`, `ssh`, `ssh_interactive`, `ssh_sequence`, `sftp`.
    const KIND: &'static str = "tool";
    /// The longest a call may take.
    const LIMIT: Duration = Duration::from_secs(30);
    /// Older names, callable and hidden from lists.
    const ALIASES: &'static [&'static str] = &[];
    /// Words that `tool_search` finds it by besides its name and help text, English and French.
    const KEYWORDS: &'static str = "";
    /// A title for people; from the name when empty.
    const TITLE: &'static str = "";
    /// What is said when a task of it was queued, where the usual sentence does not do; `{id}` stands for the task.
    const QUEUED: &'static str = "";
    /// True when the result holds text from outside this machine.
    const OPEN_WORLD: bool = false;
    /// True when calling it twice with the same arguments changes no more than calling it once.
    const IDEMPOTENT: bool = Self::EFFECT.is_read();

    /// True when it ends by itself soon after [`Context::cancelled`] fires, having stopped what it began elsewhere;
    /// any other is dropped at once.
    const ENDS_ITSELF: bool = false;

    /// The result: an object.
    type Output: Serialize + JsonSchema + Send + 'static;

    /// The rights of which this call needs one, where an argument decides.
    fn needs(&self) -> &'static [Permission] {
        Self::NEEDS
    }

    /// The effect of this call, where an argument decides.
    fn effect(&self) -> Effect {
        Self::EFFECT
    }

    /// The call this one stands for, where a tool only reaches another (`tool_call`).
    fn forward(&self) -> Option<Forward> {
        None
    }

    /// Refuses early and seals secrets, before anything is logged or queued.
    fn prepare(&mut self, _ctx: &Context<S>) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }

    /// What `run` would do, without doing it; `None` = nothing more to say than the arguments do.
    fn plan(&self, _ctx: &Context<S>) -> impl Future<Output = Result<Option<Plan>>> + Send {
        ready(Ok(None))
    }

    /// Does the work.
    fn run(self, ctx: &Context<S>) -> impl Future<Output = Result<Self::Output>> + Send;

    /// How the output ended.
    fn outcome(_output: &Self::Output) -> Outcome {
        Outcome::default()
    }

    /// How the output looks; the generic view unless a tool knows better.
    fn view(_output: &Self::Output, data: &Value) -> View {
        View::of(data)
    }
}

/// What a changing call would do (`dry_run`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Plan {
    /// What would be done, one sentence a step.
    pub steps: Vec<String>,
    /// The targets it would touch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

/// The call another call stands for.
#[derive(Clone, Debug)]
pub struct Forward {
    /// The target's name.
    pub tool: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
}

/// What is known of a tool without running it.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The name on the wire.
    pub name: &'static str,
    /// A title for people, or empty.
    pub title: &'static str,
    /// Words that `tool_search` finds it by.
    pub keywords: &'static str,
    /// The worst it can do.
    pub effect: Effect,
    /// When its answer comes.
    pub mode: Mode,
    /// The rights of which one is enough.
    pub needs: &'static [Permission],
    /// The smallest profile that lists it.
    pub profile: Profile,
    /// Whether a failed attempt may be repeated.
    pub retry: Retry,
    /// What sort of task it makes.
    pub kind: &'static str,
    /// The longest a call may take.
    pub limit: Duration,
    /// Older names.
    pub aliases: &'static [&'static str],
    /// What is said when a task of it was queued, or empty.
    pub queued: &'static str,
    /// True when the result holds text from outside this machine.
    pub open_world: bool,
    /// True when twice is as once.
    pub idempotent: bool,
    /// True when it ends by itself once it is cancelled.
    pub ends_itself: bool,
}

/// Reads the checked arguments of a call.
type Begin<S> = fn(Arc<S>, Value, Arc<Running>) -> Result<Box<dyn Started>>;

/// A tool of a list: what is known of it, and how to begin a call.
pub struct ToolDef<S: 'static> {
    /// What is known of it.
    pub facts: Facts,
    pub(crate) input: fn() -> Value,
    pub(crate) output: fn() -> Value,
    pub(crate) begin: Begin<S>,
}

impl<S: Send + Sync + 'static> ToolDef<S> {
    /// The definition of a tool; const, so that a list of them is one.
    pub const fn of<T: Tool<S>>() -> Self {
        Self {
            facts: Facts {
                name: T::NAME,
                title: T::TITLE,
                keywords: T::KEYWORDS,
                effect: T::EFFECT,
                mode: T::MODE,
                needs: T::NEEDS,
                profile: T::PROFILE,
                retry: T::RETRY,
                kind: T::KIND,
                limit: T::LIMIT,
                aliases: T::ALIASES,
                queued: T::QUEUED,
                open_world: T::OPEN_WORLD,
                idempotent: T::IDEMPOTENT,
                ends_itself: T::ENDS_ITSELF,
            },
            input: schema::input::<T>,
            output: schema::output::<T::Output>,
            begin: begin::<S, T>,
        }
    }
}

/// A named list of tools over the same services.
pub struct Toolset<S: 'static> {
    /// The name: a folder of the source, a profile, a `toolset:` resource.
    pub name: &'static str,
    /// The tools, in the order of the list.
    pub tools: &'static [ToolDef<S>],
}

impl<S> Clone for Toolset<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Toolset<S> {}

/// What a finished call leaves.
pub struct Done {
    /// The output as JSON.
    pub data: Value,
    /// How it ended.
    pub outcome: Outcome,
    /// How it looks, when the face asked.
    pub view: View,
    /// What was made visible in the data before it came here.
    pub sanitised: Sanitised,
}

/// A call whose arguments were read, with its type erased.
pub trait Started: Send + Sync {
    /// The rights of which this call needs one.
    fn needs(&self) -> &'static [Permission];
    /// The effect of this call.
    fn effect(&self) -> Effect;
    /// The call this one stands for.
    fn forward(&self) -> Option<Forward>;
    /// Refuses early and seals secrets.
    fn prepare(&mut self) -> BoxFuture<'_, Result<()>>;
    /// What it would do.
    fn plan(&self) -> BoxFuture<'_, Result<Option<Plan>>>;
    /// Does the work.
    fn run(self: Box<Self>) -> BoxFuture<'static, Result<Done>>;
}

struct Instance<S, T> {
    tool: T,
    context: Context<S>,
    wants_view: bool,
}

fn begin<S: Send + Sync + 'static, T: Tool<S>>(
    services: Arc<S>,
    arguments: Value,
    running: Arc<Running>,
) -> Result<Box<dyn Started>> {
    let tool: T = serde_path_to_error::deserialize(arguments).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        if path == "." {
            return Error::new(ErrorKind::InvalidArgument, message);
        }
        Error::invalid(&path, message)
    })?;
    let wants_view = running.wants_view;
    Ok(Box::new(Instance { tool, context: Context::new(services, running), wants_view }))
}

impl<S: Send + Sync + 'static, T: Tool<S>> Started for Instance<S, T> {
    fn needs(&self) -> &'static [Permission] {
        self.tool.needs()
    }

    fn effect(&self) -> Effect {
        self.tool.effect()
    }

    fn forward(&self) -> Option<Forward> {
        self.tool.forward()
    }

    fn prepare(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.tool.prepare(&self.context))
    }

    fn plan(&self) -> BoxFuture<'_, Result<Option<Plan>>> {
        Box::pin(self.tool.plan(&self.context))
    }

    fn run(self: Box<Self>) -> BoxFuture<'static, Result<Done>> {
        Box::pin(async move {
            let output = self.tool.run(&self.context).await?;
            let data = serde_json::to_value(&output)
                .map_err(|error| Error::internal("writing the result as JSON").with_source(error))?;
            let view = if self.wants_view { T::view(&output, &data) } else { View::default() };
            Ok(Done { data, outcome: T::outcome(&output), view, sanitised: Sanitised::default() })
        })
    }
}
