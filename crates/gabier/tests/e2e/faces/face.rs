//! Every way to call a tool, and what is seen there.

use std::cell::RefCell;

use serde_json::{Value, json};

use crate::harness::{Home, Pipe, Server, post};

/// What a face showed of one call.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) envelope: Value,
    pub(crate) is_error: Option<bool>,
    pub(crate) http: Option<u16>,
    pub(crate) exit: Option<i32>,
}

/// The faces of one installation.
pub(crate) struct Faces<'a> {
    home: &'a Home,
    server: &'a Server,
    token: &'a str,
    pipe: RefCell<Pipe>,
    session: String,
}

pub(crate) const NAMES: [&str; 8] =
    ["MCP stdio", "MCP session", "MCP modern", "bare POST", "REST", "CLI", "remote CLI", "shell"];

const EVENTS: &str = "application/json, text/event-stream";

impl<'a> Faces<'a> {
    /// Opens what stays open between calls: the pipe and the session.
    #[track_caller]
    pub(crate) fn open(home: &'a Home, server: &'a Server, token: &'a str) -> Self {
        let mut pipe = home.mcp(&["--profile", "all"]);
        pipe.initialize("2025-06-18");
        let client = json!({"name": "e2e", "version": "1"});
        let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
        let answer = server.send(post("/mcp?profile=all", &body).with("Accept", EVENTS));
        let session = answer.header("mcp-session-id").unwrap_or_else(|| panic!("{answer:?}")).to_owned();
        let this = Self { home, server, token, pipe: RefCell::new(pipe), session };
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let answer = server.send(this.in_session(&ready));
        assert_eq!(answer.status, 202, "{answer:?}");
        this
    }

    fn in_session(&self, body: &Value) -> crate::harness::Request {
        post("/mcp?profile=all", body)
            .with("Accept", EVENTS)
            .with("Mcp-Session-Id", &self.session)
            .with("Mcp-Protocol-Version", "2025-06-18")
    }

    /// Calls a tool on a face.
    #[track_caller]
    pub(crate) fn call(&self, face: &str, tool: &str, arguments: &Value) -> Seen {
        let params = json!({"name": tool, "arguments": arguments});
        match face {
            "REST" => {
                let answer = self.server.call(tool, arguments);
                Seen { envelope: answer.json(), is_error: None, http: Some(answer.status), exit: None }
            }
            "CLI" | "remote CLI" | "shell" => self.command(face, tool, arguments),
            _ => {
                let answer = self.ask(face, "tools/call", &params, tool);
                let result = &answer["result"];
                let text =
                    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{face}: {answer}"));
                let envelope = result["structuredContent"].clone();
                assert_eq!(
                    serde_json::from_str::<Value>(text).unwrap(),
                    envelope,
                    "{face}: text and structure"
                );
                Seen { envelope, is_error: Some(result["isError"] == true), http: None, exit: None }
            }
        }
    }

    /// Sends an MCP request on one of the four MCP faces.
    #[track_caller]
    pub(crate) fn ask(&self, face: &str, method: &str, params: &Value, name: &str) -> Value {
        let body = |params: &Value| json!({"jsonrpc": "2.0", "id": "x", "method": method, "params": params});
        let answer = match face {
            "MCP stdio" => return self.pipe.borrow_mut().ask(method, params),
            "MCP session" => self.server.send(self.in_session(&body(params))),
            "bare POST" => self.server.post("/mcp?profile=all", &body(params)),
            "MCP modern" => {
                let mut params = params.clone();
                params["_meta"] = json!({
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                    "io.modelcontextprotocol/clientInfo": {"name": "e2e", "version": "1"},
                });
                let request = post("/mcp?profile=all", &body(&params))
                    .with("Accept", EVENTS)
                    .with("Mcp-Protocol-Version", "2026-07-28")
                    .with("Mcp-Method", method);
                self.server.send(if name.is_empty() { request } else { request.with("Mcp-Name", name) })
            }
            _ => panic!("{face} is no MCP face"),
        };
        assert_eq!(answer.status, 200, "{face}: {answer:?}");
        answer.reply(&json!("x"))
    }

    #[track_caller]
    fn command(&self, face: &str, tool: &str, arguments: &Value) -> Seen {
        let input = arguments.to_string();
        let call = ["call", tool, "--input", &input, "--json", "--yes"];
        let remote = ["--url", &self.server.url, "--token", self.token];
        let done = match face {
            "CLI" => self.home.run(&call),
            "remote CLI" => self.home.run(&[&call[..], &remote].concat()),
            _ => {
                let file = self.home.write("input.json", &input);
                let line = format!("call {tool} --input @{file} --json --yes\n");
                self.home.run_with(&["shell"], &line)
            }
        };
        let exit = (face != "shell").then_some(done.code);
        Seen { envelope: done.json(), is_error: None, http: None, exit }
    }

    /// The tools and their input schemas as a face lists them: the MCP faces in the form that MCP publishes, REST as it
    /// publishes them itself.
    #[track_caller]
    pub(crate) fn list(&self, face: &str) -> Vec<(String, Value)> {
        let (tools, key) = match face {
            "REST" => (self.server.get("/api/v1/tools").json()["data"]["tools"].clone(), "input"),
            "CLI" => (self.home.json(&["tools"])["data"]["tools"].clone(), ""),
            "remote CLI" => {
                let words = ["tools", "--url", &self.server.url, "--token", self.token];
                (self.home.json(&words)["data"]["tools"].clone(), "")
            }
            _ => (self.ask(face, "tools/list", &json!({}), "")["result"]["tools"].clone(), "inputSchema"),
        };
        let tools = tools.as_array().unwrap_or_else(|| panic!("{face} lists no tools")).iter();
        tools.map(|tool| (tool["name"].as_str().unwrap().to_owned(), tool[key].clone())).collect()
    }
}
