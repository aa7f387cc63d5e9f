//! The calls that are open at an instant, and the ways to place them.

use std::collections::VecDeque;

use spec::Searchable;

use super::Call;
use super::frontier::{Config, Frontier};
use crate::budget::{Budget, Exhausted};
use crate::mix::Numbered;

/// Where the placing of one call is.
struct Ways<S> {
    wanted: u32,
    seen: Frontier<S>,
    now: VecDeque<Config<S>>,
    /// How often it was placed.
    hits: usize,
}

pub(super) struct Open<'a, S: Searchable> {
    pub(super) calls: &'a [Call<S>],
    /// Calls without end, those with equal operations of unknown outcome together: of calls that
    /// are alike and may come at any time, the first invoked serves as well as any.
    kinds: Vec<Vec<u32>>,
    kind_of: Numbered<u32, u32>,
    pub(super) now: Now,
}

/// What is open at an instant.
#[derive(Clone, Default)]
pub(super) struct Now {
    /// Calls invoked that will be answered, ascending.
    pending: Vec<u32>,
    /// Kinds of which calls may take effect at any time or never, ascending.
    lost: Vec<Alike>,
}

impl Now {
    /// Will no other call be answered?
    pub(super) fn waits_only(&self, call: u32) -> bool {
        self.pending == [call]
    }

    /// Is there no call of unknown outcome that might still take effect?
    pub(super) fn is_without_lost(&self) -> bool {
        self.lost.is_empty()
    }
}

/// Of the calls of a kind, those that were invoked and have not taken effect everywhere.
#[derive(Clone, Copy)]
struct Alike {
    kind: u32,
    from: u32,
    to: u32,
}

impl<'a, S: Searchable> Open<'a, S> {
    pub(super) fn new(calls: &'a [Call<S>]) -> Self {
        let (kinds, kind_of) = kinds(calls);
        Open { calls, kinds, kind_of, now: Now::default() }
    }

    pub(super) fn call(&self, call: u32) -> &'a Call<S> {
        &self.calls[call as usize]
    }

    pub(super) fn insert(&mut self, call: u32) {
        if self.call(call).end.is_some() {
            return self.now.pending.push(call);
        }
        let kind = self.kind_of[&call];
        match self.now.lost.binary_search_by_key(&kind, |alike| alike.kind) {
            Ok(at) => self.now.lost[at].to += 1,
            Err(at) => {
                let kinds = &self.kinds[kind as usize];
                let from = kinds.partition_point(|other| *other < call) as u32;
                self.now.lost.insert(at, Alike { kind, from, to: from + 1 });
            }
        }
    }

    /// The call is answered.
    pub(super) fn answered(&mut self, call: u32) {
        self.now.pending.retain(|open| *open != call);
    }

    /// The call, of unknown outcome and the first of its kind, has taken effect everywhere.
    pub(super) fn retire(&mut self, call: u32) {
        let kind = self.kind_of[&call];
        if let Ok(at) = self.now.lost.binary_search_by_key(&kind, |alike| alike.kind) {
            let alike = &mut self.now.lost[at];
            alike.from += 1;
            if alike.from == alike.to {
                self.now.lost.remove(at);
            }
        }
    }

    /// Has the call taken effect in the configuration?
    pub(super) fn has(&self, config: &Config<S>, call: u32) -> bool {
        match self.call(call).end {
            Some(_) => config.done.has(call),
            None => config.used.has(call),
        }
    }

    pub(super) fn add(&self, config: &mut Config<S>, call: u32) {
        match self.call(call).end {
            Some(_) => config.done.add(call),
            None => config.used.add(call),
        }
    }

    /// Finds the ways to place open calls, from a configuration on, that place `wanted`: those that
    /// use few calls of unknown outcome first. With a `width`, is content with so many, and with
    /// those that use the fewest; false, if there may then be more.
    pub(super) fn extend(
        &self,
        from: &Config<S>,
        wanted: u32,
        budget: &mut Budget,
        found: &mut Frontier<S>,
        width: usize,
    ) -> Result<bool, Exhausted> {
        let mut ways = Ways { wanted, seen: Frontier::default(), now: VecDeque::new(), hits: 0 };
        let mut later = VecDeque::new();
        ways.now.push_back(from.clone());
        loop {
            while let Some(config) = ways.now.pop_front() {
                if ways.hits >= width {
                    return Ok(false);
                }
                let pending = self.now.pending.iter().copied();
                self.place_each(&config, pending, &mut ways, found, budget)?;
                later.push_back(config);
            }
            if ways.hits > 0 && width < usize::MAX {
                return Ok(self.now.lost.is_empty());
            }
            let Some(config) = later.pop_front() else { return Ok(true) };
            self.place_each(&config, self.lost(&config), &mut ways, found, budget)?;
        }
    }

    fn place_each(
        &self,
        config: &Config<S>,
        calls: impl Iterator<Item = u32>,
        ways: &mut Ways<S>,
        found: &mut Frontier<S>,
        budget: &mut Budget,
    ) -> Result<(), Exhausted> {
        for after in calls.filter_map(|call| self.place(config, call)) {
            budget.step(found.bytes + ways.seen.bytes)?;
            if self.has(&after, ways.wanted) {
                ways.hits += 1;
                found.insert(after);
            } else if ways.seen.insert(after.clone()) {
                ways.now.push_back(after);
            }
        }
        Ok(())
    }

    /// Of each kind the first call that was not used.
    fn lost(&self, config: &Config<S>) -> impl Iterator<Item = u32> {
        self.now.lost.iter().filter_map(|alike| {
            let calls = &self.kinds[alike.kind as usize][alike.from as usize..alike.to as usize];
            calls.iter().copied().find(|call| !config.used.has(*call))
        })
    }

    /// Places a call, and all that follow from it for free; none when it cannot be placed, or an
    /// open call could then never be.
    pub(super) fn place(&self, config: &Config<S>, call: u32) -> Option<Config<S>> {
        if self.has(config, call) {
            return None;
        }
        let mut after = Config { state: effect(&config.state, self.call(call))?, ..config.clone() };
        self.add(&mut after, call);
        self.settle(after)
    }

    fn settle(&self, mut config: Config<S>) -> Option<Config<S>> {
        for &open in &self.now.pending {
            if config.done.has(open) {
                continue;
            }
            if settles(&config.state, self.call(open)) {
                config.done.add(open);
            } else if is_late(&config.state, self.call(open)) {
                return None;
            }
        }
        for alike in &self.now.lost {
            let calls = &self.kinds[alike.kind as usize][alike.from as usize..alike.to as usize];
            // Alike in this, too.
            if settles(&config.state, self.call(calls[0])) {
                calls.iter().for_each(|call| config.used.add(*call));
            }
        }
        Some(config)
    }
}

