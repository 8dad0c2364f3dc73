//! Questions of a command on a terminal, and which of them may be answered.

use gabier_tool::{Error, Result, Secret};
use regex::Regex;

/// The longest question that is looked at.
const LONGEST: usize = 4096;

/// What answers a question.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A text anyone may see.
    Text(String),
    /// A secret: it appears in no output and no log.
    Secret(Secret),
}

impl Answer {
    /// The characters to type, without the final return.
    pub fn expose(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

/// What a question must hold.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// These characters, in any case.
    Literal(String),
    /// A match of this expression; linear in time.
    Regex(Box<Regex>),
}

impl Pattern {
    /// Reads `/regex/` or a literal.
    pub fn parse(text: &str) -> Result<Self> {
        let inner =
            text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|inner| !inner.is_empty());
        let Some(inner) = inner else { return Ok(Self::Literal(text.to_lowercase())) };
        regex::RegexBuilder::new(inner)
            .case_insensitive(true)
            .size_limit(1 << 20)
            .build()
            .map(|regex| Self::Regex(Box::new(regex)))
            .map_err(|error| {
                Error::invalid("responses", format!("'{text}' is no regular expression")).with_source(error)
            })
    }

    fn is_match(&self, line: &str) -> bool {
        match self {
            Self::Literal(text) => line.to_lowercase().contains(text),
            Self::Regex(regex) => regex.is_match(line),
        }
    }
}

/// An answer for questions of one kind.
#[derive(Clone, Debug)]
pub struct Response {
    /// Which questions.
    pub pattern: Pattern,
    /// The answer.
    pub answer: Answer,
    /// How often it may be given.
    pub times: u32,
}

impl Response {
    /// An answer given once.
    pub fn once(pattern: &str, answer: Answer) -> Result<Self> {
        Ok(Self { pattern: Pattern::parse(pattern)?, answer, times: 1 })
    }
}

/// Follows what a command writes to its terminal and finds the questions: its last, unterminated line.
#[derive(Clone, Debug, Default)]
pub struct Prompts {
    responses: Vec<Response>,
    is_automatic: bool,
    line: Vec<u8>,
    escape: Escape,
    saw_return: bool,
}

/// What to do about the line a command waits on.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Nothing: it is no question, or nobody knows the answer.
    Nothing,
    /// Type this.
    Answer(Answer),
    /// Stop: it may not be answered.
    Refuse(&'static str),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Begun,
    Csi,
    Osc,
    OscEnding,
}

impl Prompts {
    /// Answers by these responses and, if `is_automatic`, by the built-in ones.
    pub fn new(responses: Vec<Response>, is_automatic: bool) -> Self {
        Self { responses, is_automatic, ..Self::default() }
    }

    /// The secrets among the answers.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.responses.iter().filter_map(|response| match &response.answer {
            Answer::Secret(secret) => Some(secret),
            Answer::Text(_) => None,
        })
    }

    /// Takes the next bytes from the terminal.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push_byte(*byte);
        }
        let excess = self.line.len().saturating_sub(LONGEST);
        self.line.drain(..excess);
    }

    fn push_byte(&mut self, byte: u8) {
        self.escape = match (self.escape, byte) {
            (Escape::None | Escape::Begun, 0x1B) => Escape::Begun,
            (Escape::Begun, b'[') => Escape::Csi,
            (Escape::Begun, b']' | b'P' | b'^' | b'_') => Escape::Osc,
            (Escape::Begun, _)
            | (Escape::Csi, 0x40..=0x7E)
            | (Escape::Osc, 0x07)
            | (Escape::OscEnding, b'\\') => Escape::None,
            (Escape::Csi, _) => Escape::Csi,
            (Escape::Osc | Escape::OscEnding, 0x1B) => Escape::OscEnding,
            (Escape::Osc | Escape::OscEnding, _) => Escape::Osc,
            (Escape::None, _) => return self.push_plain(byte),
        };
    }

    fn push_plain(&mut self, byte: u8) {
        if byte != b'\n' && std::mem::take(&mut self.saw_return) {
            self.line.clear();
        }
        match byte {
            b'\n' => self.line.clear(),
            b'\r' => self.saw_return = true,
            0x08 => drop(self.line.pop()),
            0x20.. | b'\t' => self.line.push(byte),
            _ => {}
        }
    }

    /// The line the command waits on.
    pub fn line(&self) -> String {
        String::from_utf8_lossy(&self.line).trim_end().to_owned()
    }

    /// What to do about it, now that the command has been silent for a moment. An answered line is not asked again.
    pub fn ask(&mut self) -> Asked {
        let line = self.line();
        if line.is_empty() {
            return Asked::Nothing;
        }
        let asked = self.decide(&line);
        if !matches!(asked, Asked::Nothing) {
            self.line.clear();
        }
        asked
    }

    fn decide(&mut self, line: &str) -> Asked {
        let is_password = asks_for_secret(line);
        let mut is_spent = false;
        for response in self.responses.iter_mut().filter(|response| response.pattern.is_match(line)) {
            // A plain text is never typed into a password question unless it was written for just that.
            if response.times == 0 {
                is_spent = true;
                continue;
            }
            response.times -= 1;
            return Asked::Answer(response.answer.clone());
        }
        match (is_password, is_spent) {
            (true, true) => Asked::Refuse("the supplied password was refused: the question came again"),
            (true, false) => Asked::Refuse("it asks for a password and none was supplied for it"),
            (false, _) if self.is_automatic => {
                built_in(line).map_or(Asked::Nothing, |text| Asked::Answer(Answer::Text(text.to_owned())))
            }
            (false, _) => Asked::Nothing,
        }
    }
}

