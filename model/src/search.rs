//! Breadth-first search of a model, within a budget, with word of how it is getting on.

use std::fmt::Debug;
use std::fs;
use std::hash::Hash;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use stateright::{
    Checker, CheckerBuilder, Expectation, HasDiscoveries, Model, Path, Property, UniformChooser,
};

use crate::counterexample::{Chapter, tell};

/// How often a search looks at its budget and reports.
const POLL: Duration = Duration::from_millis(20);

/// A model whose paths can be told in words, stored and replayed.
pub trait Story:
    Model<
        State: Clone + Debug + PartialEq + Hash + Send + Sync,
        Action: Clone + PartialEq + Serialize + DeserializeOwned,
    > + Send
    + Sync
    + 'static
{
    /// Shared with the search.
    fn watch(&self) -> &Arc<Watch>;

    /// What `action` does in the state `before`: "n1 stores 1:2".
    fn tell(&self, before: &Self::State, action: &Self::Action) -> String;

    /// A state, for a person who looks around.
    fn show(&self, state: &Self::State) -> String {
        format!("{state:#?}")
    }

    /// What is wrong in a state that breaks the invariant `name`.
    fn why(&self, name: &str, state: &Self::State) -> String;
}

/// What a search and its model share: the order to stop, and how often each action was tried.
#[derive(Debug, Default)]
pub struct Watch {
    /// The budget is spent.
    stop: AtomicBool,
    /// An invariant broke: nothing deeper is of interest.
    found: AtomicBool,
    /// Somebody looks around: neither matters.
    explored: AtomicBool,
    /// The only invariant that is looked at, where it is not all of them.
    only: OnceLock<String>,
    names: &'static [&'static str],
    counts: Vec<AtomicU64>,
}

impl Watch {
    /// Counts actions of these names.
    #[must_use]
    pub fn new(names: &'static [&'static str]) -> Arc<Watch> {
        let counts = names.iter().map(|_| AtomicU64::new(0)).collect();
        Arc::new(Watch { names, counts, ..Watch::default() })
    }

    /// Must no further action be offered?
    #[must_use]
    pub fn stopped(&self) -> bool {
        let ends = self.stop.load(Ordering::Relaxed) || self.found.load(Ordering::Relaxed);
        ends && !self.explored.load(Ordering::Relaxed)
    }

    /// Passes on whether an invariant holds, until the first does not: the checker would keep the
    /// last counterexample it meets, and the first one is the shortest.
    #[must_use]
    pub fn judge(&self, holds: bool) -> bool {
        let later = || self.found.swap(true, Ordering::Relaxed);
        holds || later() && !self.explored.load(Ordering::Relaxed)
    }

    /// Those of `all` that are looked at.
    pub(crate) fn wanted<M: Model>(&self, mut all: Vec<Property<M>>) -> Vec<Property<M>> {
        all.retain(|property| self.only.get().is_none_or(|only| only == property.name));
        all
    }

    /// An action of this name was carried out.
    ///
    /// # Panics
    /// If the name is not one of those given to [`Watch::new`].
    pub fn count(&self, name: &str) {
        let place = self.names.iter().position(|known| *known == name);
        let place = place.expect("a model lists all names of its actions");
        self.counts[place].fetch_add(1, Ordering::Relaxed);
    }

    /// Lets the model offer actions again: the checker walks a counterexample's path anew.
    fn reset(&self) -> bool {
        self.found.store(false, Ordering::Relaxed);
        self.stop.swap(false, Ordering::Relaxed)
    }

    fn covered(&self) -> Vec<(&'static str, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        self.names.iter().copied().zip(counts).collect()
    }
}

/// What a search may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Wall time.
    pub time: Duration,
    /// Distinct states, each some kilobytes while it waits and 16 bytes after.
    pub states: usize,
    /// Bytes of memory that this process has.
    pub memory: u64,
    /// Threads. With one, the counterexample is a shortest one.
    pub threads: usize,
    /// Random walks from this seed on, instead of every state: for what is too large.
    pub random: Option<u64>,
}

impl Default for Budget {
    /// Ten minutes, 20 million states, 8 GiB, one thread, every state.
    fn default() -> Budget {
        let (time, memory) = (Duration::from_secs(600), 8 << 30);
        Budget { time, states: 20_000_000, memory, threads: 1, random: None }
    }
}

/// How far a search is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Steps tried.
    pub steps: usize,
    /// Distinct states.
    pub states: usize,
    /// Length of the longest path looked at.
    pub depth: usize,
    /// Since the search began.
    pub elapsed: Duration,
}

