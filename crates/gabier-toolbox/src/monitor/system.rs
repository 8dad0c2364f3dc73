//! What this machine is and how it is.

use gabier_tool::{Context, Effect, Error, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sysinfo::{Networks, System};

use super::disk::{Partitions, partitions};
use super::process::{Row, rows};
use super::sample::{percent_of, rounded, sample};
use crate::Services;

/// How many of the busiest processes are shown.
const BUSIEST: usize = 5;

/// Describe the server's machine: system, processor, memory, disks, network, processes.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SystemInfo {
    /// Which part.
    #[serde(default)]
    #[schemars(extend("x-cli" = {"positional": true}))]
    info_type: InfoType,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum InfoType {
    #[default]
    All,
    General,
    Cpu,
    Memory,
    Disk,
    Network,
    Processes,
}

/// The asked parts.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Sections {
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    general: Option<General>,
    /// The processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<Cpu>,
    /// The memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    /// The file systems.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<Partitions>,
    /// The network interfaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network>,
    /// The processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<Counted>,
}

/// What the machine is.
#[derive(Debug, Serialize, JsonSchema)]
struct General {
    /// Its name.
    hostname: Option<String>,
    /// The operating system.
    os: Option<String>,
    /// The kernel's version.
    kernel: Option<String>,
    /// The processor's kind.
    architecture: String,
    /// Seconds since it started.
    uptime_s: Option<u64>,
}

/// The processors.
#[derive(Debug, Serialize, JsonSchema)]
struct Cpu {
    /// The model.
    model: String,
    /// How many there are.
    cores: usize,
    /// Load of all of them together.
    percent: f64,
    /// Mean number of waiting processes, over 1, 5 and 15 minutes.
    load_average: Option<[f64; 3]>,
}

/// The memory.
#[derive(Debug, Serialize, JsonSchema)]
struct Memory {
    /// All of it, in bytes.
    total: u64,
    /// Taken, in bytes.
    used: u64,
    /// Unused, in bytes.
    free: u64,
    /// What programs can still get, in bytes.
    available: u64,
    /// Taken.
    percent: f64,
    /// All swap, in bytes.
    swap_total: u64,
    /// Taken swap, in bytes.
    swap_used: u64,
}

/// The network interfaces.
#[derive(Debug, Serialize, JsonSchema)]
struct Network {
    /// One each.
    interfaces: Vec<Interface>,
}

/// One network interface.
#[derive(Debug, Serialize, JsonSchema)]
struct Interface {
    /// Its name.
    name: String,
    /// Received, in bytes.
    rx_bytes: u64,
    /// Sent, in bytes.
    tx_bytes: u64,
}

/// The processes.
#[derive(Debug, Serialize, JsonSchema)]
struct Counted {
    /// How many there are.
    total: usize,
    /// How many are running now.
    running: usize,
    /// The busiest.
    busiest: Vec<Row>,
}

impl Tool<Services> for SystemInfo {
    const NAME: &'static str = "system_info";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Lean;
    const KEYWORDS: &'static str =
        "cpu memory ram load uptime kernel os hardware processeur mémoire charge système état";
    type Output = Sections;

    async fn run(self, ctx: &Context<Services>) -> Result<Sections> {
        let wants = |part| self.info_type == InfoType::All || self.info_type == part;
        let mut sections = Sections::default();
        if wants(InfoType::General) {
            sections.general = Some(crate::blocking(|| Ok(general())).await?);
        }
        if wants(InfoType::Disk) {
            sections.disk = Some(crate::blocking(|| partitions(None)).await?);
        }
        if wants(InfoType::Network) {
            sections.network = Some(crate::blocking(network).await?);
        }
        if wants(InfoType::Cpu) || wants(InfoType::Memory) || wants(InfoType::Processes) {
            let system = sample(ctx).await?;
            sections.cpu = wants(InfoType::Cpu).then(|| cpu(&system));
            sections.memory = wants(InfoType::Memory).then(|| memory(&system));
            if wants(InfoType::Processes) {
                sections.processes = Some(counted(rows(system).await?));
            }
        }
        Ok(sections)
    }
}

fn general() -> General {
    General {
        hostname: System::host_name().ok(),
        os: System::long_os_version().ok(),
        kernel: System::kernel_version().ok(),
        architecture: System::cpu_arch(),
        uptime_s: System::uptime().ok(),
    }
}

fn cpu(system: &System) -> Cpu {
    Cpu {
        model: system.cpus().first().map(|cpu| cpu.brand().to_owned()).unwrap_or_default(),
        cores: system.cpus().len(),
        percent: rounded(system.global_cpu_usage().into()),
        load_average: System::load_average().ok().map(|load| [load.one, load.five, load.fifteen]),
    }
}

fn memory(system: &System) -> Memory {
    Memory {
        total: system.total_memory(),
        used: system.used_memory(),
        free: system.free_memory(),
        available: system.available_memory(),
        percent: percent_of(system.used_memory(), system.total_memory()),
        swap_total: system.total_swap(),
        swap_used: system.used_swap(),
    }
}

fn network() -> Result<Network> {
    let networks = Networks::new_with_refreshed_list()
        .map_err(|error| Error::internal(format!("reading the network interfaces: {error:?}")))?;
    let mut interfaces: Vec<Interface> = networks
        .iter()
        .map(|(name, data)| Interface {
            name: name.to_string_lossy().into_owned(),
            rx_bytes: data.total_received(),
            tx_bytes: data.total_transmitted(),
        })
        .collect();
    interfaces.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Network { interfaces })
}

fn counted(mut rows: Vec<Row>) -> Counted {
    let running = rows.iter().filter(|row| row.status == "running").count();
    let total = rows.len();
    rows.truncate(BUSIEST);
    Counted { total, running, busiest: rows }
}
