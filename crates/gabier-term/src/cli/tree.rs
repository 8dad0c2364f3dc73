//! The tree of commands that clap parses, explains and completes.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use gabier_tool::Effect;
use gabier_tool::schema::{Kind, Param};

use crate::cli::{Cli, Known, example};
use crate::globals;

/// What a tree is for. Only help shows parameters as required: what is missing after parsing is asked for, or named
/// in one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Parse,
    Help,
    Complete,
}

/// The id of the word that may stand without its flag.
pub(crate) fn positional_id(param: &Param) -> String {
    format!("{}^", param.flag)
}

impl Cli {
    pub(crate) fn tree_for(&self, purpose: Purpose) -> Command {
        let mut root = Command::new(self.about.name.clone())
            .bin_name(self.about.name.clone())
            .version(self.about.version.clone())
            .about(self.about.summary.clone())
            .args(globals::args())
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommands(
                self.commands.iter().cloned().enumerate().map(|(at, command)| command.display_order(at)),
            );
        if !self.has_command("call") {
            root = root.subcommand(self.call_command().display_order(900));
        }
        if !self.has_command("shell") && !self.is_shell {
            let shell = Command::new("shell").about("Start the interactive shell");
            root = root.subcommand(shell.display_order(901));
        }
        for known in &self.tools {
            root = self.add_tool(root, known, purpose);
        }
        for known in &self.tools {
            root = self.add_flat(root, known, purpose);
        }
        let has_help = root.find_subcommand("help").is_some();
        // The shell has a `help` of its own.
        root.disable_help_subcommand(has_help || self.is_shell)
    }

    /// Adds `GROUP VERB`, or the bare word of a one-word name.
    fn add_tool(&self, root: Command, known: &Known, purpose: Purpose) -> Command {
        let Some((group, verb)) = known.flat.split_once('-') else {
            if self.has_command(&known.flat) {
                return root;
            }
            let name = self.about.name.as_str();
            let own = self.tool(Command::new(known.flat.clone()), known, name, purpose);
            return match root.find_subcommand(&known.flat) {
                Some(_) => root.mut_subcommand(&known.flat, |group| {
                    let group = group.subcommand_required(false).arg_required_else_help(false);
                    self.tool(group.subcommand_precedence_over_arg(true), known, name, purpose)
                }),
                None => root.subcommand(own.display_order(500)),
            };
        };
        let path = format!("{} {group}", self.about.name);
        let verb = self.tool(Command::new(verb.to_owned()), known, &path, purpose);
        match root.find_subcommand(group) {
            Some(found) if found.find_subcommand(verb.get_name()).is_some() => root,
            Some(_) => root.mut_subcommand(group, |group| group.subcommand(verb)),
            None => root.subcommand(self.group(group).subcommand(verb)),
        }
    }

    fn group(&self, name: &str) -> Command {
        let prefix = format!("{name}-");
        let verbs: Vec<&str> =
            self.tools.iter().filter_map(|known| known.flat.strip_prefix(&prefix)).collect();
        Command::new(name.to_owned())
            .about(format!("Tools: {}", verbs.join(", ")))
            .subcommand_required(true)
            .arg_required_else_help(true)
            .display_order(500)
    }

    /// Adds the hidden one-word spellings: `ping-host`, `ping_host`, older names.
    fn add_flat(&self, root: Command, known: &Known, purpose: Purpose) -> Command {
        let name = &known.info.name;
        let mut spellings: Vec<String> = vec![name.clone()];
        for alias in &known.info.aliases {
            spellings.push(alias.clone());
            spellings.push(gabier_tool::schema::kebab(alias));
        }
        spellings.retain(|spelling| {
            *spelling != known.flat && !spelling.starts_with('-') && root.find_subcommand(spelling).is_none()
        });
        spellings.sort();
        spellings.dedup();
        if root.find_subcommand(&known.flat).is_some() {
            let is_own = !known.flat.contains('-') && !self.has_command(&known.flat);
            return if is_own {
                root.mut_subcommand(&known.flat, |own| own.aliases(spellings))
            } else {
                root
            };
        }
        let command = self.tool(Command::new(known.flat.clone()), known, &self.about.name, purpose);
        root.subcommand(command.aliases(spellings).hide(true))
    }

    fn call_command(&self) -> Command {
        let names: Vec<(String, String)> =
            self.tools.iter().map(|known| (known.info.name.clone(), known.info.summary.clone())).collect();
        let candidates = move || {
            names
                .iter()
                .map(|(name, help)| CompletionCandidate::new(name).help(Some(help.clone().into())))
                .collect()
        };
        Command::new("call").about("Call any tool by its name, with the arguments of --input").arg(
            Arg::new("tool")
                .value_name("TOOL")
                .help("Name of the tool")
                .required(true)
                .add(ArgValueCandidates::new(candidates)),
        )
    }

