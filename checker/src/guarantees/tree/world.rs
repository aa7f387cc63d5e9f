//! What a history says of each znode: what was done to it, what may have been, and what was seen.

use std::collections::{BTreeMap, BTreeSet};

use history::znode::{Ask, Told, ZnodeStat};
use history::{Hex, History, Operation, Status};

/// All that is known, by path.
#[derive(Default)]
pub(super) struct World<'a> {
    /// In order of their zxids.
    pub(super) done: BTreeMap<String, Vec<Done<'a>>>,
    /// Of unknown outcome.
    open: Vec<(&'a Operation, &'a Ask)>,
    /// In order of their zxids.
    pub(super) sights: BTreeMap<String, Vec<Sight<'a>>>,
    /// Who writes a value.
    pub(super) writers: BTreeMap<i64, (&'a Operation, &'a Ask)>,
    /// The last zxid at which a session is known to have been alive: of its last acknowledged write.
    alive: BTreeMap<Hex, u64>,
}

/// A change that was acknowledged.
#[derive(Clone, Copy)]
pub(super) struct Done<'a> {
    pub(super) zxid: u64,
    pub(super) op: &'a Operation,
    pub(super) deed: Deed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// By which session, if it goes with one.
    Created(Option<Hex>),
    Set,
    Deleted,
}

/// What a reply shows of a znode at its zxid.
#[derive(Clone, Copy)]
pub(super) struct Sight<'a> {
    pub(super) zxid: u64,
    pub(super) op: &'a Operation,
    pub(super) exists: bool,
    pub(super) stat: Option<ZnodeStat>,
    /// Its data, where that was asked for.
    pub(super) value: Option<i64>,
}

/// A parent's children, as a reply with this zxid lists them.
type List<'a> = (u64, &'a [String], &'a Operation);

/// At this zxid a child is known to be there, or not any more.
type Birth = (u64, String, bool);

impl<'a> World<'a> {
    pub(super) fn of(history: &'a History) -> World<'a> {
        let mut world = World::default();
        for op in &history.operations {
            let Some(ask) = op.action.ask() else { continue };
            for part in ask.parts() {
                world.writers.extend(part.written().map(|value| (value, (op, part))));
            }
            match (op.status, op.zxid) {
                (Status::Ok, Some(zxid)) => world.take(op, ask, zxid.0),
                (Status::Fail, Some(zxid)) => world.refused(op, ask, zxid.0),
                (Status::Unknown, _) => world.open.extend(ask.parts().iter().map(|p| (op, p))),
                _ => {}
            }
        }
        world.done.values_mut().for_each(|done| done.sort_by_key(|done| done.zxid));
        world.list_children(history);
        world.sights.values_mut().for_each(|seen| seen.sort_by_key(|s| (s.zxid, s.op.complete)));
        world
    }

    fn take(&mut self, op: &'a Operation, ask: &'a Ask, zxid: u64) {
        if let (true, Some(session)) = (ask.is_write() && *ask != Ask::Close, op.session) {
            let last = self.alive.entry(session).or_default();
            *last = (*last).max(zxid);
        }
        let Some(told) = op.told.as_deref() else { return };
        for (ask, told) in ask.parts().iter().zip(told.parts()) {
            self.take_part(op, ask, told, zxid);
        }
    }

    fn take_part(&mut self, op: &'a Operation, ask: &'a Ask, told: &'a Told, zxid: u64) {
        let deed = match ask {
            Ask::Create { ephemeral, .. } => Deed::Created(op.session.filter(|_| *ephemeral)),
            Ask::Set { .. } => Deed::Set,
            Ask::Delete { .. } => Deed::Deleted,
            _ => return self.see(op, ask, told, zxid),
        };
        let path = match told {
            Told::Created { path, .. } => Some(path.as_str()),
            _ => ask.path(),
        };
        if let Some(path) = path {
            self.done.entry(path.to_owned()).or_default().push(Done { zxid, op, deed });
        }
        // Within a multi, a later part may change it again at the same zxid.
        if op.action.ask() == Some(ask) {
            self.see(op, ask, told, zxid);
        }
    }

    fn see(&mut self, op: &'a Operation, ask: &'a Ask, told: &'a Told, zxid: u64) {
        let Some(stat) = told.stat().copied() else { return };
        let path = match told {
            Told::Created { path, .. } => path.as_str(),
            _ => ask.path().unwrap_or_default(),
        };
        let value = match told {
            Told::Data { value, .. } => *value,
            _ => ask.written(),
        };
        self.put(path, Sight { zxid, op, exists: true, stat: Some(stat), value });
    }

    /// A refusal shows whether the znode was there.
    fn refused(&mut self, op: &'a Operation, ask: &'a Ask, zxid: u64) {
        let exists = match (ask, op.error.as_deref()) {
            (Ask::Create { sequential: false, .. }, Some("NodeExists"))
            | (Ask::Delete { .. } | Ask::Set { .. }, Some("BadVersion")) => true,
            (Ask::Create { .. } | Ask::Multi { .. }, _) => return,
            (_, Some("NoNode")) => false,
            _ => return,
        };
        if let Some(path) = ask.path() {
            self.put(path, Sight { zxid, op, exists, stat: None, value: None });
        }
    }

    fn put(&mut self, path: &str, sight: Sight<'a>) {
        self.sights.entry(path.to_owned()).or_default().push(sight);
    }

    /// A list of children shows that they are there, and that those are missing which should be.
    fn list_children(&mut self, history: &'a History) {
        let mut lists: BTreeMap<&str, Vec<List<'a>>> = BTreeMap::new();
        for op in history.operations.iter().filter(|op| op.is_ok()) {
            if let (Some(Told::Children { names, .. }), Some(zxid)) = (op.told.as_deref(), op.zxid)
            {
                let parent = op.action.path().unwrap_or_default();
                lists.entry(parent).or_default().push((zxid.0, names, op));
            }
        }
        let mut births = self.births();
        for (parent, mut lists) in lists {
            lists.sort_by_key(|(zxid, ..)| *zxid);
            let births = births.remove(parent).unwrap_or_default();
            for (name, sight) in shown_by(&lists, births) {
                self.put(&format!("{parent}/{name}"), sight);
            }
        }
    }

    /// Under each parent: at which zxid a child is known to be there, or not any more; in order.
    fn births(&self) -> BTreeMap<String, Vec<Birth>> {
        let mut births: BTreeMap<String, Vec<Birth>> = BTreeMap::new();
        for (path, done) in &self.done {
            let Some((parent, name)) = path.rsplit_once('/') else { continue };
            let of_parent = births.entry(parent.to_owned()).or_default();
            let change = |done: &Done<'_>| (done.zxid, name.to_owned(), done.deed != Deed::Deleted);
            of_parent.extend(done.iter().map(change));
        }
        births.values_mut().for_each(|births| births.sort_by_key(|(zxid, ..)| *zxid));
        births
    }

    /// The last acknowledged change of a znode up to `zxid`.
    pub(super) fn last_done(&self, path: &str, zxid: u64) -> Option<&Done<'a>> {
        let done = self.done.get(path)?;
        done[..done.partition_point(|done| done.zxid <= zxid)].last()
    }

