//! The sweep by time.

use spec::Searchable;

use super::frontier::{Config, Frontier};
use super::open::{Now, Open, is_late, settles};
use super::returns::Returns;
use super::{Call, Decision};
use crate::budget::{Budget, Exhausted};

struct Search<'a, S: Searchable> {
    open: Open<'a, S>,
    budget: &'a mut Budget,
    frontier: Vec<Config<S>>,
    /// Configurations kept at most.
    width: usize,
    /// Are these all that there are?
    all: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Invoked,
    Answered,
}

/// Where the search was at a moment.
#[derive(Clone)]
pub(super) struct Point<S> {
    /// The moments before it.
    pub(super) moment: usize,
    frontier: Vec<Config<S>>,
    now: Now,
    pub(super) all: bool,
}

/// How much is kept at first, and how far to go back where that leads nowhere.
#[derive(Clone, Copy)]
struct Plan {
    /// Configurations kept at most: at first, and after going back once, twice and so on.
    widths: [usize; 5],
    /// Moments to go back at least, the first time, the second and the third.
    back: [usize; 3],
    /// Moments between points to go back to.
    stride: usize,
}

/// A few configurations are kept at a time, which finds an order quickly where there are many, as
/// when outcomes are unknown. Where that leads nowhere, the search goes back a little and keeps more
/// up to there; at last to where it had left nothing out, and keeps all, which alone can say that
/// there is no order.
const USUAL: Plan =
    Plan { widths: [8, 64, 512, 512, usize::MAX], back: [32, 512, 8192], stride: 64 };

/// With more configurations no point to go back to is kept.
const KEPT_MAX: usize = 512;

pub(super) fn run<S: Searchable>(
    initial: S,
    calls: &[Call<S>],
    budget: &mut Budget,
) -> Decision<S> {
    by_plan(initial, calls, budget, USUAL)
}

fn by_plan<S: Searchable>(
    initial: S,
    calls: &[Call<S>],
    budget: &mut Budget,
    plan: Plan,
) -> Decision<S> {
    let moments = moments(calls);
    let frontier = vec![Config::new(initial)];
    let open = Open::new(calls);
    let mut search = Search { open, budget, frontier, width: plan.widths[0], all: true };
    let mut returns = Returns::new(search.point(0));
    let (mut at, mut furthest, mut level) = (0, 0, 0);
    while let Some(&(_, moment, call)) = moments.get(at) {
        if level > 0 && at > furthest {
            (level, search.width) = (0, plan.widths[0]);
            if search.is_small() {
                returns.keep_whole(&search.point(at));
            }
        }
        if at > 0 && at.is_multiple_of(plan.stride) && search.is_small() {
            returns.keep(at / plan.stride, search.point(at));
        }
        match search.step(moment, call) {
            Ok(true) => at += 1,
            Ok(false) if search.all => return search.broken(call),
            Ok(false) => {
                let far = plan.back.get(level);
                (furthest, level) = (furthest.max(at), level + 1);
                let point = returns.back(far.map(|far| at.saturating_sub(*far)));
                at = point.moment;
                search.go_back(point, plan.widths[level]);
            }
            Err(exhausted) => return search.gave_up(&moments[..furthest.max(at)], exhausted),
        }
    }
    Decision::Linearizable
}

impl<S: Searchable> Search<'_, S> {
    /// One moment; false, and the states are left, if nothing that is kept gets past it.
    fn step(&mut self, moment: Moment, call: u32) -> Result<bool, Exhausted> {
        match moment {
            Moment::Invoked => Ok(self.invoked(call)),
            Moment::Answered => self.answered(call),
        }
    }

    /// Opens a call; false, if it comes too late in all states.
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

    /// Keeps the configurations that contain the call; false, if none does.
    fn answered(&mut self, call: u32) -> Result<bool, Exhausted> {
        self.budget.step(0)?;
        let is_possible = match self.alone(call) {
            Some(is_possible) => is_possible,
            None => self.extended(call)?,
        };
        if is_possible {
            self.frontier.iter_mut().for_each(|config| config.done.remove(call));
            self.open.answered(call);
            self.retire();
        }
        Ok(is_possible)
    }

    /// The quick way where there is little to choose: the call has taken effect everywhere, or it is
    /// the only one, in the only configuration, that waits for its answer. None where that does not do.
    fn alone(&mut self, call: u32) -> Option<bool> {
        if self.frontier.iter().all(|config| config.done.has(call)) {
            return (self.frontier.len() <= self.width).then_some(true);
        }
        let [only] = self.frontier.as_mut_slice() else { return None };
        let is_all = self.open.now.is_without_lost();
        if !self.open.now.waits_only(call) || !is_all && self.width == usize::MAX {
            return None;
        }
        match self.open.place(only, call) {
            Some(after) => {
                *only = after;
                self.all &= is_all;
                Some(true)
            }
            None => is_all.then_some(false),
        }
    }

    /// Keeps the ways to place the call, as far as there is room; false, if there is none.
    fn extended(&mut self, call: u32) -> Result<bool, Exhausted> {
        let mut found = Frontier::default();
        let (has, lack): (Vec<_>, Vec<_>) =
            self.frontier.iter().partition(|config| config.done.has(call));
        for config in has {
            found.insert(config.clone());
        }
        for (n, config) in lack.iter().enumerate() {
            // Room is shared by those that are left.
            let room = match self.width {
                usize::MAX => usize::MAX,
                width => (width.saturating_sub(found.len()) / (lack.len() - n)).max(1),
            };
            self.all &= self.open.extend(config, call, self.budget, &mut found, room)?;
        }
        let mut next = found.into_configs();
        if next.len() > self.width {
            // Those that used the fewest calls can do the most.
            next.sort_by_key(|config| config.used.len());
            next.truncate(self.width);
            self.all = false;
        }
        if next.is_empty() {
            return Ok(false);
        }
        self.frontier = next;
        Ok(true)
    }

    /// Forgets calls of unknown outcome that have taken effect in every configuration.
    fn retire(&mut self) {
        let [first, rest @ ..] = self.frontier.as_slice() else { return };
        let everywhere = |call: &u32| rest.iter().all(|config| config.used.has(*call));
        for call in first.used.iter().filter(everywhere).collect::<Vec<_>>() {
            self.open.retire(call);
            self.frontier.iter_mut().for_each(|config| config.used.remove(call));
        }
    }

    fn is_small(&self) -> bool {
        self.frontier.len() <= KEPT_MAX
    }

    fn point(&self, moment: usize) -> Point<S> {
        let Search { frontier, all, .. } = self;
        Point { moment, frontier: frontier.clone(), now: self.open.now.clone(), all: *all }
    }

    fn go_back(&mut self, point: Point<S>, width: usize) {
        self.frontier = point.frontier;
        self.open.now = point.now;
        self.all = point.all;
        self.width = width;
    }

    fn broken(&self, call: u32) -> Decision<S> {
        let states = self.frontier.iter().map(|config| config.state.clone()).collect();
        Decision::Broken { call: call as usize, states }
    }

    fn gave_up(&self, passed: &[Event], exhausted: Exhausted) -> Decision<S> {
        let placed = passed.iter().filter(|(_, moment, _)| *moment == Moment::Answered).count();
        let of = self.open.calls.iter().filter(|call| call.end.is_some()).count();
        Decision::GaveUp { placed, of, exhausted }
    }
}

