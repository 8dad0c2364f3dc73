//! What the configuration says of one host.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use gabier_tool::{Error, ErrorKind, Result};

use super::jump::{self, Hop, Jump};
use super::source::Line;
use super::{Local, tokens};

/// The keys that are tried when none is named.
const USUAL_KEYS: [&str; 3] = ["id_rsa", "id_ecdsa", "id_ed25519"];

/// How strictly host keys are taken (`StrictHostKeyChecking`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// Unknown keys are refused.
    Yes,
    /// Unknown keys are recorded.
    AcceptNew,
    /// Somebody is asked.
    #[default]
    Ask,
    /// Everything is taken; we never do.
    Off,
}

/// The settings of one host, with tokens and `~` replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSettings {
    /// The name it was asked for by.
    pub alias: String,
    /// What to dial.
    pub host_name: String,
    /// The port.
    pub port: u16,
    /// Whom to log in as.
    pub user: String,
    /// Files of keys, in the order in which they are tried.
    pub identity_files: Vec<PathBuf>,
    /// True when the files are the usual ones, since none is named.
    pub has_usual_identities: bool,
    /// True when no other key than those of the files may be offered.
    pub identities_only: bool,
    /// Files of user certificates.
    pub certificate_files: Vec<PathBuf>,
    /// The agent's socket; `None` when nothing is said, an empty path for no agent.
    pub identity_agent: Option<PathBuf>,
    /// How it is reached.
    pub jump: Jump,
    /// The user's files of known hosts.
    pub user_known_hosts: Vec<PathBuf>,
    /// The system's files of known hosts.
    pub global_known_hosts: Vec<PathBuf>,
    /// The name under which its keys are recorded, instead of its own.
    pub host_key_alias: Option<String>,
    /// How strictly its key is taken.
    pub strictness: Strictness,
    /// True when new host names are hashed.
    pub hashes_known_hosts: bool,
    /// How long to wait for a connection.
    pub connect_timeout: Option<Duration>,
    /// How long silence may last before the host is asked for a sign of life.
    pub keep_alive: Option<Duration>,
}

/// What lines have said so far; the first to say something wins.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) host_name: Option<String>,
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) identity_files: Vec<String>,
    pub(super) identities_only: Option<bool>,
    pub(super) certificate_files: Vec<String>,
    pub(super) identity_agent: Option<String>,
    pub(super) jump: Option<Jump>,
    /// Whether a program is the way.
    pub(super) is_command: Option<bool>,
    pub(super) user_known_hosts: Vec<String>,
    pub(super) global_known_hosts: Vec<String>,
    pub(super) host_key_alias: Option<String>,
    pub(super) strictness: Option<Strictness>,
    pub(super) hashes_known_hosts: Option<bool>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) keep_alive: Option<Duration>,
}

