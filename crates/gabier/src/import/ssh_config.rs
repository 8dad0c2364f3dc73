//! The hosts of `ssh_config`: every name that a `Host` line spells out, and the hosts on the way to it.

use std::path::{Path, PathBuf};

use gabier_host::{Alias, HostChange, HostKeyPolicy};
use gabier_ssh::trust::{Given, Hop, HostSettings, Jump, Local, SshConfig, Strictness};
use gabier_tool::Result;
use gabier_toolbox::hosts::Known;

use super::found::{Fault, Found, Host};
use super::keys::{self, Keys};

/// Reads one file, or the user's and the machine's.
pub(super) fn read(file: Option<&Path>, local: &Local, keys: &Keys, found: &mut Found) -> Result<()> {
    let usual = local.home.join(".ssh/config");
    let config = match file {
        Some(file) => SshConfig::read_file(file, local)?,
        None => SshConfig::read(local)?,
    };
    let file = file.map_or(usual, PathBuf::from);
    let names = config.names();
    if file.is_file() || !names.is_empty() {
        found.files.push(file.clone());
    }
    let mut reader = Reader { config, keys, file, found, way: Vec::new() };
    for name in names {
        let _ = reader.named(&name);
    }
    Ok(())
}

struct Reader<'a> {
    config: SshConfig,
    keys: &'a Keys,
    file: PathBuf,
    found: &'a mut Found,
    /// The names that are being read, for circles.
    way: Vec<String>,
}

impl Reader<'_> {
    /// Takes a host by its name, after those on the way to it; gives its alias.
    fn named(&mut self, name: &str) -> Result<Alias, ()> {
        if let Some(host) =
            self.found.hosts.iter().find(|host| host.alias.as_str() == name && host.file == self.file)
        {
            return Ok(host.alias.clone());
        }
        if self.found.refused.iter().any(|refused| refused.record == name && refused.file == self.file) {
            return Err(());
        }
        let taken = self.try_named(name);
        taken.map_err(|fault| self.found.refuse(&self.file, name, fault))
    }

    fn try_named(&mut self, name: &str) -> Result<Alias, Fault> {
        let alias: Alias = name.parse().map_err(|error| Fault::of(&error))?;
        let settings = self.settings(name, &Given::default())?;
        self.way.push(name.to_owned());
        let jump = self.jump(&alias, &settings.jump);
        self.way.pop();
        self.take(alias, &settings, jump?)
    }

    fn settings(&self, name: &str, given: &Given) -> Result<HostSettings, Fault> {
        self.config
            .settings(name, given)
            .map_err(|error| Fault { field: None, why: error.message().to_owned() })
    }

    /// The host that a host is reached through: the last of its hops, which goes through the one before.
    fn jump(&mut self, alias: &Alias, jump: &Jump) -> Result<Option<Alias>, Fault> {
        let hops = match jump {
            Jump::Direct => return Ok(None),
            Jump::Command => {
                return Err(Fault::at("ProxyCommand", "is a program, and none is started; use ProxyJump"));
            }
            Jump::Hops(hops) => hops,
        };
        let mut before = None;
        for (number, hop) in hops.iter().enumerate() {
            before = Some(self.hop(alias, (number, hop), before)?);
        }
        Ok(before)
    }

    fn hop(
        &mut self,
        alias: &Alias,
        (number, hop): (usize, &Hop),
        before: Option<Alias>,
    ) -> Result<Alias, Fault> {
        if self.way.contains(&hop.host) {
            return Err(Fault::at("ProxyJump", "leads in a circle"));
        }
        let refused = || Fault::at("ProxyJump", format!("goes through {}, which cannot be taken", hop.host));
        if number == 0 && hop.user.is_none() && hop.port.is_none() && hop.host.parse::<Alias>().is_ok() {
            return self.named(&hop.host).map_err(|()| refused());
        }
        let given = Given { user: hop.user.clone(), port: hop.port };
        let settings = self.settings(&hop.host, &given)?;
        let own: Alias = format!("{alias}.hop{}", number + 1).parse().map_err(|error| Fault::of(&error))?;
        let before = match (number, &settings.jump) {
            (0, Jump::Hops(_)) => return Err(refused()),
            _ => before,
        };
        self.take(own, &settings, before)
    }

    fn take(&mut self, alias: Alias, settings: &HostSettings, jump: Option<Alias>) -> Result<Alias, Fault> {
        let mut notes = differences(settings);
        let key_path = self.key(settings, &mut notes);
        let has_agent = !settings.identity_agent.as_ref().is_some_and(|agent| agent.as_os_str().is_empty());
        let agent = has_agent && (!settings.identities_only || key_path.is_none());
        if !agent && key_path.is_none() {
            return Err(Fault::at("IdentityFile", "names no key that is there: nothing to log in with"));
        }
        let change = HostChange {
            host: Some(settings.host_name.clone()),
            user: Some(settings.user.clone()),
            port: Some(settings.port),
            key_path,
            agent: agent.then_some(true),
            jump,
            host_key_alias: settings.host_key_alias.clone(),
            host_key: (settings.strictness == Strictness::Yes).then_some(HostKeyPolicy::Strict),
            ..HostChange::default()
        };
        let known = Known { change, password: None, passphrase: None };
        self.found.hosts.push(Host { alias: alias.clone(), known, file: self.file.clone(), notes });
        Ok(alias)
    }

    /// The one key that is kept: the first that is there and open.
    fn key(&self, settings: &HostSettings, notes: &mut Vec<String>) -> Option<PathBuf> {
        let there: Vec<&PathBuf> = settings.identity_files.iter().filter(|file| file.is_file()).collect();
        if there.is_empty() && !settings.has_usual_identities {
            let named: Vec<String> =
                settings.identity_files.iter().map(|file| file.display().to_string()).collect();
            notes.push(format!("its key {} is not there", named.join(", ")));
        }
        let (locked, open): (Vec<_>, Vec<_>) = there.into_iter().partition(|file| keys::is_locked(file));
        if open.is_empty()
            && let [first, ..] = locked.as_slice()
        {
            notes.push(format!(
                "its key {} needs a passphrase: have it in the agent, or `server add` it with --passphrase",
                first.display()
            ));
        }
        if open.len() > 1 && !settings.has_usual_identities {
            notes.push(format!("of its {} keys the first is offered", open.len()));
        }
        let key = open.first().map(|key| (*key).clone());
        notes.extend(key.iter().filter_map(|key| self.keys.notes(key)));
        key
    }
}

