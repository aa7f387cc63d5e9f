//! C21: watches that are set again tell of what changed meanwhile.

use history::Operation;
use history::znode::{Ask, Change};

use super::super::super::{Guarantee, Judge};
use super::super::applies;
use super::super::world::{Deed, World};
use super::{Again, Changes, Watches, first_after, judge, may_have_been_done};

pub(in super::super::super) const AGAIN: Guarantee = Guarantee {
    id: "C21",
    name: "watches last",
    promise: "A watch that is set again on a new connection tells of what changed meanwhile, before the \
              client sees a state after it.",
    source: "ZooKeeper Programmer's Guide, \"ZooKeeper Watches\": \"when a client reconnects, any \
             previously registered watches will be reregistered and triggered if needed\"",
    more_than_zookeeper: false,
    applies,
    check: Judge::History(|history, _| {
        judge(history).again.or_no_occasion("no client with an open watch changed its connection")
    }),
};

/// A znode that came and went while nobody watched is not told of: at the reply to `setWatches`, such
/// a watch waits for what comes later.
pub(super) fn excuse(
    watches: &mut Watches<'_>,
    changes: &Changes,
    world: &World<'_>,
    op: &Operation,
) {
    let (Some(Ask::SetWatches { .. }), Some(zxid)) = (op.action.ask(), op.zxid) else { return };
    for (watched, armed) in watches.iter_mut() {
        let waits = armed.again == Some(Again::Creation);
        if waits && armed.due.is_some_and(|due| may_be_gone(world, &watched.path, due, zxid.0)) {
            armed.due = first_after(changes, watched, zxid.0);
        }
    }
}

/// May a znode that was created at `from` have been deleted by `to`?
fn may_be_gone(world: &World<'_>, path: &str, from: u64, to: u64) -> bool {
    let mut done = world.done.get(path).into_iter().flatten();
    done.any(|done| done.deed == Deed::Deleted && (from..=to).contains(&done.zxid))
        || may_have_been_done(world, path, Change::Deleted)
}