/// True for a line that asks for a password, a passphrase or a PIN.
fn asks_for_secret(line: &str) -> bool {
    let line = line.to_lowercase();
    let words = [
        "password",
        "passphrase",
        "passcode",
        "passwort",
        "mot de passe",
        "contraseña",
        "[sudo]",
        "verification code",
    ];
    let has_pin = line.split(|c: char| !c.is_alphanumeric()).any(|word| word == "pin");
    line.ends_with([':', '?', '>', '：']) && (has_pin || words.iter().any(|word| line.contains(word)))
}

/// The built-in answer to a question (tools.md §4.3).
fn built_in(line: &str) -> Option<&'static str> {
    let line = line.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if !line.ends_with(['?', ':', ']', ')', '>'])
        || has(&["continue connecting", "authenticity of host", "fingerprint"])
    {
        return None;
    }
    if has(&["(yes/no)", "[yes/no]", "yes/no"]) {
        return Some("yes");
    }
    if has(&["[y/n]", "(y/n)", "y/n", "do you want to continue", "overwrite", "save"]) {
        return Some("y");
    }
    has(&["are you sure", "accept", "confirm"]).then_some("yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(prompts: &mut Prompts, text: &str) -> String {
        prompts.push(text.as_bytes());
        match prompts.ask() {
            Asked::Nothing => "-".to_owned(),
            Asked::Answer(answer) => answer.expose().to_owned(),
            Asked::Refuse(_) => "refused".to_owned(),
        }
    }

    #[test]
    fn the_built_in_answers_are_those_of_the_contract() {
        let cases = [
            ("Are you sure?", "yes"),
            ("Do you want to continue?", "y"),
            ("Do you want to continue? [Y/n] ", "y"),
            ("Proceed [y/N]", "y"),
            ("Proceed (y/N):", "y"),
            ("Go on (yes/no)? ", "yes"),
            ("Overwrite file?", "y"),
            ("Save changes?", "y"),
            ("Accept the licence?", "yes"),
            ("Please CONFIRM:", "yes"),
            ("Are you sure you want to continue connecting (yes/no/[fingerprint])? ", "-"),
            ("Password:", "refused"),
            ("[sudo] password for bob: ", "refused"),
            ("Enter passphrase for key '/x':", "refused"),
            ("Enter PIN for token: ", "refused"),
            ("Mapping:", "-"),
            ("saving 12%", "-"),
            ("Are you sure?\n", "-"),
        ];
        for (line, answer) in cases {
            assert_eq!(ask(&mut Prompts::new(Vec::new(), true), line), answer, "{line}");
        }
        assert_eq!(ask(&mut Prompts::new(Vec::new(), false), "Are you sure?"), "-");
    }

    #[test]
    fn an_answer_is_given_once_however_often_output_asks() {
        let response = Response::once("name?", Answer::Text("bob".into())).unwrap();
        let mut prompts = Prompts::new(vec![response], true);
        assert_eq!(ask(&mut prompts, "Your NAME? "), "bob");
        assert_eq!(ask(&mut prompts, ""), "-", "the same line is not asked again");
        assert_eq!(ask(&mut prompts, "bob\r\nYour name? "), "-");
    }

    #[test]
    fn a_password_that_is_asked_for_again_was_wrong() {
        let response =
            Response::once("/pass(word|phrase)/", Answer::Secret(Secret::from("hunter22".to_owned())))
                .unwrap();
        let mut prompts = Prompts::new(vec![response], true);
        assert_eq!(ask(&mut prompts, "\u{1b}[1mPassword:\u{1b}[0m "), "hunter22");
        assert_eq!(ask(&mut prompts, "\r\nSorry.\r\nPassword: "), "refused");
    }

    #[test]
    fn only_the_last_unterminated_line_counts_without_its_terminal_sequences() {
        let mut prompts = Prompts::new(Vec::new(), true);
        assert_eq!(ask(&mut prompts, "Are you sure? [y/n]\r\nworking"), "-");
        assert_eq!(ask(&mut prompts, "\r\u{1b}[2KOver\u{1b}]0;title\u{7}write?"), "y");
        let mut whole = Prompts::new(Vec::new(), true);
        "x\r\n\u{1b}[31mAre you su\u{8}ure?".bytes().for_each(|byte| whole.push(&[byte]));
        assert_eq!(ask(&mut whole, ""), "yes");
    }

    #[test]
    fn a_bad_expression_names_its_parameter() {
        assert!(Pattern::parse("/(/").unwrap_err().message().starts_with("responses:"));
        assert!(matches!(Pattern::parse("/").unwrap(), Pattern::Literal(_)));
    }
}
