//! C7, of the tree: nothing is read that nobody wrote.

use history::{History, Status};

use super::super::{Finding, Guarantee, Judge};
use super::applies;
use super::world::{Sight, World};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, noun, witness};

pub(in super::super) const PHANTOM: Guarantee = Guarantee {
    id: "C7",
    name: "no phantoms",
    promise: "All data read was written to that znode, by someone who was not refused, at the \
              zxid that its Stat names.",
    source: "ZooKeeper Programmer's Guide, \"Consistency Guarantees\": atomicity, \
             \"updates either succeed or fail\"",
    more_than_zookeeper: false,
    applies,
    check: Judge::History(check),
};

fn check(history: &History, _: &mut Budget) -> Finding {
    let world = World::of(history);
    let mut examined = 0;
    let mut broken = None;
    for (path, seen) in &world.sights {
        for sight in seen.iter().filter(|sight| sight.op.action.is_read()) {
            let Some(value) = sight.value else { continue };
            examined += 1;
            broken = broken.or_else(|| phantom(&world, path, sight, value));
        }
    }
    Finding::new(examined, broken)
}

fn phantom(world: &World<'_>, path: &str, sight: &Sight<'_>, value: i64) -> Option<Witness> {
    let read = clause(sight.op);
    let Some((writer, ask)) = world.writers.get(&value) else {
        return Some(witness(format!("{read} and got {value}, which nobody wrote"), &[sight.op]));
    };
    let explain = |why: &str| {
        let sentence = format!("{read} and got {value} of {path}, {why} {}", noun(writer));
        Some(witness(sentence, &[writer, sight.op]))
    };
    let asked = ask.path().unwrap_or_default();
    let mzxid = sight.stat.map(|stat| stat.mzxid);
    match writer.status {
        _ if !path.starts_with(asked) => explain("which was written elsewhere by"),
        _ if sight.op.precedes(writer) => explain("before it was written by"),
        Status::Fail => explain("though refused was"),
        Status::Ok if writer.zxid != mzxid => explain("not at the zxid of"),
        Status::Ok | Status::Unknown => None,
    }
}
