//! Readings of the processor: two, because load is a difference.

use std::time::Duration;

use gabier_tool::{Context, Error, Result};
use sysinfo::{
    CpuRefreshKind, MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System, UpdateKind,
};

use crate::Services;

/// Long enough for the kernel's counters to move.
const BETWEEN: Duration = Duration::from_millis(250);

/// Reads the machine, waits, and reads it again, so that every percentage is real from the first call on.
pub(super) async fn sample(ctx: &Context<Services>) -> Result<System> {
    let mut system = crate::blocking(first).await?;
    ctx.clock().sleep(BETWEEN).await;
    crate::blocking(move || {
        system.refresh_cpu_all();
        refresh_processes(&mut system);
        Ok(system)
    })
    .await
}

fn first() -> Result<System> {
    let kinds = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::everything())
        .with_memory(MemoryRefreshKind::everything());
    let mut system = System::new_with_specifics(kinds)
        .map_err(|error| Error::internal(format!("reading the machine's state: {error:?}")))?;
    refresh_processes(&mut system);
    Ok(system)
}

fn refresh_processes(system: &mut System) {
    let kinds = ProcessRefreshKind::nothing()
        .with_cpu()
        .with_memory()
        .with_user(UpdateKind::OnlyIfNotSet)
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kinds);
}

/// A share in percent, with one decimal; 0 of nothing.
pub(super) fn percent_of(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a percentage needs few digits")]
    rounded(part as f64 * 100.0 / whole as f64)
}

/// One decimal.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_one_decimal_and_nothing_divides_by_zero() {
        assert!((percent_of(1, 3) - 33.3).abs() < f64::EPSILON);
        assert!(percent_of(1, 0).abs() < f64::EPSILON);
    }
}