impl Progress {
    /// Distinct states per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.states as f64 / self.elapsed.as_secs_f64().max(1e-3)
    }
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Every state within the bounds was looked at, and every invariant held.
    Held,
    /// An invariant was broken.
    Broken(Chapter),
    /// The budget was spent first; what was looked at was in order.
    Stopped,
}

/// A finished search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// How far it came.
    pub progress: Progress,
    /// How often each action was carried out.
    pub covered: Vec<(&'static str, u64)>,
    /// The invariants that were looked at.
    pub invariants: Vec<&'static str>,
}

/// Searches `model`; `report` is called now and then.
///
/// # Panics
/// If the model panics.
pub fn search<M: Story>(model: M, budget: Budget, report: &mut dyn FnMut(&Progress)) -> Outcome {
    let threads = budget.threads.max(1);
    let builder = model.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures);
    match budget.random {
        None => run(builder.spawn_bfs(), budget, report),
        Some(seed) => run(walk(builder, seed, budget), budget, report),
    }
}

/// Lets a search of `model` look at one invariant alone: the shortest way to break another may end before
/// this one is broken.
///
/// # Errors
/// In words, when it has none of this name.
pub(crate) fn narrow<M: Story>(model: &M, invariant: &str) -> Result<(), String> {
    let known = invariants(model);
    if !known.contains(&invariant) {
        return Err(format!("no invariant {invariant}; there are {}", known.join(", ")));
    }
    model.watch().only.get_or_init(|| invariant.to_owned());
    Ok(())
}

/// Walks end by themselves when the budget is spent: there is always another one.
fn walk<M: Story>(builder: CheckerBuilder<M>, seed: u64, budget: Budget) -> impl Checker<M> {
    let builder = builder.timeout(budget.time).target_state_count(budget.states);
    builder.spawn_simulation(seed, UniformChooser)
}

fn run<M: Story>(
    mut checker: impl Checker<M>,
    budget: Budget,
    report: &mut dyn FnMut(&Progress),
) -> Outcome {
    let watch = Arc::clone(checker.model().watch());
    let begun = Instant::now();
    let handles = checker.handles();
    while !handles.iter().all(thread::JoinHandle::is_finished) {
        let progress = measure::<M>(&checker, begun);
        let spent = progress.elapsed >= budget.time || progress.states >= budget.states;
        if spent || resident() >= budget.memory {
            watch.stop.store(true, Ordering::Relaxed);
        }
        report(&progress);
        thread::sleep(POLL);
    }
    for handle in handles {
        handle.join().expect("a model does not panic");
    }
    let progress = measure::<M>(&checker, begun);
    let covered = watch.covered();
    let stopped = watch.reset() || budget.random.is_some();
    let invariants = invariants(checker.model());
    Outcome { end: end(&checker, stopped), progress, covered, invariants }
}

/// Bytes of memory that this process has; 0 where the system does not say.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix(" kB"));
    found.and_then(|kib| kib.trim().parse().ok()).map_or(0, |kib: u64| kib * 1024)
}

/// A step as a person sees it: what happens, and the state after it.
pub(crate) fn in_words<M: Story>(
    model: &M,
    before: &M::State,
    action: &M::Action,
) -> Option<String> {
    let after = model.next_state(before, action.clone())?;
    Some(format!("{}\n\n{}", model.tell(before, action), model.show(&after)))
}

/// Serves stateright's explorer on `address`, for a browser, until the process ends.
pub(crate) fn explore<M: Story>(model: M, address: SocketAddr)
where
    M::Action: Debug + Send + Sync,
{
    model.watch().explored.store(true, Ordering::Relaxed);
    model.checker().serve(address);
}

fn measure<M: Story>(checker: &impl Checker<M>, begun: Instant) -> Progress {
    Progress {
        steps: checker.state_count(),
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        elapsed: begun.elapsed(),
    }
}

fn invariants<M: Model>(model: &M) -> Vec<&'static str> {
    let properties = model.properties().into_iter();
    let always = properties.filter(|property| property.expectation == Expectation::Always);
    always.map(|property| property.name).collect()
}

fn end<M: Story>(checker: &impl Checker<M>, stopped: bool) -> End {
    let found = checker.discoveries().into_iter();
    let mut broken: Vec<(&str, Path<_, _>)> = found.collect();
    broken.sort_by_key(|(name, path)| (path.clone().into_actions().len(), *name));
    match broken.into_iter().next() {
        Some((name, path)) => End::Broken(tell(checker.model(), name, path.into_actions())),
        None if stopped => End::Stopped,
        None => End::Held,
    }
}
