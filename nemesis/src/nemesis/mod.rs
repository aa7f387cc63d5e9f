//! The nemesis: it owns the servers' processes, hurts them, repairs them, and proves both.

mod clocks;
mod disks;
mod ledger;
mod links;
mod memory;
mod processes;
mod rounds;

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use clocks::Clocks;
use disks::{Before, IllDisks};
use ledger::Ledger;
use memory::Limits;
use rounds::{Round, Rounds};

use crate::disk::{Disk, DiskError};
use crate::fault::{Fault, FaultId, Ports, Shape, View};
use crate::host::NodeId;
use crate::lab::Lab;
use crate::outcome::{NotHealed, Outcome, Report};
use crate::partition::{Backend, Baseline, Mended, Rift};
use crate::process::{self, Launch, ProcessError, Server};
use crate::scenario::{Sign, Signs};
use crate::switch::{Losses, Quality};

/// Injects and heals faults in a lab. Its methods block: usually for less than 30 ms, but for seconds if a server or a
/// disk is slow to do what it must. So give each fault a thread of its own; they do not wait for each other.
#[derive(Debug)]
pub struct Nemesis {
    lab: Arc<Lab>,
    backend: Backend,
    servers: BTreeMap<NodeId, Arc<Mutex<Server>>>,
    disks: BTreeMap<NodeId, Arc<dyn Disk>>,
    ledger: Ledger,
    /// Held while partitions begin and end: what one cuts, another must not mend.
    cutting: Mutex<()>,
    ports: Ports,
}

/// A fault in force, with what is needed to end it and to judge whether it lasted.
#[derive(Debug)]
enum Active {
    /// Servers that are down; `wipe` says that their disks are emptied before they start again.
    Kill {
        nodes: Vec<NodeId>,
        wipe: bool,
        doubts: Vec<String>,
    },
    Pause {
        pids: BTreeMap<NodeId, Vec<i32>>,
        doubts: Vec<String>,
    },
    Partition {
        rift: Rift,
        baseline: Baseline,
    },
    Link {
        quality: Quality,
        lost_before: Losses,
    },
    Rounds(Rounds),
    Clocks(Clocks),
    Disk(IllDisks),
    Memory(Limits),
}

impl Active {
    /// Where to note that a server ended, if this fault is why.
    fn excuse(&mut self, node: NodeId) -> Option<&mut BTreeMap<NodeId, String>> {
        match self {
            Active::Disk(ill) if ill.may_end_servers() => ill.excuse(node),
            Active::Memory(limits) => limits.excuse(node),
            _ => None,
        }
    }
}

impl Nemesis {
    /// Finds out by trying whether iptables works here.
    pub fn new(lab: Arc<Lab>) -> Nemesis {
        let backend = Backend::detect(&lab);
        Nemesis::by(lab, backend)
    }

    /// Lets the switch make the partitions even where iptables works.
    pub fn without_iptables(lab: Arc<Lab>) -> Nemesis {
        let backend = match lab.has_network() {
            true => Backend::Switch("iptables was not wanted".into()),
            false => Backend::Nothing,
        };
        Nemesis::by(lab, backend)
    }

    fn by(lab: Arc<Lab>, backend: Backend) -> Nemesis {
        let (servers, disks) = (BTreeMap::new(), BTreeMap::new());
        let (ledger, cutting) = (Ledger::default(), Mutex::default());
        Nemesis { lab, backend, servers, disks, ledger, cutting, ports: Ports::default() }
    }

    /// Where the servers talk to each other, if not at [`Ports::default`].
    pub fn use_ports(&mut self, ports: Ports) {
        self.ports = ports;
    }

    /// What makes the partitions: `iptables v1.8.9 (nf_tables)`, or `switch (why not iptables)`.
    pub fn partition_backend(&self) -> String {
        self.backend.to_string()
    }

    /// Packets that the lab lost so far by no fault's doing. Not zero: the machine was too busy.
    pub fn losses(&self) -> std::io::Result<Losses> {
        if self.lab.has_network() { self.lab.switch().losses() } else { Ok(Losses::default()) }
    }

    /// Starts a server in its node's place. What the node runs already is killed first.
    pub fn start(&mut self, node: NodeId, launch: Launch) -> Result<(), ProcessError> {
        self.stop_node(node)?;
        let disk = self.disks.get(&node).cloned();
        let server = Server::start(launch, disk, self.lab.place(node))?;
        self.servers.insert(node, Arc::new(Mutex::new(server)));
        Ok(())
    }

    /// Servers that ended on their own since the last call. Kills by the nemesis are not among them, nor
    /// are servers that ended of an ill disk or a limit, which the fault's heal starts again.
    pub fn exits(&self) -> Result<Vec<(NodeId, ExitStatus)>, ProcessError> {
        let mut exits = Vec::new();
        for (&node, server) in &self.servers {
            // Whoever works on it looks for itself; it is asked again later.
            let Ok(mut server) = server.try_lock() else { continue };
            if self.ledger.is_worked_on(node) {
                continue;
            }
            let Some(status) = server.take_exit()? else { continue };
            if !self.ledger.excuse(node, &status.to_string()) {
                exits.push((node, status));
            }
        }
        Ok(exits)
    }

