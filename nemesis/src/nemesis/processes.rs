//! Servers that are killed, ended, wiped, started again, paused and resumed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Active, Nemesis, lock};
use crate::fault::FaultId;
use crate::host::NodeId;
use crate::outcome::Outcome;
use crate::place::Place;
use crate::process::{self, Ended, GRACE, ProcessError, Server};

impl Nemesis {
    /// Takes servers down. `end` makes all their processes end and returns them, at the same time for all.
    pub(super) fn take_down(
        &self,
        id: FaultId,
        nodes: &[NodeId],
        wipe: bool,
        end: impl Fn(&mut Server, &Place) -> Result<Ended, ProcessError> + Sync,
    ) -> (Outcome, Value) {
        let (mut killed, mut forced, mut doubts) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (node, ended) in self.end_each(nodes, end) {
            match ended {
                Some(Ok(ended)) if !ended.pids.is_empty() => {
                    forced.extend(ended.forced.then_some(node));
                    killed.insert(node, ended.pids);
                }
                Some(Err(error)) => {
                    // It may die yet, so the heal must look after it.
                    doubts.push(format!("{node}: {error}"));
                    killed.insert(node, Vec::new());
                }
                Some(Ok(_)) | None => doubts.push(format!("{node} ran no process")),
            }
        }
        let mut evidence = json!({ "killed_pids": killed });
        if killed.is_empty() {
            return (Outcome::skipped(doubts.join("; ")), evidence);
        }
        if !forced.is_empty() {
            evidence["sigterm_was_not_enough"] = json!(forced);
            doubts.push(format!("{forced:?} did not end by SIGTERM within {GRACE:?}"));
        }
        let outcome = Outcome::unless(&doubts);
        let nodes = killed.into_keys().collect();
        self.ledger.put(id, Active::Kill { nodes, wipe, doubts });
        (outcome, evidence)
    }

    fn end_each(
        &self,
        nodes: &[NodeId],
        end: impl Fn(&mut Server, &Place) -> Result<Ended, ProcessError> + Sync,
    ) -> Vec<(NodeId, Option<Result<Ended, ProcessError>>)> {
        let end_one = |node: NodeId| {
            let server = self.servers.get(&node)?;
            Some(end(&mut lock(server), self.lab.place(node)))
        };
        let end_one = &end_one;
        std::thread::scope(|scope| {
            let started: Vec<_> =
                nodes.iter().map(|&node| (node, scope.spawn(move || end_one(node)))).collect();
            let join = |(node, thread): (_, std::thread::ScopedJoinHandle<'_, _>)| {
                (node, thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            };
            started.into_iter().map(join).collect()
        })
    }

    /// A node that has processes although it was killed was not down all the time; it is left as it is.
    ///
    /// With `wipe`, what the server had written is gone when it starts.
    pub(super) fn restart(
        &self,
        nodes: &[NodeId],
        wipe: bool,
        doubts: &[String],
    ) -> Result<(Outcome, Value), String> {
        let (mut started, mut wiped) = (BTreeMap::new(), BTreeMap::new());
        let mut doubts = doubts.to_vec();
        for node in nodes {
            let place = self.lab.place(*node);
            let alive = process::list(place).map_err(|e| format!("{node}: {e}"))?;
            let server = self.servers.get(node).ok_or(format!("{node} was never started"))?;
            let mut server = lock(server);
            if alive.is_empty() {
                if wipe {
                    wiped.insert(*node, server.wipe().map_err(|e| format!("{node}: {e}"))?);
                }
                started.insert(*node, server.restart(place).map_err(|e| format!("{node}: {e}"))?);
            } else {
                doubts.push(format!("{node} ran processes {alive:?} again before the heal"));
            }
        }
        if wipe && wiped.values().all(Vec::is_empty) {
            doubts.push("there was nothing on its disk".into());
        }
        let mut evidence = json!({ "started_pids": started });
        if wipe {
            evidence["removed"] = json!(wiped);
        }
        Ok((Outcome::unless(&doubts), evidence))
    }

    pub(super) fn pause(&self, id: FaultId, nodes: &[NodeId]) -> (Outcome, Value) {
        let (mut paused, mut doubts) = (BTreeMap::new(), Vec::new());
        for &node in nodes {
            match self.pause_node(node) {
                Ok(pids) => {
                    paused.insert(node, pids);
                }
                Err(doubt) => doubts.push(format!("{node} {doubt}")),
            }
        }
        let evidence = json!({ "stopped_pids": paused });
        if paused.is_empty() {
            return (Outcome::skipped(doubts.join("; ")), evidence);
        }
        let outcome = Outcome::unless(&doubts);
        self.ledger.put(id, Active::Pause { pids: paused, doubts });
        (outcome, evidence)
    }

    /// A failed attempt is undone: some of the processes may have been stopped.
    fn pause_node(&self, node: NodeId) -> Result<Vec<i32>, String> {
        let place = self.lab.place(node);
        let stopped = process::stopped(place).map_err(|e| e.to_string())?;
        if !stopped.is_empty() {
            return Err(format!("is paused already: {stopped:?} are stopped"));
        }
        match process::pause(place) {
            Ok(pids) if pids.is_empty() => Err("ran no process".into()),
            Ok(pids) => Ok(pids),
            Err(error) => match process::resume(place) {
                Ok(()) => Err(format!("could not be paused: {error}")),
                Err(left) => Err(format!("could not be paused: {error}; nor resumed: {left}")),
            },
        }
    }

    pub(super) fn resume(
        &self,
        pids: &BTreeMap<NodeId, Vec<i32>>,
        doubts: &[String],
    ) -> Result<(Outcome, Value), String> {
        let mut doubts = doubts.to_vec();
        for (&node, expected) in pids {
            let place = self.lab.place(node);
            let in_node = |e: ProcessError| format!("{node}: {e}");
            let still = process::stopped(place).map_err(in_node)?;
            process::resume(place).map_err(in_node)?;
            let moved: Vec<_> = expected.iter().filter(|pid| !still.contains(pid)).collect();
            if !moved.is_empty() {
                doubts.push(format!("{node}: {moved:?} ran or ended before the heal"));
            }
        }
        Ok((Outcome::unless(&doubts), json!({ "resumed_pids": pids })))
    }
}
