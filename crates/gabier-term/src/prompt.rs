//! Questions to a person, from the same parameters as flags.

use gabier_tool::schema::{Kind, Param, assemble};
use gabier_tool::{Answer, Error, ErrorKind, Question, Result};
use inquire::{Confirm, InquireError, Password, PasswordDisplayMode, Select, Text};
use serde_json::{Map, Value};

/// Asks for parameters one after the other and gives their words.
pub(crate) fn words(params: &[Param]) -> Result<Vec<(String, Vec<String>)>> {
    params.iter().map(|param| Ok((param.flag.clone(), vec![word(param)?]))).collect()
}

/// Asks yes or no; no is the answer of a hasty Enter.
pub(crate) fn confirm(text: &str) -> Result<bool> {
    Confirm::new(text).with_default(false).prompt().map_err(|error| given_up(&error))
}

/// Asks a tool's question, field by field.
pub(crate) fn answer(question: &Question) -> Result<Answer> {
    let params = Param::of(&question.schema);
    if let [only] = params.as_slice()
        && only.kind == Kind::Bool
    {
        let mut content = Map::new();
        content.insert(only.path.join("."), confirm(&question.text)?.into());
        return Ok(Answer::Accepted(Value::Object(content)));
    }
    if params.is_empty() {
        let accepted = confirm(&question.text)?;
        return Ok(if accepted { Answer::Accepted(Value::Object(Map::new())) } else { Answer::Declined });
    }
    let given = words(&params)?;
    let words_of = |param: &Param| {
        given.iter().find(|(flag, _)| *flag == param.flag).map(|(_, words)| words.clone()).unwrap_or_default()
    };
    assemble(&params, Map::new(), &words_of).map(|content| Answer::Accepted(Value::Object(content)))
}

fn word(param: &Param) -> Result<String> {
    let name = format!("{}:", param.path.join(" "));
    let help = param.help.as_str();
    let answer = match &param.kind {
        _ if param.secret => Password::new(&name)
            .with_help_message(help)
            .with_display_mode(PasswordDisplayMode::Hidden)
            .without_confirmation()
            .prompt(),
        Kind::Enum(words) => {
            let words = words.iter().map(|(word, _)| word.clone()).collect();
            Select::new(&name, words).with_help_message(help).prompt()
        }
        Kind::Bool => Confirm::new(&name)
            .with_default(false)
            .with_help_message(help)
            .prompt()
            .map(|yes| yes.to_string()),
        _ => Text::new(&name).with_help_message(help).prompt(),
    };
    answer.map_err(|error| given_up(&error))
}

fn given_up(error: &InquireError) -> Error {
    match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => {
            Error::new(ErrorKind::Cancelled, "nothing was done: the question was not answered")
        }
        _ => Error::new(ErrorKind::ConfirmationRequired, "nobody can be asked here"),
    }
}
