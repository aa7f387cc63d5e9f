//! The sweep by time.

use spec::Searchable;

use super::frontier::{Config, Frontier};
use super::open::{Open, is_late, settles};
use super::{Call, Decision};
use crate::budget::{Budget, Exhausted};

struct Search<'a, S: Searchable> {
    open: Open<'a, S>,
    budget: &'a mut Budget,
    frontier: Vec<Config<S>>,
    /// Configurations kept at most.
    width: usize,
    /// Were there more?
    narrowed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Invoked,
    Answered,
}

/// First a few configurations at a time, which finds an order quickly where there are many, as when
/// outcomes are unknown; then more; at last all, which alone can say that there is none.
const WIDTHS: [usize; 4] = [8, 64, 512, usize::MAX];

pub(super) fn run<S: Searchable>(
    initial: S,
    calls: &[Call<S>],
    budget: &mut Budget,
) -> Decision<S> {
    let moments = moments(calls);
    let first = Config::new(initial);
    let mut found = Decision::Linearizable;
    for width in WIDTHS {
        let frontier = vec![first.clone()];
        let open = Open::new(calls);
        let mut search = Search { open, budget, frontier, width, narrowed: false };
        found = search.run(&moments);
        if !search.narrowed || !matches!(found, Decision::Broken { .. }) {
            break;
        }
    }
    found
}

impl<S: Searchable> Search<'_, S> {
    fn run(&mut self, moments: &[(u64, Moment, u32)]) -> Decision<S> {
        let mut placed = 0;
        for &(_, moment, call) in moments {
            let possible = match moment {
                Moment::Invoked => Ok(self.invoked(call)),
                Moment::Answered => self.answered(call),
            };
            match possible {
                Ok(true) => placed += usize::from(moment == Moment::Answered),
                Ok(false) => return self.broken(call),
                Err(exhausted) => return self.gave_up(placed, exhausted),
            }
        }
        Decision::Linearizable
    }

    /// Opens a call; false, and the states are left, if it comes too late in all of them.
    fn invoked(&mut self, call: u32) -> bool {
        let asked = self.open.call(call);
        if self.frontier.iter().all(|config| is_late(&config.state, asked)) {
            return false;
        }
        self.frontier.retain(|config| !is_late(&config.state, asked));
        for config in self.frontier.iter_mut().filter(|config| settles(&config.state, asked)) {
            self.open.add(config, call);
        }
        self.open.insert(call);
        true
    }

    /// Keeps the configurations that contain the call; false, and the states are left, if none
    /// does.
    fn answered(&mut self, call: u32) -> Result<bool, Exhausted> {
        let mut found = Frontier::default();
        for config in &self.frontier {
            if config.done.has(call) {
                found.insert(config.clone());
            } else {
                let all = self.open.extend(config, call, self.budget, &mut found, self.width)?;
                self.narrowed |= !all;
            }
        }
        let mut next = found.into_configs();
        if next.len() > self.width {
            // Those that used the fewest calls can do the most.
            next.sort_by_key(|config| config.used.len());
            next.truncate(self.width);
            self.narrowed = true;
        }
        if next.is_empty() {
            return Ok(false);
        }
        next.iter_mut().for_each(|config| config.done.remove(call));
        self.open.remove(call);
        self.frontier = next;
        self.retire();
        Ok(true)
    }

    /// Forgets calls of unknown outcome that have taken effect in every configuration.
    fn retire(&mut self) {
        let [first, rest @ ..] = self.frontier.as_slice() else { return };
        let everywhere = |call: &u32| rest.iter().all(|config| config.used.has(*call));
        for call in first.used.iter().filter(everywhere).collect::<Vec<_>>() {
            self.open.remove(call);
            self.frontier.iter_mut().for_each(|config| config.used.remove(call));
        }
    }

    fn broken(&self, call: u32) -> Decision<S> {
        let states = self.frontier.iter().map(|config| config.state.clone()).collect();
        Decision::Broken { call: call as usize, states }
    }

    fn gave_up(&self, placed: usize, exhausted: Exhausted) -> Decision<S> {
        let of = self.open.calls.iter().filter(|call| call.end.is_some()).count();
        Decision::GaveUp { placed, of, exhausted }
    }
}

fn moments<S: Searchable>(calls: &[Call<S>]) -> Vec<(u64, Moment, u32)> {
    let mut moments = Vec::with_capacity(2 * calls.len());
    for (position, call) in (0..).zip(calls) {
        moments.push((call.start, Moment::Invoked, position));
        moments.extend(call.end.map(|end| (end, Moment::Answered, position)));
    }
    moments.sort_unstable();
    moments
}
