//! C19, C20 and C21: what clients watch, step by step.

mod again;
mod events;
mod order;

use std::collections::BTreeMap;

use history::znode::{Ask, Change, WatchEvent};
use history::{Action, At, History, Operation};

use super::super::Finding;
use super::world::{Deed, World, creates, deletes};

pub(in super::super) use again::AGAIN;
pub(in super::super) use events::EVENTS;
pub(in super::super) use order::ORDER;

/// What is watched: a znode itself, or its children.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Watched {
    path: String,
    children: bool,
}

/// A watch, on this connection or on an older one.
struct Armed<'a> {
    by: &'a Operation,
    zxid: u64,
    /// The first acknowledged change that it must tell of.
    due: Option<u64>,
    /// Does the server that the client is connected to have it?
    set: bool,
    /// Was it set again after a reconnect?
    again: Option<Again>,
}

/// How a watch was set again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// For whatever happens to the znode.
    Any,
    /// For the creation of a znode that did not exist: of one that was created and deleted
    /// meanwhile there is nothing to tell.
    Creation,
}

/// The watches that a client knows of.
type Watches<'a> = BTreeMap<Watched, Armed<'a>>;

/// What a client goes through, in order.
enum Step<'a> {
    Connects,
    SetsAgain(&'a Ask),
    Reply(&'a Operation),
    Event(&'a At<WatchEvent>),
}

/// C19's, C20's and C21's.
struct Findings {
    order: Finding,
    events: Finding,
    again: Finding,
}

fn judge(history: &History) -> Findings {
    let world = World::of(history);
    let changes = changes(&world);
    let (mut set, mut late) = (0, None);
    let (mut told, mut untrue) = (0, None);
    let (mut set_again, mut forgotten) = (0, None);
    for steps in clients(history).values() {
        let mut watches = Watches::new();
        for step in steps.values() {
            match step {
                Step::Connects => watches.values_mut().for_each(|armed| armed.set = false),
                Step::SetsAgain(ask) => set_again += arm_again(&mut watches, ask),
                Step::Reply(op) => {
                    again::excuse(&mut watches, &changes, &world, op);
                    late = late.or_else(|| order::overtaken(&watches, op, false));
                    forgotten = forgotten.or_else(|| order::overtaken(&watches, op, true));
                    set += usize::from(arm(&mut watches, &changes, op));
                }
                Step::Event(event) => {
                    told += 1;
                    untrue =
                        untrue.or_else(|| events::unfounded(&mut watches, &changes, &world, event));
                }
            }
        }
    }
    Findings {
        order: Finding::new(set, late),
        events: Finding::new(told, untrue),
        again: Finding::new(set_again, forgotten),
    }
}

/// Each client's steps, by the index of their event.
fn clients(history: &History) -> BTreeMap<u64, BTreeMap<u64, Step<'_>>> {
    let mut clients: BTreeMap<u64, BTreeMap<u64, Step<'_>>> = BTreeMap::new();
    for op in &history.operations {
        let steps = clients.entry(op.process).or_default();
        if let Action::Connect { .. } = op.action {
            steps.insert(op.invoke, Step::Connects);
            continue;
        }
        if let Some(ask @ Ask::SetWatches { .. }) = op.action.ask() {
            steps.insert(op.invoke, Step::SetsAgain(ask));
        }
        steps.extend(op.complete.map(|complete| (complete, Step::Reply(op))));
    }
    for event in &history.watches {
        clients.entry(event.what.client).or_default().insert(event.index, Step::Event(event));
    }
    clients
}

/// The server has the watches again that are named; how many. Of others the client knows no more.
fn arm_again(watches: &mut Watches<'_>, ask: &Ask) -> usize {
    let Ask::SetWatches { data, exist, child, .. } = ask else { return 0 };
    let named =
        [(data, false, Again::Any), (exist, false, Again::Creation), (child, true, Again::Any)];
    for (paths, children, how) in named {
        for path in paths {
            let watched = Watched { path: path.clone(), children };
            if let Some(armed) = watches.get_mut(&watched) {
                (armed.set, armed.again) = (true, Some(how));
            }
        }
    }
    watches.retain(|_, armed| armed.set);
    watches.len()
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
    let armed = Armed { by: op, zxid: zxid.0, due, set: true, again: None };
    let known = watches.entry(watched).or_insert(armed);
    if !known.set {
        *known = Armed { by: op, zxid: zxid.0, due, set: true, again: None };
    }
    true
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
