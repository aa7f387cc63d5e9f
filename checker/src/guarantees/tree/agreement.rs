//! C6, of the tree: all servers show one history of each znode.

use history::znode::{Told, ZnodeStat};
use history::{History, Operation};

use super::super::{Finding, Guarantee, Judge};
use super::applies;
use super::world::{Sight, World};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, noun, witness};

pub(in super::super) const AGREEMENT: Guarantee = Guarantee {
    id: "C6",
    name: "servers agree",
    promise: "Over all servers, replies at equal zxids show the same of a znode and of its \
              children, and replies at larger zxids the same or newer.",
    source: "ZooKeeper Internals, \"Atomic Broadcast\": total order; Junqueira, Reed, Serafini, \
             \"Zab: High-performance broadcast for primary-backup systems\" (2011)",
    more_than_zookeeper: false,
    applies,
    check: Judge::History(check),
};

fn check(history: &History, _: &mut Budget) -> Finding {
    let world = World::of(history);
    let (mut examined, mut broken) = (0, None);
    for (path, seen) in &world.sights {
        examined += seen.len();
        let pair = seen
            .windows(2)
            .find(|pair| pair[0].zxid == pair[1].zxid && pair[0].exists != pair[1].exists);
        broken = broken.or_else(|| pair.map(|pair| explain(path, &pair[0], &pair[1])));
        let stats: Vec<_> = seen.iter().filter(|sight| sight.stat.is_some()).collect();
        let pair = stats.windows(2).find(|pair| contradict(pair[0], pair[1]));
        broken = broken.or_else(|| pair.map(|pair| explain(path, pair[0], pair[1])));
    }
    Finding::new(examined, broken.or_else(|| other_children(history)))
}

/// `second` has the same zxid or a later one.
fn contradict(first: &Sight<'_>, second: &Sight<'_>) -> bool {
    let (Some(one), Some(other)) = (first.stat, second.stat) else { return false };
    if first.zxid == second.zxid && one != other {
        return true;
    }
    if one.czxid != other.czxid {
        return other.czxid < one.czxid;
    }
    progress(&one).iter().zip(progress(&other)).any(|(one, other)| other < *one)
}

/// What only grows while a znode exists.
fn progress(stat: &ZnodeStat) -> [u64; 4] {
    let count = |n: i32| u64::from(n.cast_unsigned());
    [stat.mzxid.0, stat.pzxid.0, count(stat.version), count(stat.cversion)]
}

fn other_children(history: &History) -> Option<Witness> {
    let mut lists: Vec<(&str, u64, Vec<&String>, &Operation)> = Vec::new();
    for op in history.operations.iter().filter(|op| op.is_ok()) {
        if let (Some(Told::Children { names, .. }), Some(zxid)) = (op.told.as_deref(), op.zxid) {
            let mut names: Vec<_> = names.iter().collect();
            names.sort();
            lists.push((op.action.path().unwrap_or_default(), zxid.0, names, op));
        }
    }
    lists.sort_by_key(|(parent, zxid, _, op)| (*parent, *zxid, op.invoke));
    let pair = lists
        .windows(2)
        .find(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1) && pair[0].2 != pair[1].2)?;
    let sentence = format!(
        "{}: {} children at zxid {:#x}, but {} for {}",
        clause(pair[1].3),
        pair[1].2.len(),
        pair[1].1,
        pair[0].2.len(),
        noun(pair[0].3),
    );
    Some(witness(sentence, &[pair[0].3, pair[1].3]))
}

fn explain(path: &str, first: &Sight<'_>, second: &Sight<'_>) -> Witness {
    let sentence = format!(
        "{} in a reply with zxid {:#x} was shown of {path} {}; {} in a reply with zxid {:#x}: {}",
        clause(second.op),
        second.zxid,
        shown(second),
        noun(first.op),
        first.zxid,
        shown(first),
    );
    witness(sentence, &[first.op, second.op])
}

fn shown(sight: &Sight<'_>) -> String {
    match (sight.exists, sight.stat) {
        (false, _) => "nothing".to_owned(),
        (true, None) => "that it is there".to_owned(),
        (true, Some(stat)) => {
            format!("version {} of zxid {}, created at {}", stat.version, stat.mzxid, stat.czxid)
        }
    }
}
