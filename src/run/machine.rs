//! Where a run takes place.

use std::collections::BTreeMap;
use std::thread::available_parallelism;
use std::time::SystemTime;

use history::{Machine, Target};
use nix::sys::utsname::uname;
use nix::unistd::geteuid;

use super::ensemble::zookeeper_version;

pub(crate) fn describe(
    partitions_by: String,
    disks_by: Option<String>,
    lacks: BTreeMap<String, String>,
    target: Target,
) -> Machine {
    let kernel = uname().map(|names| names.release().to_string_lossy().into_owned());
    Machine {
        kernel: kernel.unwrap_or_else(|_| "unknown".to_owned()),
        cores: available_parallelism().map_or(1, usize::from),
        partitions_by,
        disks_by,
        lacks,
        root: geteuid().is_root(),
        target_version: match target {
            Target::Zoobreak => None,
            Target::Zookeeper => zookeeper_version(),
        },
    }
}

/// `2026-11-20T21:16:58Z`.
pub(crate) fn utc_now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
