//! The bound list of tools, in the order that every face shows.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::call::Running;
use crate::effect::{Effect, Mode, Permission, Profile};
use crate::error::{Error, ErrorKind, Result};
use crate::nearest::nearest;
use crate::schema::{self, Param, Validator};
use crate::tool::{Facts, Started, ToolDef, Toolset};

/// All tools of a server, each bound to its services. Faces depend on nothing but this and [`crate::Dispatch`].
#[derive(Default)]
pub struct Catalog {
    entries: Vec<Arc<Entry>>,
    by_name: HashMap<String, usize>,
    groups: Vec<(String, Vec<String>)>,
}

/// Reads the checked arguments of a call and joins them with the tool's services.
type Begin = dyn Fn(Value, Arc<Running>) -> Result<Box<dyn Started>> + Send + Sync;

/// One tool of the catalog.
pub struct Entry {
    /// What is known of it.
    pub facts: Facts,
    /// The toolset it belongs to.
    pub toolset: &'static str,
    input: fn() -> Value,
    output: fn() -> Value,
    schemas: OnceLock<Schemas>,
    params: OnceLock<Vec<Param>>,
    validator: OnceLock<Validator>,
    begin: Box<Begin>,
}

/// The schemas of a tool (JSON Schema 2020-12) and its help text.
pub struct Schemas {
    /// The first paragraph of the struct's doc comment.
    pub summary: String,
    /// All of the doc comment.
    pub description: String,
    /// What it takes: a closed object, common parameters included.
    pub input: Value,
    /// What it gives: an object.
    pub output: Value,
    /// JSON pointers (with `*` for list items) of output texts that are cut to the face's limit.
    pub texts: Vec<Vec<String>>,
    /// JSON pointers of output secrets that are shown this once, and so escape redaction.
    pub reveals: Vec<Vec<String>>,
}

/// A tool on the wire: what a remote command line needs to drive it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ToolInfo {
    /// The name.
    pub name: String,
    /// A title for people.
    pub title: String,
    /// The toolset.
    pub toolset: String,
    /// The first paragraph of the help text.
    pub summary: String,
    /// The help text.
    pub description: String,
    /// The worst it can do.
    pub effect: Effect,
    /// When its answer comes.
    pub mode: Mode,
    /// The rights of which one is enough.
    pub needs: Vec<Permission>,
    /// The smallest profile that lists it.
    pub profile: Profile,
    /// Older names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// What it takes.
    pub input: Value,
    /// What it gives.
    pub output: Value,
}

