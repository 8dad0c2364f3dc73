//! Where MCP clients keep their servers and in which form (faces.md §6). From the clients' documentation.

use std::path::PathBuf;

use etcetera::base_strategy::BaseStrategy as _;
use gabier_tool::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::Entry;
use crate::config::Loader;

/// A program that starts MCP servers.
pub(super) struct Client {
    /// Its word on the command line.
    pub(super) word: &'static str,
    /// Its name.
    pub(super) title: &'static str,
    /// What it must be told before it sees a change.
    pub(super) then: &'static str,
    /// Where its file is for the user.
    user: Place,
    /// Its file in a project, where it has one.
    project: Option<&'static str>,
    /// What the file looks like.
    pub(super) format: Format,
    /// The key under which it keeps servers.
    pub(super) key: &'static str,
    /// How it names a server it starts.
    starts: Option<(&'static str, &'static str)>,
    /// How it names a server it reaches over HTTP: the key of the URL and a type; none when it cannot.
    reaches: Option<(&'static str, Option<&'static str>)>,
}

/// Where a user's file is.
enum Place {
    /// In the home folder.
    Home(&'static str),
    /// In the folder of configurations, which is another on macOS.
    Config(&'static str),
    /// The same on every system.
    DotConfig(&'static str),
}

/// What a file looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// JSON, with comments where somebody wrote some.
    Json,
    /// TOML.
    Toml,
}

/// Whose file is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The user's.
    User,
    /// That of the project in the working directory.
    Project,
}

/// The clients that are known.
pub(super) const CLIENTS: &[Client] = &[
    Client {
        word: "claude-desktop",
        title: "Claude Desktop",
        then: "quit Claude Desktop and start it again",
        user: Place::Config("Claude/claude_desktop_config.json"),
        project: None,
        format: Format::Json,
        key: "mcpServers",
        starts: None,
        reaches: None,
    },
    Client {
        word: "claude-code",
        title: "Claude Code",
        then: "start Claude Code again; /mcp shows its servers",
        user: Place::Home(".claude.json"),
        project: Some(".mcp.json"),
        format: Format::Json,
        key: "mcpServers",
        starts: None,
        reaches: Some(("url", Some("http"))),
    },
    Client {
        word: "cursor",
        title: "Cursor",
        then: "look at Settings, MCP",
        user: Place::Home(".cursor/mcp.json"),
        project: Some(".cursor/mcp.json"),
        format: Format::Json,
        key: "mcpServers",
        starts: None,
        reaches: Some(("url", None)),
    },
    Client {
        word: "vscode",
        title: "VS Code",
        then: "run `MCP: List Servers` from the command palette",
        user: Place::Config("Code/User/mcp.json"),
        project: Some(".vscode/mcp.json"),
        format: Format::Json,
        key: "servers",
        starts: Some(("type", "stdio")),
        reaches: Some(("url", Some("http"))),
    },
    Client {
        word: "gemini",
        title: "Gemini CLI",
        then: "start Gemini CLI again; /mcp shows its servers",
        user: Place::Home(".gemini/settings.json"),
        project: Some(".gemini/settings.json"),
        format: Format::Json,
        key: "mcpServers",
        starts: None,
        reaches: Some(("httpUrl", None)),
    },
    Client {
        word: "codex",
        title: "Codex CLI",
        then: "start Codex CLI again; /mcp shows its servers",
        user: Place::Home(".codex/config.toml"),
        project: None,
        format: Format::Toml,
        key: "mcp_servers",
        starts: None,
        reaches: Some(("url", None)),
    },
    Client {
        word: "windsurf",
        title: "Windsurf",
        then: "refresh the servers in Settings, Cascade",
        user: Place::Home(".codeium/windsurf/mcp_config.json"),
        project: None,
        format: Format::Json,
        key: "mcpServers",
        starts: None,
        reaches: Some(("serverUrl", None)),
    },
    Client {
        word: "zed",
        title: "Zed",
        then: "look at the agent panel's settings",
        user: Place::DotConfig("zed/settings.json"),
        project: Some(".zed/settings.json"),
        format: Format::Json,
        key: "context_servers",
        starts: None,
        reaches: None,
    },
];

impl Client {
    /// Its file.
    pub(super) fn file(&self, scope: Scope) -> Result<PathBuf> {
        if scope == Scope::Project {
            return self
                .project
                .map(PathBuf::from)
                .ok_or_else(|| Error::invalid("scope", format!("{} has no file of a project", self.title)));
        }
        let home = || {
            etcetera::home_dir().map_err(|error| {
                Error::new(ErrorKind::Unavailable, "finding the home folder").with_source(error)
            })
        };
        let dot_config = || match Loader::folders() {
            Some(folders) => Ok(folders.config_dir()),
            None => home().map(|home| home.join(".config")),
        };
        Ok(match self.user {
            Place::Home(file) => home()?.join(file),
            Place::Config(file) if cfg!(target_os = "macos") => {
                home()?.join("Library/Application Support").join(file)
            }
            Place::Config(file) | Place::DotConfig(file) => dot_config()?.join(file),
        })
    }

    /// A server in its form.
    pub(super) fn form(&self, entry: &Entry) -> Result<Value> {
        let mut form = json!({});
        match entry {
            Entry::Command { command, arguments } => {
                if let Some((key, word)) = self.starts {
                    form[key] = word.into();
                }
                form["command"] = command.as_str().into();
                form["args"] = arguments.clone().into();
            }
            Entry::Http { url } => {
                let (key, kind) = self.reaches.ok_or_else(|| {
                    Error::invalid("http", format!("{} starts its servers itself", self.title))
                        .with_next("leave --http out")
                })?;
                if let Some(kind) = kind {
                    form["type"] = kind.into();
                }
                form[key] = url.as_str().into();
            }
        }
        Ok(form)
    }
}
