//! `ssh_config`: how a host is reached, as its user has written it down.

mod glob;
mod jump;
mod pass;
mod settings;
mod source;
mod tokens;
mod words;

use std::path::{Path, PathBuf};

use gabier_tool::{Error, ErrorKind, Result};

pub use jump::{Hop, Jump};
pub use settings::{HostSettings, Strictness};

use pass::Pass;
use source::{Owner, Reader, Source};

/// The most hops on the way to a host.
const MOST_HOPS: usize = 8;

/// Who reads the configuration, where.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// The home directory, without which `~` and `%d` name nothing.
    pub home: PathBuf,
    /// The user's name, under which one logs in unless told otherwise.
    pub user: String,
}

/// What somebody says when naming a host; it wins over the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Whom to log in as.
    pub user: Option<String>,
    /// The port.
    pub port: Option<u16>,
}

/// The settings of all hosts.
#[derive(Debug, Default)]
pub struct SshConfig {
    sources: Vec<Source>,
    local: Local,
}

impl SshConfig {
    /// Reads the user's and the system's files, where they are there.
    pub fn read(local: &Local) -> Result<Self> {
        let user = Reader::new(local, Owner::User).read(&local.home.join(".ssh/config"), true)?;
        let system = Reader::new(local, Owner::System).read(Path::new("/etc/ssh/ssh_config"), false)?;
        Ok(Self { sources: vec![user, system], local: local.clone() })
    }

    /// Reads one file in place of both.
    pub fn read_file(file: &Path, local: &Local) -> Result<Self> {
        if !file.exists() {
            return Err(Error::not_found(format!("read {}: it is not there", file.display())));
        }
        let source = Reader::new(local, Owner::User).read(file, false)?;
        Ok(Self { sources: vec![source], local: local.clone() })
    }

    /// Reads a text as if it were the user's file.
    pub fn parse(text: &str, local: &Local) -> Result<Self> {
        let source = Reader::new(local, Owner::User).parse(Path::new("config"), text)?;
        Ok(Self { sources: vec![source], local: local.clone() })
    }

    /// The names that `Host` lines spell out, without patterns: what can be imported. In the order of the files.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.sources.iter().for_each(|source| names_of(source, &mut names));
        names
    }

    /// The settings of a host.
    pub fn settings(&self, host: &str, given: &Given) -> Result<HostSettings> {
        let refused =
            |reason: &str| Error::new(ErrorKind::InvalidArgument, format!("look up {host:?}: {reason}"));
        if !is_host(host) {
            return Err(refused("it is no host name"));
        }
        let mut first = Pass::new(host, host, given, &self.local);
        self.sources.iter().try_for_each(|source| first.run(source))?;
        let mut found = first.found;
        let name = match &found.host_name {
            Some(name) => tokens::expand(name, &[('h', host)])
                .map_err(|token| refused(&format!("{token} is no token")))?,
            None => host.to_owned(),
        };
        let name = name.to_ascii_lowercase();
        if first.wants_final {
            found.host_name = Some(name.clone());
            let mut last = Pass::new(&name, host, given, &self.local).last(found);
            self.sources.iter().try_for_each(|source| last.run(source))?;
            found = last.found;
        }
        if !is_host(&name) {
            return Err(refused("HostName is no host name"));
        }
        found.settled(host, &name, &self.local)
    }

    /// The settings of every stop on the way to a host, the host itself last.
    pub fn route(&self, host: &str, given: &Given) -> Result<Vec<HostSettings>> {
        let mut route = Vec::new();
        self.follow(host, given, &mut route, 0)?;
        Ok(route)
    }

    fn follow(&self, host: &str, given: &Given, route: &mut Vec<HostSettings>, depth: usize) -> Result<()> {
        let settings = self.settings(host, given)?;
        match &settings.jump {
            Jump::Direct => {}
            Jump::Command => {
                return Err(Error::new(
                    ErrorKind::NotAvailable,
                    format!(
                        "reach {host}: its ProxyCommand is a program, and no program is started; use ProxyJump"
                    ),
                ));
            }
            Jump::Hops(hops) => {
                if depth + hops.len() > MOST_HOPS {
                    let message = format!("reach {host}: the way there has more than {MOST_HOPS} hops");
                    return Err(Error::new(ErrorKind::InvalidArgument, message));
                }
                for (number, hop) in hops.iter().enumerate() {
                    let given = Given { user: hop.user.clone(), port: hop.port };
                    // The list says how to go on from the first of its hops; how to reach that one, its own settings.
                    if number == 0 {
                        self.follow(&hop.host, &given, route, depth + hops.len())?;
                    } else {
                        route.push(self.settings(&hop.host, &given)?);
                    }
                }
            }
        }
        route.push(settings);
        Ok(())
    }
}

fn names_of(source: &Source, names: &mut Vec<String>) {
    for line in &source.lines {
        if line.keyword == "host" {
            let plain = line.arguments.iter().filter(|name| is_host(name) && !name.contains(['*', '?', '!']));
            for name in plain {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        line.included.iter().for_each(|included| names_of(included, names));
    }
}

/// True for what may be dialled: letters of any script, digits, `.-_:` and a zone, no leading dash.
fn is_host(name: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || "._-:%".contains(c);
    !name.is_empty() && name.len() <= 255 && !name.starts_with('-') && name.chars().all(is_plain)
}

/// A port from 1 to 65535 in decimal digits.
fn port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| *port > 0 && is_plain)
}

#[cfg(test)]
mod tests;
