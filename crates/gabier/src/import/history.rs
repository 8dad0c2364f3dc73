//! What the orchestrator ran, as ended tasks: `queue.json` tells how it ended, `history.json` only that it began.

use std::collections::BTreeSet;
use std::path::Path;

use gabier_kit::queue::{NewTask, State, Task, TaskId};
use gabier_tool::{REDACTED, Redactor, Result, Timestamp};
use serde_json::{Map, Value, json};

use super::found::{Fault, Fields, Found, unreadable};

/// What an id of eight digits is made a task's id with: the same each time, so that nothing is taken twice.
const REST_OF_ID: &str = "-0000-4000-8000-000000000000";
/// The beginning of a check of an API, which carried its secrets on the command line.
const PROBE: &str = "-o /dev/null -s -w '%{http_code}:%{time_total}'";
/// How much of an output is kept: its two ends.
const MOST_OUTPUT: usize = 64 << 10;

/// Reads both files.
pub(super) fn read(folder: &Path, secrets: &Redactor, found: &mut Found) -> Result<()> {
    let queue = folder.join("queue.json");
    let mut known = BTreeSet::new();
    for (id, job) in found.records(&queue)? {
        known.insert(id.clone());
        match ran(&id, job, secrets) {
            Ok(task) => found.tasks.push(task),
            Err(fault) => found.refuse(&queue, &id, fault),
        }
    }
    let history = folder.join("history.json");
    let entries = match found.json(&history)? {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => return Err(unreadable(&history, "it holds no list")),
    };
    for (number, entry) in entries.into_iter().enumerate() {
        let id = entry["jobId"].as_str().map_or_else(|| format!("entry {}", number + 1), str::to_owned);
        // The queue knows more of it.
        if !known.insert(id.clone()) {
            continue;
        }
        match begun(&id, entry, secrets) {
            Ok(task) => found.tasks.push(task),
            Err(fault) => found.refuse(&history, &id, fault),
        }
    }
    Ok(())
}

/// A job of the queue.
fn ran(id: &str, job: Value, secrets: &Redactor) -> Result<Task, Fault> {
    let mut fields = Fields::of(job)?;
    let status = fields.needed("status")?;
    let created = time(&mut fields, "createdAt")?.ok_or_else(|| Fault::at("createdAt", "is missing"))?;
    let mut ended = None;
    for field in ["completedAt", "failedAt", "crashedAt", "updatedAt"] {
        let at = time(&mut fields, field)?;
        ended = ended.or(at);
    }
    let is_interactive = fields.0.get("interactive").is_some_and(|value| value == true);
    let kind = Kind::of(&fields.needed("type")?, is_interactive, fields.0.contains_key("files"))?;
    let mut task = Task::old(id, &kind, &mut fields, (created, ended.unwrap_or(created)))?;
    let code = fields.0.get("exitCode").and_then(Value::as_i64);
    let is_late = fields.0.get("timedOut").is_some_and(|value| value == true);
    let error = fields.text("error")?;
    match status.as_str() {
        "completed" if is_late => {
            task.fail(State::TimedOut, "COMMAND_TIMEOUT", "it ran longer than it might");
        }
        "failed" if kind.word == "ssh" && code.is_some_and(|code| code != 0) => {
            task.leave(State::Completed, &fields.0, code);
        }
        "completed" => task.leave(State::Completed, &fields.0, code),
        "partial" => task.leave(State::Partial, &fields.0, code),
        "failed" => task.fail(State::Failed, "", error.as_deref().unwrap_or("it failed")),
        // What a dead process ran is not known to have ended; what it had not begun is not begun here.
        "running" | "crashed" => task.state = State::Crashed,
        "pending" | "cancelled" => {
            task.state = State::Cancelled;
            task.cancel = Some("before it was imported".to_owned());
        }
        _ => return Err(Fault::at("status", "is none that is known")),
    }
    // Its output is told with its failure: there is no result then.
    if let (Some(Value::Object(error)), false) = (&mut task.error, fields.0.is_empty()) {
        error.insert("details".to_owned(), json!({"stdout": output(&fields.0, "output")}));
    }
    clean(&mut task, secrets);
    Ok(task)
}

