//! C15: ephemeral znodes go with their session, all at once.

use std::collections::BTreeMap;

use history::znode::Ask;
use history::{Hex, History, Operation};

use super::super::{Finding, Guarantee, Judge};
use super::applies;
use super::world::{Deed, Sight, World, deletes};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, noun, witness};

pub(in super::super) const EPHEMERALS: Guarantee = Guarantee {
    id: "C15",
    name: "ephemerals go with their session",
    promise: "After its session's end no reply shows an ephemeral znode, on any server, and the \
              session writes nothing more; all ephemerals of a session vanish at one zxid.",
    source: "ZooKeeper Programmer's Guide, \"Ephemeral Nodes\" and \"ZooKeeper Sessions\"",
    more_than_zookeeper: false,
    applies,
    check: Judge::History(check),
};

/// Examined are the ephemeral znodes whose creation was acknowledged.
fn check(history: &History, _: &mut Budget) -> Finding {
    let world = World::of(history);
    let lives = lives(&world);
    let mut sessions: BTreeMap<Hex, Vec<&Life<'_, '_>>> = BTreeMap::new();
    lives.iter().for_each(|life| sessions.entry(life.session).or_default().push(life));
    let broken = after_the_end(history, &world)
        .or_else(|| sessions.values().find_map(|lives| vanished_apart(lives)));
    Finding::new(lives.len(), broken)
}

/// An ephemeral znode that nobody deleted, as far as is known.
pub(super) struct Life<'w, 'a> {
    pub(super) path: &'w str,
    pub(super) session: Hex,
    /// The last reply that shows it.
    pub(super) last: Option<&'w Sight<'a>>,
    /// The first reply that does not any more.
    pub(super) gone: Option<&'w Sight<'a>>,
}

pub(super) fn lives<'w, 'a>(world: &'w World<'a>) -> Vec<Life<'w, 'a>> {
    let mut lives = Vec::new();
    for (path, done) in &world.done {
        for (at, birth) in done.iter().enumerate() {
            let Deed::Created(Some(session)) = birth.deed else { continue };
            // Up to the next creation; a delete in between, or perhaps, explains the end.
            let next = done[at + 1..].iter().find(|done| done.deed != Deed::Set);
            if next.is_some_and(|next| next.deed == Deed::Deleted) {
                continue;
            }
            let until = next.map_or(u64::MAX, |next| next.zxid);
            let seen = || {
                let all = world.sights.get(path).map_or(&[][..], |seen| seen).iter();
                all.filter(move |sight| (birth.zxid..until).contains(&sight.zxid))
            };
            let is_it = |sight: &&Sight<'_>| {
                sight.stat.is_some_and(|stat| stat.czxid.0 == birth.zxid && stat.owner == session)
            };
            let gone = seen().find(|sight| !sight.exists);
            let gone = gone.filter(|sight| !world.maybe(path, sight.op, deletes));
            lives.push(Life { path, session, last: seen().rfind(is_it), gone });
        }
    }
    lives
}

fn vanished_apart(lives: &[&Life<'_, '_>]) -> Option<Witness> {
    let first = lives.iter().filter_map(|life| Some((life, life.gone?)));
    let (vanished, gone) = first.min_by_key(|(_, gone)| gone.zxid)?;
    let left = |life: &&&Life<'_, '_>| life.last.is_some_and(|last| last.zxid >= gone.zxid);
    let other = lives.iter().find(left)?;
    let last = other.last?;
    let sentence = format!(
        "{} at zxid {:#x} was shown {} of session {}, though at zxid {:#x}, in {}, its {} was gone \
         and nobody had deleted it",
        clause(last.op),
        last.zxid,
        other.path,
        other.session,
        gone.zxid,
        noun(gone.op),
        vanished.path,
    );
    Some(witness(sentence, &[gone.op, last.op]))
}

/// After a close that was acknowledged.
fn after_the_end(history: &History, world: &World<'_>) -> Option<Witness> {
    let mut ends: BTreeMap<Hex, (u64, &Operation)> = BTreeMap::new();
    for op in history.operations.iter().filter(|op| op.is_ok()) {
        if let (Some(Ask::Close), Some(session), Some(zxid)) =
            (op.action.ask(), op.session, op.zxid)
        {
            ends.insert(session, (zxid.0, op));
        }
    }
    let survivor = world.sights.iter().find_map(|(path, seen)| {
        seen.iter().find_map(|sight| {
            let (end, close) = ends.get(&sight.stat?.owner)?;
            (sight.zxid >= *end).then(|| explain(path, sight.op, sight.zxid, close, *end))
        })
    });
    survivor.or_else(|| {
        world.done.iter().find_map(|(path, done)| {
            done.iter().find_map(|done| {
                let (end, close) = ends.get(&done.op.session?)?;
                (done.zxid > *end).then(|| explain(path, done.op, done.zxid, close, *end))
            })
        })
    })
}

fn explain(path: &str, op: &Operation, zxid: u64, close: &Operation, end: u64) -> Witness {
    let sentence = format!(
        "{} at zxid {zxid:#x}, of {path}, though the session that it belongs to had ended at zxid \
         {end:#x} ({})",
        clause(op),
        noun(close),
    );
    witness(sentence, &[close, op])
}
