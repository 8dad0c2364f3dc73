//! Who is banned from a host.

use gabier_host::{Alias, Spread};
use gabier_tool::{Context, Effect, HostsRef, Mode, Outcome, Profile, Result, Text, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fixed::{TOOL_LIMIT, ask, comparable, refusal, script};
use crate::Services;
use crate::hosts::fleetwide::{Fleetwide, on_all};
use crate::hosts::reach;

/// As root where that takes no password; root on a host without sudo needs none.
const SCRIPT: &str = "if command -v sudo >/dev/null; then exec sudo -n fail2ban-client status";

/// Show the jails of fail2ban on hosts, or the banned addresses of one.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetFail2banStatus {
    /// Hosts.
    alias: HostsRef,
    /// A jail, such as `sshd`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$"))]
    jail: Option<String>,
}

/// What fail2ban says.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(super) struct Bans {
    /// The jails there are.
    jails: Vec<String>,
    /// The jail that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    jail: Option<String>,
    /// Addresses that are banned in it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    currently_banned: Option<u64>,
    /// Addresses that were ever banned in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    total_banned: Option<u64>,
    /// The banned addresses.
    banned_ips: Vec<String>,
    /// The answer as it was given.
    raw: Text,
}

impl Tool<Services> for GetFail2banStatus {
    const NAME: &'static str = "get_fail2ban_status";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Hybrid;
    const PROFILE: Profile = Profile::Core;
    const KIND: &'static str = "ssh";
    const LIMIT: std::time::Duration = TOOL_LIMIT;
    const OPEN_WORLD: bool = true;
    const KEYWORDS: &'static str = "ban banned attackers intrusion ssh brute force bannies attaques sécurité";
    type Output = Fleetwide<Bans>;

    async fn prepare(&mut self, ctx: &Context<Services>) -> Result<()> {
        reach::targets(ctx, &self.alias).await.map(drop)
    }

    async fn run(self, ctx: &Context<Services>) -> Result<Self::Output> {
        let targets = reach::targets(ctx, &self.alias).await?;
        let one = async |alias: Alias| {
            let jails = asked(ctx, &alias, "").await?;
            let Some(jail) = &self.jail else { return Ok(read(&jails, None)) };
            let answer = asked(ctx, &alias, jail).await?;
            Ok(read(&jails, Some((jail, &answer))))
        };
        on_all(ctx, targets, Spread::default(), one, |bans| comparable(&bans)).await
    }

    fn outcome(output: &Self::Output) -> Outcome {
        output.outcome(|_| Outcome::default())
    }
}

/// The answer for a jail, or for all when it has no name.
async fn asked(ctx: &Context<Services>, alias: &Alias, jail: &str) -> Result<String> {
    let jail = if jail.is_empty() { String::new() } else { format!(" {}", gabier_host::quote(jail)) };
    let command = script(format!("{SCRIPT}{jail}; else exec fail2ban-client status{jail}; fi"));
    let ran = ask(ctx, alias, command).await?;
    if !ran.is_success() {
        return Err(refusal(alias, "asking fail2ban", &ran));
    }
    Ok(ran.stdout.text())
}

fn read(all: &str, jail: Option<(&String, &String)>) -> Bans {
    let jails = field(all, "Jail list").map(|list| words(list, ',')).unwrap_or_default();
    let Some((jail, answer)) = jail else {
        return Bans { jails, raw: Text(all.to_owned()), ..Bans::default() };
    };
    let number = |name: &str| field(answer, name)?.parse().ok();
    Bans {
        jails,
        jail: Some(jail.clone()),
        currently_banned: number("Currently banned"),
        total_banned: number("Total banned"),
        banned_ips: field(answer, "Banned IP list").map(|list| words(list, ' ')).unwrap_or_default(),
        raw: Text(answer.clone()),
    }
}

/// The value behind `- Name:`, whatever tree is drawn before it.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (before, value) = line.split_once(':')?;
        before.trim_end().ends_with(name).then(|| value.trim())
    })
}

fn words(list: &str, separator: char) -> Vec<String> {
    list.split(separator).map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, call_on_host};

    const ALL: &str = "Status\n|- Number of jail:\t2\n`- Jail list:\tnginx-http-auth, sshd\n";
    const SSHD: &str = "Status for the jail: sshd\n|- Filter\n|  |- Currently failed:\t3\n\
        |  `- File list:\t/var/log/auth.log\n`- Actions\n   |- Currently banned:\t2\n   |- Total banned:\t17\n\
        \u{20}  `- Banned IP list:\t192.0.2.7 2001:db8::7\n";

    fn begin(jail: &str) -> String {
        format!("exec env 'LC_ALL=C' sh -c '{SCRIPT}{jail};")
    }

    #[tokio::test]
    async fn a_jail_is_read_with_the_list_of_all() {
        let host = FakeHost::named("web1").answering(&begin(""), ALL).answering(&begin(" sshd"), SSHD);
        let found = call_on_host::<GetFail2banStatus>(&host, r#"{"alias": "web1", "jail": "sshd"}"#).await;
        let found: serde_json::Value = serde_json::from_str(&found).expect(&found);
        assert_eq!(found["jails"], serde_json::json!(["nginx-http-auth", "sshd"]));
        assert_eq!((&found["currently_banned"], &found["total_banned"]), (&2.into(), &17.into()));
        assert_eq!(found["banned_ips"], serde_json::json!(["192.0.2.7", "2001:db8::7"]));
    }

    #[tokio::test]
    async fn a_password_for_sudo_is_not_asked_but_said() {
        let host = FakeHost::named("web1").ending(&begin(""), 1, "", "sudo: a password is required\n");
        let found = call_on_host::<GetFail2banStatus>(&host, r#"{"alias": "web1"}"#).await;
        assert!(found.starts_with("NOT_AVAILABLE asking fail2ban on web1: the account may not"), "{found}");
        let refused = call_on_host::<GetFail2banStatus>(&host, r#"{"alias": "web1", "jail": "-x"}"#).await;
        assert!(refused.starts_with("INVALID_ARGUMENT"), "{refused}");
    }
}
