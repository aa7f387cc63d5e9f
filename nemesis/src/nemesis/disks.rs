//! Power cuts, ill disks and damaged ones, on disks of our own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{Active, Nemesis, lock};
use crate::disk::{self, Disk, DiskError, Loss, Rules};
use crate::fault::{Ailment, Damage, FaultId};
use crate::host::NodeId;
use crate::outcome::Outcome;
use crate::process::{ProcessError, Server};

/// Disks that are ill, or damaged.
#[derive(Debug)]
pub(super) struct IllDisks {
    illness: Illness,
    nodes: Vec<NodeId>,
    /// Servers that ended of it, and how.
    ended: BTreeMap<NodeId, String>,
    doubts: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Illness {
    Ails(Ailment),
    Damaged,
}

/// What becomes of fsyncs in the last so many milliseconds before the power fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Before {
    /// They are not answered.
    Stalled(u64),
    /// They fail.
    Failing(u64),
}

/// How long a server may take to end after its disk failed it, if it is one that ends then. A Java
/// machine takes a good fifth of a second.
const DYING: Duration = Duration::from_secs(1);

impl IllDisks {
    pub(super) fn may_end_servers(&self) -> bool {
        match self.illness {
            Illness::Ails(ailment) => ailment.refuses(),
            Illness::Damaged => true,
        }
    }

    /// Where to note that this server ended, if it is one of them.
    pub(super) fn excuse(&mut self, node: NodeId) -> Option<&mut BTreeMap<NodeId, String>> {
        self.nodes.contains(&node).then_some(&mut self.ended)
    }
}

impl Nemesis {
    /// Makes an existing empty directory a disk that can be broken, for a server to be started. Without it
    /// faults of disks are skipped. [`Nemesis::stop`] leaves the files there. By which means:
    /// [`crate::disk_means`].
    ///
    /// Only the processes of this mount namespace see it, so [`crate::contain::enter`] must come before.
    pub fn mount_disk(&mut self, node: NodeId, place: &Path) -> Result<(), DiskError> {
        self.disks.insert(node, disk::provide(place, self.lab.has_network())?);
        Ok(())
    }

    /// The same by watching the server's system calls, even where there could be a file system in memory.
    pub fn watch_disk(&mut self, node: NodeId, place: &Path) -> Result<(), DiskError> {
        self.disks.insert(node, disk::provide_watched(place)?);
        Ok(())
    }

    /// Makes everything durable that is on a node's disk, such as the files that a server is to find there.
    pub fn sync_disk(&self, node: NodeId) {
        if let Some(disk) = self.disks.get(&node) {
            disk.sync_all();
        }
    }

    pub(super) fn cut_power(
        &self,
        id: FaultId,
        nodes: &[NodeId],
        (rules, loss): (Rules, Loss),
        before: Before,
        seed: u64,
    ) -> (Outcome, Value) {
        let disks = match self.disks_of(nodes) {
            Ok(disks) => disks,
            Err(why) => return (Outcome::skipped(why), Value::Null),
        };
        match before {
            Before::Stalled(_) => disks.values().for_each(|disk| disk.stall()),
            Before::Failing(_) => {
                disks.values().for_each(|disk| disk.infect(id, Ailment::FsyncError, 0));
            }
        }
        let (Before::Stalled(ms) | Before::Failing(ms)) = before;
        sleep(Duration::from_millis(ms));
        disks.values().for_each(|disk| disk.power_off());
        let failed: BTreeMap<NodeId, u64> =
            disks.iter().map(|(node, disk)| (*node, disk.cure(id))).collect();
        // A server that has ended of a failed fsync is without power like the others.
        let (outcome, mut evidence) = self.take_down(id, nodes, false, Server::kill_or_bury);
        let Some(Active::Kill { nodes, wipe, mut doubts }) = self.ledger.take(id) else {
            disks.values().for_each(|disk| disk.start());
            return (outcome, evidence);
        };
        let (mut lost, mut lost_any) = (BTreeMap::new(), false);
        for (node, disk) in disks {
            let mut rng = ChaCha8Rng::seed_from_u64(seed ^ u64::from(node.0));
            let (what, any) = disk.lose(loss, rules, &mut rng);
            lost.insert(node, what);
            lost_any |= any;
        }
        if !lost_any {
            doubts.push("everything was synced, so nothing was lost: as good as kill -9".into());
        }
        evidence["lost"] = json!(lost);
        if matches!(before, Before::Failing(_)) {
            evidence["fsyncs_that_failed"] = json!(failed);
            if failed.values().all(|n_failed| *n_failed == 0) {
                doubts.push("nobody asked for an fsync that could fail: only a power cut".into());
            }
        }
        let outcome = Outcome::unless(&doubts);
        self.ledger.put(id, Active::Kill { nodes, wipe, doubts });
        (outcome, evidence)
    }

