//! Configurations, and the set of them that is kept.

use std::collections::HashMap;
use std::hash::Hash;

/// A state, and the open calls that have taken effect in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Config<S> {
    pub(super) state: S,
    /// Those that will be answered.
    pub(super) done: Positions,
    /// Those of unknown outcome: whether they are used is open.
    pub(super) used: Positions,
}

impl<S> Config<S> {
    pub(super) fn new(state: S) -> Self {
        Config { state, done: Positions::default(), used: Positions::default() }
    }

    /// Bytes it holds, about.
    fn bytes(&self) -> usize {
        size_of::<Self>() + (self.done.0.len() + self.used.0.len()) * size_of::<u32>()
    }
}

/// Positions of calls, ascending. There are few: calls leave when they are answered, or have taken
/// effect in every configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Positions(Vec<u32>);

impl Positions {
    pub(super) fn has(&self, call: u32) -> bool {
        self.0.binary_search(&call).is_ok()
    }

    pub(super) fn add(&mut self, call: u32) {
        if let Err(at) = self.0.binary_search(&call) {
            self.0.insert(at, call);
        }
    }

    pub(super) fn remove(&mut self, call: u32) {
        if let Ok(at) = self.0.binary_search(&call) {
            self.0.remove(at);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().copied()
    }

    fn is_subset(&self, other: &Positions) -> bool {
        self.0.len() <= other.0.len() && self.iter().all(|call| other.has(call))
    }
}

/// Configurations of which none is worse than another. Of two that differ only in the calls of
/// unknown outcome they used, one that used fewer is as good: what the other can still do, it can
/// too, for those calls may be left out.
pub(super) struct Frontier<S> {
    kinds: HashMap<(S, Positions), usize>,
    /// By kind, in order of first insertion, so that nothing depends on the order of hashes.
    groups: Vec<Vec<Config<S>>>,
    /// Bytes held, about.
    pub(super) bytes: usize,
}

impl<S> Default for Frontier<S> {
    fn default() -> Self {
        Frontier { kinds: HashMap::new(), groups: Vec::new(), bytes: 0 }
    }
}

impl<S: Clone + Eq + Hash> Frontier<S> {
    /// Adds a configuration; false if one as good was there.
    pub(super) fn insert(&mut self, config: Config<S>) -> bool {
        let kind = (config.state.clone(), config.done.clone());
        let group = *self.kinds.entry(kind).or_insert(self.groups.len());
        if group == self.groups.len() {
            self.groups.push(Vec::new());
        }
        let group = &mut self.groups[group];
        if group.iter().any(|other| other.used.is_subset(&config.used)) {
            return false;
        }
        group.retain(|other| !config.used.is_subset(&other.used));
        self.bytes += 2 * config.bytes();
        group.push(config);
        true
    }

    pub(super) fn into_configs(self) -> Vec<Config<S>> {
        self.groups.into_iter().flatten().collect()
    }
}
