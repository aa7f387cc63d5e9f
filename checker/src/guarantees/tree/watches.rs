//! C19 and C20: watch events come before what they tell of, and tell of nothing else.

use std::collections::BTreeMap;

use history::znode::{Ask, Change, WatchEvent};
use history::{Action, At, History, Operation};

use super::super::{Finding, Guarantee};
use super::applies;
use super::world::{Deed, World, creates, deletes};
use crate::verdict::Witness;
use crate::words::{clause, noun, seconds, witness};

pub(in super::super) const ORDER: Guarantee = Guarantee {
    id: "C19",
    name: "watch before data",
    promise: "A client is told of a change that it watches for before any reply that shows the \
              state after it.",
    source: "ZooKeeper Programmer's Guide, \"What ZooKeeper Guarantees about Watches\": \"a client \
             will see a watch event … before seeing the new data\"",
    more_than_zookeeper: false,
    applies,
    check: |history, _| judge(history).0,
};

pub(in super::super) const EVENTS: Guarantee = Guarantee {
    id: "C20",
    name: "watch events are true",
    promise: "Each event answers a watch that was set and not yet answered, and tells of a change \
              of that kind after the watch was set.",
    source: "ZooKeeper Programmer's Guide, \"ZooKeeper Watches\": one-time trigger; \"Semantics of \
             Watches\"",
    more_than_zookeeper: false,
    applies,
    check: |history, _| judge(history).1,
};

/// What is watched: a znode itself, or its children.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Watched {
    path: String,
    children: bool,
}

/// A watch on a connection.
struct Armed<'a> {
    by: &'a Operation,
    zxid: u64,
    /// The first acknowledged change that it must tell of.
    due: Option<u64>,
}

/// One connection's watches, as a client knows them.
type Watches<'a> = BTreeMap<Watched, Armed<'a>>;

/// What a client goes through, in order.
enum Step<'a> {
    Connects,
    Reply(&'a Operation),
    Event(&'a At<WatchEvent>),
}

fn judge(history: &History) -> (Finding, Finding) {
    let world = World::of(history);
    let changes = changes(&world);
    let mut clients: BTreeMap<u64, BTreeMap<u64, Step<'_>>> = BTreeMap::new();
    for op in &history.operations {
        let steps = clients.entry(op.process).or_default();
        match (&op.action, op.complete) {
            (Action::Connect { .. }, _) => drop(steps.insert(op.invoke, Step::Connects)),
            (_, Some(complete)) => drop(steps.insert(complete, Step::Reply(op))),
            _ => {}
        }
    }
    for event in &history.watches {
        clients.entry(event.what.client).or_default().insert(event.index, Step::Event(event));
    }
    let (mut set, mut late, mut told, mut untrue) = (0, None, 0, None);
    for steps in clients.values() {
        let mut watches = Watches::new();
        for step in steps.values() {
            match step {
                Step::Connects => watches.clear(),
                Step::Reply(op) => {
                    late = late.or_else(|| overtaken(&watches, op));
                    set += usize::from(arm(&mut watches, &changes, op));
                }
                Step::Event(event) => {
                    told += 1;
                    untrue = untrue.or_else(|| unfounded(&mut watches, &changes, &world, event));
                }
            }
        }
    }
    (Finding::new(set, late), Finding::new(told, untrue))
}

/// The zxids of acknowledged changes that each watch waits for, in order.
type Changes = BTreeMap<Watched, Vec<u64>>;

fn changes(world: &World<'_>) -> Changes {
    let mut changes = Changes::new();
    for (path, done) in &world.done {
        let itself = Watched { path: path.clone(), children: false };
        changes.entry(itself).or_default().extend(done.iter().map(|done| done.zxid));
        let Some((parent, _)) = path.rsplit_once('/') else { continue };
        let of_parent = Watched { path: parent.to_owned(), children: true };
        let births = done.iter().filter(|done| done.deed != Deed::Set).map(|done| done.zxid);
        changes.entry(of_parent).or_default().extend(births);
    }
    changes.values_mut().for_each(|zxids| zxids.sort_unstable());
    changes
}

fn first_after(changes: &Changes, watched: &Watched, zxid: u64) -> Option<u64> {
    let zxids = changes.get(watched)?;
    zxids.get(zxids.partition_point(|change| *change <= zxid)).copied()
}

/// Did the reply leave a watch? A second one on the same znode changes nothing.
fn arm<'a>(watches: &mut Watches<'a>, changes: &Changes, op: &'a Operation) -> bool {
    let (Some(ask), Some(zxid)) = (op.action.ask(), op.zxid) else { return false };
    let watched = match ask {
        Ask::Get { path, watch: true } if op.is_ok() => (path, false),
        Ask::Children { path, watch: true, .. } if op.is_ok() => (path, true),
        // One of a znode that does not exist waits for its creation.
        Ask::Exists { path, watch: true }
            if op.is_ok() || op.error.as_deref() == Some("NoNode") =>
        {
            (path, false)
        }
        _ => return false,
    };
    let watched = Watched { path: watched.0.clone(), children: watched.1 };
    let due = first_after(changes, &watched, zxid.0);
    watches.entry(watched).or_insert(Armed { by: op, zxid: zxid.0, due });
    true
}

