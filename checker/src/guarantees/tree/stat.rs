//! C14: what a Stat says of itself.

use history::History;
use history::znode::{Ask, ZnodeStat};

use super::super::{Finding, Guarantee, Judge};
use super::applies;
use super::world::{Sight, World};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, witness};

pub(in super::super) const STAT: Guarantee = Guarantee {
    id: "C14",
    name: "Stat adds up",
    promise: "A Stat's zxids are in order and not beyond the reply's; version, cversion, length \
              and owner fit what was done.",
    source: "ZooKeeper Programmer's Guide, \"ZooKeeper Stat Structure\" and \"Ephemeral Nodes\"",
    more_than_zookeeper: false,
    applies,
    check: Judge::History(check),
};

fn check(history: &History, _: &mut Budget) -> Finding {
    let world = World::of(history);
    let (mut examined, mut broken) = (0, None);
    for (path, seen) in &world.sights {
        for sight in seen {
            let Some(stat) = sight.stat else { continue };
            examined += 1;
            broken = broken.or_else(|| {
                flaw(&world, sight, &stat).map(|flaw| explain(path, sight, &stat, flaw))
            });
        }
    }
    Finding::new(examined, broken)
}

fn flaw(world: &World<'_>, sight: &Sight<'_>, stat: &ZnodeStat) -> Option<&'static str> {
    let creates = i64::from(stat.cversion) + i64::from(stat.children);
    let rules = [
        (stat.czxid <= stat.mzxid && stat.mzxid.0 <= sight.zxid, "mzxid is out of order"),
        (stat.czxid <= stat.pzxid && stat.pzxid.0 <= sight.zxid, "pzxid is out of order"),
        ((stat.version == 0) == (stat.mzxid == stat.czxid), "version 0 is that of the creation"),
        ((stat.cversion == 0) == (stat.pzxid == stat.czxid), "cversion 0 means no child ever"),
        // cversion is creations and deletions, as many more of the former as there are children.
        (stat.children <= stat.cversion && creates % 2 == 0, "cversion does not fit the children"),
        (stat.owner.0 == 0 || stat.children == 0, "an ephemeral znode has no children"),
        (sight.value.is_none_or(|value| length(value) == stat.length), "the length differs"),
        (fits_owner(world, sight, stat), "the owner is not who created it"),
    ];
    rules.into_iter().find(|(holds, _)| !holds).map(|(_, what)| what)
}

fn length(value: i64) -> i32 {
    i32::try_from(value.to_string().len()).unwrap_or(i32::MAX)
}

/// At version 0 the data names the request that created the znode.
fn fits_owner(world: &World<'_>, sight: &Sight<'_>, stat: &ZnodeStat) -> bool {
    let creation = sight.value.and_then(|value| world.writers.get(&value));
    match creation {
        Some((op, Ask::Create { ephemeral: true, .. })) if stat.version == 0 => {
            op.session.is_none_or(|session| session == stat.owner)
        }
        Some((_, Ask::Create { .. })) => stat.owner.0 == 0,
        _ => true,
    }
}

fn explain(path: &str, sight: &Sight<'_>, stat: &ZnodeStat, flaw: &str) -> Witness {
    let sentence = format!(
        "{} in a reply with zxid {:#x} was shown of {path}: {flaw} (czxid {}, mzxid {}, pzxid {}, \
         version {}, cversion {}, owner {}, length {}, {} children)",
        clause(sight.op),
        sight.zxid,
        stat.czxid,
        stat.mzxid,
        stat.pzxid,
        stat.version,
        stat.cversion,
        stat.owner,
        stat.length,
        stat.children,
    );
    witness(sentence, &[sight.op])
}