    /// Kills every process of every node, at the end of a run, and saves the files of the disks.
    pub fn stop(&mut self) -> Result<(), StopError> {
        self.ledger.clear();
        let stopped = self.lab.nodes().into_iter().try_for_each(|node| self.stop_node(node));
        let saved = self.eject_disks();
        Ok(stopped.map(|()| saved)??)
    }

    /// The ensemble as the processes show it, for [`crate::fault::resolve`]. Who leads, and who has applied how much, is the
    /// caller's knowledge.
    pub fn view(&self, leader: Option<NodeId>) -> Result<View, ProcessError> {
        let nodes = self.lab.nodes();
        let mut down = self.ledger.down();
        for &node in &nodes {
            let pids = process::list(self.lab.place(node))?;
            if pids.iter().all(|&pid| process::is_stopped(pid)) {
                down.insert(node);
            }
        }
        let (held, zxids) = (self.ledger.held(), BTreeMap::new());
        Ok(View { nodes, leader, down, held, zxids, that: None, ports: self.ports })
    }

    /// Looks out for a sign of some servers, from now on.
    pub fn watch(&self, nodes: &[NodeId], sign: Sign) -> Signs {
        let launch = |node: &NodeId| Some((*node, lock(self.servers.get(node)?).launch.clone()));
        let launches: Vec<(NodeId, Launch)> = nodes.iter().filter_map(launch).collect();
        Signs::of(&launches, sign)
    }

    /// Lets [`Nemesis::view`] show what a fault will do, from now until it is healed or turns out to be impossible. Who
    /// chooses faults on several threads does it between two views.
    pub fn reserve(&self, id: FaultId, fault: &Fault) {
        self.ledger.reserve(id, fault);
    }

    /// Puts a fault in force. The id must be new; the report says what happened.
    pub fn inject(&self, id: FaultId, fault: &Fault) -> Report {
        if !self.ledger.begin(id, fault) {
            return report(id, Outcome::skipped(format!("{id} is in force already")), Value::Null);
        }
        let start = Instant::now();
        let (outcome, mut evidence) = match fault {
            Fault::Kill { nodes } => self.take_down(id, nodes, false, Server::kill),
            Fault::Wipe { nodes } => self.take_down(id, nodes, true, Server::kill),
            Fault::Restart { nodes } => self.take_down(id, nodes, false, Server::terminate),
            Fault::Pause { nodes } => self.pause(id, nodes),
            Fault::Partition { shape, grudge, cut } => {
                self.partition(*shape, Rift { fault: id, grudge: grudge.clone(), cut: *cut })
            }
            Fault::Link { quality, links, seed, .. } => self.spoil(id, *quality, links, *seed),
            Fault::Rolling { order, turn_ms } => self.begin(id, order, Round::Roll, *turn_ms),
            Fault::Slow { nodes, stop_ms } => self.begin(id, nodes, Round::Brake, *stop_ms),
            Fault::Clock { nodes, motion, offset_ms } => {
                self.set_clocks(id, nodes, *motion, *offset_ms)
            }
            Fault::CrashLoop { nodes, up_ms } => self.begin(id, nodes, Round::Crash, *up_ms),
            Fault::PowerCut { nodes, rules, loss, stall_ms, fsyncs_fail, seed } => {
                let before = if *fsyncs_fail {
                    Before::Failing(*stall_ms)
                } else {
                    Before::Stalled(*stall_ms)
                };
                self.cut_power(id, nodes, (*rules, *loss), before, *seed)
            }
            Fault::Disk { nodes, ailment, size } => self.infect(id, nodes, *ailment, *size),
            Fault::Damage { nodes, damage, seed } => self.damage(id, nodes, *damage, *seed),
            Fault::Memory { nodes, spare } => self.limit_memory(id, nodes, *spare),
        };
        self.ledger.close(id);
        evidence["took_ms"] = millis_since(start);
        report(id, outcome, evidence)
    }