fn overtaken(watches: &Watches<'_>, op: &Operation) -> Option<Witness> {
    let zxid = op.zxid.filter(|_| op.answered().is_some())?.0;
    let (watched, armed) =
        watches.iter().find(|(_, armed)| armed.due.is_some_and(|due| due <= zxid))?;
    let sentence = format!(
        "{} in a reply with zxid {zxid:#x}, before the event of the watch on {} that {} had left: \
         it changed at zxid {:#x}",
        clause(op),
        watched.path,
        noun(armed.by),
        armed.due.unwrap_or_default(),
    );
    Some(witness(sentence, &[armed.by, op]))
}

fn unfounded(
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
    let Some(armed) = watches.remove(&watched) else {
        return Some(without_operations(format!("{told}, without a watch on it"), event));
    };
    let known = match change {
        Change::Children => first_after(changes, &watched, armed.zxid).is_some(),
        change => was_done(world, path, *change, armed.zxid),
    };
    let possible = known || may_have_been_done(world, path, *change);
    let sentence =
        || format!("{told}, though nobody did that after {} had left the watch", noun(armed.by));
    (!possible).then(|| witness(sentence(), &[armed.by]))
}

/// By an acknowledged change after `zxid`.
fn was_done(world: &World<'_>, path: &str, change: Change, zxid: u64) -> bool {
    let fits = |deed: Deed| match change {
        Change::Created => matches!(deed, Deed::Created(_)),
        Change::Deleted => deed == Deed::Deleted,
        Change::Changed => deed == Deed::Set,
        Change::Children => false,
    };
    let done = world.done.get(path).into_iter().flatten();
    done.into_iter().any(|done| done.zxid > zxid && fits(done.deed))
}

/// By a request of unknown outcome, or by the end of a session.
fn may_have_been_done(world: &World<'_>, path: &str, change: Change) -> bool {
    match change {
        Change::Created => world.maybe_ever(path, creates),
        Change::Changed => world.maybe_ever(path, sets),
        Change::Deleted => world.maybe_ever(path, deletes) || world.was_ephemeral(path),
        Change::Children => world.maybe_below(path),
    }
}

fn sets(ask: &Ask) -> bool {
    matches!(ask, Ask::Set { .. })
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Created => "created",
        Change::Deleted => "deleted",
        Change::Changed => "set",
        Change::Children => "given or deprived of children",
    }
}

fn without_operations(sentence: String, event: &At<WatchEvent>) -> Witness {
    let window = (event.time.saturating_sub(1), event.time);
    Witness { sentence, key: None, operations: Vec::new(), window, expected: None, got: None }
}
