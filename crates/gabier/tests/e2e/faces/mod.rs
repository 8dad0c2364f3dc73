//! One list of tools behind every face: same names, schemas, results, failures, and words for how it ended.

mod face;
mod kinds;
mod table;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use gabier_tool::ErrorKind;
use serde_json::{Map, Value, json};

use crate::harness::{Dns, Home, Server, Web};
use face::{Faces, Seen};
use table::{Row, blur, rows};

const TOKEN: &str = "a-bootstrap-token-of-the-walk-through-all-faces";

const RESULTS: &str = r#"<html><body><div class="result results_links web-result">
  <h2 class="result__title"><a class="result__a" href="https://gabier.example/">Gabier</a></h2>
  <a class="result__snippet" href="https://gabier.example/">Careful hands.</a></div></body></html>"#;

/// An installation whose world is on loopback.
/// How many unique words were given.
static UNIQUE: AtomicU32 = AtomicU32::new(0);

struct World {
    home: Home,
    web: Web,
    file: String,
}

impl World {
    fn new() -> Self {
        let (dns, search) = (Dns::start(), Web::start("text/html", RESULTS));
        let web = Web::start("text/plain", "fair winds");
        let home = Home::new().with("AUTH_TOKEN", TOKEN);
        let file = home.write("logs/voyage.log", "calm\nthe sailor came aboard\nstorm\n");
        home.configure(&format!(
            "[files]\nroots = [{:?}]\n[dns]\nservers = [\"{}\"]\n[web_search]\nendpoint = \"{}\"\n\
             [[egress.allow]]\ncidr = \"127.0.0.1\"\nport = {}\n",
            home.text_path("logs"),
            dns.address,
            search.url(),
            web.address.port(),
        ));
        Self { home, web, file }
    }

    fn serve(&self) -> Server {
        self.home.serve(&[]).with_token(TOKEN)
    }

    /// The arguments with their placeholders replaced; a token of its own for whoever needs one.
    fn fill(&self, arguments: &Value) -> Map<String, Value> {
        let fill = |value: &Value| match value.as_str() {
            Some("$file") => self.file.clone().into(),
            Some("$web") => self.web.url().into(),
            Some("$port") => self.web.address.port().to_string().into(),
            Some("$unique") => format!("walk-{}", UNIQUE.fetch_add(1, Ordering::Relaxed)).into(),
            Some("$prefix") => {
                crate::harness::mint(&self.home, "spare", &["read"])["token_hash_prefix"].clone()
            }
            _ => value.clone(),
        };
        arguments.as_object().unwrap().iter().map(|(key, value)| (key.clone(), fill(value))).collect()
    }
}

#[test]
fn every_face_lists_the_same_tools_with_the_same_schemas() {
    let world = World::new();
    let server = world.serve();
    let faces = Faces::open(&world.home, &server, TOKEN);
    let first = faces.list("MCP stdio");
    assert!(first.len() > 20, "{first:?}");
    for face in ["MCP session", "MCP modern", "bare POST"] {
        assert_eq!(faces.list(face), first, "{face}");
    }
    // The three that reach all others are listed where the list is small; every other face has them as well.
    let names = |list: &[(String, Value)]| {
        let reaching = ["tool_search", "tool_describe", "tool_call"];
        let names = list.iter().map(|(name, _)| name.clone());
        names.filter(|name| !reaching.contains(&name.as_str())).collect::<BTreeSet<_>>()
    };
    for face in ["REST", "CLI", "remote CLI"] {
        assert_eq!(names(&faces.list(face)), names(&first), "{face}");
    }
    for (name, schema) in faces.list("REST") {
        let Some(listed) = first.iter().find(|(own, _)| *own == name) else { continue };
        let strip = |schema: &Value| {
            let mut schema = schema.as_object().unwrap().clone();
            schema.remove("description");
            schema
        };
        let schema = gabier_tool::schema::mcp_schema(&schema, gabier_tool::schema::Side::Input);
        assert_eq!(strip(&schema), strip(&listed.1), "REST: {name}");
    }
}

