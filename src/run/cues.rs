//! Faults that wait for an event.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;
use nemesis::scenario::Signs;
use nemesis::{Awaited, NodeId, Trigger};
use serde_json::{Value, json};

use super::breaker::Stop;
use super::ground::Ground;

/// Between two looks: a file, a line or a count, all cheap.
pub(super) const SIGN_EVERY: Duration = Duration::from_millis(1);

/// The event that set a fault off.
pub(super) struct Cue {
    event: Trigger,
    /// Where it happened, if it was at a server.
    pub(super) node: Option<NodeId>,
    waited: Duration,
    seen: Instant,
}

impl Cue {
    /// For the evidence: what was seen, and how soon after that the fault was in force, or was known to be impossible.
    pub(super) fn evidence(&self) -> Value {
        json!({
            "event": self.event,
            "node": self.node,
            "waited_ms": millis(self.waited),
            "acted_within_ms": millis(self.seen.elapsed()),
        })
    }
}

impl fmt::Display for Cue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}", self.event)?;
        self.node.map_or(Ok(()), |node| write!(f, " of {node}"))
    }
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

impl Ground {
    /// Waits for an event. `Err` says in words that it did not come.
    pub(super) fn await_cue(
        &self,
        awaited: &Awaited,
        stop: &Stop,
    ) -> Result<std::result::Result<Cue, String>> {
        let (begun, answers) = (Instant::now(), self.answers());
        let within = Duration::from_millis(awaited.within_ms);
        let nodes = self.view()?.nodes;
        let mut signs = awaited.event.sign().map(|sign| self.nemesis.watch(&nodes, sign));
        while begun.elapsed() < within {
            let node = signs.as_mut().and_then(Signs::seen);
            let is_answered =
                |n: &Trigger| matches!(n, Trigger::Answers(n) if self.answers() >= answers + n);
            if node.is_some() || is_answered(&awaited.event) {
                let (event, seen) = (awaited.event.clone(), Instant::now());
                return Ok(Ok(Cue { event, node, waited: begun.elapsed(), seen }));
            }
            if stop.comes_within(SIGN_EVERY) {
                break;
            }
        }
        let (event, waited) = (&awaited.event, begun.elapsed().as_secs_f64());
        Ok(Err(format!("`{event}` did not happen within {waited:.1} s")))
    }
}
