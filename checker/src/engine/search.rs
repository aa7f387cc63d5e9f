//! The sweep by time.

use spec::Searchable;

use super::frontier::{Config, Found, prune};
use super::open::{Open, is_late, settles};
use super::{Call, Decision};
use crate::budget::{Budget, Exhausted};

pub(super) struct Search<'a, S: Searchable> {
    open: Open<'a, S>,
    budget: &'a mut Budget,
    frontier: Vec<Config<S>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Invoked,
    Answered,
}

impl<'a, S: Searchable> Search<'a, S> {
    pub(super) fn new(initial: S, calls: &'a [Call<S>], budget: &'a mut Budget) -> Self {
        let frontier = vec![Config { state: initial, done: Vec::new() }];
        Search { open: Open::new(calls), budget, frontier }
    }

    pub(super) fn run(mut self) -> Decision<S> {
        let mut placed = 0;
        for (_, moment, call) in moments(self.open.calls) {
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
            config.add(call);
        }
        self.open.insert(call);
        true
    }

    /// Keeps the configurations that contain the call; false, and the states are left, if none
    /// does.
    fn answered(&mut self, call: u32) -> Result<bool, Exhausted> {
        let mut found = Found::default();
        for config in &self.frontier {
            if config.has(call) {
                found.push(config.clone());
            } else {
                self.open.extend(config, call, self.budget, &mut found)?;
            }
        }
        if found.configs.is_empty() {
            return Ok(false);
        }
        found.configs.iter_mut().for_each(|config| config.remove(call));
        self.open.remove(call);
        self.frontier = prune(found.configs, |call| self.is_endless(call));
        self.retire();
        Ok(true)
    }

    /// Forgets calls without end that have taken effect in every configuration.
    fn retire(&mut self) {
        let [first, rest @ ..] = self.frontier.as_slice() else { return };
        let everywhere = |&call: &u32| {
            self.is_endless(call) && rest.iter().all(|config: &Config<S>| config.has(call))
        };
        for call in first.done.iter().copied().filter(everywhere).collect::<Vec<_>>() {
            self.open.remove(call);
            self.frontier.iter_mut().for_each(|config| config.remove(call));
        }
    }

    fn is_endless(&self, call: u32) -> bool {
        self.open.call(call).end.is_none()
    }

    fn broken(self, call: u32) -> Decision<S> {
        let states = self.frontier.into_iter().map(|config| config.state).collect();
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