#[test]
fn every_tool_answers_the_same_on_every_face() {
    let world = World::new();
    let server = world.serve();
    let faces = Faces::open(&world.home, &server, TOKEN);
    let mut rows = rows();
    for (name, schema) in faces.list("REST") {
        if !rows.iter().any(|row| row.tool == name) {
            let row = table::row_of_example(&name, &schema);
            rows.push(
                row.unwrap_or_else(|| panic!("{name} needs a row in the table, or an example in its schema")),
            );
        }
    }

    let mut faults = Vec::new();
    for row in &rows {
        walk(&world, &faces, row, &mut faults);
    }
    assert!(faults.is_empty(), "{} differences:\n{}", faults.len(), faults.join("\n"));
}

/// Calls one tool on every face, rightly and wrongly.
fn walk(world: &World, faces: &Faces<'_>, row: &Row, faults: &mut Vec<String>) {
    let (mut right, mut wrong): (Option<Value>, Option<Value>) = (None, None);
    for face in face::NAMES {
        let arguments = world.fill(&row.arguments);
        let seen = faces.call(face, row.tool, &Value::Object(arguments.clone()));
        let place = format!("{} on {face}", row.tool);
        faults.extend(disagreement(&seen).map(|fault| format!("{place}: {fault}: {}", seen.envelope)));
        if outcome(&seen.envelope) != row.outcome {
            faults.push(format!("{place}: not {}: {}", row.outcome, seen.envelope));
        }
        compare(&mut right, blur(&seen.envelope, row.volatile), &place, faults);

        let mut arguments = arguments;
        arguments.insert("no_such_parameter".to_owned(), json!(1));
        let seen = faces.call(face, row.tool, &Value::Object(arguments));
        faults.extend(disagreement(&seen).map(|fault| format!("{place}, badly: {fault}: {}", seen.envelope)));
        let named = seen.envelope["details"]["errors"][0]["parameter"] == "no_such_parameter";
        if outcome(&seen.envelope) != "INVALID_ARGUMENT" || !named {
            faults.push(format!("{place}, badly: {}", seen.envelope));
        }
        compare(&mut wrong, blur(&seen.envelope, &[]), &format!("{place}, badly"), faults);
    }
}

fn compare(first: &mut Option<Value>, this: Value, place: &str, faults: &mut Vec<String>) {
    match first {
        None => *first = Some(this),
        Some(first) if *first != this => faults.push(format!("{place}: {this}\n   instead of {first}")),
        Some(_) => {}
    }
}

/// The status of a success, the code of a failure.
fn outcome(envelope: &Value) -> &str {
    let key = if envelope["status"] == "error" { "code" } else { "status" };
    envelope[key].as_str().unwrap_or_default()
}

/// Where a face's own word for how it ended disagrees with the envelope.
fn disagreement(seen: &Seen) -> Option<String> {
    let row = ErrorKind::of_code(outcome(&seen.envelope)).map(ErrorKind::row);
    let is_error = seen.envelope["status"] == "error";
    if is_error != row.is_some() {
        return Some("a code outside the table".to_owned());
    }
    let http = match row {
        Some(row) => row.http,
        None if seen.envelope["status"] == "created" => 201,
        None if seen.envelope.pointer("/data/job_id").is_some() => 202,
        None => 200,
    };
    let exit = row.map_or(0, |row| i32::from(row.exit));
    if seen.is_error.is_some_and(|own| own != is_error) {
        return Some(format!("isError {:?}", seen.is_error));
    }
    if seen.http.is_some_and(|own| own != http) {
        return Some(format!("HTTP status {:?}, not {http}", seen.http));
    }
    if seen.exit.is_some_and(|own| own != exit) {
        return Some(format!("exit code {:?}, not {exit}", seen.exit));
    }
    if row.is_some_and(|row| seen.envelope["retriable"] != row.retriable) {
        return Some("retriable is not the table's".to_owned());
    }
    None
}