    /// Makes a command a tool's.
    fn tool(&self, command: Command, known: &Known, path: &str, purpose: Purpose) -> Command {
        let mut command = command
            .about(or_noted(&known.info.summary).to_owned())
            .long_about(format!("{}{}", or_noted(&known.info.description), effect_note(known.info.effect)))
            .display_order(500);
        let positionals = positionals(&known.params);
        if purpose != Purpose::Parse {
            let name = command.get_name().to_owned();
            command = command
                .override_usage(usage(&format!("{path} {name}"), &known.params, &positionals))
                .after_long_help(example::lines(known, &self.about.name));
        }
        for param in &positionals {
            command = command.arg(
                self.value(Arg::new(positional_id(param)), param)
                    .required(param.required && purpose == Purpose::Help),
            );
        }
        let mut taken: Vec<String> = known.params.iter().map(|param| param.flag.clone()).collect();
        for param in &known.params {
            let is_positional = positionals.iter().any(|own| own.flag == param.flag);
            let spellings = spellings(param, &taken);
            taken.extend(spellings.iter().cloned());
            command = command.arg(self.option(param).aliases(spellings).hide(is_positional));
        }
        command
    }

    fn option(&self, param: &Param) -> Arg {
        let heading = match &param.group {
            _ if param.common => Some("Options of every call".to_owned()),
            Some((prefix, help)) if help.is_empty() => Some(format!("Options of --{prefix}")),
            Some((prefix, help)) => Some(format!("Options of --{prefix}: {}", help.trim_end_matches('.'))),
            None => None,
        };
        let arg = Arg::new(param.flag.clone()).long(param.flag.clone());
        let arg = match param.short.filter(|letter| !RESERVED_SHORTS.contains(letter)) {
            Some(letter) => arg.short(letter),
            None => arg,
        };
        let arg = self.value(arg, param);
        match heading {
            Some(heading) => arg.help_heading(heading),
            None => arg,
        }
    }

    /// What an argument takes, in words of its parameter.
    fn value(&self, arg: Arg, param: &Param) -> Arg {
        let is_flag = arg.get_long().is_some();
        let arg = arg.help(help(param)).value_name(value_name(param));
        let arg = match &param.kind {
            Kind::List(_) | Kind::Map(_) if is_flag => arg.action(ArgAction::Append),
            Kind::List(_) | Kind::Map(_) => arg.action(ArgAction::Append).num_args(1..),
            Kind::Bool if is_flag => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
            _ => arg,
        };
        let arg = match &param.kind {
            Kind::Int { .. } | Kind::Num => arg.allow_negative_numbers(true),
            Kind::Enum(words) if !param.secret => {
                arg.value_parser(possible(words)).hide_possible_values(false)
            }
            Kind::Bool => {
                arg.value_parser(PossibleValuesParser::new(["true", "false"])).hide_possible_values(true)
            }
            Kind::List(item) => match &**item {
                Kind::Enum(words) => arg.value_parser(possible(words)).value_delimiter(','),
                Kind::Int { .. } | Kind::Num => arg.allow_negative_numbers(true),
                _ => arg,
            },
            _ => arg,
        };
        match &param.complete {
            Some(kind) if kind == "path" => arg.value_hint(ValueHint::AnyPath),
            Some(kind) => match self.completers.of(kind) {
                Some(completer) => arg.add(ArgValueCompleter::new(completer)),
                None => arg,
            },
            None if param.secret => arg.add(ArgValueCandidates::new(|| {
                ["env:", "file:", "-", "prompt"].iter().map(CompletionCandidate::new).collect()
            })),
            None => arg,
        }
    }
}

/// One-letter flags that every command has.
const RESERVED_SHORTS: [char; 7] = ['h', 'V', 'j', 'o', 'u', 't', 'v'];

/// The parameters that may stand without their flags: required ones first, one list at most and last.
fn positionals(params: &[Param]) -> Vec<&Param> {
    let mut found: Vec<&Param> = params.iter().filter(|param| param.positional).collect();
    found.sort_by_key(|param| (param.kind.is_many(), !param.required));
    let lists = found.iter().filter(|param| param.kind.is_many()).count();
    // A list after an optional word could not be told from it.
    if lists > 1 || (lists == 1 && found.iter().any(|param| !param.required && !param.kind.is_many())) {
        found.retain(|param| !param.kind.is_many());
    }
    found
}

