//! C17: what a client has left behind goes, in time.

use std::collections::BTreeMap;

use history::{Action, Hex, History, Phase, Settings};

use super::super::{Finding, Guarantee, Judge, timeliness};
use super::applies;
use super::ephemerals::lives;
use super::world::World;
use crate::stops::Stops;
use crate::words::{clause, duration, seconds, witness};

pub(in super::super) const EXPIRY: Guarantee = Guarantee {
    id: "C17",
    name: "expiry comes",
    promise: "The ephemeral znodes of a client that has gone are gone after its session's timeout, \
              two ticks and a second of grace; a new leader gives each session its timeout again.",
    source: "ZooKeeper Programmer's Guide, \"ZooKeeper Sessions\" (\"the cluster will delete any/all \
             ephemeral nodes owned by that session\") and \"Ephemeral Nodes\"",
    more_than_zookeeper: false,
    applies,
    check: Judge::Run(check),
};

/// Examined are the ephemeral znodes that a client left behind when it went, of which is known what
/// became of them.
fn check(history: &History, settings: &Settings) -> Finding {
    let world = World::of(history);
    let ends = Ends::of(history, settings);
    let mut examined = 0;
    let mut broken = None;
    for life in lives(&world) {
        let Some(&(left, over)) = ends.by_session.get(&life.session) else { continue };
        let still = life.last.filter(|sight| ends.shows_after(sight.op, over));
        let gone = life.gone.is_some_and(|sight| sight.op.end > Some(left));
        examined += usize::from(still.is_some() || gone);
        let explain = |sight: &super::world::Sight<'_>| {
            let sentence = format!(
                "{} at zxid {:#x} was shown {} of session {}, whose client had left it at {}, {} \
                 earlier: it had to be over by {}",
                clause(sight.op),
                sight.zxid,
                life.path,
                life.session,
                seconds(left),
                duration(sight.op.start.saturating_sub(left)),
                seconds(over),
            );
            witness(sentence, &[sight.op])
        };
        broken = broken.or_else(|| still.map(explain));
    }
    Finding::new(examined, broken)
        .or_no_occasion("nobody looked for ephemeral znodes that a client had left behind")
}

/// For the leader to notice, and for what a busy machine takes.
fn grace(settings: &Settings) -> u64 {
    2 * settings.tick_ms * 1_000_000 + 1_000_000_000
}

/// The sessions that their clients have left: when, and when each must be over.
struct Ends {
    by_session: BTreeMap<Hex, (u64, u64)>,
    stops: Stops,
    bound: u64,
}

impl Ends {
    fn of(history: &History, settings: &Settings) -> Ends {
        let stops = Stops::of(history);
        let lasts = u64::from(settings.session_ms) * 1_000_000 + grace(settings);
        let leaders: Vec<u64> = leaders(history);
        let over = |left: u64| {
            let mut over = left + lasts;
            for led in leaders.iter().filter(|led| **led > left) {
                if *led <= over + stops.total(left, over) {
                    over = led + lasts;
                }
            }
            over + stops.total(left, over)
        };
        let left = left(history).into_iter();
        let by_session = left.map(|(session, left)| (session, (left, over(left)))).collect();
        Ends { by_session, stops, bound: timeliness::bound(settings) }
    }

    /// Is what `op` was shown certainly a state of after `time`? Its server may be behind.
    fn shows_after(&self, op: &history::Operation, time: u64) -> bool {
        self.stops.ran_since(op.node.as_deref(), op.start, self.bound) > time
    }
}

/// When somebody was seen to have begun to lead, or to lead again.
fn leaders(history: &History) -> Vec<u64> {
    let leads = history.roles.iter().filter(|at| at.what.role == "leader");
    leads.map(|at| at.time).collect()
}

/// When clients left sessions for good: for another one, or because the load was over.
fn left(history: &History) -> BTreeMap<Hex, u64> {
    let mut left = BTreeMap::new();
    let mut current: BTreeMap<u64, Hex> = BTreeMap::new();
    for op in &history.operations {
        match (&op.action, op.session) {
            (Action::Connect { .. }, session) => {
                let old = current.get(&op.process).copied().filter(|old| Some(*old) != session);
                left.extend(old.map(|old| (old, op.start)));
                current.extend(session.map(|session| (op.process, session)));
            }
            (_, Some(session)) => drop(current.insert(op.process, session)),
            _ => {}
        }
    }
    // After that, nobody has any session of the load.
    let settling = history.phase(Phase::FinalReads).map(|at| (at.index, at.time));
    if let Some((index, time)) = settling {
        let of_load = history.operations.iter().filter(|op| op.invoke < index);
        for session in of_load.filter_map(|op| op.session) {
            left.entry(session).or_insert(time);
        }
    }
    left
}
