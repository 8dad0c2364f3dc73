//! What will be done: what was found, compared with what is here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use gabier_host::{Alias, HostRecord};
use gabier_kit::queue::Task;
use gabier_tool::{Error, Result};

use super::found::{Api, Fault, Found, Host, Refused};

/// What is here already.
#[derive(Default)]
pub(super) struct Present {
    pub(super) hosts: BTreeMap<Alias, HostRecord>,
    pub(super) apis: BTreeSet<String>,
}

/// What a person wants of it.
#[derive(Default)]
pub(super) struct Wish {
    /// Only these hosts and APIs.
    pub(super) only: Option<BTreeSet<String>>,
    /// Those that are here are changed; they are skipped otherwise.
    pub(super) replace: bool,
}

/// What will be done.
pub(super) struct Plan {
    pub(super) files: Vec<PathBuf>,
    pub(super) hosts: Vec<(Host, Did)>,
    pub(super) apis: Vec<(Api, Did)>,
    pub(super) tasks: Vec<Task>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) refused: Vec<Refused>,
}

/// What becomes of a host or an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Did {
    /// It is new.
    Add,
    /// It is here and takes what the file says of it.
    Change,
}

/// What is left as it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Skipped {
    pub(super) kind: &'static str,
    pub(super) alias: String,
    pub(super) why: String,
}

impl Plan {
    /// Compares what was found with what is here.
    pub(super) fn of(found: Found, present: &Present, wish: &Wish) -> Result<Self> {
        let wanted = wanted(&found, wish)?;
        let is_wanted = |alias: &str| wanted.as_ref().is_none_or(|wanted| wanted.contains(alias));
        let Found { files, hosts, apis, tasks, refused } = found;
        let mut plan = Self {
            files,
            hosts: Vec::new(),
            apis: Vec::new(),
            tasks: Vec::new(),
            skipped: Vec::new(),
            refused: refused.into_iter().filter(|refused| is_wanted(&refused.record)).collect(),
        };
        hosts
            .into_iter()
            .filter(|host| is_wanted(host.alias.as_str()))
            .for_each(|host| plan.host(host, present, wish));
        apis.into_iter().filter(|api| is_wanted(&api.alias)).for_each(|api| plan.api(api, present, wish));
        plan.tasks =
            tasks.into_iter().filter(|task| task.asked.alias.as_deref().is_none_or(is_wanted)).collect();
        Ok(plan)
    }

    fn host(&mut self, host: Host, present: &Present, wish: &Wish) {
        let alias = host.alias.as_str();
        let before = present.hosts.get(alias);
        if let Some((earlier, _)) = self.hosts.iter().find(|(earlier, _)| earlier.alias == host.alias) {
            let why = format!("{} names one before", earlier.file.display());
            self.skipped.push(Skipped { kind: "host", alias: alias.to_owned(), why });
        } else if before.is_some() && !wish.replace {
            self.skipped.push(Skipped { kind: "host", alias: alias.to_owned(), why: there() });
        } else if let Err(fault) = self.check(&host, before, present) {
            self.refused.push(Refused { file: host.file.clone(), record: alias.to_owned(), fault });
        } else {
            let did = if before.is_some() { Did::Change } else { Did::Add };
            self.hosts.push((host, did));
        }
    }

    /// What adding it would be refused for.
    fn check(&self, host: &Host, before: Option<&HostRecord>, present: &Present) -> Result<(), Fault> {
        let change = host.known.change.clone();
        let base = before.cloned().unwrap_or_else(|| HostRecord::new("", ""));
        change.applied_to(base).0.check().map_err(|error| Fault::of(&error))?;
        let is_group = present.hosts.values().any(|record| record.groups.contains(&host.alias));
        if is_group {
            return Err(Fault::at("alias", "is the name of a group here"));
        }
        match &host.known.change.jump {
            Some(jump) if !self.will_know(jump, present) => {
                Err(Fault::at("ProxyJump", format!("goes through {jump}, which is not taken")))
            }
            _ => Ok(()),
        }
    }

    fn will_know(&self, alias: &Alias, present: &Present) -> bool {
        present.hosts.contains_key(alias) || self.hosts.iter().any(|(host, _)| host.alias == *alias)
    }

    fn api(&mut self, api: Api, present: &Present, wish: &Wish) {
        let is_here = present.apis.contains(&api.alias);
        if is_here && !wish.replace {
            self.skipped.push(Skipped { kind: "api", alias: api.alias, why: there() });
        } else {
            self.apis.push((api, if is_here { Did::Change } else { Did::Add }));
        }
    }

    /// True when nothing would change.
    pub(super) fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.apis.is_empty() && self.tasks.is_empty()
    }

    /// What will be done, a line each.
    pub(super) fn lines(&self) -> String {
        let word = |did: &Did| if *did == Did::Add { "add" } else { "change" };
        let mut lines = Vec::new();
        for (host, did) in &self.hosts {
            lines.push(format!("{} the host {}: {}, {}", word(did), host.alias, host.address(), host.auth()));
            lines.extend(host.notes.iter().map(|note| format!("    {note}")));
        }
        for (api, did) in &self.apis {
            lines.push(format!("{} the API {}: {}, {}", word(did), api.alias, api.url, api.auth));
        }
        if !self.tasks.is_empty() {
            lines.push(format!("put {} ended tasks into the history", self.tasks.len()));
        }
        lines.extend(
            self.skipped
                .iter()
                .map(|skipped| format!("skip the {} {}: {}", skipped.kind, skipped.alias, skipped.why)),
        );
        lines.extend(self.refused.iter().map(|refused| format!("leave {}", refused.line())));
        lines.join("\n")
    }
}

