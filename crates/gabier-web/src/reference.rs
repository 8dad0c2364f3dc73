//! The reference for reading: the OpenAPI document as one page that needs no script.

use axum::response::Response;
use gabier_display::html::markdown;
use gabier_tool::ErrorKind;
use http::{HeaderMap, StatusCode};
use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::answer::{answer, media};
use crate::html::page;
use crate::web::App;

/// `/redoc`.
pub(crate) async fn reference(app: &App, _: &HeaderMap) -> Response {
    let document = &app.document().await.value;
    let title = format!("{}: API reference", app.options.service);
    let groups = groups(document);
    let content = html! {
        header { p.brand { a href="/" { (app.options.service) } " " (app.options.version) } }
        nav.contents aria-label="Contents" {
            ul {
                @for (tag, operations) in &groups {
                    li {
                        a href=(format!("#group-{tag}")) { (tag) }
                        ul {
                            @for operation in operations {
                                li { a href=(format!("#{}", operation.id)) { (operation.method) " " (operation.path) } }
                            }
                        }
                    }
                }
                li { a href="#codes" { "Error codes" } }
            }
        }
        main #main {
            h1 { (title) }
            (markdown(text(document, "/info/description")))
            p { "The same as a document: " a href="/openapi.json" { "/openapi.json" } ". To try it: " a href="/docs" { "/docs" } "." }
            @for (tag, operations) in &groups {
                section {
                    h2 id=(format!("group-{tag}")) { (tag) }
                    @for operation in operations { (operation_of(document, operation)) }
                }
            }
            (codes())
        }
    };
    answer(StatusCode::OK, media::HTML, page(&title, &content))
}

/// One operation of the document.
struct Operation<'a> {
    id: &'a str,
    method: String,
    path: &'a str,
    value: &'a Value,
}

fn groups(document: &Value) -> Vec<(&str, Vec<Operation<'_>>)> {
    let mut groups: Vec<(&str, Vec<Operation<'_>>)> = Vec::new();
    for (path, item) in object(document, "/paths") {
        for (method, value) in item.as_object().into_iter().flatten() {
            let id = text(value, "/operationId");
            let tag = text(value, "/tags/0");
            let operation = Operation { id, method: method.to_uppercase(), path, value };
            match groups.iter_mut().find(|(own, _)| *own == tag) {
                Some((_, operations)) => operations.push(operation),
                None => groups.push((tag, vec![operation])),
            }
        }
    }
    groups
}

fn operation_of(document: &Value, operation: &Operation<'_>) -> Markup {
    let value = operation.value;
    let input = value
        .pointer("/requestBody/content/application~1json/schema")
        .map(|schema| resolve(document, schema));
    let example = value.pointer("/requestBody/content/application~1json/example");
    let output = value
        .pointer("/responses/200/content/application~1json/schema")
        .map(|schema| resolve(document, schema));
    let data = output.and_then(|schema| schema.pointer("/properties/data")).map(|schema| {
        // A tool that can be tried out answers with one of two objects; its own comes first.
        resolve(document, schema.pointer("/anyOf/0").unwrap_or(schema))
    });
    html! {
        article.operation {
            h3 id=(operation.id) {
                span.method { (operation.method) } " " code { (operation.path) }
            }
            p.summary { strong { (text(value, "/summary")) } }
            (markdown(text(value, "/description")))
            (parameters(document, value, input, operation))
            @if let Some(input) = input {
                @let example = example.cloned().unwrap_or_else(|| sample(input));
                p { "For example:" }
                pre tabindex="0" { code { (curl(operation, &example)) } }
            }
            @if let Some(data) = data {
                (fields("Result", &format!("Fields of data in the answer of {} {}", operation.method, operation.path), document, data))
            }
            p { "Answers: " (answers(value)) }
        }
    }
}

fn parameters(document: &Value, value: &Value, input: Option<&Value>, operation: &Operation<'_>) -> Markup {
    let caption = format!("Parameters of {} {}", operation.method, operation.path);
    if let Some(input) = input {
        return fields("Parameters", &caption, document, input);
    }
    let Some(parameters) = value.pointer("/parameters").and_then(Value::as_array) else { return html! {} };
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in parameters {
        let mut schema = parameter.pointer("/schema").cloned().unwrap_or_default();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert(
                "description".to_owned(),
                parameter.pointer("/description").cloned().unwrap_or_default(),
            );
        }
        properties.insert(text(parameter, "/name").to_owned(), schema);
        if parameter.pointer("/required").is_some_and(|required| required == true) {
            required.push(parameter.pointer("/name").cloned().unwrap_or_default());
        }
    }
    let schema = serde_json::json!({"properties": properties, "required": required});
    fields("Parameters", &caption, document, &schema)
}

