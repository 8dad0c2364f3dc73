//! Resources that tools read: what a tool answers, under a URI that a client may keep, attach and read again.

use gabier_tool::{Call, Envelope, ErrorKind};
use rmcp::model::{ReadResourceRequestParams, ReadResourceResult, ResourceContents, ResourceTemplate};
use rmcp::{ErrorData, RoleServer, service::RequestContext};
use serde_json::{Map, Value};

use crate::asked::Asked;
use crate::extras::not_there;
use crate::server::Server;

/// A resource that a tool reads, through dispatch like every call.
#[derive(Clone, Debug)]
pub struct ToolResource {
    /// Its URI with one variable, which is a parameter of the tool: `task://{id}/log`.
    pub template: String,
    /// Its name.
    pub name: String,
    /// What it holds.
    pub description: String,
    /// The tool.
    pub tool: String,
    /// The tool's other arguments.
    pub arguments: Map<String, Value>,
}

impl ToolResource {
    /// The template as clients are shown it.
    pub(crate) fn shown(&self) -> ResourceTemplate {
        ResourceTemplate::new(&self.template, &self.name)
            .with_description(&self.description)
            .with_mime_type("text/plain")
    }

    /// The tool's arguments for a URI; none when the URI is another resource's.
    fn arguments_for(&self, uri: &str) -> Option<Map<String, Value>> {
        let (begin, rest) = self.template.split_once('{')?;
        let (variable, end) = rest.split_once('}')?;
        let value = uri.strip_prefix(begin)?.strip_suffix(end)?;
        if value.is_empty() || value.contains('/') {
            return None;
        }
        let mut arguments = self.arguments.clone();
        arguments.insert(variable.to_owned(), value.into());
        Some(arguments)
    }
}

impl Server {
    /// What a tool says is in a resource; none when no tool reads it.
    pub(crate) async fn read_by_tool(
        &self,
        read: &ReadResourceRequestParams,
        request: &RequestContext<RoleServer>,
    ) -> Result<Option<ReadResourceResult>, ErrorData> {
        let shared = &self.shared;
        let found = shared.options.resources.iter().find_map(|resource| {
            let arguments = resource.arguments_for(&read.uri)?;
            Some((resource, arguments))
        });
        let Some((resource, arguments)) = found else { return Ok(None) };
        let asked = Asked::of(request);
        let visit = self.visit_of(&asked)?;
        let mut call = Call::new(&*resource.tool, arguments, visit.caller, self.connection.surface);
        call.profile = Some(visit.profile.into());
        call.cancel = asked.ct.child_token();
        if let Some(id) = asked.request_id() {
            call.request_id = id;
        }
        match shared.dispatch.call(call).await.envelope {
            Envelope::Success { data, .. } => {
                let contents = ResourceContents::text(text_of(&data), &read.uri);
                Ok(Some(ReadResourceResult::new(vec![contents])))
            }
            Envelope::Failure { error, .. } => Err(match error.kind() {
                ErrorKind::NotFound | ErrorKind::InvalidArgument => not_there(&read.uri),
                ErrorKind::Internal => ErrorData::internal_error(error.message().to_owned(), None),
                kind => {
                    let data = serde_json::json!({"uri": read.uri, "code": kind.code()});
                    ErrorData::invalid_request(error.message().to_owned(), Some(data))
                }
            }),
        }
    }
}

/// The lines of a tool's data, else all of it.
fn text_of(data: &Value) -> String {
    let Some(lines) = data.get("lines").and_then(Value::as_array) else { return data.to_string() };
    let mut text = String::new();
    for line in lines.iter().filter_map(Value::as_str) {
        text.push_str(line);
        text.push('\n');
    }
    if let Some(next) = data.get("next_offset") {
        text = format!("{text}[… there is more from line {next} on …]\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn log() -> ToolResource {
        ToolResource {
            template: "task://{id}/log".to_owned(),
            name: "log".to_owned(),
            description: String::new(),
            tool: "task_output".to_owned(),
            arguments: json!({"limit": 5}).as_object().unwrap().clone(),
        }
    }

    #[test]
    fn the_variable_of_the_uri_is_an_argument() {
        let arguments = log().arguments_for("task://0123abcd/log").unwrap();
        assert_eq!(Value::from(arguments), json!({"limit": 5, "id": "0123abcd"}));
        for other in ["task:///log", "task://a/b/log", "task://a/logs", "file://a/log", "task://a"] {
            assert!(log().arguments_for(other).is_none(), "{other}");
        }
    }

    #[test]
    fn lines_are_text_and_what_is_missing_is_told() {
        assert_eq!(text_of(&json!({"lines": ["a", "b"]})), "a\nb\n");
        let cut = text_of(&json!({"lines": ["a"], "next_offset": 1}));
        assert_eq!(cut, "a\n[… there is more from line 1 on …]\n");
        assert_eq!(text_of(&json!({"x": 1})), r#"{"x":1}"#);
    }
}
