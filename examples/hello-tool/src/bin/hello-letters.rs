//! What a server may add besides its tools: a command of its own, a part that `/ready` shows, live values that shells
//! complete, and a kind of parameter that `use` chooses in the interactive shell.

use std::pin::Pin;

use gabier_kit::clap::{Arg, ArgMatches, Command};
use gabier_kit::tool::{Context, Effect, Health, PartState, Result, Tool, ToolDef, Toolset};
use gabier_kit::{App, OwnCommand, Setup};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Whom letters may go to, and where that is.
const PEOPLE: [(&str, &str); 2] = [("ada", "London"), ("grace", "Arlington")];

/// Begin a letter to somebody.
#[derive(Deserialize, JsonSchema)]
struct LetterBegin {
    /// Whom it goes to.
    #[schemars(length(min = 1, max = 100), extend("x-complete" = "person"))]
    person: String,
}

/// The beginning of a letter.
#[derive(Serialize, JsonSchema)]
struct Letter {
    /// The first line.
    first_line: String,
}

impl Tool<()> for LetterBegin {
    const NAME: &'static str = "letter_begin";
    const EFFECT: Effect = Effect::Read;
    type Output = Letter;

    async fn run(self, _: &Context<()>) -> Result<Letter> {
        Ok(Letter { first_line: format!("Dear {},", self.person) })
    }
}

/// `people`: a command that is no tool.
struct People;

impl OwnCommand for People {
    fn command(&self) -> Command {
        Command::new("people")
            .about("List whom letters may go to")
            .arg(Arg::new("place").help("Only those who live there"))
    }

    fn run<'a>(&'a self, _: &'a Setup<'a>, matches: &'a ArgMatches) -> BoxFuture<'a, Result<Value>> {
        let wanted = matches.get_one::<String>("place");
        let there = PEOPLE.iter().filter(|(_, place)| wanted.is_none_or(|wanted| wanted == place));
        let names: Vec<&str> = there.map(|(name, _)| *name).collect();
        Box::pin(std::future::ready(Ok(json!({"people": names}))))
    }
}

/// The part that letters need: a letter box, full where its file is there.
struct LetterBox;

impl Health for LetterBox {
    fn states(&self) -> BoxFuture<'_, Vec<PartState>> {
        let is_full = std::path::Path::new("full").exists();
        let message = if is_full { "full" } else { "empty" };
        let state = PartState { name: "letter box".to_owned(), ready: !is_full, message: message.to_owned() };
        Box::pin(std::future::ready(vec![state]))
    }
}

const TOOLS: &[Toolset<()>] = &[Toolset { name: "letters", tools: &[ToolDef::of::<LetterBegin>()] }];

fn main() -> std::process::ExitCode {
    App::new("hello-letters", env!("CARGO_PKG_VERSION"))
        .tools(TOOLS, |_| Ok(()))
        .command(People)
        .part(LetterBox)
        .completer("person", || PEOPLE.map(|(name, place)| (name.to_owned(), format!("in {place}"))).into())
        .selects("person")
        .run()
}
