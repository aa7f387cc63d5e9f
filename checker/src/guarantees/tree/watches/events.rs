//! C20: watch events tell of nothing else than what was watched, and happened.

use history::At;
use history::znode::{Change, WatchEvent};

use super::super::super::{Guarantee, Judge};
use super::super::applies;
use super::super::world::{Deed, World, creates};
use super::{Armed, Changes, Watched, Watches, first_after, judge, may_have_been_done};
use crate::verdict::Witness;
use crate::words::{noun, seconds, without_operations, witness};

pub(in super::super::super) const EVENTS: Guarantee = Guarantee {
    id: "C20",
    name: "watch events are true",
    promise: "Each event answers a watch that was set and not yet answered, and tells of a change \
              of that kind after the watch was set.",
    source: "ZooKeeper Programmer's Guide, \"ZooKeeper Watches\": one-time trigger; \"Semantics of \
             Watches\"",
    more_than_zookeeper: false,
    applies,
    check: Judge::History(|history, _| judge(history).events),
};

pub(super) fn unfounded(
    watches: &mut Watches<'_>,
    changes: &Changes,
    world: &World<'_>,
    event: &At<WatchEvent>,
) -> Option<Witness> {
    let WatchEvent { client, path, change } = &event.what;
    let watched = Watched { path: path.clone(), children: *change == Change::Children };
    let told = format!(
        "client {client} was told at {} that {path} was {}",
        seconds(event.time),
        word(*change)
    );
    let Some(armed) = watches.remove(&watched).filter(|armed| armed.set) else {
        let window = (event.time.saturating_sub(1), event.time);
        return Some(without_operations(format!("{told}, without a watch on it"), window));
    };
    let known = match change {
        Change::Children => first_after(changes, &watched, armed.zxid).is_some(),
        change => was_done(world, path, *change, &armed),
    };
    let created = armed.again.is_some() && *change == Change::Changed;
    let possible = known
        || may_have_been_done(world, path, *change)
        || created && world.maybe_ever(path, creates);
    let sentence =
        || format!("{told}, though nobody did that after {} had left the watch", noun(armed.by));
    (!possible).then(|| witness(sentence(), &[armed.by]))
}

/// By an acknowledged change after the watch was set. To one that was set again, a znode that was
/// deleted and created is one that was set.
fn was_done(world: &World<'_>, path: &str, change: Change, armed: &Armed<'_>) -> bool {
    let fits = |deed: Deed| match (change, deed) {
        (Change::Created, Deed::Created(_))
        | (Change::Deleted, Deed::Deleted)
        | (Change::Changed, Deed::Set) => true,
        (Change::Changed, Deed::Created(_)) => armed.again.is_some(),
        _ => false,
    };
    let done = world.done.get(path).into_iter().flatten();
    done.into_iter().any(|done| done.zxid > armed.zxid && fits(done.deed))
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Created => "created",
        Change::Deleted => "deleted",
        Change::Changed => "set",
        Change::Children => "given or deprived of children",
    }
}
