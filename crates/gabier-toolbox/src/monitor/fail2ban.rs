//! Who is banned from a host.

use gabier_host::Alias;
use gabier_tool::{Context, Effect, HostsRef, Mode, Outcome, Profile, Result, Text, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fixed::{TOOL_LIMIT, ask, comparable, refusal, script};
use crate::Services;
use crate::hosts::fleetwide::{Fleetwide, Spreading, on_all};
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
    #[serde(flatten)]
    spreading: Spreading,
}

/// The bans of one jail.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct JailCount {
    /// The jail.
    jail: String,
    /// Addresses that are banned in it now.
    currently_banned: Option<u64>,
    /// Addresses that were ever banned in it.
    total_banned: Option<u64>,
}

/// What fail2ban says.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(super) struct Bans {
    /// The jails there are.
    jails: Vec<String>,
    /// The jail that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    jail: Option<String>,
    /// Addresses that are banned now: in it, or in all jails together.
    #[serde(skip_serializing_if = "Option::is_none")]
    currently_banned: Option<u64>,
    /// Addresses that were ever banned: in it, or in all jails together.
    #[serde(skip_serializing_if = "Option::is_none")]
    total_banned: Option<u64>,
    /// Each jail's own counts, where none was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    counts: Vec<JailCount>,
    /// The banned addresses of the jail.
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
            let Some(jail) = &self.jail else { return count(ctx, &alias, &jails).await };
            let answer = asked(ctx, &alias, jail).await?;
            Ok(read(&jails, jail, &answer))
        };
        on_all(ctx, targets, self.spreading, one, comparable).await
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

/// All jails with their counts.
async fn count(ctx: &Context<Services>, alias: &Alias, all: &str) -> Result<Bans> {
    let jails = jails(all);
    let mut counts = Vec::with_capacity(jails.len());
    for jail in jails.clone() {
        let answer = asked(ctx, alias, &jail).await?;
        counts.push(JailCount {
            jail,
            currently_banned: number(&answer, "Currently banned"),
            total_banned: number(&answer, "Total banned"),
        });
    }
    Ok(Bans {
        jails,
        currently_banned: counts.iter().map(|count| count.currently_banned).sum(),
        total_banned: counts.iter().map(|count| count.total_banned).sum(),
        counts,
        raw: Text(all.to_owned()),
        ..Bans::default()
    })
}

/// One jail, and the list of all.
fn read(all: &str, jail: &str, answer: &str) -> Bans {
    Bans {
        jails: jails(all),
        jail: Some(jail.to_owned()),
        currently_banned: number(answer, "Currently banned"),
        total_banned: number(answer, "Total banned"),
        counts: Vec::new(),
        banned_ips: field(answer, "Banned IP list").map(|list| words(list, ' ')).unwrap_or_default(),
        raw: Text(answer.to_owned()),
    }
}

fn jails(all: &str) -> Vec<String> {
    field(all, "Jail list").map(|list| words(list, ',')).unwrap_or_default()
}

fn number(answer: &str, name: &str) -> Option<u64> {
    field(answer, name)?.parse().ok()
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
    async fn without_a_jail_each_is_counted_and_all_together() {
        let http = "Status for the jail: nginx-http-auth\n   |- Currently banned: 1\n   |- Total banned: 3\n";
        let host = FakeHost::named("web1")
            .answering(&begin(""), ALL)
            .answering(&begin(" sshd"), SSHD)
            .answering(&begin(" nginx-http-auth"), http);
        let found = call_on_host::<GetFail2banStatus>(&host, r#"{"alias": "web1"}"#).await;
        let found: serde_json::Value = serde_json::from_str(&found).expect(&found);
        assert_eq!((&found["currently_banned"], &found["total_banned"]), (&3.into(), &20.into()));
        let expected = serde_json::json!([
            {"jail": "nginx-http-auth", "currently_banned": 1, "total_banned": 3},
            {"jail": "sshd", "currently_banned": 2, "total_banned": 17},
        ]);
        assert_eq!(found["counts"], expected);
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
