//! C5, of the tree: a reply shows the state at its zxid, and nothing acknowledged is missing.

use history::History;

use super::super::{Finding, Guarantee, Judge};
use super::applies;
use super::world::{Deed, Done, Sight, World, creates, deletes, writes};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, noun, witness};

pub(in super::super) const STATE: Guarantee = Guarantee {
    id: "C5",
    name: "replies show their state",
    promise: "A reply with zxid z shows each znode as the last acknowledged change up to z left \
              it, or a later one up to z; on every server, to the end.",
    source: "ZooKeeper Programmer's Guide, \"Consistency Guarantees\": sequential consistency, \
             reliability; \"Time in ZooKeeper\": zxid order is the order of changes",
    more_than_zookeeper: false,
    applies,
    check: Judge::History(check),
};

fn check(history: &History, _: &mut Budget) -> Finding {
    let world = World::of(history);
    let examined = world.sights.values().map(Vec::len).sum();
    let broken = world
        .sights
        .iter()
        .find_map(|(path, seen)| seen.iter().find_map(|sight| contradiction(&world, path, sight)));
    Finding::new(examined, broken)
}

fn contradiction(world: &World<'_>, path: &str, sight: &Sight<'_>) -> Option<Witness> {
    if is_parent(path) {
        return None;
    }
    let last = world.last_done(path, sight.zxid);
    let was = last.is_some_and(|done| done.deed != Deed::Deleted);
    match (sight.exists, was) {
        (true, true) => older_or_unwritten(world, path, sight, last?),
        (true, false) => {
            let after = sight.stat.zip(last).is_none_or(|(stat, gone)| stat.czxid.0 > gone.zxid);
            let possible = after && world.maybe(path, sight.op, creates);
            (!possible).then(|| explain(path, sight, last, "is there"))
        }
        (false, true) => {
            let possible =
                world.maybe(path, sight.op, deletes) || world.may_have_gone(path, sight.zxid);
            (!possible).then(|| explain(path, sight, last, "is missing"))
        }
        (false, false) => None,
    }
}

/// Parents, directly below the root, are made before the history begins.
fn is_parent(path: &str) -> bool {
    path.rfind('/') == Some(0)
}

/// The znode is there, and was put there, or set, by `last`.
fn older_or_unwritten(
    world: &World<'_>,
    path: &str,
    sight: &Sight<'_>,
    last: &Done<'_>,
) -> Option<Witness> {
    let mzxid = sight.stat?.mzxid.0;
    if mzxid < last.zxid {
        return Some(explain(path, sight, Some(last), "has older data"));
    }
    let possible = mzxid == last.zxid || world.maybe(path, sight.op, writes);
    (!possible).then(|| explain(path, sight, Some(last), "has data that nobody wrote"))
}

fn explain(path: &str, sight: &Sight<'_>, last: Option<&Done<'_>>, what: &str) -> Witness {
    let known = match last {
        Some(done) => {
            format!("though the last known change is {} at zxid {:#x}", noun(done.op), done.zxid)
        }
        None => "though nobody is known to have created it".to_owned(),
    };
    let sentence = format!(
        "{}: in this reply with zxid {:#x}, {path} {what}, {known}",
        clause(sight.op),
        sight.zxid
    );
    let ops: Vec<_> = last.map(|done| done.op).into_iter().chain([sight.op]).collect();
    witness(sentence, &ops)
}