/// An entry of the history.
fn begun(id: &str, entry: Value, secrets: &Redactor) -> Result<Task, Fault> {
    let mut fields = Fields::of(entry)?;
    let at = time(&mut fields, "timestamp")?.ok_or_else(|| Fault::at("timestamp", "is missing"))?;
    let kind = Kind::of(&fields.needed("type")?, false, false)?;
    let command = fields.text("command")?;
    if let Some(command) = command.filter(|command| kind.word == "ssh" || !command.contains("undefined")) {
        fields.0.insert(if kind.word == "ssh" { "cmd" } else { "label" }.to_owned(), command.into());
    }
    let mut task = Task::old(id, &kind, &mut fields, (at, at))?;
    task.asked.label = task.asked.label.or(fields.text("label")?);
    if kind.word != "ssh" {
        task.never_again();
    }
    task.fail(State::Unknown, "RESULT_UNKNOWN", "the history it is from tells only that it was begun");
    clean(&mut task, secrets);
    Ok(task)
}

/// What sort of work it was, in our words.
struct Kind {
    tool: &'static str,
    word: &'static str,
    arguments: &'static [&'static str],
}

impl Kind {
    fn of(word: &str, is_interactive: bool, has_files: bool) -> Result<Self, Fault> {
        let (tool, word, arguments): (_, _, &[&str]) = match word {
            "ssh" if is_interactive => ("task_exec_interactive", "ssh_interactive", &["alias", "cmd"]),
            "ssh" => ("task_exec", "ssh", &["alias", "cmd"]),
            "ssh_sequence" => {
                ("task_exec_sequence", "ssh_sequence", &["alias", "commands", "continueOnError"])
            }
            "sftp" if has_files => ("task_transfer_multi", "sftp", &["alias", "direction", "files"]),
            "sftp" => ("task_transfer", "sftp", &["alias", "direction", "local", "remote"]),
            _ => return Err(Fault::at("type", "is none that is known")),
        };
        Ok(Self { tool, word, arguments })
    }
}

/// What an old record makes of a task.
trait Old: Sized {
    fn old(id: &str, kind: &Kind, fields: &mut Fields, at: (i64, i64)) -> Result<Self, Fault>;
    fn leave(&mut self, state: State, fields: &Map<String, Value>, code: Option<i64>);
    fn fail(&mut self, state: State, code: &str, message: &str);
    fn never_again(&mut self);
}

impl Old for Task {
    fn old(id: &str, kind: &Kind, fields: &mut Fields, (from, to): (i64, i64)) -> Result<Self, Fault> {
        if id.len() != 8 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Fault::at("id", "is not of eight hexadecimal digits"));
        }
        let arguments: Map<String, Value> = kind
            .arguments
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), fields.0.get(*name)?.clone())))
            .collect();
        let alias = fields.text("alias")?;
        let label = label(&arguments);
        // Answers to prompts are secrets and stay behind.
        let has_answers =
            fields.0.get("responses").and_then(Value::as_object).is_some_and(|map| !map.is_empty());
        let id = TaskId::new(format!("{}{REST_OF_ID}", id.to_ascii_lowercase()));
        let asked = NewTask {
            kind: kind.word.to_owned(),
            alias,
            label,
            arguments: arguments.into(),
            ..NewTask::new(id, "async-tasks", kind.tool, "")
        };
        let mut task = Self::ended(asked, State::Unknown, from, to);
        if has_answers {
            task.never_again();
        }
        Ok(task)
    }

    /// It ended with a result.
    fn leave(&mut self, state: State, fields: &Map<String, Value>, code: Option<i64>) {
        self.state = state;
        let mut data = json!({
            "id": self.asked.id, "type": self.asked.kind, "alias": self.asked.alias, "status": state.name(),
            "duration_ms": self.ran(),
        });
        if let Some(results) = fields.get("results") {
            data["results"] = steps(results);
        } else if self.asked.kind == "sftp" {
            data["message"] = output(fields, "output").into();
        } else {
            data["cmd"] = self.asked.label.clone().into();
            data["exit_code"] = code.into();
            data["stdout"] = output(fields, "output").into();
            data["stderr"] = output(fields, "stderr").into();
            data["line_count"] = fields.get("lineCount").cloned().unwrap_or_default();
            data["timed_out"] = false.into();
        }
        let is_well = state == State::Completed && code.is_none_or(|code| code == 0);
        self.result = Some(json!({"status": if is_well { "ok" } else { "warning" }, "data": data}));
    }

    /// It ended without one.
    fn fail(&mut self, state: State, code: &str, message: &str) {
        self.state = state;
        self.error = Some(json!({"code": code, "message": message, "retriable": false}));
    }

    /// It cannot be run again: what it needs is not here, as with a call whose secrets are gone.
    fn never_again(&mut self) {
        self.asked.context = json!({"is_secret": true});
    }
}

