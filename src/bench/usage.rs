//! What processes cost, from `/proc` (proc(5)).

use std::fs;

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};

/// Processor seconds that these processes have used, user and system.
pub(super) fn cpu_seconds(pids: &[u32]) -> Result<f64> {
    let per_second = sysconf(SysconfVar::CLK_TCK).context("sysconf")?.context("no CLK_TCK")?;
    let mut ticks = 0;
    for pid in pids {
        let path = format!("/proc/{pid}/stat");
        let stat = fs::read_to_string(&path).context(path.clone())?;
        ticks += cpu_ticks(&stat).with_context(|| format!("{path}: {stat}"))?;
    }
    Ok(ticks as f64 / per_second as f64)
}

/// Bytes of physical memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub(super) resident: u64,
    /// Of these, the ones that no file holds.
    pub(super) anonymous: u64,
}

/// A process' memory.
pub(super) fn memory(pid: u32) -> Result<Memory> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).context(path.clone())?;
    let field = |name| kib(&status, name).with_context(|| format!("{path}: no {name}"));
    Ok(Memory { resident: field("VmRSS:")? << 10, anonymous: field("RssAnon:")? << 10 })
}

/// Fields 14 and 15; the second is in parentheses and may contain anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, from_third) = stat.rsplit_once(") ")?;
    let mut fields = from_third.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

fn kib(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_the_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 31 11 0 0 20 0 5 0 100 0 0";
        assert_eq!(cpu_ticks(stat), Some(42));
        assert_eq!(cpu_ticks("7 (cut"), None);
    }

    #[test]
    fn memory_is_in_kib() {
        let status = "Name:\tx\nVmRSS:\t    1234 kB\nRssAnon:\t     56 kB\n";
        assert_eq!(kib(status, "VmRSS:"), Some(1234));
        assert_eq!(kib(status, "VmHWM:"), None);
    }

    #[test]
    fn our_own_process_has_both() {
        let own = std::process::id();
        let memory = memory(own).expect("proc is mounted");
        assert!(memory.resident >= memory.anonymous && memory.anonymous > 0);
        assert!(cpu_seconds(&[own]).expect("proc is mounted") >= 0.0);
    }
}
