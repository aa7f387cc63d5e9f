//! Is there one order of all calls that keeps each client's own? Generic over the specification.
//!
//! Sequential consistency (L. Lamport, "How to make a multiprocessor computer that correctly executes
//! multiprocess programs", 1979) asks for no more. Ordered sequential consistency, OSC(U) (Lev-Ari et
//! al., "Modular Composition of Coordination Services", 2016), which is what ZooKeeper promises, asks
//! besides that no update comes before what was answered before it was invoked. Neither is decided
//! object by object, and to decide them is NP-complete (Gibbons and Korach, "Testing Shared
//! Memories", 1997): this is a search of all orders that tries no configuration twice. A
//! configuration is how many calls of each client were placed, which calls of unknown outcome, and the
//! states. A call that only reads is placed in the first state that allows it. Of two configurations that
//! differ only in which calls of unknown outcome were used, the one that used fewer can do all that
//! the other can: what needs none of them is tried first, then what needs one, and so on.

use std::collections::HashMap;

use spec::Searchable;

use super::Call;
use super::frontier::Positions;
use super::open::{effect, is_late, settles};
use crate::budget::{Budget, Exhausted};

/// A call, whose it is, and on what.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked<S: Searchable> {
    /// The call. One without an end may come at any place after what its client had done before,
    /// or at none.
    pub call: Call<S>,
    /// The client, whose calls with an end follow each other.
    pub client: u64,
    /// The object, from 0.
    pub object: usize,
}

/// What the order must agree with, beside each client's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RealTime {
    /// Nothing: sequential consistency.
    Ignored,
    /// What was answered before an update was invoked comes before it: OSC(U). Updates are all that
    /// is no [`Searchable::is_query`].
    OfUpdates,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Sessions<S> {
    /// There is an order.
    Ordered,
    /// There is none.
    Broken {
        /// Calls, by position, of the longest order found.
        order: Vec<usize>,
        /// A call that has no place after them.
        call: usize,
        /// The state of its object then.
        state: S,
    },
    /// The budget was used up.
    GaveUp {
        /// Answers placed in the longest order found.
        placed: usize,
        /// Answers in all.
        of: usize,
        /// Which limit was reached.
        exhausted: Exhausted,
    },
}

/// Decides whether `asked`, in order of `start`, have an order from default states.
///
/// # Panics
/// When the calls are not in order of `start`, or one was answered (`end`) without saying what
/// (`ret`).
#[must_use]
pub fn decide_sessions<S: Searchable + Default>(
    asked: &[Asked<S>],
    real_time: RealTime,
    budget: &mut Budget,
) -> Sessions<S> {
    assert!(asked.is_sorted_by_key(|one| one.call.start), "calls must be in order of start");
    assert!(asked.iter().all(|one| one.call.ret.is_some() || one.call.end.is_none()));
    // Where there are many orders, one is found soon if calls of unknown outcome are not saved up.
    let few = asked.len().saturating_mul(4).saturating_add(1000);
    let tries = [(Lost::AtOnce, few), (Lost::OneMore, usize::MAX)];
    let mut found = Sessions::Ordered;
    for (lost, configs_max) in tries {
        let mut search = Search::new(asked, real_time);
        found = search.run(lost, configs_max, budget);
        if found == Sessions::Ordered {
            break;
        }
    }
    found
}

/// When calls of unknown outcome are tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// With the others, after them.
    AtOnce,
    /// When all was tried that uses as few as so far.
    OneMore,
}

struct Search<'a, S: Searchable> {
    asked: &'a [Asked<S>],
    real_time: RealTime,
    /// The answered calls of each client.
    lanes: Vec<Vec<u32>>,
    /// The lane of each call.
    lane_of: Vec<usize>,
    floating: Vec<Floating>,
    reached: Vec<Config<S>>,
    /// By calls of the lanes placed and states, which calls of unknown outcome were used.
    seen: HashMap<(Vec<u32>, Vec<S>), Vec<Positions>>,
    /// Bytes held, about.
    bytes: usize,
}

/// A configuration reached, and a call to place after it; none at the beginning.
type Next = (Option<usize>, Option<u32>);