impl Found {
    /// Takes what a line says if it is active; a line that cannot be understood is refused either way.
    pub(super) fn take(&mut self, line: &Line, is_active: bool) -> Result<()> {
        match line.keyword.as_str() {
            "hostname" => keep(&mut self.host_name, line.only()?.to_owned(), is_active),
            "user" => keep(&mut self.user, line.only()?.to_owned(), is_active),
            "port" => {
                let word = line.only()?;
                let port = super::port(word).ok_or_else(|| line.refuse(format!("{word:?} is no port")))?;
                keep(&mut self.port, port, is_active);
            }
            "identityfile" => add(&mut self.identity_files, line.only()?, is_active),
            "certificatefile" => add(&mut self.certificate_files, line.only()?, is_active),
            "identityagent" => keep(&mut self.identity_agent, line.only()?.to_owned(), is_active),
            "identitiesonly" => keep(&mut self.identities_only, yes(line)?, is_active),
            "userknownhostsfile" => list(&mut self.user_known_hosts, line, is_active)?,
            "globalknownhostsfile" => list(&mut self.global_known_hosts, line, is_active)?,
            "hostkeyalias" => keep(&mut self.host_key_alias, line.only()?.to_owned(), is_active),
            "stricthostkeychecking" => keep(&mut self.strictness, strictness(line)?, is_active),
            "hashknownhosts" => keep(&mut self.hashes_known_hosts, yes(line)?, is_active),
            "connecttimeout" => wait(&mut self.connect_timeout, line, is_active)?,
            "serveraliveinterval" => wait(&mut self.keep_alive, line, is_active)?,
            "proxycommand" => {
                let is_none = line.rest.trim_start_matches([' ', '\t', '=']) == "none";
                let is_open = !matches!(self.jump, Some(Jump::Hops(_)));
                keep(&mut self.is_command, !is_none, is_active && is_open);
            }
            "proxyjump" => {
                let text = jump::without_comment(line.rest.trim_start_matches([' ', '\t', '=']));
                let jump = if text.eq_ignore_ascii_case("none") {
                    Jump::Direct
                } else {
                    let hops = jump::hops(text);
                    Jump::Hops(hops.ok_or_else(|| line.refuse(format!("{text:?} is no list of hops")))?)
                };
                keep(&mut self.jump, jump, is_active && self.is_command.is_none());
            }
            // What we do not use is not judged.
            _ => {}
        }
        Ok(())
    }

