//! Processor, memory and disks of a host.

use gabier_host::Alias;
use gabier_tool::{Context, Effect, HostsRef, Mode, Outcome, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fixed::{Missing, TOOL_LIMIT, ask, comparable, script};
use crate::Services;
use crate::hosts::fleetwide::{Fleetwide, Spreading, on_all};
use crate::hosts::reach;

/// How many file systems are listed.
const DISKS: usize = 50;

/// Each part stands behind its name; the processor is read twice, and what lies between is its load.
const SCRIPT: &str = "\
cpu() { echo @cpu; grep '^cpu' /proc/stat; }
cpu
echo @load; cat /proc/loadavg
echo @memory; cat /proc/meminfo
echo @disks; disks=$(df -P -k -l); [ -n \"$disks\" ] || disks=$(df -P -k); printf '%s\\n' \"$disks\"
sleep 0.4 || sleep 1
cpu";

/// Show the processor, memory and disk use of hosts.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetSystemResources {
    /// Hosts.
    alias: HostsRef,
    #[serde(flatten)]
    spreading: Spreading,
}

/// What a host uses.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(super) struct Resources {
    /// The processor.
    cpu: Cpu,
    /// Processes that ran or waited, over 1, 5 and 15 minutes.
    load_average: Vec<f64>,
    /// The memory, in bytes.
    memory: Option<Memory>,
    /// The file system of `/`, in bytes.
    disk: Option<Disk>,
    /// The other file systems.
    disks: Vec<Disk>,
    /// What the host could not tell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unavailable: Vec<Missing>,
}

/// A processor.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
struct Cpu {
    /// How busy it was while it was looked at.
    percent: Option<f64>,
    /// Its cores.
    cores: Option<usize>,
}

/// Memory, in bytes.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct Memory {
    /// All of it.
    total: u64,
    /// What programs hold.
    used: u64,
    /// What nothing uses.
    free: u64,
    /// What programs could get.
    available: u64,
}

/// A file system, in bytes.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct Disk {
    /// Its device.
    filesystem: String,
    /// Where it is.
    mount: String,
    /// Its size.
    total: u64,
    /// What is taken.
    used: u64,
    /// What is left for programs.
    available: u64,
    /// How full it is.
    use_percent: u64,
}

impl Tool<Services> for GetSystemResources {
    const NAME: &'static str = "get_system_resources";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Hybrid;
    const PROFILE: Profile = Profile::Lean;
    const KIND: &'static str = "ssh";
    const LIMIT: std::time::Duration = TOOL_LIMIT;
    const OPEN_WORLD: bool = true;
    const KEYWORDS: &'static str =
        "cpu ram memory disk df load full ressources mémoire disque charge serveur";
    type Output = Fleetwide<Resources>;

    async fn prepare(&mut self, ctx: &Context<Services>) -> Result<()> {
        reach::targets(ctx, &self.alias).await.map(drop)
    }

    async fn run(self, ctx: &Context<Services>) -> Result<Self::Output> {
        let targets = reach::targets(ctx, &self.alias).await?;
        let one = async |alias: Alias| {
            let ran = ask(ctx, &alias, script(SCRIPT)).await?;
            Ok(read(&ran.stdout.text()))
        };
        on_all(ctx, targets, self.spreading, one, comparable).await
    }

    fn outcome(output: &Self::Output) -> Outcome {
        output.outcome(|_| Outcome::default())
    }
}

fn read(text: &str) -> Resources {
    let mut parts: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix('@'), parts.last_mut()) {
            (Some(name), _) => parts.push((name, Vec::new())),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => {}
        }
    }
    let first = |wanted: &str| {
        let part = parts.iter().find(|(name, _)| *name == wanted);
        part.map(|(_, lines)| lines.as_slice()).unwrap_or_default()
    };
    let cores = first("cpu").iter().filter(|line| !line.starts_with("cpu ")).count();
    let ticks: Vec<(u64, u64)> =
        parts.iter().filter(|(name, _)| *name == "cpu").filter_map(|(_, lines)| ticks(lines)).collect();
    let mut disks: Vec<Disk> = first("disks").iter().filter_map(|line| disk(line)).collect();
    let root = disks.iter().position(|disk| disk.mount == "/");
    let disk = root.map(|index| disks.remove(index));
    disks.truncate(DISKS);
    let mut resources = Resources {
        cpu: Cpu { percent: busy(&ticks), cores: (cores > 0).then_some(cores) },
        load_average: loads(first("load")),
        memory: memory(first("memory")),
        disk,
        disks,
        unavailable: Vec::new(),
    };
    let absent = [
        ("cpu", resources.cpu.percent.is_none()),
        ("load_average", resources.load_average.is_empty()),
        ("memory", resources.memory.is_none()),
        ("disk", resources.disk.is_none()),
    ];
    let absent = absent.into_iter().filter(|(_, is_absent)| *is_absent);
    let missing = absent.map(|(source, _)| Missing::new(source, "the host does not show it as Linux does"));
    resources.unavailable = missing.collect();
    resources
}