fn label(arguments: &Map<String, Value>) -> Option<String> {
    let word = |name: &str| arguments.get(name).and_then(Value::as_str);
    if let Some(commands) = arguments.get("commands").and_then(Value::as_array) {
        let text = |step: &Value| step.as_str().or(step["command"].as_str()).unwrap_or_default().to_owned();
        return Some(commands.iter().map(text).collect::<Vec<_>>().join("; "));
    }
    if let Some(cmd) = word("cmd") {
        return Some(cmd.to_owned());
    }
    let direction = word("direction")?;
    match (word("local"), word("remote"), arguments.get("files").and_then(Value::as_array)) {
        (Some(local), Some(remote), _) => Some(format!("{direction} {local} -> {remote}")),
        (.., Some(files)) => Some(format!("{direction} of {} files", files.len())),
        _ => None,
    }
}

/// The steps of a sequence, in our words.
fn steps(results: &Value) -> Value {
    let step = |step: &Value| {
        let mut ours = json!({
            "step": step["step"], "command": step["command"], "success": step["success"],
            "exit_code": step["exitCode"], "duration_ms": step["duration"], "line_count": step["lineCount"],
        });
        if let Some(fields) = step.as_object() {
            ours["stdout"] = output(fields, "output").into();
            ours["stderr"] = output(fields, "stderr").into();
        }
        ours
    };
    results.as_array().into_iter().flatten().map(step).collect()
}

/// A text that may be long: its two ends.
fn output(fields: &Map<String, Value>, field: &str) -> String {
    let text = fields.get(field).and_then(Value::as_str).unwrap_or_default();
    if text.len() <= MOST_OUTPUT {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(MOST_OUTPUT / 2);
    let tail = text.ceil_char_boundary(text.len() - MOST_OUTPUT / 2);
    format!("{}\n[{} bytes were not imported]\n{}", &text[..head], tail - head, &text[tail..])
}

fn time(fields: &mut Fields, field: &str) -> Result<Option<i64>, Fault> {
    let Some(text) = fields.text(field)? else { return Ok(None) };
    match text.parse::<Timestamp>() {
        Ok(at) => Ok(Some(at.timestamp_millis())),
        Err(_) => Err(Fault::at(field, "is no time such as 2026-11-20T10:00:00.000Z")),
    }
}

/// Takes secrets out of everything that was said.
fn clean(task: &mut Task, secrets: &Redactor) {
    if let Some(cmd) = task.asked.arguments.get("cmd").and_then(Value::as_str)
        && let Some(bare) = without_credentials(cmd)
    {
        task.asked.label = Some(bare.clone());
        if let Some(data) = task.result.as_mut().and_then(|result| result.pointer_mut("/data/cmd")) {
            *data = bare.clone().into();
        }
        task.asked.arguments["cmd"] = bare.into();
        task.never_again();
    }
    if let Some(label) = &mut task.asked.label {
        secrets.redact_in_place(label);
    }
    let values = [Some(&mut task.asked.arguments), task.result.as_mut(), task.error.as_mut()];
    values.into_iter().flatten().for_each(|value| redact(value, secrets));
}

fn redact(value: &mut Value, secrets: &Redactor) {
    match value {
        Value::String(text) => secrets.redact_in_place(text),
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, secrets)),
        Value::Object(fields) => fields.values_mut().for_each(|field| redact(field, secrets)),
        _ => {}
    }
}