fn fields(title: &str, caption: &str, document: &Value, schema: &Value) -> Markup {
    let properties = object(schema, "/properties");
    let is_required = |name: &str| {
        let names = schema.pointer("/required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|own| own == name))
    };
    html! {
        @if !properties.is_empty() {
            div.wide tabindex="0" role="group" aria-label=(caption) {
                table {
                    caption { (title) span.sr { " (" (caption) ")" } }
                    thead { tr { th scope="col" { "Name" } th scope="col" { "Type" } th scope="col" { "Meaning" } } }
                    tbody {
                        @for (name, inner) in &properties {
                            tr {
                                th scope="row" {
                                    code { (name) }
                                    @if is_required(name) { " " span.required { "required" } }
                                }
                                td { (type_of(document, inner)) }
                                td { (markdown(text(resolve(document, inner), "/description"))) (bounds(resolve(document, inner))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn type_of(document: &Value, schema: &Value) -> String {
    let schema = resolve(document, schema);
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<String> = words
            .iter()
            .filter(|word| !word.is_null())
            .map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned))
            .collect();
        return words.join(" | ");
    }
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => kinds
            .iter()
            .filter_map(Value::as_str)
            .filter(|kind| *kind != "null")
            .collect::<Vec<_>>()
            .join(" | "),
        _ => "any".to_owned(),
    };
    match schema.get("items") {
        Some(items) => format!("list of {}", type_of(document, items)),
        None => kind,
    }
}

fn bounds(schema: &Value) -> Markup {
    let words = [
        ("default", "Default"),
        ("minimum", "At least"),
        ("exclusiveMinimum", "More than"),
        ("maximum", "At most"),
        ("minLength", "Characters, at least"),
        ("maxLength", "Characters, at most"),
        ("maxItems", "Items, at most"),
    ];
    let known: Vec<_> = words.iter().filter_map(|(key, word)| Some((word, schema.get(key)?))).collect();
    html! {
        @if !known.is_empty() {
            p.bounds { @for (word, value) in known { (word) ": " code { (value) } ". " } }
        }
    }
}

fn answers(value: &Value) -> Markup {
    let responses = object(value, "/responses");
    html! {
        @for (at, (status, _)) in responses.iter().enumerate() {
            @if at > 0 { ", " }
            code { (status) }
        }
        "."
    }
}

fn codes() -> Markup {
    html! {
        section {
            h2 id="codes" { "Error codes" }
            div.wide tabindex="0" role="group" aria-label="Error codes" {
                table {
                    caption { "Every failure has one of these codes; HTTP status and exit code follow from it." }
                    thead { tr {
                        th scope="col" { "Code" } th scope="col" { "HTTP" } th scope="col" { "Exit" }
                        th scope="col" { "Again?" } th scope="col" { "What to do" }
                    } }
                    tbody {
                        @for row in ErrorKind::ALL.iter().map(|kind| kind.row()) {
                            tr {
                                th scope="row" { code { (row.code) } }
                                td.right { (row.http) }
                                td.right { (row.exit) }
                                td { @if row.retriable { "yes" } @else { "no" } }
                                td { (markdown(row.cure)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A made-up call: a value for every required parameter.
fn sample(input: &Value) -> Value {
    let names =
        input.pointer("/required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let properties = input.get("properties");
    let sample_of = |name: &str| {
        let schema = properties.and_then(|all| all.get(name))?;
        let declared = schema
            .pointer("/examples/0")
            .or_else(|| schema.get("default"))
            .or_else(|| schema.pointer("/enum/0"));
        Some(declared.cloned().unwrap_or_else(|| match schema.get("type").and_then(Value::as_str) {
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| 1.into()),
            Some("boolean") => true.into(),
            Some("array") => Value::Array(Vec::new()),
            Some("object") => Value::Object(Map::new()),
            _ => "…".into(),
        }))
    };
    names.map(|name| (name.to_owned(), sample_of(name).unwrap_or_default())).collect::<Map<_, _>>().into()
}

fn curl(operation: &Operation<'_>, example: &Value) -> String {
    // A quote in the body must not end the shell's.
    let body = example.to_string().replace('\'', "'\\''");
    format!("curl -s $URL{} -H 'Content-Type: application/json' -d '{body}'", operation.path)
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    target.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn object<'a>(value: &'a Value, pointer: &str) -> Vec<(&'a str, &'a Value)> {
    let object = value.pointer(pointer).and_then(Value::as_object);
    object.into_iter().flatten().map(|(key, inner)| (key.as_str(), inner)).collect()
}