    /// The server is started again at once, so that it meets the damage.
    pub(super) fn damage(
        &self,
        id: FaultId,
        nodes: &[NodeId],
        damage: Damage,
        seed: u64,
    ) -> (Outcome, Value) {
        let disks = match self.disks_of(nodes) {
            Ok(disks) => disks,
            Err(why) => return (Outcome::skipped(why), Value::Null),
        };
        let (outcome, mut evidence) = self.take_down(id, nodes, false, Server::kill);
        let Some(Active::Kill { nodes, mut doubts, .. }) = self.ledger.take(id) else {
            return (outcome, evidence);
        };
        let mut damaged = BTreeMap::new();
        for node in &nodes {
            match disks[node].damage(damage, &mut ChaCha8Rng::seed_from_u64(seed)) {
                Some(place) => drop(damaged.insert(*node, place)),
                None => doubts.push(format!("{node} had synced nothing that can be damaged so")),
            }
            if let Err(error) = self.start_again(*node) {
                doubts.push(error);
            }
        }
        evidence["damaged"] = json!(damaged);
        let outcome = Outcome::unless(&doubts);
        let (illness, ended) = (Illness::Damaged, BTreeMap::new());
        self.ledger.put(id, Active::Disk(IllDisks { illness, nodes, ended, doubts }));
        (outcome, evidence)
    }

    pub(super) fn infect(
        &self,
        id: FaultId,
        nodes: &[NodeId],
        ailment: Ailment,
        size: u64,
    ) -> (Outcome, Value) {
        let evidence = json!({ "ailment": ailment, "size": size, "nodes": nodes });
        let disks = match self.disks_of(nodes) {
            Ok(disks) if disks.is_empty() => {
                return (Outcome::skipped("it is for no disk"), evidence);
            }
            Ok(disks) => disks,
            Err(why) => return (Outcome::skipped(why), evidence),
        };
        disks.values().for_each(|disk| disk.infect(id, ailment, size));
        let well = disks.iter().filter(|(_, disk)| !disk.is_ill(id));
        let doubts: Vec<_> = well.map(|(node, _)| format!("{node}'s disk is well")).collect();
        let (outcome, nodes) = (Outcome::unless(&doubts), nodes.to_vec());
        let (illness, ended) = (Illness::Ails(ailment), BTreeMap::new());
        self.ledger.put(id, Active::Disk(IllDisks { illness, nodes, ended, doubts }));
        (outcome, evidence)
    }

    /// Servers that ended of it are started again; those that refused a damaged disk, with an empty one.
    pub(super) fn cure(&self, id: FaultId, ill: &mut IllDisks) -> Result<(Outcome, Value), String> {
        let disks = self.disks_of(&ill.nodes)?;
        let felt: BTreeMap<NodeId, u64> =
            disks.iter().map(|(node, disk)| (*node, disk.cure(id))).collect();
        if let Some((node, _)) = disks.iter().find(|(_, disk)| disk.is_ill(id)) {
            return Err(format!("the disk of {node} is still ill"));
        }
        if matches!(ill.illness, Illness::Ails(_)) && felt.values().all(|n_felt| *n_felt == 0) {
            ill.doubts.push("no request met it: nobody felt it".into());
        }
        self.let_die(ill, &felt)?;
        let (mut restarted, mut emptied) = (BTreeMap::new(), BTreeMap::new());
        for node in ill.nodes.clone() {
            let Some(server) = self.servers.get(&node) else { continue };
            let in_node = |e: ProcessError| format!("{node}: {e}");
            if !ill.ended.contains_key(&node) {
                continue;
            }
            if ill.illness == Illness::Damaged {
                emptied.insert(node, lock(server).wipe().map_err(in_node)?);
            }
            restarted.insert(node, self.start_again(node)?);
        }
        let evidence = json!({
            "requests_that_felt_it": felt,
            "ended": ill.ended,
            "emptied": emptied,
            "restarted_pids": restarted,
        });
        Ok((Outcome::unless(&ill.doubts), evidence))
    }

    /// Notes who ended of it; those that felt it get some time for that.
    fn let_die(&self, ill: &mut IllDisks, felt: &BTreeMap<NodeId, u64>) -> Result<(), String> {
        let (start, waits) = (Instant::now(), ill.may_end_servers());
        loop {
            for node in &ill.nodes {
                let Some(server) = self.servers.get(node) else { continue };
                let status = lock(server).take_exit().map_err(|e| format!("{node}: {e}"))?;
                ill.ended.extend(status.map(|status| (*node, status.to_string())));
            }
            let may_die =
                |(node, n_felt): (&NodeId, &u64)| *n_felt > 0 && !ill.ended.contains_key(node);
            if !waits || !felt.iter().any(may_die) || start.elapsed() >= DYING {
                return Ok(());
            }
            sleep(Duration::from_millis(1));
        }
    }

    fn start_again(&self, node: NodeId) -> Result<u32, String> {
        let server = self.servers.get(&node).ok_or(format!("{node} was never started"))?;
        let pid = lock(server).restart(self.lab.place(node));
        pid.map_err(|error| format!("{node}: {error}"))
    }

    /// Unmounts every disk and saves its files.
    pub(super) fn eject_disks(&mut self) -> Result<(), DiskError> {
        self.servers.clear();
        for disk in std::mem::take(&mut self.disks).into_values() {
            disk.eject()?;
        }
        Ok(())
    }

    fn disks_of(&self, nodes: &[NodeId]) -> Result<BTreeMap<NodeId, Arc<dyn Disk>>, String> {
        let disk_of = |node: &NodeId| match self.disks.get(node) {
            Some(disk) => Ok((*node, Arc::clone(disk))),
            None => Err(format!("{node} has the machine's own disk, which is not to be broken")),
        };
        nodes.iter().map(disk_of).collect()
    }
}
