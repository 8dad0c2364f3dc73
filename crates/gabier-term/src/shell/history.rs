//! What was typed, kept without secrets.

use std::path::Path;
use std::sync::Arc;

use gabier_tool::{Error, Result};
use reedline::{FileBackedHistory, History, HistoryItem, HistoryItemId, HistorySessionId, SearchQuery};

use crate::cli::{Cli, quoted};
use crate::shell::split::{Words, split};
use crate::source::is_source;

/// How many lines are kept.
const CAPACITY: usize = 5_000;

/// A history that writes `prompt` where a secret was typed.
pub(crate) struct Discreet {
    inner: FileBackedHistory,
    cli: Arc<Cli>,
}

impl Discreet {
    /// The history of a file that only its owner reads, or of this run alone.
    pub(crate) fn new(cli: &Arc<Cli>, file: Option<&Path>) -> Result<Self> {
        let failed = |_| Error::internal("opening the history of the shell");
        let inner = match file {
            None => FileBackedHistory::new(CAPACITY).map_err(failed)?,
            Some(file) => {
                make_private(file).map_err(|error| {
                    Error::invalid(
                        "history",
                        format!("{} cannot be written ({})", file.display(), error.kind()),
                    )
                })?;
                FileBackedHistory::with_file(CAPACITY, file.to_owned()).map_err(failed)?
            }
        };
        Ok(Self { inner, cli: Arc::clone(cli) })
    }
}

/// Makes sure that the file is there and its owner's alone.
fn make_private(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let opened = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
    opened.set_permissions(std::fs::Permissions::from_mode(0o600))
}

/// The line with `prompt` in place of every secret that was typed out.
pub(crate) fn without_secrets(cli: &Cli, line: &str) -> String {
    let Words::Closed(mut words) = split(line) else { return String::new() };
    let flags = cli.secret_flags();
    let mut changed = false;
    let mut is_value = false;
    for word in &mut words {
        let holds = word.split_once('=').filter(|(flag, _)| flags.iter().any(|own| own == flag));
        let replaced = match holds {
            Some((flag, value)) if !is_source(value) => Some(format!("{flag}=prompt")),
            None if is_value && !is_source(word) => Some("prompt".to_owned()),
            _ => None,
        };
        is_value = flags.iter().any(|own| own == word);
        if let Some(replaced) = replaced {
            *word = replaced;
            changed = true;
        }
    }
    if !changed {
        return line.to_owned();
    }
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

impl History for Discreet {
    fn save(&mut self, mut item: HistoryItem) -> reedline::Result<HistoryItem> {
        item.command_line = without_secrets(&self.cli, &item.command_line);
        self.inner.save(item)
    }

    fn load(&self, id: HistoryItemId) -> reedline::Result<HistoryItem> {
        self.inner.load(id)
    }

    fn count(&self, query: SearchQuery) -> reedline::Result<i64> {
        self.inner.count(query)
    }

    fn search(&self, query: SearchQuery) -> reedline::Result<Vec<HistoryItem>> {
        self.inner.search(query)
    }

    fn update(
        &mut self,
        id: HistoryItemId,
        updater: &dyn Fn(HistoryItem) -> HistoryItem,
    ) -> reedline::Result<()> {
        self.inner.update(id, updater)
    }

    fn clear(&mut self) -> reedline::Result<()> {
        self.inner.clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> reedline::Result<()> {
        self.inner.delete(id)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.inner.sync()
    }

    fn session(&self) -> Option<HistorySessionId> {
        self.inner.session()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::About;

    fn cli() -> Cli {
        let tool = json!({
            "name": "server_add", "title": "", "toolset": "", "summary": "", "description": "", "effect": "write",
            "mode": "inline", "needs": [], "profile": "full", "output": {},
            "input": {"properties": {"pass_phrase": {"type": "string", "writeOnly": true}, "user": {"type": "string"}}},
        });
        let about = About { name: "x".to_owned(), version: String::new(), summary: String::new() };
        Cli::new(about, vec![serde_json::from_value(tool).unwrap()])
    }

    fn check(line: &str, kept: &str) {
        assert_eq!(without_secrets(&cli(), line), kept);
    }

    #[test]
    fn a_secret_that_was_typed_out_is_kept_as_prompt() {
        check("server add --pass-phrase hunter2 --user a", "server add --pass-phrase prompt --user a");
        check("server add --pass_phrase='my secret'", "server add --pass_phrase=prompt");
        check("server add --passPhrase hunter2", "server add --passPhrase prompt");
        check("system about --token abc -t abc", "system about --token prompt -t prompt");
        check("server add --pass-phrase 'a b", "");
    }

    #[test]
    fn sources_and_other_words_stay_as_they_were_typed() {
        for line in
            ["server add --pass-phrase  env:P", "server add --user 'a b'", "server add --pass-phrase=-"]
        {
            check(line, line);
        }
    }

    #[test]
    fn the_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/history");
        let mut history = Discreet::new(&Arc::new(cli()), Some(&file)).unwrap();
        history.save(HistoryItem::from_command_line("server add --pass-phrase hunter2")).unwrap();
        history.sync().unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), "server add --pass-phrase prompt");
    }
}