impl Host {
    /// Where it is.
    pub(super) fn address(&self) -> String {
        let change = &self.known.change;
        let word = |word: &Option<String>| word.clone().unwrap_or_default();
        format!("{}@{}:{}", word(&change.user), word(&change.host), change.port.unwrap_or(22))
    }

    /// What it is logged in to with.
    pub(super) fn auth(&self) -> String {
        let key = self.known.change.key_path.as_ref().map(|key| format!("key {}", key.display()));
        let agent = (self.known.change.agent == Some(true)).then(|| "agent".to_owned());
        let password = self.known.password.as_ref().map(|_| "password (to the vault)".to_owned());
        let passphrase = self.known.passphrase.as_ref().map(|_| "passphrase (to the vault)".to_owned());
        let words: Vec<String> = [key, passphrase, agent, password].into_iter().flatten().collect();
        words.join(", ")
    }
}

impl Refused {
    /// The record, its file, its field and why.
    pub(super) fn line(&self) -> String {
        let Self { file, record, fault } = self;
        let field = fault.field.as_ref().map_or_else(String::new, |field| format!(", {field}"));
        format!("{record} of {}{field}: {}", file.display(), fault.why)
    }
}

fn there() -> String {
    "there is one of that name; --replace changes it".to_owned()
}

/// The names that are wanted, with those of the hosts on the way to them.
fn wanted(found: &Found, wish: &Wish) -> Result<Option<BTreeSet<String>>> {
    let Some(mut wanted) = wish.only.clone() else { return Ok(None) };
    for name in &wanted {
        let is_there = found.hosts.iter().any(|host| host.alias.as_str() == name)
            || found.apis.iter().any(|api| api.alias == *name)
            || found.refused.iter().any(|refused| refused.record == *name);
        if !is_there {
            return Err(Error::not_found(format!("importing {name}: no file names it"))
                .with_next("--dry-run without --only shows what there is"));
        }
    }
    // Each comes after those on the way to it.
    for host in found.hosts.iter().rev() {
        if let (true, Some(jump)) = (wanted.contains(host.alias.as_str()), &host.known.change.jump) {
            wanted.insert(jump.to_string());
        }
    }
    Ok(Some(wanted))
}

#[cfg(test)]
mod tests {
    use gabier_host::HostChange;
    use gabier_toolbox::hosts::Known;

    use super::*;

    fn host(alias: &str, jump: Option<&str>) -> Host {
        let change = HostChange {
            host: Some("h".to_owned()),
            user: Some("u".to_owned()),
            agent: Some(true),
            jump: jump.map(|jump| jump.parse().unwrap()),
            ..HostChange::default()
        };
        let known = Known { change, password: None, passphrase: None };
        Host { alias: alias.parse().unwrap(), known, file: "config".into(), notes: Vec::new() }
    }

    fn plan(hosts: Vec<Host>, here: &[&str], wish: &Wish) -> Plan {
        let here = here.iter().map(|alias| (alias.parse().unwrap(), HostRecord::new("old", "u"))).collect();
        let present = Present { hosts: here, apis: BTreeSet::new() };
        Plan::of(Found { hosts, ..Found::default() }, &present, wish).unwrap()
    }

    fn names(plan: &Plan) -> Vec<(&str, Did)> {
        plan.hosts.iter().map(|(host, did)| (host.alias.as_str(), *did)).collect()
    }

    #[test]
    fn what_is_here_is_skipped_unless_it_is_to_be_replaced() {
        let both = || vec![host("web1", None), host("web2", None)];
        let first = plan(both(), &["web1"], &Wish::default());
        assert_eq!((names(&first), first.skipped[0].alias.as_str()), (vec![("web2", Did::Add)], "web1"));
        let again = plan(both(), &["web1"], &Wish { replace: true, ..Wish::default() });
        assert_eq!(names(&again), [("web1", Did::Change), ("web2", Did::Add)]);
        let twice = plan(vec![host("a", None), host("a", None)], &[], &Wish::default());
        assert_eq!((twice.hosts.len(), twice.skipped[0].why.as_str()), (1, "config names one before"));
    }

    #[test]
    fn who_is_chosen_brings_the_way_along() {
        let hosts =
            || vec![host("gate", None), host("mid", Some("gate")), host("far", Some("mid")), host("x", None)];
        let only = |name: &str| Wish { only: Some([name.to_owned()].into()), replace: false };
        assert_eq!(plan(hosts(), &[], &only("far")).hosts.len(), 3);
        assert_eq!(names(&plan(hosts(), &[], &only("x"))), [("x", Did::Add)]);
        let unknown = Plan::of(Found::default(), &Present::default(), &only("nobody"));
        assert!(unknown.is_err());
    }

    #[test]
    fn a_host_without_its_way_and_one_named_like_a_group_are_refused() {
        let lost = plan(vec![host("far", Some("gone"))], &[], &Wish::default());
        assert_eq!(lost.refused[0].fault.field.as_deref(), Some("ProxyJump"));
        let mut old = HostRecord::new("h", "u");
        old.groups = vec!["web".parse().unwrap()];
        let present = Present { hosts: [("db".parse().unwrap(), old)].into(), ..Present::default() };
        let found = Found { hosts: vec![host("web", None)], ..Found::default() };
        let clash = Plan::of(found, &present, &Wish::default()).unwrap();
        assert!(clash.hosts.is_empty() && clash.lines().contains("a group"), "{}", clash.lines());
    }
}
