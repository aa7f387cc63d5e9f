//! C12: versions decide, and no update is lost.

use std::collections::BTreeMap;

use history::History;
use history::znode::{Ask, Told, ZnodeStat};

use super::super::{Finding, Guarantee, Judge};
use super::applies;
use super::world::{Sight, World};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, noun, witness};

pub(in super::super) const CAS: Guarantee = Guarantee {
    id: "C12",
    name: "versions decide",
    promise: "A set at an expected version makes the next one, each version of a znode is made \
              once, and a set or delete is refused for its version only if the version differs.",
    source: "ZooKeeper Programmer's Guide, \"Data Access\" and \"ZooKeeper Stat Structure\": \
             \"if the version it supplies doesn't match … the update will fail\"",
    more_than_zookeeper: false,
    applies,
    check: Judge::History(check),
};

fn check(history: &History, _: &mut Budget) -> Finding {
    let mut examined = 0;
    let mut makers = BTreeMap::new();
    let mut broken = None;
    for op in history.operations.iter().filter(|op| op.is_ok()) {
        let (Some(ask), Some(told)) = (op.action.ask(), op.told.as_deref()) else { continue };
        for (ask, told) in ask.parts().iter().zip(told.parts()) {
            let (Ask::Set { path, version, .. }, Told::Set { stat }) = (ask, told) else {
                continue;
            };
            examined += 1;
            if *version >= 0 && version.wrapping_add(1) != stat.version {
                let sentence = format!("{} and made version {}", clause(op), stat.version);
                broken = broken.or_else(|| Some(witness(sentence, &[op])));
            }
            if let Some(first) = makers.insert((path, stat.czxid, stat.version), op) {
                let made = stat.version;
                let sentence =
                    format!("{} and made version {made}, as did {}", clause(op), noun(first));
                broken = broken.or_else(|| Some(witness(sentence, &[first, op])));
            }
        }
    }
    let world = World::of(history);
    Finding::new(examined, broken.or_else(|| refused_wrongly(&world)))
}

fn refused_wrongly(world: &World<'_>) -> Option<Witness> {
    world.sights.values().find_map(|seen| {
        let refused = |sight: &&Sight<'_>| sight.op.error.as_deref() == Some("BadVersion");
        seen.iter().filter(refused).find_map(|refusal| wrong_refusal(seen, refusal))
    })
}

/// Was the znode unchanged, and at the version expected, from before the refusal to after it?
fn wrong_refusal(seen: &[Sight<'_>], refusal: &Sight<'_>) -> Option<Witness> {
    let (Ask::Set { version, .. } | Ask::Delete { version, .. }) = refusal.op.action.ask()? else {
        return None;
    };
    let stats = || seen.iter().filter(|sight| sight.stat.is_some());
    let before = stats().rfind(|sight| sight.zxid < refusal.zxid)?;
    let after = stats().find(|sight| sight.zxid > refusal.zxid)?;
    let [first, second] = [before.stat?, after.stat?];
    let same = |one: ZnodeStat, other: ZnodeStat| {
        (one.czxid, one.mzxid, one.version) == (other.czxid, other.mzxid, other.version)
    };
    let sentence = || {
        format!(
            "{} at zxid {:#x}; but it was at that version from zxid {:#x} to {:#x}",
            clause(refusal.op),
            refusal.zxid,
            before.zxid,
            after.zxid
        )
    };
    (same(first, second) && first.version == *version)
        .then(|| witness(sentence(), &[before.op, after.op, refusal.op]))
}
