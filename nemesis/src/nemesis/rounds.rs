//! Faults that come in rounds: rolling pauses, a processor that is there for moments only, crash loops.
//!
//! A thread of its own does the rounds, and verifies each one as it happens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Active, Nemesis, lock};
use crate::fault::FaultId;
use crate::host::NodeId;
use crate::lab::Lab;
use crate::outcome::Outcome;
use crate::process::{self, ProcessError, Server};
use crate::worker::{Stop, Worker};

/// What is done in each round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Round {
    /// One server is paused, the next one the next time.
    Roll,
    /// All of them are paused for a moment.
    Brake,
    /// They are killed, and started again at once.
    Crash,
}

/// A fault in rounds, in force.
#[derive(Debug)]
pub(super) struct Rounds {
    nodes: Vec<NodeId>,
    n_rounds: Arc<AtomicU64>,
    worker: Option<Worker<Result<(), String>>>,
    doubts: Vec<String>,
}

/// Between two turns of a rolling pause the ensemble is whole for a moment.
const BETWEEN_TURNS: Duration = Duration::from_millis(200);

/// How long the first round may take.
const FIRST_WITHIN: Duration = Duration::from_secs(10);

impl Nemesis {
    /// Returns when the first round is done, hence verified.
    pub(super) fn begin(
        &self,
        id: FaultId,
        nodes: &[NodeId],
        round: Round,
        time_ms: u64,
    ) -> (Outcome, Value) {
        let evidence = json!({ "nodes": nodes, "time_ms": time_ms });
        if let Some(unfit) = self.unfit(nodes) {
            return (Outcome::skipped(unfit), evidence);
        }
        let n_rounds = Arc::new(AtomicU64::new(0));
        let crew = Crew {
            lab: self.lab.clone(),
            servers: nodes.iter().map(|node| (*node, self.servers[node].clone())).collect(),
            time: Duration::from_millis(time_ms),
            n_rounds: n_rounds.clone(),
        };
        let worker = match Worker::start("rounds", move |stop| crew.work(round, stop)) {
            Ok(worker) => Some(worker),
            Err(error) => return (Outcome::skipped(error.to_string()), evidence),
        };
        let begun = Instant::now();
        while n_rounds.load(Ordering::Relaxed) == 0 && begun.elapsed() < FIRST_WITHIN {
            sleep(Duration::from_millis(1));
        }
        let begun = n_rounds.load(Ordering::Relaxed) > 0;
        let late = (!begun).then(|| format!("no round was done within {FIRST_WITHIN:?}"));
        let doubts: Vec<_> = late.into_iter().collect();
        let outcome = Outcome::unless(&doubts);
        let nodes = nodes.to_vec();
        self.ledger.put(id, Active::Rounds(Rounds { nodes, n_rounds, worker, doubts }));
        (outcome, evidence)
    }

    /// Why these servers cannot be hurt in rounds.
    fn unfit(&self, nodes: &[NodeId]) -> Option<String> {
        let why = |node: NodeId| -> Result<Option<String>, ProcessError> {
            let pids = process::list(self.lab.place(node))?;
            Ok(match pids.iter().find(|&&pid| process::is_stopped(pid)) {
                _ if pids.is_empty() => Some(format!("{node} ran no process")),
                _ if !self.servers.contains_key(&node) => Some(format!("{node} was never started")),
                Some(pid) => Some(format!("{node} is paused already: {pid} is stopped")),
                None => None,
            })
        };
        let nobody = nodes.is_empty().then(|| "it is for no server".into());
        nobody.or_else(|| {
            nodes.iter().find_map(|&node| why(node).unwrap_or_else(|e| Some(e.to_string())))
        })
    }

    /// Ends the rounds; every server runs afterwards.
    pub(super) fn finish(&self, rounds: &mut Rounds) -> Result<(Outcome, Value), String> {
        if let Some(worker) = rounds.worker.take() {
            let ended = worker.finish().unwrap_or_else(|| Err("its thread panicked".into()));
            rounds.doubts.extend(ended.err());
        }
        let mut restarted = Vec::new();
        for &node in &rounds.nodes {
            let place = self.lab.place(node);
            let in_node = |e: ProcessError| format!("{node}: {e}");
            process::resume(place).map_err(in_node)?;
            if !process::list(place).map_err(in_node)?.is_empty() {
                continue;
            }
            rounds.doubts.push(format!("{node} ended before the heal"));
            lock(&self.servers[&node]).restart(place).map_err(in_node)?;
            restarted.push(node);
        }
        let n_rounds = rounds.n_rounds.load(Ordering::Relaxed);
        let evidence = json!({ "rounds": n_rounds, "restarted": restarted });
        Ok((Outcome::unless(&rounds.doubts), evidence))
    }
}

/// What the thread needs.
struct Crew {
    lab: Arc<Lab>,
    servers: Vec<(NodeId, Arc<Mutex<Server>>)>,
    time: Duration,
    n_rounds: Arc<AtomicU64>,
}

impl Crew {
    /// Until told to stop. An error ends it early, and is told at the heal.
    fn work(&self, round: Round, stop: &Stop) -> Result<(), String> {
        match round {
            Round::Roll => self.roll(stop),
            Round::Brake => self.brake(stop),
            Round::Crash => self.crash(stop),
        }
    }

    fn roll(&self, stop: &Stop) -> Result<(), String> {
        for (node, _) in self.servers.iter().cycle() {
            self.pause(*node)?;
            self.n_rounds.fetch_add(1, Ordering::Relaxed);
            let stopping = stop.comes_within(self.time);
            self.resume(*node)?;
            if stopping || stop.comes_within(BETWEEN_TURNS) {
                break;
            }
        }
        Ok(())
    }

    fn brake(&self, stop: &Stop) -> Result<(), String> {
        loop {
            self.servers.iter().try_for_each(|(node, _)| self.pause(*node))?;
            self.n_rounds.fetch_add(1, Ordering::Relaxed);
            let stopping = stop.comes_within(self.time);
            self.servers.iter().try_for_each(|(node, _)| self.resume(*node))?;
            if stopping || stop.comes_within(self.time / 4) {
                return Ok(());
            }
        }
    }

    fn crash(&self, stop: &Stop) -> Result<(), String> {
        loop {
            for (node, server) in &self.servers {
                let (place, mut server) = (self.lab.place(*node), lock(server));
                let ended = server.kill(place).map_err(|e| format!("{node}: {e}"))?;
                if ended.pids.is_empty() {
                    return Err(format!("{node} ended by itself in a crash loop"));
                }
                server.restart(place).map_err(|e| format!("{node}: {e}"))?;
            }
            self.n_rounds.fetch_add(1, Ordering::Relaxed);
            if stop.comes_within(self.time) {
                return Ok(());
            }
        }
    }

    fn pause(&self, node: NodeId) -> Result<(), String> {
        match process::pause(self.lab.place(node)) {
            Ok(pids) if pids.is_empty() => Err(format!("{node} ended before the heal")),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("{node}: {error}")),
        }
    }

    fn resume(&self, node: NodeId) -> Result<(), String> {
        process::resume(self.lab.place(node)).map_err(|e| format!("{node}: {e}"))
    }
}