type Event = (u64, Moment, u32);

/// In order of time, invocations before answers.
fn moments<S: Searchable>(calls: &[Call<S>]) -> Vec<Event> {
    let ends = (0..).zip(calls).filter_map(|(position, call)| Some((call.end?, position)));
    let mut ends: Vec<(u64, u32)> = ends.collect();
    ends.sort_unstable();
    let mut moments = Vec::with_capacity(calls.len() + ends.len());
    let mut ends = ends.into_iter().map(|(end, call)| (end, Moment::Answered, call)).peekable();
    for (position, call) in (0..).zip(calls) {
        moments.extend(std::iter::from_fn(|| ends.next_if(|(end, ..)| *end < call.start)));
        moments.push((call.start, Moment::Invoked, position));
    }
    moments.extend(ends);
    moments
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use spec::CasRegister;
    use spec::plain::{Op, Ret};
    use stateright::semantics::SequentialSpec;

    use super::*;
    use crate::budget::Limits;

    /// Many calls at once, of three values; at times an answer is wrong, and some are unknown.
    fn history(rng: &mut ChaCha8Rng) -> Vec<Call<CasRegister>> {
        let mut calls = Vec::new();
        let mut effects = Vec::new();
        for n in 0..40 {
            let (start, length) = (10 * n, rng.random_range(1..60));
            let value = |rng: &mut ChaCha8Rng| rng.random_range(1..=3);
            let op = match rng.random_range(0..4) {
                0 | 1 => Op::Read,
                2 => Op::Write(value(rng)),
                _ => Op::Cas { expected: value(rng), value: value(rng) },
            };
            effects.push((start + rng.random_range(0..length), calls.len()));
            calls.push(Call { op, ret: None, start, end: Some(start + length) });
        }
        effects.sort_unstable();
        let mut register = CasRegister::default();
        for (_, n) in effects {
            let lost = calls[n].op != Op::Read && rng.random_bool(0.15);
            match lost {
                true if rng.random_bool(0.5) => {}
                _ => calls[n].ret = Some(register.invoke(&calls[n].op)),
            }
            if lost {
                (calls[n].ret, calls[n].end) = (None, None);
            }
        }
        if rng.random_bool(0.5) {
            let read = calls.iter_mut().rev().find(|call| call.op == Op::Read);
            read.expect("there are reads").ret = Some(Ret::Value(Some(rng.random_range(1..=3))));
        }
        calls
    }

    /// Keeping one at first and going back decides as keeping all does.
    #[test]
    fn going_back_finds_what_was_left_out() {
        let narrow = Plan { widths: [1, 1, 2, 2, usize::MAX], back: [2, 8, 32], stride: 1 };
        let whole = Plan { widths: [usize::MAX; 5], ..narrow };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut held, mut broken) = (0, 0);
        for _ in 0..1000 {
            let calls = history(&mut rng);
            let decide = |plan| {
                let mut budget = Budget::new(Limits::default());
                by_plan(CasRegister::default(), &calls, &mut budget, plan)
            };
            match decide(whole) {
                Decision::Linearizable => held += 1,
                Decision::Broken { .. } => broken += 1,
                Decision::GaveUp { .. } => unreachable!("it is short"),
            }
            assert_eq!(
                decide(narrow) == Decision::Linearizable,
                decide(whole) == Decision::Linearizable,
                "{calls:?}"
            );
        }
        assert!(held > 50 && broken > 50, "one-sided: {held} hold, {broken} do not");
    }
}
