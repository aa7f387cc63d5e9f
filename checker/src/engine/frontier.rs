//! Configurations, and the set of them that is kept.

use std::collections::HashMap;
use std::hash::Hash;

use smallvec::SmallVec;
use spec::Searchable;

/// A state, and the open calls that have taken effect in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Config<S> {
    pub(super) state: S,
    /// Those that will be answered.
    pub(super) done: Positions,
    /// Those of unknown outcome: whether they are used is open.
    pub(super) used: Positions,
}

impl<S: Searchable> Config<S> {
    pub(super) fn new(state: S) -> Self {
        Config { state, done: Positions::default(), used: Positions::default() }
    }

    /// Bytes it holds, about.
    fn bytes(&self) -> usize {
        let positions = (self.done.0.len() + self.used.0.len()) * size_of::<u32>();
        size_of::<Self>() + positions + self.state.held()
    }
}

/// Positions of calls, ascending. There are few: calls leave when they are answered, or have taken
/// effect in every configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Positions(SmallVec<[u32; 4]>);

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

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_subset(&self, other: &Positions) -> bool {
        self.0.len() <= other.0.len() && self.iter().all(|call| other.has(call))
    }
}

/// Configurations of which none is worse than another. Of two that differ only in the calls of
/// unknown outcome they used, one that used fewer is as good: what the other can still do, it can
/// too, for those calls may be left out.
pub(super) struct Frontier<S> {
    /// In order of insertion, so that nothing depends on the order of hashes; none where a better
    /// one came later.
    configs: Vec<Option<Config<S>>>,
    /// Positions by what must be equal, once there are more than are quickly looked through.
    kinds: HashMap<(S, Positions), Vec<usize>>,
    /// Bytes held, about.
    pub(super) bytes: usize,
}

/// Each configuration is here, in the index and in the search's queue, and lists double as they grow.
const COPIES: usize = 6;

/// So many are looked through one by one.
const FEW: usize = 16;

impl<S> Default for Frontier<S> {
    fn default() -> Self {
        Frontier { configs: Vec::new(), kinds: HashMap::new(), bytes: 0 }
    }
}

impl<S: Searchable> Frontier<S> {
    /// Adds a configuration; false if one as good was there.
    pub(super) fn insert(&mut self, config: Config<S>) -> bool {
        let is_new = if self.configs.len() < FEW {
            let all = 0..self.configs.len();
            beats(&mut self.configs, all, &config)
        } else {
            self.index();
            let kind = (config.state.clone(), config.done.clone());
            let alike = self.kinds.entry(kind).or_default();
            let is_new = beats(&mut self.configs, alike.iter().copied(), &config);
            alike.retain(|at| self.configs[*at].is_some());
            alike.extend(is_new.then_some(self.configs.len()));
            is_new
        };
        if is_new {
            self.bytes += COPIES * config.bytes();
            self.configs.push(Some(config));
        }
        is_new
    }

    fn index(&mut self) {
        if self.kinds.is_empty() {
            for (at, config) in self.configs.iter().enumerate() {
                let Some(Config { state, done, .. }) = config else { continue };
                self.kinds.entry((state.clone(), done.clone())).or_default().push(at);
            }
        }
    }

    /// About how many there are.
    pub(super) fn len(&self) -> usize {
        self.configs.len()
    }

    pub(super) fn into_configs(self) -> Vec<Config<S>> {
        self.configs.into_iter().flatten().collect()
    }
}

/// Is the new one better than all of these that it can be compared with? Worse ones are dropped.
fn beats<S: Eq>(
    configs: &mut [Option<Config<S>>],
    among: impl Iterator<Item = usize>,
    new: &Config<S>,
) -> bool {
    for at in among {
        let Some(old) = &configs[at] else { continue };
        if old.done != new.done || old.state != new.state {
            continue;
        }
        if old.used.is_subset(&new.used) {
            return false;
        }
        if new.used.is_subset(&old.used) {
            configs[at] = None;
        }
    }
    true
}
