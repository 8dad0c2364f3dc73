//! The line editor: menu, hints, several lines, history.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use gabier_tool::Result;
use nu_ansi_term::{Color, Style};
use reedline::{
    Completer, CompletionResult, DefaultHinter, DescriptionMode, EditCommand, Emacs, ExternalPrinter, Hinter,
    History, IdeMenu, KeyCode, KeyModifiers, MenuBuilder, Prompt, PromptEditMode, PromptHistorySearch,
    Reedline, ReedlineEvent, ReedlineMenu, Signal, Span, Suggestion, ValidationResult, Validator,
    default_emacs_keybindings,
};

use crate::cli::{Cli, quoted};
use crate::shell::WORDS;
use crate::shell::history::Discreet;
use crate::shell::notices::Say;
use crate::shell::split::{Words, split};

/// The name that joins the menu and its key.
const MENU: &str = "completion";

/// Reads lines from a terminal.
pub(crate) struct Editor {
    inner: Reedline,
    notices: SyncSender<String>,
}

/// What a person did with a line.
pub(crate) enum Line {
    /// Entered it.
    Given(String),
    /// Dropped it (Ctrl-C).
    Dropped,
    /// Left (Ctrl-D).
    End,
}

impl Editor {
    pub(crate) fn new(cli: &Arc<Cli>, history: Option<&Path>, color: bool) -> Result<Self> {
        let mut keys = default_emacs_keybindings();
        keys.add_binding(
            KeyModifiers::NONE,
            KeyCode::Tab,
            ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext]),
        );
        keys.add_binding(
            KeyModifiers::ALT,
            KeyCode::Enter,
            ReedlineEvent::Edit(vec![EditCommand::InsertNewline]),
        );
        let menu = IdeMenu::default()
            .with_name(MENU)
            .with_description_mode(DescriptionMode::PreferRight)
            .with_max_completion_height(12)
            .with_default_border();
        let history = Discreet::new(cli, history)?;
        let inner = Reedline::create()
            .with_completer(Box::new(Candidates(Arc::clone(cli))))
            .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
            .with_edit_mode(Box::new(Emacs::new(keys)))
            .with_hinter(Box::new(Ghost::new(cli)))
            .with_validator(Box::new(Quotes))
            .with_history(Box::new(history))
            .with_ansi_colors(color);
        let printer = ExternalPrinter::default();
        let notices = printer.sender();
        Ok(Self { inner: inner.with_external_printer(printer), notices })
    }

    /// Shows a line above what is being typed, from any thread.
    pub(crate) fn above(&self) -> Say {
        let notices = self.notices.clone();
        Arc::new(move |line| {
            // A full queue of notices loses the newest; the tasks themselves can be asked for.
            let _ = notices.try_send(line);
        })
    }

    /// Reads one line; blocks.
    pub(crate) fn read(&mut self, prompt: &str) -> Line {
        match self.inner.read_line(&Arrow(prompt.to_owned())) {
            Ok(Signal::Success(line)) => Line::Given(line),
            Ok(Signal::CtrlC) => Line::Dropped,
            Ok(_) | Err(_) => Line::End,
        }
    }
}

/// The prompt.
struct Arrow(String);

impl Prompt for Arrow {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("… ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!("(search {}) ", search.term))
    }
}

/// Waits for the next line while a quote is open.
struct Quotes;

impl Validator for Quotes {
    fn validate(&self, line: &str) -> ValidationResult {
        if split(line) == Words::Open { ValidationResult::Incomplete } else { ValidationResult::Complete }
    }
}

/// Candidates from the same tree that bash, zsh and fish complete from.
struct Candidates(Arc<Cli>);

impl Completer for Candidates {
    fn complete(&mut self, line: &str, at: usize) -> CompletionResult {
        let head = line.get(..at).unwrap_or(line);
        let start = head.rfind([' ', '\t']).map_or(0, |blank| blank + 1);
        let suggestions: Vec<Suggestion> = candidates(&self.0, head)
            .into_iter()
            .map(|(value, description)| Suggestion {
                append_whitespace: !value.ends_with(['=', '/', ':']),
                value,
                description,
                span: Span::new(start, at),
                ..Suggestion::default()
            })
            .collect();
        CompletionResult::fresh(suggestions)
    }
}