/// What was placed, and what became of it.
#[derive(Clone)]
struct Config<S> {
    /// How many calls of each lane.
    at: Vec<u32>,
    /// Which calls of unknown outcome.
    used: Positions,
    states: Vec<S>,
    /// The configuration it came from, and what was placed since.
    from: Option<usize>,
    placed: Vec<u32>,
}

/// A call of unknown outcome.
struct Floating {
    call: u32,
    /// How many of its client's answered calls come before it.
    after: u32,
    /// The one before it of the same client, with an equal operation on the same object.
    twin: Option<u32>,
}

impl<'a, S: Searchable + Default> Search<'a, S> {
    fn new(asked: &'a [Asked<S>], real_time: RealTime) -> Self {
        let mut clients: HashMap<u64, usize> = HashMap::new();
        let mut lanes: Vec<Vec<u32>> = Vec::new();
        let (mut lane_of, mut floating) = (Vec::new(), Vec::<Floating>::new());
        for (call, one) in (0..).zip(asked) {
            let lane = *clients.entry(one.client).or_insert(lanes.len());
            if lane == lanes.len() {
                lanes.push(Vec::new());
            }
            lane_of.push(lane);
            if one.call.end.is_some() {
                lanes[lane].push(call);
            } else if may_matter(&one.call) {
                let after = lanes[lane].len() as u32;
                let before = floating.iter().rev().map(|other| other.call);
                let twin = before.into_iter().find(|&other| alike(&asked[other as usize], one));
                floating.push(Floating { call, after, twin });
            }
        }
        let (reached, seen) = (Vec::new(), HashMap::new());
        Search { asked, real_time, lanes, lane_of, floating, reached, seen, bytes: 0 }
    }

    fn run(&mut self, lost: Lost, configs_max: usize, budget: &mut Budget) -> Sessions<S> {
        let mut next: Vec<Next> = vec![(None, None)];
        let mut later: Vec<Next> = Vec::new();
        loop {
            while let Some((from, call)) = next.pop() {
                // Lists double as they grow.
                let waiting = 2 * size_of::<Next>() * (next.len() + later.len());
                if let Err(exhausted) = budget.step(self.bytes + waiting) {
                    return self.gave_up(exhausted);
                }
                let Some(config) = self.config(from, call) else { continue };
                if self.heads(&config).next().is_none() {
                    return Sessions::Ordered;
                }
                if self.reached.len() >= configs_max {
                    return self.broken();
                }
                if self.is_new(&config) {
                    let from = Some(self.reached.len());
                    let (answered, unknown) = self.next(&config);
                    self.reached.push(config);
                    let saved_up = if lost == Lost::AtOnce { &mut next } else { &mut later };
                    saved_up.extend(unknown.into_iter().map(|call| (from, Some(call))));
                    next.extend(answered.into_iter().map(|call| (from, Some(call))));
                }
            }
            if later.is_empty() {
                return self.broken();
            }
            std::mem::swap(&mut next, &mut later);
        }
    }

    /// The first configuration, or the one after another and a call; none if that is not possible.
    fn config(&self, from: Option<usize>, call: Option<u32>) -> Option<Config<S>> {
        let n_objects = self.asked.iter().map(|one| one.object + 1).max().unwrap_or(0);
        let mut config = match from {
            Some(at) => Config { from, placed: Vec::new(), ..self.reached[at].clone() },
            None => Config {
                at: vec![0; self.lanes.len()],
                used: Positions::default(),
                states: vec![S::default(); n_objects],
                from,
                placed: Vec::new(),
            },
        };
        if let Some(call) = call {
            let one = self.asked(call);
            let after = effect(&config.states[one.object], &one.call)?;
            config.states[one.object] = after;
            self.place(&mut config, call);
        }
        self.settle(&mut config);
        Some(config)
    }

