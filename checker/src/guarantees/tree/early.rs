//! C16: no session ends early.

use std::collections::{BTreeMap, BTreeSet};

use history::znode::Ask;
use history::{Action, Hex, History, Operation, Settings, Status};

use super::super::{Finding, Guarantee, Judge, timeliness};
use super::applies;
use super::ephemerals::{Life, lives};
use super::world::World;
use crate::stops::Stops;
use crate::verdict::Witness;
use crate::words::{clause, duration, noun, witness};

pub(in super::super) const EARLY: Guarantee = Guarantee {
    id: "C16",
    name: "no early expiry",
    promise: "While a client is heard, its session lasts, and so do its ephemeral znodes: at least half \
              of the timeout from any request of it that was answered. (What a server was told last \
              may be lost with it: hence not the whole.)",
    source: "ZooKeeper Programmer's Guide, \"ZooKeeper Sessions\": \"expiration happens when the cluster \
             does not hear from the client within the specified session timeout period\"",
    more_than_zookeeper: false,
    applies,
    check: Judge::Run(check),
};

/// Examined are the ephemeral znodes of sessions that had been heard of before a reply showed whether
/// the znode was there, and the resumptions that were refused.
fn check(history: &History, settings: &Settings) -> Finding {
    let world = World::of(history);
    let heard = Heard::of(history, settings);
    let mut examined = 0;
    let mut broken = None;
    for life in lives(&world) {
        let last = life.last.and_then(|sight| heard.last(life.session, sight.op));
        let gone = life.gone.and_then(|sight| heard.last(life.session, sight.op));
        examined += usize::from(last.is_some() || gone.is_some());
        let early = life.gone.and_then(|sight| heard.lately(life.session, sight.op));
        broken = broken.or_else(|| early.map(|op| vanished(&life, op)));
    }
    for refused in history.operations.iter().filter(|op| is_expired(op)) {
        examined += 1;
        let early = refused.session.and_then(|session| heard.lately(session, refused));
        broken = broken.or_else(|| early.map(|op| explain(refused, op)));
    }
    Finding::new(examined, broken)
        .or_no_occasion("no reply told of an ephemeral znode of a session that had been heard of")
}

fn is_expired(op: &Operation) -> bool {
    let refused = matches!(op.action, Action::Connect { .. }) && op.status == Status::Fail;
    refused && op.error.as_deref() == Some("session expired")
}

/// The requests by which the servers heard of each session, in order.
struct Heard<'a> {
    by_session: BTreeMap<Hex, Vec<&'a Operation>>,
    /// Sessions that their clients have closed, perhaps.
    closed: BTreeSet<Hex>,
    /// Half the timeout, nanoseconds.
    half: u64,
}

impl<'a> Heard<'a> {
    fn of(history: &'a History, settings: &Settings) -> Heard<'a> {
        let timeout = u64::from(settings.session_ms) * 1_000_000;
        let mut heard =
            Heard { by_session: BTreeMap::new(), closed: BTreeSet::new(), half: timeout / 2 };
        let stops = Stops::of(history);
        let bound = timeliness::bound(settings);
        let mut connected: BTreeMap<u64, u64> = BTreeMap::new();
        for op in &history.operations {
            let Some(session) = op.session else { continue };
            if let Action::Connect { .. } = op.action {
                connected.insert(op.process, op.end.unwrap_or(u64::MAX));
            } else if op.action.ask() == Some(&Ask::Close) {
                heard.closed.insert(session);
            } else if op.is_answered_write()
                || is_lasting(op, connected.get(&op.process), bound)
                    && !stops.stopped(
                        op.node.as_deref(),
                        op.start.saturating_sub(timeout),
                        op.end.unwrap_or(u64::MAX),
                    )
            {
                heard.by_session.entry(session).or_default().push(op);
            }
        }
        heard
    }

    /// What was heard of a session before `known` was asked; of a session that its client has not
    /// closed.
    fn last(&self, session: Hex, known: &Operation) -> Option<&'a Operation> {
        let heard = self.by_session.get(&session).filter(|_| !self.closed.contains(&session))?;
        heard[..heard.partition_point(|op| op.start < known.start)].last().copied()
    }

    /// The same, if it was within half its timeout before `known` was answered.
    fn lately(&self, session: Hex, known: &Operation) -> Option<&'a Operation> {
        let end = known.end?;
        self.last(session, known).filter(|op| end < op.start + self.half)
    }
}

/// A read says that its server knows the session, not that the leader does; but a server that has
/// served a connection for so `long` has heard from the leader meanwhile, and the leader from it.
fn is_lasting(op: &Operation, connected: Option<&u64>, long: u64) -> bool {
    op.is_ok()
        && op.action.is_read()
        && connected.is_some_and(|at| at.saturating_add(long) < op.start)
}

fn vanished(life: &Life<'_, '_>, heard: &Operation) -> Witness {
    let gone = life.gone.expect("it has vanished").op;
    let ago = duration(gone.end.unwrap_or(gone.start).saturating_sub(heard.start));
    let sentence = format!(
        "{}: {} of session {} was gone, which nobody had deleted, only {ago} after {} was sent in that \
         session",
        clause(gone),
        life.path,
        life.session,
        noun(heard),
    );
    witness(sentence, &[heard, gone])
}

fn explain(refused: &Operation, heard: &Operation) -> Witness {
    let ago = duration(refused.end.unwrap_or(refused.start).saturating_sub(heard.start));
    let session = refused.session.map_or_else(String::new, |session| format!(" {session}"));
    let sentence = format!(
        "client {}'s session{session} had expired, as it was told when it {}, only {ago} after {} was \
         sent in that session",
        refused.process,
        connected_to(refused),
        noun(heard),
    );
    witness(sentence, &[heard, refused])
}

fn connected_to(op: &Operation) -> String {
    let node = op.node.as_deref().unwrap_or("a server");
    format!("connected to {node} at {}", crate::words::seconds(op.end.unwrap_or(op.start)))
}
