//! Results and failures as text: one view, several ways to write it.

mod json;
mod outline;
mod paint;
mod table;
mod terminal;

use gabier_tool::schema::Param;
use gabier_tool::{Error, View};
use serde_json::Value;

use crate::backend::Answer;
use crate::globals::{Format, Globals};
use crate::terminal::{Look, Terminal};

pub(crate) use outline::plain_markdown;
pub(crate) use paint::Paint;

impl Terminal {
    /// Writes how a call ended and gives the exit code: data to stdout, messages to stderr.
    pub fn show(&self, answer: &Answer, globals: &Globals) -> u8 {
        self.show_for(answer, globals, &[])
    }

    /// Writes a failure on this side of any call and gives its exit code.
    pub fn fail(&self, error: Error, globals: &Globals) -> u8 {
        self.show(&Answer::failed(error, &*self.clock), globals)
    }

    /// The same for a call of a tool with these parameters, whose flags failures then name.
    pub(crate) fn show_for(&self, answer: &Answer, globals: &Globals, params: &[Param]) -> u8 {
        let look = self.look(globals);
        if answer.is_error() {
            if globals.format.is_json() {
                self.print(&json::text(&answer.envelope, self.stdout_is_tty));
            }
            self.say_failure(&answer.envelope, globals, params);
        } else {
            self.page(&written(answer, globals.format, look, self.stdout_is_tty), globals);
            self.say_message(&answer.envelope, globals);
        }
        answer.exit_code
    }

    /// What is to be known of a success besides its result.
    pub(crate) fn say_message(&self, envelope: &Value, globals: &Globals) {
        if let Some(message) = envelope.get("message").and_then(Value::as_str).filter(|_| !globals.quiet) {
            let paint = Paint::new(self.colors_messages(globals));
            self.say(&format!("{} {message}", paint.warn("warning:")));
        }
    }

    fn say_failure(&self, envelope: &Value, globals: &Globals, params: &[Param]) {
        let paint = Paint::new(self.colors_messages(globals));
        let text = |key: &str| envelope.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let details = envelope.get("details");
        let help = details.and_then(|details| details.get("help")).and_then(Value::as_str);
        if let Some(help) = help {
            return self.say(help.trim_end());
        }
        let faults = details.and_then(|details| details.get("errors")).and_then(Value::as_array);
        let faults: Vec<String> =
            faults.into_iter().flatten().filter_map(|fault| fault_line(fault, params)).collect();
        if faults.is_empty() {
            self.say(&format!("{} {}", paint.bad("error:"), text("message").unwrap_or("the call failed")));
        }
        for fault in faults {
            self.say(&format!("{} {fault}", paint.bad("error:")));
        }
        if globals.verbose > 0 {
            let request = details.and_then(|details| details.get("request_id")).and_then(Value::as_str);
            let request = request.map(|id| format!(", request {id}")).unwrap_or_default();
            self.say(&paint.muted(&format!("  {}{request}", text("code").unwrap_or("no code"))));
        }
        if let Some(next) = text("next") {
            self.say(&format!("{} {next}", paint.muted("next:")));
        }
    }
}

/// `--retry-max: must be at most 9`, by the flag that this command line has for it.
fn fault_line(fault: &Value, params: &[Param]) -> Option<String> {
    let message = fault.get("message")?.as_str()?;
    let parameter = fault.get("parameter").and_then(Value::as_str).unwrap_or_default();
    let own = params.iter().find(|param| param.path.join(".") == parameter);
    let flag = match own {
        Some(param) => format!("--{}", param.flag),
        None => fault.get("flag").and_then(Value::as_str).unwrap_or_default().to_owned(),
    };
    Some(if flag.len() > 2 { format!("{flag}: {message}") } else { message.to_owned() })
}

/// A success as text.
fn written(answer: &Answer, format: Format, look: Look, is_tty: bool) -> String {
    match format {
        Format::Table => terminal::text(&view_of(answer), look),
        Format::Markdown => gabier_display::markdown(&view_of(answer)),
        Format::Html => gabier_display::html::fragment(&view_of(answer)).into_string() + "\n",
        Format::Json => json::text(&answer.envelope, is_tty),
        Format::Ndjson => json::lines(&answer.envelope),
        Format::View => json::text(&serde_json::json!(answer), is_tty),
    }
}

/// The view, or the generic one of the data where the answer came without.
fn view_of(answer: &Answer) -> View {
    if answer.view.blocks.is_empty() {
        answer.envelope.get("data").map(View::of).unwrap_or_default()
    } else {
        answer.view.clone()
    }
}
