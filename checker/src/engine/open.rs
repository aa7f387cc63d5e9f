//! The calls that are open at an instant, and the ways to place them.

use std::collections::VecDeque;

use spec::Searchable;

use super::Call;
use super::frontier::{Config, Frontier};
use crate::budget::{Budget, Exhausted};

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
    /// For each call of unknown outcome, the one before it with an equal operation.
    twins: Vec<Option<u32>>,
    /// Calls invoked that will be answered, ascending.
    pending: Vec<u32>,
    /// Calls invoked that may take effect at any time or never, ascending.
    lost: Vec<u32>,
}

impl<'a, S: Searchable> Open<'a, S> {
    pub(super) fn new(calls: &'a [Call<S>]) -> Self {
        Open { calls, twins: twins(calls), pending: Vec::new(), lost: Vec::new() }
    }

    pub(super) fn call(&self, call: u32) -> &'a Call<S> {
        &self.calls[call as usize]
    }

    pub(super) fn insert(&mut self, call: u32) {
        match self.call(call).end {
            Some(_) => self.pending.push(call),
            None => self.lost.push(call),
        }
    }

    pub(super) fn remove(&mut self, call: u32) {
        for open in [&mut self.pending, &mut self.lost] {
            if let Ok(at) = open.binary_search(&call) {
                open.remove(at);
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
                self.place_each(&config, &self.pending, &mut ways, found, budget)?;
                later.push_back(config);
            }
            if ways.hits > 0 && width < usize::MAX {
                return Ok(self.lost.is_empty());
            }
            let Some(config) = later.pop_front() else { return Ok(true) };
            self.place_each(&config, &self.lost, &mut ways, found, budget)?;
        }
    }

    fn place_each(
        &self,
        config: &Config<S>,
        calls: &[u32],
        ways: &mut Ways<S>,
        found: &mut Frontier<S>,
        budget: &mut Budget,
    ) -> Result<(), Exhausted> {
        for after in calls.iter().filter_map(|&call| self.place(config, call)) {
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

    /// Places a call, and all that follow from it for free; none when it cannot be placed, or an
    /// open call could then never be.
    fn place(&self, config: &Config<S>, call: u32) -> Option<Config<S>> {
        if self.has(config, call) || !self.is_next_twin(config, call) {
            return None;
        }
        let mut after = Config { state: effect(&config.state, self.call(call))?, ..config.clone() };
        self.add(&mut after, call);
        self.settle(after)
    }

    fn settle(&self, mut config: Config<S>) -> Option<Config<S>> {
        for &open in self.pending.iter().chain(&self.lost) {
            if self.has(&config, open) {
                continue;
            }
            if settles(&config.state, self.call(open)) {
                self.add(&mut config, open);
            } else if is_late(&config.state, self.call(open)) {
                return None;
            }
        }
        Some(config)
    }

    /// Of calls that are alike and may come at any time, the first invoked serves as well as any.
    /// A twin that is open no more has taken effect in every configuration.
    fn is_next_twin(&self, config: &Config<S>, call: u32) -> bool {
        self.twins[call as usize]
            .is_none_or(|twin| config.used.has(twin) || self.lost.binary_search(&twin).is_err())
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
fn effect<S: Searchable>(state: &S, call: &Call<S>) -> Option<S> {
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

fn twins<S: Searchable>(calls: &[Call<S>]) -> Vec<Option<u32>> {
    let mut latest: Vec<u32> = Vec::new();
    let mut twin_of = |position: u32| {
        let op = &calls[position as usize].op;
        let twin = latest.iter_mut().find(|twin| calls[**twin as usize].op == *op);
        match twin {
            Some(twin) => Some(std::mem::replace(twin, position)),
            None => {
                latest.push(position);
                None
            }
        }
    };
    (0..).zip(calls).map(|(n, call)| if call.ret.is_none() { twin_of(n) } else { None }).collect()
}
