//! The kernel and its limits.

use std::fs;

use nemesis::Means;
use nix::sys::utsname::uname;
use nix::unistd::geteuid;

use super::Finding;

/// Tries everything that a lab needs, in a child process.
pub(super) fn namespaces() -> Finding {
    match nemesis::contain::probe() {
        Ok(()) => Finding::ok("namespaces: pid, mount and network, with virtual links"),
        Err(error) => {
            let without = "without them servers share the loopback: no partition, link and disk faults, and \
                           what kills the harness leaves nothing only by processes that watch it";
            Finding::limited(format!("namespaces: {error}"), without)
        }
    }
}

/// Only the device is looked at; mounting needs what [`namespaces`] tries.
pub(super) fn disks() -> Finding {
    match nemesis::disk_means(true) {
        Ok(Means::Fuse) => Finding::ok("disk faults: /dev/fuse"),
        Ok(Means::Seccomp(why)) => Finding::limited(
            format!("disk faults: by watched system calls (seccomp), for: {why}"),
            "with /dev/fuse reads fail too, and changes of any kind are lost that were not synced",
        ),
        Err(error) => Finding::limited(
            format!("disk faults: {error}"),
            "power cuts and broken disks (--faults disk) are skipped without it",
        ),
    }
}

pub(super) fn user() -> Finding {
    match geteuid() {
        uid if uid.is_root() => Finding::ok("user: root"),
        uid => Finding::ok(format!("user: {uid}, who becomes root of a user namespace")),
    }
}

pub(super) fn kernel() -> Finding {
    match uname() {
        Ok(name) => Finding::ok(format!("kernel: {}", name.release().to_string_lossy())),
        Err(errno) => Finding::limited(
            format!("kernel: {}", errno.desc()),
            "its release belongs in every run's manifest; uname(2) should not fail",
        ),
    }
}

pub(super) fn cores() -> Finding {
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    Finding::unless(
        n_cores >= 2,
        format!("cores: {n_cores}"),
        "servers, clients and the switch share one: use a lower --rate",
    )
}

pub(super) fn memory() -> Finding {
    let Some(mib) = available().map(|bytes| bytes >> 20) else {
        return Finding::limited(
            "memory: /proc/meminfo cannot be read",
            "the process list of /proc proves kills and pauses: mount /proc",
        );
    };
    Finding::unless(
        mib >= 1_024,
        format!("memory: {mib} MiB available"),
        "five servers and a check want 1024 MiB: use fewer --nodes, a shorter --time",
    )
}

/// Bytes of memory that programs may still take; of the group of processes that we are in, if it is limited.
pub(in super::super) fn available() -> Option<usize> {
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max");
    let limit = limit.ok().and_then(|limit| limit.trim().parse().ok());
    of_machine().map(|free| limit.map_or(free, |limit| free.min(limit)))
}

fn of_machine() -> Option<usize> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

pub(super) fn open_files() -> Finding {
    let n_files = open_files_max().unwrap_or(0);
    Finding::unless(
        n_files >= 1_024,
        format!("open files: {n_files} at most"),
        "each client and each link between servers takes one: `ulimit -n 1024`",
    )
}

fn open_files_max() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// Linux 6.15 brought a bound for the back-off of TCP's retransmissions.
pub(super) fn tcp() -> Finding {
    Finding::unless(
        fs::exists("/proc/sys/net/ipv4/tcp_rto_max_ms").unwrap_or(false),
        "TCP: net.ipv4.tcp_rto_max_ms bounds the back-off".to_owned(),
        "absent before Linux 6.15: after a heal, connections wait until the switch replays their \
         last packet",
    )
}
