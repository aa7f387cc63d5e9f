//! Servers that get no more memory than they have, by prlimit(2).
//!
//! The limit is that of the address space (`RLIMIT_AS`), which needs neither root nor a cgroup that was delegated to
//! us. Only the soft limit is moved, so that it can be moved back.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use nix::errno::Errno;
use nix::libc::{self, rlim_t, rlimit};
use serde_json::{Value, json};

use super::{Active, Nemesis, lock};
use crate::fault::FaultId;
use crate::host::NodeId;
use crate::outcome::Outcome;
use crate::process::{self, ProcessError};

/// Limits in force.
#[derive(Debug)]
pub(super) struct Limits {
    limited: BTreeMap<i32, Limited>,
    /// Servers that ended of it, and how.
    ended: BTreeMap<NodeId, String>,
    doubts: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Limited {
    node: NodeId,
    before: rlim_t,
    bytes: rlim_t,
}

impl Limits {
    pub(super) fn nodes(&self) -> Vec<NodeId> {
        let mut nodes: Vec<_> = self.limited.values().map(|limited| limited.node).collect();
        nodes.dedup();
        nodes
    }

    /// Where to note that this server ended, if it is one of them.
    pub(super) fn excuse(&mut self, node: NodeId) -> Option<&mut BTreeMap<NodeId, String>> {
        self.nodes().contains(&node).then_some(&mut self.ended)
    }
}

impl Nemesis {
    /// Every process of these servers may grow by so many bytes.
    pub(super) fn limit_memory(
        &self,
        id: FaultId,
        nodes: &[NodeId],
        spare: u64,
    ) -> (Outcome, Value) {
        let (mut limited, mut doubts) = (BTreeMap::new(), Vec::new());
        for &node in nodes {
            match self.limit_node(node, spare) {
                Ok(pids) if pids.is_empty() => doubts.push(format!("{node} ran no process")),
                Ok(pids) => limited.extend(pids),
                Err(error) => doubts.push(format!("{node}: {error}")),
            }
        }
        let bytes: BTreeMap<_, _> = limited.iter().map(|(pid, l)| (*pid, l.bytes)).collect();
        let evidence = json!({ "by": "RLIMIT_AS", "spare_bytes": spare, "limits": bytes });
        if limited.is_empty() {
            return (Outcome::skipped(doubts.join("; ")), evidence);
        }
        let outcome = Outcome::unless(&doubts);
        let ended = BTreeMap::new();
        self.ledger.put(id, Active::Memory(Limits { limited, ended, doubts }));
        (outcome, evidence)
    }

    fn limit_node(&self, node: NodeId, spare: u64) -> Result<Vec<(i32, Limited)>, ProcessError> {
        let mut limited = Vec::new();
        for pid in process::list(self.lab.place(node))? {
            match limit(pid, spare) {
                Ok((before, bytes)) => limited.push((pid, Limited { node, before, bytes })),
                // It has ended meanwhile.
                Err(error) if is_gone(&error) => {}
                Err(source) => {
                    let action = format!("limit the memory of process {pid}");
                    return Err(ProcessError { action, source });
                }
            }
        }
        Ok(limited)
    }

    /// Servers that ended of it are started again.
    pub(super) fn lift_limits(&self, limits: &mut Limits) -> Result<(Outcome, Value), String> {
        let mut grown = BTreeMap::new();
        for (&pid, &Limited { node, before, bytes }) in &limits.limited {
            match lift(pid, before, bytes) {
                Ok(()) => drop(grown.insert(pid, size(pid).unwrap_or(0))),
                Err(error) if is_gone(&error) => {}
                Err(error) => limits.doubts.push(format!("{node}, process {pid}: {error}")),
            }
        }
        let mut restarted = BTreeMap::new();
        for node in limits.nodes() {
            let in_node = |e: ProcessError| format!("{node}: {e}");
            let place = self.lab.place(node);
            let Some(server) = self.servers.get(&node) else { continue };
            let mut server = lock(server);
            let status = server.take_exit().map_err(in_node)?;
            limits.ended.extend(status.map(|status| (node, status.to_string())));
            if process::list(place).map_err(in_node)?.is_empty() {
                restarted.insert(node, server.restart(place).map_err(in_node)?);
            }
        }
        let evidence = json!({
            "sizes_at_the_end": grown,
            "ended": limits.ended,
            "restarted_pids": restarted,
        });
        Ok((Outcome::unless(&limits.doubts), evidence))
    }
}

/// Sets the limit, and reads it back: what it was and what it is.
fn limit(pid: i32, spare: u64) -> io::Result<(rlim_t, rlim_t)> {
    let old = address_space(pid, None)?;
    let bytes = size(pid)?.saturating_add(spare).min(old.rlim_max);
    address_space(pid, Some(rlimit { rlim_cur: bytes, ..old }))?;
    match address_space(pid, None)?.rlim_cur {
        kept if kept == bytes => Ok((old.rlim_cur, bytes)),
        other => Err(io::Error::other(format!("its limit is {other} instead of {bytes}"))),
    }
}

/// Gives back what there was, if the limit is ours still.
fn lift(pid: i32, before: rlim_t, ours: rlim_t) -> io::Result<()> {
    let now = address_space(pid, None)?;
    if now.rlim_cur != ours {
        return Err(io::Error::other(format!("its limit was {} at the heal", now.rlim_cur)));
    }
    address_space(pid, Some(rlimit { rlim_cur: before, ..now })).map(drop)
}

/// The limits of a process, before `new` is in force.
fn address_space(pid: i32, new: Option<rlimit>) -> io::Result<rlimit> {
    let mut old = rlimit { rlim_cur: 0, rlim_max: 0 };
    let new = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: both pointers are null or lead to a value that outlives the call.
    let done = unsafe { libc::prlimit(pid, libc::RLIMIT_AS, new, &raw mut old) };
    Errno::result(done)?;
    Ok(old)
}

/// Bytes of address space, from `/proc/<pid>/statm`. A zombie has none.
fn size(pid: i32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages: Option<u64> = text.split(' ').next().and_then(|pages| pages.parse().ok());
    pages.map(|pages| pages * PAGE).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// Of x86-64, and of most other machines.
const PAGE: u64 = 4096;

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT))
}