/// What is done otherwise here.
fn differences(settings: &HostSettings) -> Vec<String> {
    let mut notes = Vec::new();
    if settings.strictness == Strictness::Off {
        notes.push("its key is checked here although StrictHostKeyChecking is off".to_owned());
    }
    if settings.identity_agent.as_ref().is_some_and(|agent| !agent.as_os_str().is_empty()) {
        notes.push("its IdentityAgent has no place here: the setting ssh.agent is for all hosts".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> (tempfile::TempDir, Found) {
        let home = tempfile::tempdir().unwrap();
        let ssh = home.path().join(".ssh");
        std::fs::create_dir_all(&ssh).unwrap();
        let open = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE\n";
        std::fs::write(ssh.join("id_ed25519"), open).unwrap();
        std::fs::write(ssh.join("config"), text).unwrap();
        let local = Local { home: home.path().to_owned(), user: "ann".to_owned() };
        let keys = Keys { home: home.path().to_owned(), roots: vec![ssh.clone()] };
        let mut found = Found::default();
        read(Some(&ssh.join("config")), &local, &keys, &mut found).unwrap();
        (home, found)
    }

    fn shown(found: &Found) -> Vec<String> {
        let line = |host: &Host| {
            let change = &host.known.change;
            let jump = change.jump.as_ref().map_or_else(String::new, |jump| format!(" via {jump}"));
            let (user, name) = (change.user.as_deref().unwrap(), change.host.as_deref().unwrap());
            format!("{} {user}@{name}:{}{jump}", host.alias, change.port.unwrap())
        };
        found.hosts.iter().map(line).collect()
    }

    #[test]
    fn hosts_come_after_those_they_are_reached_through() {
        let (_home, found) = read_text(
            "Host web\n HostName 10.0.0.5\n ProxyJump gate\n\
             Host gate\n HostName gate.example\n User root\n Port 2222\n\
             Host far\n ProxyJump gate,bob@mid:23\n\
             Host *.lan\n User x\nHost *\n User ann\n",
        );
        assert_eq!(
            shown(&found),
            [
                "gate root@gate.example:2222",
                "web ann@10.0.0.5:22 via gate",
                "far.hop2 bob@mid:23 via gate",
                "far ann@far:22 via far.hop2",
            ]
        );
        assert!(found.refused.is_empty(), "{:?}", found.refused);
        assert!(found.hosts[0].known.change.key_path.as_ref().unwrap().ends_with(".ssh/id_ed25519"));
    }

    #[test]
    fn what_cannot_be_reached_without_a_program_is_refused_with_all_behind_it() {
        let (_home, found) = read_text(
            "Host web\n ProxyCommand nc %h %p\nHost behind\n ProxyJump web\n\
             Host a\n ProxyJump b\nHost b\n ProxyJump a\nHost all\nHost nokey\n IdentityFile ~/none\n IdentityAgent none\n",
        );
        let refused: Vec<_> = found
            .refused
            .iter()
            .map(|refused| (refused.record.as_str(), refused.fault.field.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(
            refused,
            [
                ("web", "ProxyCommand"),
                ("behind", "ProxyJump"),
                ("b", "ProxyJump"),
                ("a", "ProxyJump"),
                ("all", "alias"),
                ("nokey", "IdentityFile"),
            ]
        );
        assert!(found.hosts.is_empty());
    }

    #[test]
    fn what_is_done_otherwise_is_said() {
        let (_home, found) = read_text(
            "Host web\n StrictHostKeyChecking no\n HostKeyAlias other\n IdentityFile ~/.ssh/gone\n\
             Host db\n StrictHostKeyChecking yes\n",
        );
        let notes = found.hosts[0].notes.join("\n");
        for word in ["StrictHostKeyChecking", "gone is not there"] {
            assert!(notes.contains(word), "{word}: {notes}");
        }
        assert_eq!(found.hosts[0].known.change.host_key_alias.as_deref(), Some("other"));
        assert_eq!(found.hosts[1].known.change.host_key, Some(HostKeyPolicy::Strict));
    }
}