    /// May a request of unknown outcome that `could` have changed the znode so before `by` was
    /// answered?
    pub(super) fn maybe(&self, path: &str, by: &Operation, could: impl Fn(&Ask) -> bool) -> bool {
        self.open.iter().any(|(op, ask)| touches(ask, path) && could(ask) && !by.precedes(op))
    }

    /// May a request of unknown outcome have changed the znode so at some time?
    pub(super) fn maybe_ever(&self, path: &str, could: impl Fn(&Ask) -> bool) -> bool {
        self.open.iter().any(|(_, ask)| touches(ask, path) && could(ask))
    }

    /// May there be changes among a znode's children of which the history does not say when: by
    /// requests of unknown outcome, or by the end of a session?
    pub(super) fn maybe_below(&self, parent: &str) -> bool {
        let is_below = |path: &str| path.rsplit_once('/').is_some_and(|(above, _)| above == parent);
        let open = self.open.iter().filter(|(_, ask)| creates(ask) || deletes(ask));
        let mut open = open.filter_map(|(_, ask)| ask.path());
        open.any(is_below)
            || self.done.keys().any(|path| is_below(path) && self.was_ephemeral(path))
    }

    /// Was it ever created to go with a session?
    pub(super) fn was_ephemeral(&self, path: &str) -> bool {
        let done = self.done.get(path).into_iter().flatten();
        done.into_iter().any(|done| matches!(done.deed, Deed::Created(Some(_))))
    }

    /// May the session that the znode went with at `zxid` have been over by then?
    pub(super) fn may_have_gone(&self, path: &str, zxid: u64) -> bool {
        let done = self.done.get(path).map_or(&[][..], |done| done);
        let until = done.partition_point(|done| done.zxid <= zxid);
        let owner = done[..until].iter().rev().find_map(|done| match done.deed {
            Deed::Created(owner) => Some(owner),
            _ => None,
        });
        match owner {
            Some(Some(session)) => self.alive.get(&session).is_none_or(|last| *last < zxid),
            // Made by a request of unknown outcome, or for good.
            None => true,
            Some(None) => false,
        }
    }
}

/// What lists of one parent's children show, name by name. Both are in order of their zxids.
fn shown_by<'a>(lists: &[List<'a>], births: Vec<Birth>) -> Vec<(String, Sight<'a>)> {
    let mut births = births.into_iter().peekable();
    let mut expected = BTreeSet::new();
    let mut shown = Vec::new();
    for &(zxid, names, op) in lists {
        while let Some((_, name, there)) = births.next_if(|(at, ..)| *at <= zxid) {
            if there {
                expected.insert(name)
            } else {
                expected.remove(&name)
            };
        }
        let sight = |exists| Sight { zxid, op, exists, stat: None, value: None };
        let listed: BTreeSet<&String> = names.iter().collect();
        let missing = expected.iter().filter(|name| !listed.contains(name));
        shown.extend(missing.map(|name| (name.clone(), sight(false))));
        shown.extend(names.iter().map(|name| (name.clone(), sight(true))));
    }
    shown
}

/// Is the request about this znode? The number of a sequential one is not known.
fn touches(ask: &Ask, path: &str) -> bool {
    match ask {
        Ask::Create { path: prefix, sequential: true, .. } => path.starts_with(prefix.as_str()),
        ask => ask.path() == Some(path),
    }
}

pub(super) fn creates(ask: &Ask) -> bool {
    matches!(ask, Ask::Create { .. })
}

pub(super) fn writes(ask: &Ask) -> bool {
    matches!(ask, Ask::Create { .. } | Ask::Set { .. })
}

pub(super) fn deletes(ask: &Ask) -> bool {
    matches!(ask, Ask::Delete { .. })
}
