//! What runs on a host: units of systemd, containers of Docker, programs of PM2.

use gabier_host::{Alias, Command, Execution};
use gabier_tool::{Context, Effect, HostsRef, Mode, Outcome, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fixed::{Missing, TOOL_LIMIT, ask, comparable, program, reason};
use crate::Services;
use crate::hosts::fleetwide::{Fleetwide, Spreading, on_all};
use crate::hosts::reach;

/// How many bytes of an answer are read: PM2 tells much of each program.
const KEEP: usize = 4 * 1024 * 1024;

const SYSTEMD: [&str; 6] =
    ["systemctl", "list-units", "--type=service", "--no-legend", "--no-pager", "--plain"];
const DOCKER: [&str; 5] = ["docker", "ps", "--all", "--format", "{{.Names}}\t{{.Status}}"];
const PM2: [&str; 2] = ["pm2", "jlist"];

/// List the services, containers and PM2 programs of hosts.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetServicesStatus {
    /// Hosts.
    alias: HostsRef,
    #[serde(flatten)]
    spreading: Spreading,
}

/// What runs on a host.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(super) struct ServicesStatus {
    /// Services that run, ran or failed.
    systemd: Vec<Named>,
    /// Containers.
    docker: Vec<Named>,
    /// Programs.
    pm2: Vec<Program>,
    /// Which of the three did not answer.
    unavailable: Vec<Missing>,
}

/// A service or a container.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct Named {
    /// Its name.
    name: String,
    /// Its state, in the manager's own words.
    status: String,
}

/// A program of PM2.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct Program {
    /// Its number.
    id: u64,
    /// Its name.
    name: String,
    /// Its state, such as `online`.
    status: String,
}

impl Tool<Services> for GetServicesStatus {
    const NAME: &'static str = "get_services_status";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Hybrid;
    const PROFILE: Profile = Profile::Lean;
    const KIND: &'static str = "ssh";
    const LIMIT: std::time::Duration = TOOL_LIMIT;
    const OPEN_WORLD: bool = true;
    const KEYWORDS: &'static str =
        "systemd docker pm2 containers units failed running services état conteneurs";
    type Output = Fleetwide<ServicesStatus>;

    async fn prepare(&mut self, ctx: &Context<Services>) -> Result<()> {
        reach::targets(ctx, &self.alias).await.map(drop)
    }

    async fn run(self, ctx: &Context<Services>) -> Result<Self::Output> {
        let targets = reach::targets(ctx, &self.alias).await?;
        let one = async |alias: Alias| {
            let asked = |command: Command| ask(ctx, &alias, Command { keep: KEEP, ..command });
            let (systemd, docker, pm2) =
                futures::join!(asked(program(SYSTEMD)), asked(program(DOCKER)), asked(program(PM2)));
            Ok(read(&systemd?, &docker?, &pm2?))
        };
        on_all(ctx, targets, self.spreading, one, comparable).await
    }

    fn outcome(output: &Self::Output) -> Outcome {
        output.outcome(|_| Outcome::default())
    }
}

fn read(systemd: &Execution, docker: &Execution, pm2: &Execution) -> ServicesStatus {
    let mut status = ServicesStatus::default();
    let mut answer = |source: &str, ran: &Execution| {
        if ran.is_success() {
            return Some(ran.stdout.text());
        }
        status.unavailable.push(Missing::new(source, reason(ran)));
        None
    };
    let (systemd, docker, pm2) = (answer("systemd", systemd), answer("docker", docker), answer("pm2", pm2));
    status.systemd = systemd.iter().flat_map(|text| text.lines()).filter_map(unit).collect();
    status.docker = docker.iter().flat_map(|text| text.lines()).filter_map(container).collect();
    match pm2.as_deref().map(programs) {
        Some(Some(programs)) => status.pm2 = programs,
        Some(None) => status.unavailable.push(Missing::new("pm2", "its list is no JSON")),
        None => {}
    }
    status
}

/// `ssh.service loaded active running OpenBSD Secure Shell server`.
fn unit(line: &str) -> Option<Named> {
    let mut words = line.split_whitespace();
    let (name, _load, active, sub) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let name = name.strip_suffix(".service").unwrap_or(name).to_owned();
    let status = if active == sub { active.to_owned() } else { format!("{active} ({sub})") };
    Some(Named { name, status })
}

fn container(line: &str) -> Option<Named> {
    let (name, status) = line.split_once('\t')?;
    Some(Named { name: name.to_owned(), status: status.to_owned() })
}

/// PM2 greets before its list when it has just started.
fn programs(text: &str) -> Option<Vec<Program>> {
    let list = text.lines().rev().find(|line| line.starts_with('['))?;
    let list: Vec<Value> = serde_json::from_str(list).ok()?;
    let program = |program: &Value| {
        Some(Program {
            id: program["pm_id"].as_u64()?,
            name: program["name"].as_str()?.to_owned(),
            status: program["pm2_env"]["status"].as_str()?.to_owned(),
        })
    };
    Some(list.iter().filter_map(program).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, call_on_host};

    const BEGIN: &str = "exec env 'LC_ALL=C' sh -c ";

    #[tokio::test]
    async fn three_sources_are_read_and_a_missing_one_is_named() {
        let host = FakeHost::named("web1")
            .answering(
                &format!("{BEGIN}'systemctl"),
                "ssh.service loaded active running OpenBSD Secure Shell server\n\
                 nginx.service loaded failed failed A high performance web server\n",
            )
            .answering(&format!("{BEGIN}'docker"), "db\tUp 3 hours (healthy)\n");
        let found = call_on_host::<GetServicesStatus>(&host, r#"{"alias": "web1"}"#).await;
        let expected = r#"{"systemd":[{"name":"ssh","status":"active (running)"},{"name":"nginx","status":"failed"}],"docker":[{"name":"db","status":"Up 3 hours (healthy)"}],"pm2":[],"unavailable":[{"source":"pm2","reason":"not installed"}]}"#;
        assert_eq!(found, expected);
    }

    #[test]
    fn a_list_of_pm2_is_found_behind_its_greeting() {
        let text = "[PM2] Spawning PM2 daemon\n>>>> In-memory PM2 is out-of-date\n\
            [{\"pm_id\":0,\"name\":\"api\",\"pm2_env\":{\"status\":\"online\"}}]\n";
        let expected = [Program { id: 0, name: "api".into(), status: "online".into() }];
        assert_eq!(programs(text).unwrap(), expected);
        assert_eq!(programs("[]"), Some(Vec::new()));
        assert_eq!(programs("error"), None);
    }
}
