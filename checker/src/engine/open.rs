//! The calls that are open at an instant, and the ways to place them.

use std::collections::VecDeque;

use spec::Searchable;

use super::Call;
use super::frontier::{Config, Frontier};
use crate::budget::{Budget, Exhausted};

pub(super) struct Open<'a, S: Searchable> {
    pub(super) calls: &'a [Call<S>],
    /// For each call of unknown outcome, the one before it with an equal operation.
    twins: Vec<Option<u32>>,
    /// Calls invoked and not answered, ascending.
    open: Vec<u32>,
}

impl<'a, S: Searchable> Open<'a, S> {
    pub(super) fn new(calls: &'a [Call<S>]) -> Self {
        Open { calls, twins: twins(calls), open: Vec::new() }
    }

    pub(super) fn call(&self, call: u32) -> &'a Call<S> {
        &self.calls[call as usize]
    }

    pub(super) fn insert(&mut self, call: u32) {
        self.open.push(call);
    }

    pub(super) fn remove(&mut self, call: u32) {
        if let Ok(at) = self.open.binary_search(&call) {
            self.open.remove(at);
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

    /// Finds every way to place open calls, from a configuration on, that places `wanted`; those
    /// of few calls first.
    pub(super) fn extend(
        &self,
        from: &Config<S>,
        wanted: u32,
        budget: &mut Budget,
        found: &mut Frontier<S>,
    ) -> Result<(), Exhausted> {
        let mut seen = Frontier::default();
        let mut queue = VecDeque::from([from.clone()]);
        while let Some(config) = queue.pop_front() {
            for after in self.open.iter().filter_map(|&call| self.place(&config, call)) {
                budget.step(found.bytes + seen.bytes)?;
                if self.has(&after, wanted) {
                    found.insert(after);
                } else if seen.insert(after.clone()) {
                    queue.push_back(after);
                }
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
        for &open in &self.open {
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
            .is_none_or(|twin| config.used.has(twin) || self.open.binary_search(&twin).is_err())
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
