//! Configurations, and the set of them that is kept.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Above this many configurations of one kind, they are only compared for equality.
const DOMINANCE_MAX: usize = 256;

/// A state, and the open calls that have taken effect in it (positions, ascending).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Config<S> {
    pub(super) state: S,
    pub(super) done: Vec<u32>,
}

impl<S> Config<S> {
    pub(super) fn has(&self, call: u32) -> bool {
        self.done.binary_search(&call).is_ok()
    }

    pub(super) fn add(&mut self, call: u32) {
        if let Err(at) = self.done.binary_search(&call) {
            self.done.insert(at, call);
        }
    }

    pub(super) fn remove(&mut self, call: u32) {
        if let Ok(at) = self.done.binary_search(&call) {
            self.done.remove(at);
        }
    }

    /// Bytes it holds, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.done.capacity() * size_of::<u32>() + 16
    }
}

/// Configurations found at one answer, and the bytes held to find them.
pub(super) struct Found<S> {
    pub(super) configs: Vec<Config<S>>,
    pub(super) bytes: usize,
}

impl<S> Default for Found<S> {
    fn default() -> Self {
        Found { configs: Vec::new(), bytes: 0 }
    }
}

impl<S> Found<S> {
    pub(super) fn push(&mut self, config: Config<S>) {
        self.bytes += config.bytes();
        self.configs.push(config);
    }
}

/// Keeps one of equal configurations, and of those that differ only in the calls without end
/// (`endless`), the ones that used fewest: what a larger set can still do, a smaller can too.
pub(super) fn prune<S: Clone + Eq + Hash>(
    configs: Vec<Config<S>>,
    endless: impl Fn(u32) -> bool,
) -> Vec<Config<S>> {
    if configs.len() < 2 {
        return configs;
    }
    let mut kinds: HashMap<Config<S>, usize> = HashMap::new();
    let mut groups: Vec<Vec<Config<S>>> = Vec::new();
    let mut seen = HashSet::new();
    for config in configs {
        if !seen.insert(config.clone()) {
            continue;
        }
        let done = config.done.iter().copied().filter(|&call| !endless(call)).collect();
        let kind = Config { state: config.state.clone(), done };
        let group = *kinds.entry(kind).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(config);
    }
    groups.into_iter().flat_map(minimal).collect()
}

fn minimal<S>(mut group: Vec<Config<S>>) -> Vec<Config<S>> {
    if group.len() < 2 || group.len() > DOMINANCE_MAX {
        return group;
    }
    group.sort_by_key(|config| config.done.len());
    let mut kept: Vec<Config<S>> = Vec::new();
    for config in group {
        if !kept.iter().any(|smaller| smaller.done.iter().all(|&call| config.has(call))) {
            kept.push(config);
        }
    }
    kept
}
