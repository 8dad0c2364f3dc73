//! The processes of this machine.

use std::collections::HashMap;

use gabier_tool::{Context, Effect, Error, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sysinfo::{Process, ProcessStatus, System, Uid, Users};

use super::sample::{percent_of, rounded, sample};
use crate::Services;

/// List processes by load or memory.
///
/// Shows names alone: the arguments of a process may hold secrets of other users.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ProcessList {
    /// Part of the name.
    #[schemars(length(min = 1, max = 256), extend("x-cli" = {"positional": true}))]
    filter: Option<String>,
    /// Order, highest first.
    #[serde(default)]
    sort: Sort,
    /// Most rows.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 500))]
    limit: u16,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Sort {
    #[default]
    Cpu,
    Memory,
}

/// The processes of this machine.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Processes {
    /// The first rows.
    pub(super) processes: Vec<Row>,
    /// How many there are, before `limit`.
    pub(super) total: usize,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Row {
    /// The process id.
    pid: u32,
    /// The name of the program.
    name: String,
    /// Who runs it.
    user: String,
    /// Load, in percent of one processor.
    cpu_percent: f64,
    /// Memory held, in percent of the machine's.
    memory_percent: f64,
    /// What it does.
    pub(super) status: String,
}

impl Tool<Services> for ProcessList {
    const NAME: &'static str = "process_list";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    const KEYWORDS: &'static str = "ps top running programs tasks cpu processus programmes tâches";
    type Output = Processes;

    async fn run(self, ctx: &Context<Services>) -> Result<Processes> {
        let rows = rows(sample(ctx).await?).await?;
        Ok(self.choose(rows))
    }
}

impl ProcessList {
    fn choose(&self, mut rows: Vec<Row>) -> Processes {
        if let Some(filter) = &self.filter {
            let filter = filter.to_lowercase();
            rows.retain(|row| row.name.to_lowercase().contains(&filter));
        }
        sort(&mut rows, self.sort);
        let total = rows.len();
        rows.truncate(self.limit.into());
        Processes { processes: rows, total }
    }
}

fn twenty() -> u16 {
    20
}

fn sort(rows: &mut [Row], by: Sort) {
    let keys = |row: &Row| match by {
        Sort::Cpu => (row.cpu_percent, row.memory_percent),
        Sort::Memory => (row.memory_percent, row.cpu_percent),
    };
    rows.sort_by(|a, b| {
        let ((a1, a2), (b1, b2)) = (keys(a), keys(b));
        b1.total_cmp(&a1).then(b2.total_cmp(&a2)).then(a.pid.cmp(&b.pid))
    });
}

/// A row for every process, those with the highest load first.
pub(super) async fn rows(system: System) -> Result<Vec<Row>> {
    crate::blocking(move || {
        let users = Users::new_with_refreshed_list()
            .map_err(|error| Error::internal(format!("reading the users: {error:?}")))?;
        let names: HashMap<&Uid, &str> = users.iter().map(|user| (user.id(), user.name())).collect();
        let memory = system.total_memory();
        let mut rows: Vec<Row> =
            system.processes().values().map(|process| Row::of(process, &names, memory)).collect();
        sort(&mut rows, Sort::Cpu);
        Ok(rows)
    })
    .await
}

impl Row {
    fn of(process: &Process, users: &HashMap<&Uid, &str>, memory: u64) -> Self {
        let user =
            process.user_id().map(|id| users.get(id).map_or_else(|| id.to_string(), |&name| name.to_owned()));
        Self {
            pid: process.pid().as_u32(),
            name: process.name().to_string_lossy().into_owned(),
            user: user.unwrap_or_default(),
            cpu_percent: rounded(process.cpu_usage().into()),
            memory_percent: percent_of(process.memory(), memory),
            status: status_of(process.status()),
        }
    }
}

fn status_of(status: ProcessStatus) -> String {
    match status {
        ProcessStatus::Run => "running".to_owned(),
        ProcessStatus::UninterruptibleDiskSleep => "disk_sleep".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pid: u32, name: &str, cpu_percent: f64, memory_percent: f64) -> Row {
        let (name, user, status) = (name.to_owned(), "root".to_owned(), "running".to_owned());
        Row { pid, name, user, cpu_percent, memory_percent, status }
    }

    fn check(arguments: &str, expected: &[u32], total: usize) {
        let list: ProcessList = serde_json::from_str(arguments).unwrap();
        let rows = vec![row(1, "init", 0.0, 1.0), row(2, "Postgres", 5.0, 9.0), row(3, "nginx", 7.0, 2.0)];
        let chosen = list.choose(rows);
        assert_eq!(chosen.processes.iter().map(|row| row.pid).collect::<Vec<_>>(), expected);
        assert_eq!(chosen.total, total);
    }

    #[test]
    fn the_busiest_come_first() {
        check("{}", &[3, 2, 1], 3);
        check(r#"{"sort": "memory"}"#, &[2, 3, 1], 3);
    }

    #[test]
    fn the_filter_ignores_case_and_the_limit_does_not_change_the_total() {
        check(r#"{"filter": "post"}"#, &[2], 1);
        check(r#"{"limit": 1}"#, &[3], 3);
    }
}