/// All ticks of all cores, and those of them that were idle.
fn ticks(lines: &[&str]) -> Option<(u64, u64)> {
    let line = lines.iter().find_map(|line| line.strip_prefix("cpu "))?;
    // The guests' time, behind these, is part of the users'.
    let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|word| word.parse().ok()).collect();
    let idle = ticks.get(3)? + ticks.get(4).copied().unwrap_or(0);
    Some((ticks.iter().sum(), idle))
}

fn busy(ticks: &[(u64, u64)]) -> Option<f64> {
    let [(all, idle), (all_then, idle_then)] = ticks else { return None };
    let all = all_then.checked_sub(*all).filter(|all| *all > 0)?;
    let idle = idle_then.saturating_sub(*idle).min(all);
    #[expect(clippy::cast_precision_loss, reason = "ticks of a second")]
    let busy = 100.0 * (all - idle) as f64 / all as f64;
    Some((busy * 10.0).round() / 10.0)
}

fn loads(lines: &[&str]) -> Vec<f64> {
    let words = lines.first().map(|line| line.split_whitespace()).into_iter().flatten();
    words.take(3).map_while(|word| word.parse().ok()).collect()
}

fn memory(lines: &[&str]) -> Option<Memory> {
    let of = |name: &str| {
        let line = lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    };
    let (total, free) = (of("MemTotal")?, of("MemFree")?);
    let reclaimable = || Some(free + of("Buffers")? + of("Cached")?);
    let available = of("MemAvailable").or_else(reclaimable)?;
    Some(Memory { total, used: total.saturating_sub(available), free, available })
}

/// A line of `df -P -k` whose file system is more than memory.
fn disk(line: &str) -> Option<Disk> {
    const MEMORY: [&str; 7] = ["tmpfs", "devtmpfs", "udev", "shm", "none", "efivarfs", "dev"];
    let mut words = line.split_whitespace();
    let filesystem = words.next()?.to_owned();
    if MEMORY.contains(&filesystem.as_str()) {
        return None;
    }
    let mut kilobytes = || words.next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024);
    let (total, used, available) = (kilobytes()?, kilobytes()?, kilobytes()?);
    let use_percent = words.next()?.strip_suffix('%')?.parse().ok()?;
    let mount = words.collect::<Vec<_>>().join(" ");
    Some(Disk { filesystem, mount, total, used, available, use_percent })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
@cpu
cpu  100 0 100 700 100 0 0 0 50 0
cpu0 50 0 50 350 50 0 0 0 0 0
cpu1 50 0 50 350 50 0 0 0 0 0
@load
0.50 1.25 2.00 1/100 4242
@memory
MemTotal:        1000 kB
MemFree:          100 kB
MemAvailable:     400 kB
@disks
Filesystem     1024-blocks   Used Available Capacity Mounted on
udev                   500      0       500       0% /dev
/dev/sda1             1000    900        50      95% /
tmpfs                   10      0        10       0% /run
/dev/sdb1             2000    200      1800      10% /srv/my data
@cpu
cpu  125 0 100 750 125 0 0 0 50 0
cpu0 62 0 50 375 62 0 0 0 0 0
cpu1 63 0 50 375 63 0 0 0 0 0
";

    #[test]
    fn numbers_are_read_in_bytes_and_percent() {
        let found = read(TEXT);
        assert_eq!(found.cpu, Cpu { percent: Some(25.0), cores: Some(2) });
        assert_eq!(found.load_average, [0.5, 1.25, 2.0]);
        let memory = Memory { total: 1_024_000, used: 614_400, free: 102_400, available: 409_600 };
        assert_eq!(found.memory, Some(memory));
        let disk = found.disk.unwrap();
        assert_eq!((disk.total, disk.available, disk.use_percent), (1_024_000, 51_200, 95));
        assert_eq!((found.disks.len(), found.disks[0].mount.as_str()), (1, "/srv/my data"));
        assert_eq!(found.unavailable, []);
    }

    #[test]
    fn what_a_host_does_not_show_is_said_and_not_invented() {
        let found = read("@cpu\n@load\n@memory\n@disks\n@cpu\n");
        let sources: Vec<&str> = found.unavailable.iter().map(Missing::source).collect();
        assert_eq!(sources, ["cpu", "load_average", "memory", "disk"]);
        assert_eq!((found.cpu, found.memory, found.disk), (Cpu::default(), None, None));
    }
}