/// Does the call take effect here at once? Either it only reads and is valid, so that no later
/// place is better; or it has no end and can change nothing any more.
pub(super) fn settles<S: Searchable>(state: &S, call: &Call<S>) -> bool {
    if call.end.is_none() && state.is_past(&call.op, call.ret.as_ref()) {
        return true;
    }
    call.ret.as_ref().is_some_and(|ret| {
        let mut after = state.clone();
        S::is_read_only(&call.op, ret) && after.is_valid_step(&call.op, ret) && after == *state
    })
}

/// Can the call, which was answered, not be placed any more?
pub(super) fn is_late<S: Searchable>(state: &S, call: &Call<S>) -> bool {
    call.end.is_some() && state.is_past(&call.op, call.ret.as_ref())
}

/// The state after the call, if it is possible. A call of unknown outcome that changes nothing is
/// as good as not made.
pub(super) fn effect<S: Searchable>(state: &S, call: &Call<S>) -> Option<S> {
    let mut after = state.clone();
    let placed = match &call.ret {
        Some(ret) => after.is_valid_step(&call.op, ret),
        None => {
            after.invoke(&call.op);
            after != *state
        }
    };
    placed.then_some(after)
}

/// Calls without end by kind, and the kind of each.
fn kinds<S: Searchable>(calls: &[Call<S>]) -> (Vec<Vec<u32>>, Numbered<u32, u32>) {
    let mut kinds: Vec<Vec<u32>> = Vec::new();
    let mut kind_of = Numbered::default();
    for (position, call) in (0..).zip(calls).filter(|(_, call)| call.end.is_none()) {
        let alike = |kind: &Vec<u32>| {
            let first = &calls[kind[0] as usize];
            first.ret.is_none() && call.ret.is_none() && first.op == call.op
        };
        let kind = kinds.iter().position(alike).unwrap_or(kinds.len());
        if kind == kinds.len() {
            kinds.push(Vec::new());
        }
        kinds[kind].push(position);
        kind_of.insert(position, kind as u32);
    }
    (kinds, kind_of)
}