impl Catalog {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds the tools of a list to their services. A name that is there already is a bug of the list, and named by
    /// [`crate::lint`].
    pub fn bind<S: Send + Sync + 'static>(&mut self, toolset: Toolset<S>, services: &Arc<S>) {
        for def in toolset.tools {
            self.add(Entry::bound(toolset.name, def, Arc::clone(services)));
        }
    }

    fn add(&mut self, entry: Entry) {
        let index = self.entries.len();
        self.by_name.entry(entry.facts.name.to_owned()).or_insert(index);
        for alias in entry.facts.aliases {
            self.by_name.entry((*alias).to_owned()).or_insert(index);
        }
        self.entries.push(Arc::new(entry));
    }

    /// Names a profile that lists the tools of some toolsets, such as `it` = network, math, monitor. A name that is
    /// no toolset is taken as a tool's.
    pub fn group(&mut self, name: &str, toolsets: &[&str]) {
        self.groups.push((name.to_owned(), toolsets.iter().map(|&toolset| toolset.to_owned()).collect()));
    }

    /// All tools, in the order of the lists.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.iter()
    }

    /// How many tools there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The tool of that name or alias.
    pub fn get(&self, name: &str) -> Option<&Arc<Entry>> {
        self.by_name.get(name).map(|index| &self.entries[*index])
    }

    /// The tool of that name or alias, or `NOT_FOUND` with the nearest names.
    pub fn find(&self, name: &str) -> Result<&Arc<Entry>> {
        self.get(name).ok_or_else(|| {
            let near = nearest(name, self.entries.iter().map(|entry| entry.facts.name), 3);
            let error = Error::new(ErrorKind::NotFound, format!("there is no tool {name:?}"))
                .with("nearest", near.clone());
            match near.first() {
                Some(first) => error.with_next(format!("call {first}, or tool_search / help for the list")),
                None => error,
            }
        })
    }

    /// The names of all profiles: the built-in ones, then groups, then toolsets.
    pub fn profiles(&self) -> Vec<String> {
        let mut names: Vec<String> =
            ["core", "lean", "readonly", "all"].iter().map(|&name| name.to_owned()).collect();
        let toolsets = self.entries.iter().map(|entry| entry.toolset.to_owned());
        for name in self.groups.iter().map(|(name, _)| name.clone()).chain(toolsets) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The tools that a profile lists for a caller; `permits` is the same check that guards each call.
    pub fn listed<'a>(
        &'a self,
        profile: &'a str,
        permits: impl Fn(&Entry) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Arc<Entry>> {
        self.entries.iter().filter(move |entry| self.is_in(profile, entry) && permits(entry))
    }

    fn is_in(&self, profile: &str, entry: &Entry) -> bool {
        let mark = entry.facts.profile;
        match profile {
            "core" => matches!(mark, Profile::Core | Profile::Lean),
            "lean" => matches!(mark, Profile::Lean | Profile::LeanOnly),
            "all" => mark != Profile::LeanOnly,
            "readonly" => entry.facts.effect.is_read() && mark != Profile::LeanOnly,
            name => match self.groups.iter().find(|(group, _)| group == name) {
                Some((_, toolsets)) => {
                    toolsets.iter().any(|own| own == entry.toolset || own == entry.facts.name)
                }
                None => entry.toolset == name && mark != Profile::LeanOnly,
            },
        }
    }
}

impl Entry {
    fn bound<S: Send + Sync + 'static>(
        toolset: &'static str,
        def: &'static ToolDef<S>,
        services: Arc<S>,
    ) -> Self {
        let begin = def.begin;
        Self {
            facts: def.facts,
            toolset,
            input: def.input,
            output: def.output,
            schemas: OnceLock::new(),
            params: OnceLock::new(),
            validator: OnceLock::new(),
            begin: Box::new(move |arguments, running| begin(Arc::clone(&services), arguments, running)),
        }
    }

    /// The schemas, made once.
    pub fn schemas(&self) -> &Schemas {
        self.schemas.get_or_init(|| schema::schemas(&self.facts, (self.input)(), (self.output)()))
    }

    /// The flat parameters, made once from the input schema.
    pub fn params(&self) -> &[Param] {
        self.params.get_or_init(|| Param::of(&self.schemas().input))
    }

    /// A title for people.
    pub fn title(&self) -> String {
        if self.facts.title.is_empty() {
            schema::title_of(self.facts.name)
        } else {
            self.facts.title.to_owned()
        }
    }

    /// Folds older spellings, then checks against the schema; every fault names its parameter.
    pub fn check(&self, arguments: Map<String, Value>) -> Result<Value> {
        let validator = self.validator.get_or_init(|| Validator::new(&self.schemas().input));
        validator.check(arguments)
    }

    /// Cuts long texts of the tool's data to what a model should read, with a notice of what is missing.
    pub fn cut_texts(&self, data: &mut Value) {
        crate::shape::cut(data, &self.schemas().texts);
    }

    /// Reads checked arguments.
    pub(crate) fn begin(&self, arguments: Value, running: Arc<Running>) -> Result<Box<dyn Started>> {
        (self.begin)(arguments, running)
    }

    /// The tool on the wire.
    pub fn info(&self) -> ToolInfo {
        let schemas = self.schemas();
        ToolInfo {
            name: self.facts.name.to_owned(),
            title: self.title(),
            toolset: self.toolset.to_owned(),
            summary: schemas.summary.clone(),
            description: schemas.description.clone(),
            effect: self.facts.effect,
            mode: self.facts.mode,
            needs: self.facts.needs.to_vec(),
            profile: self.facts.profile,
            aliases: self.facts.aliases.iter().map(|&alias| alias.to_owned()).collect(),
            input: schemas.input.clone(),
            output: schemas.output.clone(),
        }
    }
}
