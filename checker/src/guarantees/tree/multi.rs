//! C11: a multi happens as a whole, or not at all.

use history::znode::{Ask, Told};
use history::{History, Operation, Status};

use super::super::{Finding, Guarantee, Judge};
use super::applies;
use super::world::{Sight, World};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, noun, witness};

pub(in super::super) const MULTI: Guarantee = Guarantee {
    id: "C11",
    name: "atomic multi",
    promise: "All that a multi writes appears at one zxid; of a multi that was refused, nothing \
              appears, and its results name one culprit.",
    source: "ZooKeeper Programmer's Guide, \"ZooKeeper API\": multi, \"all or nothing\"; \
             ZOOKEEPER-965",
    more_than_zookeeper: false,
    applies,
    check: Judge::History(check),
};

/// ZooKeeper's `RuntimeInconsistency`: another operation failed before this one was tried.
const NOT_TRIED: i32 = -2;

/// Examined are the multis whose outcome is known, or was seen.
fn check(history: &History, _: &mut Budget) -> Finding {
    let world = World::of(history);
    let (mut examined, mut broken) = (0, None);
    for op in &history.operations {
        let Some(Ask::Multi { ops }) = op.action.ask() else { continue };
        let seen = sightings(&world, op, ops);
        examined += usize::from(op.status != Status::Unknown || !seen.is_empty());
        broken = broken.or_else(|| torn(op, ops, &world, &seen)).or_else(|| odd_results(op, ops));
    }
    Finding::new(examined, broken)
}

/// Replies that show data of the multi.
fn sightings<'w, 'a>(
    world: &'w World<'a>,
    op: &Operation,
    ops: &[Ask],
) -> Vec<(&'w Sight<'a>, u64)> {
    let shows = |ask: &Ask| {
        let (path, value) = (ask.path().unwrap_or_default(), ask.written());
        let seen = world.sights.get(path).map_or(&[][..], |seen| seen);
        seen.iter().filter(move |sight| value.is_some() && sight.value == value)
    };
    let all = ops.iter().flat_map(shows).filter(|sight| sight.op.invoke != op.invoke);
    all.filter_map(|sight| Some((sight, sight.stat?.mzxid.0))).collect()
}

fn torn(
    op: &Operation,
    ops: &[Ask],
    world: &World<'_>,
    seen: &[(&Sight<'_>, u64)],
) -> Option<Witness> {
    if op.status == Status::Fail {
        let (sight, _) = seen.first()?;
        return Some(explain(op, sight, "which was refused"));
    }
    let acknowledged = op.zxid.filter(|_| op.is_ok()).map(|zxid| zxid.0);
    let at = acknowledged.or_else(|| seen.first().map(|(_, mzxid)| *mzxid))?;
    if let Some((sight, _)) = seen.iter().find(|(_, mzxid)| *mzxid != at) {
        return Some(explain(op, sight, &format!("which happened at zxid {at:#x}")));
    }
    let lacks = |ask: &Ask| {
        ask.written()?;
        let later = world.sights.get(ask.path()?)?.iter().filter(|sight| sight.zxid >= at);
        later.into_iter().find(|sight| sight.stat.is_some_and(|stat| stat.mzxid.0 < at))
    };
    let sight = ops.iter().find_map(lacks)?;
    Some(explain(op, sight, &format!("of which a part happened at zxid {at:#x}, but not this one")))
}

/// Results of a refused multi are 0 up to the culprit, then its code, then "not tried"; those of
/// an acknowledged one have the multi's zxid.
fn odd_results(op: &Operation, ops: &[Ask]) -> Option<Witness> {
    let results = op.told.as_deref()?.parts();
    let fits = match op.status {
        Status::Ok => results.iter().all(|told| fits(op, told)),
        _ => {
            let codes: Vec<i32> = results.iter().filter_map(code).collect();
            let culprit = codes.iter().position(|code| *code != 0);
            codes.len() == ops.len()
                && culprit.is_some_and(|at| codes[at + 1..].iter().all(|code| *code == NOT_TRIED))
        }
    };
    let sentence = || format!("{} with results that fit no such multi: {results:?}", clause(op));
    (!fits || results.len() != ops.len()).then(|| witness(sentence(), &[op]))
}

fn fits(op: &Operation, told: &Told) -> bool {
    match told {
        Told::Error { .. } => false,
        Told::Set { stat } => op.zxid == Some(stat.mzxid),
        _ => true,
    }
}

fn code(told: &Told) -> Option<i32> {
    match told {
        Told::Error { code } => Some(*code),
        _ => None,
    }
}

fn explain(multi: &Operation, sight: &Sight<'_>, what: &str) -> Witness {
    let mzxid = sight.stat.map_or(0, |stat| stat.mzxid.0);
    let sentence = format!(
        "{} was shown data of zxid {mzxid:#x}; this contradicts {}, {what}",
        clause(sight.op),
        noun(multi)
    );
    witness(sentence, &[multi, sight.op])
}