/// Other ways to write a flag: `--key_path`, `--keyPath`, older names.
pub(crate) fn spellings(param: &Param, taken: &[String]) -> Vec<String> {
    let mut spellings: Vec<String> = Vec::new();
    if let [name] = param.path.as_slice() {
        spellings.extend([name.clone(), camel_case(name)]);
        for alias in &param.aliases {
            spellings.extend([alias.clone(), gabier_tool::schema::kebab(alias), camel_case(alias)]);
        }
    }
    let is_word =
        |text: &String| text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') && !text.is_empty();
    spellings.retain(|spelling| {
        is_word(spelling)
            && !taken.contains(spelling)
            && !gabier_tool::schema::RESERVED.contains(&spelling.as_str())
    });
    spellings.sort();
    spellings.dedup();
    spellings
}

fn camel_case(name: &str) -> String {
    let mut words = name.split(['_', '-']);
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut camel, word| {
        let mut letters = word.chars();
        camel.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        camel.push_str(letters.as_str());
        camel
    })
}

fn possible(words: &[(String, String)]) -> PossibleValuesParser {
    PossibleValuesParser::new(words.iter().map(|(word, help)| {
        let value = PossibleValue::new(word.clone());
        if help.is_empty() { value } else { value.help(help.trim_end_matches('.').to_owned()) }
    }))
}

fn value_name(param: &Param) -> String {
    let name =
        || param.path.last().map(|name| gabier_tool::schema::kebab(name).replace('-', "_").to_uppercase());
    match &param.kind {
        _ if param.secret => "SOURCE".to_owned(),
        Kind::Map(_) => "KEY=VALUE".to_owned(),
        Kind::Json => "JSON".to_owned(),
        Kind::Record(fields) => record_name(fields),
        Kind::List(item) => match &**item {
            Kind::Record(fields) => record_name(fields),
            Kind::Json => "JSON".to_owned(),
            _ => name().unwrap_or_default(),
        },
        _ => name().unwrap_or_default(),
    }
}

fn record_name(fields: &[Param]) -> String {
    let names: Vec<String> = fields.iter().take(3).map(|field| format!("{}=…", field.flag)).collect();
    names.join(",")
}

fn help(param: &Param) -> String {
    let mut help = or_noted(&param.help).trim_end_matches('.').to_owned();
    if let Some((flag, words)) = &param.only_if {
        help = format!("{help} (with --{flag} {})", words.join(" or "));
    }
    if param.secret {
        help.push_str(" (env:NAME, file:PATH, - or prompt)");
    }
    if let Kind::Int { min, max } = &param.kind {
        // The widest bounds are those of a machine word, which say nothing to a reader.
        let shown =
            |bound: &Option<i128>| bound.filter(|bound| bound.unsigned_abs() < u128::from(u32::MAX / 2));
        match (shown(min), shown(max)) {
            (Some(min), Some(max)) => help = format!("{help} [{min}..{max}]"),
            (Some(min), None) if min != 0 => help = format!("{help} [from {min}]"),
            _ => {}
        }
    }
    if let Some(default) = &param.default {
        let shown = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
        if !shown.is_empty() && shown != "[]" && shown != "{}" && shown != "false" {
            help = format!("{help} [default: {shown}]");
        }
    }
    if param.kind.is_many() { format!("{help} [repeatable]") } else { help }
}

fn or_noted(text: &str) -> &str {
    if text.is_empty() { "(not described)" } else { text }
}

fn effect_note(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "",
        Effect::Write => "\n\nIt changes state that can be set back.",
        Effect::Exec => "\n\nIt runs a command on a host.",
        Effect::Destroy => "\n\nIt removes or overwrites for good: it asks first, or needs --yes.",
    }
}

fn usage(path: &str, params: &[Param], positionals: &[&Param]) -> String {
    let mut usage = path.to_owned();
    let is_positional = |param: &Param| positionals.iter().any(|own| own.flag == param.flag);
    for param in params.iter().filter(|param| param.required && !is_positional(param)) {
        usage = format!("{usage} --{} <{}>", param.flag, value_name(param));
    }
    if params.iter().any(|param| !param.required) {
        usage.push_str(" [OPTIONS]");
    }
    for param in positionals {
        let dots = if param.kind.is_many() { "..." } else { "" };
        let name = value_name(param);
        usage = if param.required {
            format!("{usage} <{name}>{dots}")
        } else {
            format!("{usage} [{name}]{dots}")
        };
    }
    usage
}