    /// The settings, complete.
    pub(super) fn settled(self, alias: &str, host_name: &str, local: &Local) -> Result<HostSettings> {
        let port = self.port.unwrap_or(22);
        let user = self.user.unwrap_or_else(|| local.user.clone());
        let home = local.home.display().to_string();
        let number = port.to_string();
        let values = [
            ('h', host_name),
            ('n', alias),
            ('p', number.as_str()),
            ('r', user.as_str()),
            ('u', local.user.as_str()),
            ('d', home.as_str()),
        ];
        let path = |word: &String| path(word, &values, local);
        let paths = |words: &[String]| {
            let named = words.iter().filter(|word| !word.eq_ignore_ascii_case("none"));
            named.map(path).collect::<Result<Vec<_>>>()
        };
        let or_usual = |words: Vec<String>, usual: &[&str]| {
            if words.is_empty() { usual.iter().map(|word| (*word).to_owned()).collect() } else { words }
        };
        let usual_keys = USUAL_KEYS.map(|key| format!("~/.ssh/{key}"));
        let has_usual_identities = self.identity_files.is_empty();
        let identity_files = if has_usual_identities { usual_keys.to_vec() } else { self.identity_files };
        let user_known = or_usual(self.user_known_hosts, &["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]);
        let global_known =
            or_usual(self.global_known_hosts, &["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]);
        Ok(HostSettings {
            identity_files: paths(&identity_files)?,
            has_usual_identities,
            identities_only: self.identities_only.unwrap_or(false),
            certificate_files: paths(&self.certificate_files)?,
            identity_agent: match &self.identity_agent {
                None => None,
                Some(word) if word == "SSH_AUTH_SOCK" => None,
                Some(word) if word.eq_ignore_ascii_case("none") => Some(PathBuf::new()),
                Some(word) => Some(path(word)?),
            },
            jump: match self.is_command {
                Some(true) => Jump::Command,
                _ => hops(self.jump.unwrap_or_default(), &values)?,
            },
            user_known_hosts: paths(&user_known)?,
            global_known_hosts: paths(&global_known)?,
            host_key_alias: self.host_key_alias,
            strictness: self.strictness.unwrap_or_default(),
            hashes_known_hosts: self.hashes_known_hosts.unwrap_or(false),
            connect_timeout: self.connect_timeout.filter(|time| !time.is_zero()),
            keep_alive: self.keep_alive.filter(|interval| !interval.is_zero()),
            alias: alias.to_owned(),
            host_name: canonical(host_name),
            port,
            user,
        })
    }
}

fn keep<T>(slot: &mut Option<T>, value: T, is_active: bool) {
    if is_active && slot.is_none() {
        *slot = Some(value);
    }
}

fn add(list: &mut Vec<String>, word: &str, is_active: bool) {
    if is_active && !list.iter().any(|known| known == word) {
        list.push(word.to_owned());
    }
}

fn list(slot: &mut Vec<String>, line: &Line, is_active: bool) -> Result<()> {
    if line.arguments.iter().any(String::is_empty) {
        return Err(line.refuse(format!("{} is empty", line.keyword)));
    }
    let has_none = line.arguments.iter().any(|word| word.eq_ignore_ascii_case("none"));
    if has_none && line.arguments.len() > 1 {
        return Err(line.refuse("none stands alone"));
    }
    if is_active && slot.is_empty() {
        slot.clone_from(&line.arguments);
    }
    Ok(())
}

fn yes(line: &Line) -> Result<bool> {
    let word = line.only()?;
    match word.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(line.refuse(format!("{word:?} is neither yes nor no"))),
    }
}

fn strictness(line: &Line) -> Result<Strictness> {
    let word = line.only()?;
    match word.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(Strictness::Yes),
        "no" | "false" | "off" => Ok(Strictness::Off),
        "accept-new" => Ok(Strictness::AcceptNew),
        "ask" => Ok(Strictness::Ask),
        _ => Err(line.refuse(format!("{word:?} is no strictness"))),
    }
}

/// `90`, `1m30s`; after `none` a later line may still say one.
fn wait(slot: &mut Option<Duration>, line: &Line, is_active: bool) -> Result<()> {
    let word = line.only()?;
    if word != "none" {
        let time = seconds(word).ok_or_else(|| line.refuse(format!("{word:?} is no time")))?;
        keep(slot, Duration::from_secs(time), is_active);
    }
    Ok(())
}

fn seconds(word: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let (unit, after) = match after.bytes().next().map(|unit| unit.to_ascii_lowercase()) {
            None => (1, after),
            Some(b's') => (1, &after[1..]),
            Some(b'm') => (60, &after[1..]),
            Some(b'h') => (3_600, &after[1..]),
            Some(b'd') => (86_400, &after[1..]),
            Some(b'w') => (604_800, &after[1..]),
            Some(_) => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = after;
    }
    (!word.is_empty() && i32::try_from(total).is_ok()).then_some(total)
}

fn path(word: &str, values: &[(char, &str)], local: &Local) -> Result<PathBuf> {
    let refuse = |what: &str| {
        Error::new(ErrorKind::NotAvailable, format!("read the path {word:?} of ssh_config: {what}"))
    };
    if word.contains("${") {
        return Err(refuse("variables of the environment are not read"));
    }
    let expanded = match word.strip_prefix('~') {
        Some("") => local.home.display().to_string(),
        Some(rest) if rest.starts_with('/') => format!("{}{rest}", local.home.display()),
        Some(_) => return Err(refuse("another user's home is not known")),
        None => word.to_owned(),
    };
    tokens::expand(&expanded, values)
        .map(PathBuf::from)
        .map_err(|token| refuse(&format!("{token} is no token")))
}

/// Hops with their tokens replaced, which OpenSSH does as well.
fn hops(jump: Jump, values: &[(char, &str)]) -> Result<Jump> {
    let Jump::Hops(hops) = jump else { return Ok(jump) };
    let known: Vec<(char, &str)> =
        values.iter().copied().filter(|(token, _)| ['h', 'n', 'p', 'r'].contains(token)).collect();
    let expand = |text: String| {
        tokens::expand(&text, &known).map_err(|token| {
            Error::new(ErrorKind::NotAvailable, format!("read the hop {text:?}: {token} is no token"))
        })
    };
    let expanded = hops.into_iter().map(|hop| {
        Ok(Hop { user: hop.user.map(expand).transpose()?, host: expand(hop.host)?, port: hop.port })
    });
    expanded.collect::<Result<_>>().map(Jump::Hops)
}

/// An address in its usual spelling; any other name as it is.
fn canonical(host: &str) -> String {
    host.parse::<IpAddr>().map_or_else(|_| host.to_owned(), |address| address.to_string())
}