    /// Ends a fault, shows that it is over, and says whether it was in force until then.
    ///
    /// A fault that was skipped has nothing to heal. If the heal fails it may be tried again.
    pub fn heal(&self, id: FaultId) -> Result<Report, NotHealed> {
        let Some(mut active) = self.ledger.take(id) else {
            if self.ledger.is_busy(id) {
                let problems = vec![format!("{id} is still being injected or healed")];
                return Err(NotHealed { problems, healed: Vec::new() });
            }
            self.ledger.close(id);
            return Ok(report(id, Outcome::skipped("it is not in force"), Value::Null));
        };
        let start = Instant::now();
        let healed = match &mut active {
            Active::Kill { nodes, wipe, doubts } => self.restart(nodes, *wipe, doubts),
            Active::Rounds(rounds) => self.finish(rounds),
            Active::Clocks(clocks) => self.correct(clocks),
            Active::Disk(ill) => self.cure(id, ill),
            Active::Memory(limits) => self.lift_limits(limits),
            Active::Pause { pids, doubts } => self.resume(pids, doubts),
            Active::Partition { rift, baseline } => self.mend(rift, baseline),
            Active::Link { quality, lost_before } => self.clear(id, *quality, *lost_before),
        };
        match healed {
            Ok((outcome, mut evidence)) => {
                self.ledger.close(id);
                evidence["took_ms"] = millis_since(start);
                Ok(report(id, outcome, evidence))
            }
            Err(problem) => {
                self.ledger.put(id, active);
                let problems = vec![format!("{id}: {problem}")];
                Err(NotHealed { problems, healed: Vec::new() })
            }
        }
    }

    /// Heals every fault in force, then looks for rules and stopped processes that should not be there.
    pub fn heal_all(&self) -> Result<Vec<Report>, NotHealed> {
        let (mut healed, mut problems) = (Vec::new(), Vec::new());
        for id in self.ledger.ids() {
            match self.heal(id) {
                Ok(report) => healed.push(report),
                Err(failure) => problems.extend(failure.problems),
            }
        }
        problems.extend(self.leftovers());
        if problems.is_empty() { Ok(healed) } else { Err(NotHealed { problems, healed }) }
    }

    fn partition(&self, shape: Shape, rift: Rift) -> (Outcome, Value) {
        let mut evidence = json!({
            "backend": self.partition_backend(),
            "shape": shape,
            "cut": rift.cut,
            "links": rift.grudge.len(),
        });
        if rift.grudge.is_empty() {
            return (Outcome::skipped("it cuts no link"), evidence);
        }
        let _cutting = self.cutting.lock().unwrap_or_else(PoisonError::into_inner);
        match self.backend.cut(&self.lab, &rift, &self.ledger.grudges()) {
            Ok(baseline) => {
                evidence["rules_present"] = json!(true);
                self.ledger.put(rift.fault, Active::Partition { rift, baseline });
                (Outcome::Installed, evidence)
            }
            Err((reason, true)) => (Outcome::skipped(reason), evidence),
            Err((reason, false)) => {
                let baseline = Baseline::new();
                self.ledger.put(rift.fault, Active::Partition { rift, baseline });
                (Outcome::Indeterminate { reason }, evidence)
            }
        }
    }

    fn mend(&self, rift: &Rift, baseline: &Baseline) -> Result<(Outcome, Value), String> {
        let _cutting = self.cutting.lock().unwrap_or_else(PoisonError::into_inner);
        let Mended { dropped, mut doubts, n_replayed } =
            self.backend.mend(&self.lab, rift, &self.ledger.grudges(), baseline)?;
        let n_dropped: u64 = dropped.iter().map(|link| link.packets).sum();
        if n_dropped == 0 {
            doubts.push("no packet was dropped: nobody felt it".into());
        }
        let losses = self.losses().map_err(|e| e.to_string())?;
        let evidence = json!({
            "backend": self.partition_backend(),
            "packets_dropped": n_dropped,
            "links": dropped,
            "rules_removed": true,
            "segments_replayed": n_replayed,
            "switch_losses": losses,
        });
        Ok((Outcome::unless(&doubts), evidence))
    }

    fn leftovers(&self) -> Vec<String> {
        let mut left = self.backend.leftovers(&self.lab).unwrap_or_else(|e| vec![e]);
        left.extend(self.bad_links());
        for node in self.lab.nodes() {
            match process::stopped(self.lab.place(node)) {
                Ok(pids) if pids.is_empty() => {}
                Ok(pids) => left.push(format!("{node} has stopped processes: {pids:?}")),
                Err(error) => left.push(format!("{node}: {error}")),
            }
        }
        left
    }

    fn stop_node(&mut self, node: NodeId) -> Result<(), ProcessError> {
        let place = self.lab.place(node);
        self.servers.get(&node).map_or(Ok(()), |server| lock(server).kill(place).map(drop))
    }
}

/// What could not be ended at the end.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// A process.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A disk in memory: its files are lost.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Drop for Nemesis {
    /// Call [`Nemesis::stop`] to hear of failures.
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// A thread that panicked while it held a server has said so; the server is as it is.
fn lock(server: &Mutex<Server>) -> MutexGuard<'_, Server> {
    server.lock().unwrap_or_else(PoisonError::into_inner)
}

fn report(id: FaultId, outcome: Outcome, evidence: Value) -> Report {
    Report { id, outcome, evidence }
}

fn millis_since(start: Instant) -> Value {
    json!((start.elapsed().as_secs_f64() * 1e6).round() / 1e3)
}