/// The check of an API without what it was shown, which may be the secret of an API that is gone.
fn without_credentials(cmd: &str) -> Option<String> {
    let (before, rest) = cmd.strip_prefix("curl ")?.split_once(PROBE)?;
    let has_any = rest.starts_with(" -u ") || rest.starts_with(" -H ");
    let url = rest.rsplit(' ').next().unwrap_or_default();
    has_any.then(|| format!("curl {before}{PROBE} {REDACTED} {url}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(mut more: Value) -> Value {
        let mut job = json!({
            "id": "1a2b3c4d", "type": "ssh", "alias": "web1", "cmd": "uptime",
            "createdAt": "2025-10-01T10:00:00.000Z", "updatedAt": "2025-10-01T10:00:02.500Z",
        });
        job.as_object_mut().unwrap().append(more.as_object_mut().unwrap());
        job
    }

    fn taken(more: Value) -> Task {
        ran("1a2b3c4d", job(more), &Redactor::new()).map_err(|fault| fault.why).unwrap()
    }

    #[test]
    fn what_it_called_a_success_is_told_as_it_was() {
        let done = taken(json!({"status": "completed", "exitCode": 0, "output": "up 3 days", "stderr": ""}));
        assert_eq!((done.state, done.ran()), (State::Completed, Some(2_500)));
        assert_eq!(done.asked.id.as_str(), "1a2b3c4d-0000-4000-8000-000000000000");
        let result = done.result.unwrap();
        assert_eq!((&result["status"], &result["data"]["stdout"]), (&json!("ok"), &json!("up 3 days")));
        let late = taken(json!({"status": "completed", "exitCode": 124, "timedOut": true, "output": "a"}));
        assert_eq!((late.state, &late.error.unwrap()["details"]["stdout"]), (State::TimedOut, &json!("a")));
        let ended = taken(json!({"status": "failed", "exitCode": 3, "output": "", "error": "code 3"}));
        assert_eq!((ended.state, &ended.result.unwrap()["data"]["exit_code"]), (State::Completed, &json!(3)));
        assert_eq!(taken(json!({"status": "running"})).state, State::Crashed);
        assert_eq!(taken(json!({"status": "pending"})).state, State::Cancelled);
        let failed = taken(json!({"status": "failed", "error": "ECONNREFUSED"}));
        assert_eq!(
            (failed.state, &failed.error.unwrap()["message"]),
            (State::Failed, &json!("ECONNREFUSED"))
        );
    }

    #[test]
    fn no_secret_comes_along() {
        let secrets = Redactor::new();
        secrets.learn("s3cret-of-web1".to_owned().into());
        let told =
            job(json!({"status": "completed", "cmd": "echo s3cret-of-web1", "output": "s3cret-of-web1"}));
        let told = ran("1a2b3c4d", told, &secrets).map_err(|fault| fault.why).unwrap();
        assert!(!serde_json::to_string(&told).unwrap().contains("s3cret"), "{told:?}");
        let probe = format!("curl -X GET {PROBE} -u ann:gone-pw -H 'X-Key: gone-key' http://a/health");
        let probe = taken(json!({"status": "completed", "cmd": probe, "output": "200:0.1"}));
        let text = serde_json::to_string(&probe).unwrap();
        assert!(!text.contains("gone") && text.contains("http://a/health"), "{text}");
        let asked =
            taken(json!({"status": "completed", "interactive": true, "responses": {"pin": "123456"}}));
        assert!(!serde_json::to_string(&asked).unwrap().contains("123456"));
        assert_eq!(asked.asked.context["is_secret"], true, "it cannot be run again without its answers");
    }

    #[test]
    fn a_bad_job_is_refused_by_its_field() {
        for (id, more, field) in [
            ("1a2b3c4d", json!({}), "status"),
            ("1a2b3c4d", json!({"status": "sideways"}), "status"),
            ("1a2b3c4d", json!({"status": "completed", "type": "smtp"}), "type"),
            ("1a2b3c4d", json!({"status": "completed", "createdAt": "yesterday"}), "createdAt"),
            ("../../etc", json!({"status": "completed"}), "id"),
        ] {
            let fault = ran(id, job(more), &Redactor::new()).map(drop).unwrap_err();
            assert_eq!(fault.field.as_deref(), Some(field), "{fault:?}");
        }
    }

    #[test]
    fn an_entry_of_the_history_has_no_outcome() {
        let entry = |kind: &str, command: &str| {
            let entry = json!({
                "jobId": "0000ffff", "timestamp": "2025-10-01T10:00:00.000Z", "type": kind, "alias": "web1",
                "command": command,
            });
            begun("0000ffff", entry, &Redactor::new()).map_err(|fault| fault.why).unwrap()
        };
        let ssh = entry("ssh", "df -h");
        assert_eq!((ssh.state, ssh.asked.label.as_deref()), (State::Unknown, Some("df -h")));
        assert_eq!(entry("sftp", "upload /a -> /b").asked.label.as_deref(), Some("upload /a -> /b"));
        assert_eq!(entry("ssh_sequence", "undefined undefined -> undefined").asked.label, None);
    }

    #[test]
    fn a_long_output_keeps_its_ends() {
        let kept = output(json!({"output": "é".repeat(100_000)}).as_object().unwrap(), "output");
        assert!(kept.len() < MOST_OUTPUT + 100 && kept.contains("bytes were not imported"));
    }
}