/// What may follow a line: words with their help.
pub(crate) fn candidates(cli: &Cli, head: &str) -> Vec<(String, Option<String>)> {
    let Words::Closed(mut words) = split(head) else { return Vec::new() };
    let is_new = head.is_empty() || head.ends_with([' ', '\t']);
    if is_new {
        words.push(String::new());
    }
    let topic = words.first().is_some_and(|word| word == "help") && words.len() > 1;
    let is_first = words.len() == 1 || (topic && words.len() == 2);
    let current = words.last().cloned().unwrap_or_default();
    if topic {
        words.remove(0);
    }
    let argv: Vec<OsString> = std::iter::once(&cli.about().name).chain(&words).map(OsString::from).collect();
    let last = argv.len() - 1;
    let folder = std::env::current_dir().ok();
    let found = clap_complete::engine::complete(&mut cli.tree(), argv, last, folder.as_deref());
    let mut all: Vec<(String, Option<String>)> = Vec::new();
    if is_first {
        let own = WORDS.iter().filter(|(word, _)| word.starts_with(&current));
        all.extend(own.map(|(word, help)| ((*word).to_owned(), Some((*help).to_owned()))));
    }
    for candidate in found.unwrap_or_default() {
        let value = quoted(&candidate.get_value().to_string_lossy());
        if !all.iter().any(|(known, _)| *known == value) {
            all.push((value, candidate.get_help().map(ToString::to_string)));
        }
    }
    // Flags wait for their dash while there is a word to choose.
    if !current.starts_with('-') && all.iter().any(|(value, _)| !value.starts_with('-')) {
        all.retain(|(value, _)| !value.starts_with('-'));
    }
    all
}

/// Shows in grey what was typed before, else which words are still missing.
struct Ghost {
    before: DefaultHinter,
    cli: Arc<Cli>,
}

impl Ghost {
    fn new(cli: &Arc<Cli>) -> Self {
        let style = Style::new().fg(Color::DarkGray);
        Self { before: DefaultHinter::default().with_style(style), cli: Arc::clone(cli) }
    }
}

impl Hinter for Ghost {
    fn handle(
        &mut self,
        line: &str,
        at: usize,
        history: &dyn History,
        use_color: bool,
        folder: &str,
    ) -> String {
        let hint = self.before.handle(line, at, history, use_color, folder);
        if !hint.is_empty() || at < line.len() || !line.ends_with(' ') {
            return hint;
        }
        let missing = missing(&self.cli, line);
        if use_color { Style::new().fg(Color::DarkGray).paint(missing).to_string() } else { missing }
    }

    fn complete_hint(&self) -> String {
        self.before.complete_hint()
    }

    fn next_hint_token(&self) -> String {
        self.before.next_hint_token()
    }
}

/// The words that a command still needs: `<HOST> <USER>`.
pub(crate) fn missing(cli: &Cli, line: &str) -> String {
    let Words::Closed(words) = split(line) else { return String::new() };
    let Some((known, given)) = cli.tool_of_words(&words) else { return String::new() };
    if given.iter().any(|word| word.starts_with('-')) {
        return String::new();
    }
    let needed = known.params.iter().filter(|param| param.positional && param.required).skip(given.len());
    let names: Vec<String> =
        needed.map(|param| format!("<{}>", param.flag.replace('-', "_").to_uppercase())).collect();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::About;

    fn cli() -> Cli {
        let tool = json!({
            "name": "ping_host", "title": "", "toolset": "", "summary": "Pings.", "description": "", "effect": "read",
            "mode": "inline", "needs": [], "profile": "full", "output": {},
            "input": {"required": ["host"], "properties": {
                "host": {"type": "string"}, "sort": {"enum": ["up", "down"]}}},
        });
        let about = About { name: "x".to_owned(), version: String::new(), summary: String::new() };
        Cli::new(about, vec![serde_json::from_value(tool).unwrap()]).for_shell()
    }

    fn check(head: &str, expected: &[&str]) {
        let found = candidates(&cli(), head);
        let values: Vec<&str> = found.iter().map(|(value, _)| value.as_str()).collect();
        assert_eq!(values, expected, "{head:?}");
    }

    #[test]
    fn the_menu_offers_words_of_the_shell_tools_flags_and_values() {
        check("h", &["help", "health"]);
        check("pi", &["ping"]);
        check("help pi", &["ping"]);
        check("ping ", &["host"]);
        check("ping host a --so", &["--sort"]);
        check("ping host a --sort ", &["up", "down"]);
        check("ping 'ho", &[]);
    }

    #[test]
    fn the_ghost_names_what_is_missing() {
        assert_eq!(missing(&cli(), "ping host "), "<HOST>");
        assert_eq!(missing(&cli(), "ping-host "), "<HOST>");
        assert_eq!(missing(&cli(), "ping host a "), "");
        assert_eq!(missing(&cli(), "ping "), "");
    }
}