    fn asked(&self, call: u32) -> &'a Asked<S> {
        &self.asked[call as usize]
    }

    /// The next answered call of each client.
    fn heads(&self, config: &Config<S>) -> impl Iterator<Item = u32> {
        self.lanes.iter().zip(&config.at).filter_map(|(lane, &at)| lane.get(at as usize).copied())
    }

    fn place(&self, config: &mut Config<S>, call: u32) {
        config.placed.push(call);
        match self.asked(call).call.end {
            Some(_) => config.at[self.lane_of[call as usize]] += 1,
            None => config.used.add(call),
        }
    }

    /// Places what only reads and fits, until there is no more.
    fn settle(&self, config: &mut Config<S>) {
        loop {
            let bound = self.bound(config);
            let fits = |&call: &u32| {
                let one = self.asked(call);
                self.is_due(one, bound) && settles(&config.states[one.object], &one.call)
            };
            let Some(call) = self.heads(config).find(fits) else { break };
            self.place(config, call);
        }
    }

    /// The first end of what is not placed: an update that was invoked later must wait.
    fn bound(&self, config: &Config<S>) -> u64 {
        let ends = self.heads(config).filter_map(|call| self.asked(call).call.end);
        ends.min().unwrap_or(u64::MAX)
    }

    fn is_due(&self, one: &Asked<S>, bound: u64) -> bool {
        self.real_time == RealTime::Ignored || S::is_query(&one.call.op) || one.call.start <= bound
    }

    /// Was nothing as good reached before?
    fn is_new(&mut self, config: &Config<S>) -> bool {
        let tried = self.seen.entry((config.at.clone(), config.states.clone())).or_default();
        if tried.iter().any(|used| used.is_subset(&config.used)) {
            return false;
        }
        tried.push(config.used.clone());
        let held = config.states.iter().map(|state| size_of::<S>() + state.held()).sum::<usize>();
        let numbers = config.at.len() + config.used.len() + config.placed.len();
        // It is here twice, tables double as they grow, and each list is an allocation.
        self.bytes += 4 * (held + numbers * size_of::<u32>()) + 2 * size_of::<Config<S>>();
        true
    }

    /// Answered calls that may come next, and those of unknown outcome; of each, what to try first is last.
    fn next(&self, config: &Config<S>) -> (Vec<u32>, Vec<u32>) {
        let late = |call| {
            let one: &Asked<S> = self.asked(call);
            is_late(&config.states[one.object], &one.call)
        };
        if self.heads(config).any(late) {
            return (Vec::new(), Vec::new());
        }
        let bound = self.bound(config);
        let due = |call: &u32| self.is_due(self.asked(*call), bound);
        let mut answered: Vec<u32> = self.heads(config).filter(due).collect();
        answered.sort_unstable_by_key(|call| std::cmp::Reverse(self.asked(*call).call.end));
        let ready = self.floating.iter().rev().filter(|one| self.is_ready(one, config));
        (answered, ready.map(|one| one.call).filter(due).collect())
    }

    /// Of a client's calls that are alike, the first serves as well as any.
    fn is_ready(&self, one: &Floating, config: &Config<S>) -> bool {
        !config.used.has(one.call)
            && config.at[self.lane_of[one.call as usize]] >= one.after
            && one.twin.is_none_or(|twin| config.used.has(twin))
    }

    /// The longest order found, and whose next call has no place after it.
    fn broken(&self) -> Sessions<S> {
        let longest = self.reached.iter().max_by_key(|config| config.at.iter().sum::<u32>());
        let config = longest.expect("the first configuration was reached");
        let call = self.heads(config).min().expect("something is left to place");
        let state = config.states[self.asked(call).object].clone();
        Sessions::Broken { order: self.order(config), call: call as usize, state }
    }

    fn order(&self, last: &Config<S>) -> Vec<usize> {
        let mut order = Vec::new();
        let mut at = Some(last);
        while let Some(config) = at {
            order.extend(config.placed.iter().rev().map(|&call| call as usize));
            at = config.from.map(|from| &self.reached[from]);
        }
        order.reverse();
        order
    }

    fn gave_up(&self, exhausted: Exhausted) -> Sessions<S> {
        let of = self.lanes.iter().map(Vec::len).sum();
        let placed = self.reached.iter().map(|config| config.at.iter().sum::<u32>() as usize);
        Sessions::GaveUp { placed: placed.max().unwrap_or(0), of, exhausted }
    }
}

/// Can a call of unknown outcome change anything?
fn may_matter<S: Searchable>(call: &Call<S>) -> bool {
    !S::is_query(&call.op) && call.ret.as_ref().is_none_or(|ret| !S::is_read_only(&call.op, ret))
}

fn alike<S: Searchable>(one: &Asked<S>, other: &Asked<S>) -> bool {
    let same = one.object == other.object && one.client == other.client;
    same && one.call.op == other.call.op && one.call.ret == other.call.ret
}
