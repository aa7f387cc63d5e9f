//! A register whose replies carry versions: they are the order, which is checked, not searched for.
//!
//! Versions are 0, 1, 2, …, each made by one write. So an operation that shows version n must not begin
//! when one that shows a later version has ended, and the write that makes n must begin before
//! anything that shows n or later has ended; one number, the highest version that has ended, is
//! enough to see both. What is left: all that show one version show one value, and a version that no
//! answered write made was made by one of unknown outcome, begun in time, each by another.

use std::collections::VecDeque;

use super::call::{Act, Call, Engine, Lines, Trouble};
use crate::mix::Numbered;

/// Versions that may be skipped at once: more is no history.
const AHEAD_MAX: i64 = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Versions {
    /// The highest version that must have been there by now, and what says so.
    highest: i64,
    highest_by: Lines,
    /// The version of the first of `states`.
    base: i64,
    states: VecDeque<State>,
    /// Writes of unknown outcome.
    lost: Vec<Lost>,
    gaps: Vec<Gap>,
    /// Refused compare-and-sets, by their start, whose version was there when they began.
    refused: Vec<u64>,
}

/// What is known of a version.
#[derive(Debug, Default)]
struct State {
    value: Option<Option<i64>>,
    /// What first showed the value.
    shown_by: Lines,
    written_by: Option<Lines>,
    /// Operations that show it and have not ended.
    open: u32,
}

#[derive(Clone, Copy, Debug)]
struct Lost {
    /// The highest version that had ended when it began: it can make the next one or a later.
    after: i64,
    value: i64,
    expected: Option<i64>,
}

/// A version made by no answered write.
#[derive(Debug)]
struct Gap {
    version: i64,
    value: Option<i64>,
    shown_by: Lines,
}

impl Engine for Versions {
    fn start(&mut self, call: &Call) -> Result<(), Trouble> {
        let lines = call.lines;
        match (call.act, call.end) {
            (Act::Read(..), None) => Ok(()),
            (Act::Write(value, _), None) => self.lose(value, None),
            (Act::Cas(expected, value, _), None) => self.lose(value, Some(expected)),
            (Act::Differs(expected), _) => {
                self.refused.extend((self.highest == expected).then_some(call.start));
                Ok(())
            }
            (Act::Read(value, version), _) => {
                self.in_time(
                    version.into(),
                    self.highest,
                    lines,
                    "a later version had been shown",
                )?;
                self.show(version.into(), value, lines)
            }
            (Act::Write(value, version), _) => self.write(version.into(), value, lines),
            (Act::Cas(expected, value, version), _) => {
                let next = expected + 1 == i64::from(version);
                let why = "it made another version than the one after that it expected";
                next.then_some(()).ok_or(Trouble::Broken(vec![lines], why))?;
                self.write(version.into(), value, lines)
            }
        }
    }

    fn end(&mut self, call: &Call) -> Result<(), Trouble> {
        match call.act {
            Act::Differs(expected) => self.end_refused(expected, call),
            Act::Read(_, version) | Act::Write(_, version) | Act::Cas(_, _, version) => {
                self.end_shown(version.into(), call.lines)
            }
        }
    }

    fn finish(&mut self) -> Result<(), Trouble> {
        self.state(self.highest)?;
        self.highest += 1;
        self.retire();
        fill(&self.gaps, &self.lost)
    }
}

impl Versions {
    fn lose(&mut self, value: i64, expected: Option<i64>) -> Result<(), Trouble> {
        self.lost.push(Lost { after: self.highest, value, expected });
        Ok(())
    }

    fn write(&mut self, version: i64, value: i64, lines: Lines) -> Result<(), Trouble> {
        let why = "the version it made, or a later one, had been shown";
        self.in_time(version, self.highest + 1, lines, why)?;
        if let Some(rival) = self.state(version)?.written_by.replace(lines) {
            return Err(Trouble::Broken(vec![rival, lines], "both made the same version"));
        }
        self.show(version, Some(value), lines)
    }

    fn in_time(
        &self,
        version: i64,
        least: i64,
        lines: Lines,
        why: &'static str,
    ) -> Result<(), Trouble> {
        match version < least {
            true if self.highest_by == (0, 0) => {
                Err(Trouble::Broken(vec![lines], "no such version"))
            }
            true => Err(Trouble::Broken(vec![self.highest_by, lines], why)),
            false => Ok(()),
        }
    }

    /// Notes that an operation which has begun shows a value at a version.
    fn show(&mut self, version: i64, value: Option<i64>, lines: Lines) -> Result<(), Trouble> {
        let state = self.state(version)?;
        state.open += 1;
        match state.value {
            None => (state.value, state.shown_by) = (Some(value), lines),
            Some(known) if known == value => {}
            Some(_) if state.shown_by == (0, 0) => {
                return Err(Trouble::Broken(vec![lines], "a new register is empty at version 0"));
            }
            Some(_) => {
                let why = "they show different values at the same version";
                return Err(Trouble::Broken(vec![state.shown_by, lines], why));
            }
        }
        Ok(())
    }

    fn end_shown(&mut self, version: i64, lines: Lines) -> Result<(), Trouble> {
        self.state(version)?.open -= 1;
        if version > self.highest {
            (self.highest, self.highest_by) = (version, lines);
        }
        self.retire();
        Ok(())
    }

    /// If the version expected was there at the beginning, the next one is there at the end.
    fn end_refused(&mut self, expected: i64, call: &Call) -> Result<(), Trouble> {
        let Some(at) = self.refused.iter().position(|start| *start == call.start) else {
            return Ok(());
        };
        self.refused.swap_remove(at);
        if self.highest == expected {
            self.state(expected + 1)?;
            (self.highest, self.highest_by) = (expected + 1, call.lines);
            self.retire();
        }
        Ok(())
    }

    fn state(&mut self, version: i64) -> Result<&mut State, Trouble> {
        if self.base == 0 && self.states.is_empty() {
            let new = State { value: Some(None), written_by: Some((0, 0)), ..State::default() };
            self.states.push_back(new);
        }
        let at = version - self.base;
        if !(0..AHEAD_MAX).contains(&at) {
            return Err(Trouble::Whole);
        }
        let at = usize::try_from(at).expect("it is neither negative nor large");
        if self.states.len() <= at {
            self.states.resize_with(at + 1, State::default);
        }
        Ok(&mut self.states[at])
    }

    /// Forgets versions that nothing can show any more.
    fn retire(&mut self) {
        while self.base < self.highest && self.states.front().is_some_and(|state| state.open == 0) {
            let Some(state) = self.states.pop_front() else { return };
            if state.written_by.is_none() {
                let (value, shown_by) = (state.value.flatten(), state.shown_by);
                self.gaps.push(Gap { version: self.base, value, shown_by });
            }
            self.base += 1;
        }
    }
}

/// Finds a write of unknown outcome for each version that needs one, in order of versions: for a value
/// that was seen, one of that value; for others, any that is left. What began before a version ended
/// did so for all later ones, so that taking the last in time that fits leaves the most.
fn fill(gaps: &[Gap], lost: &[Lost]) -> Result<(), Trouble> {
    let mut left = Left::new(lost);
    let mut unseen = Vec::new();
    for gap in gaps {
        if !left.fill(gap) {
            unseen.push(gap);
        }
    }
    if let Some(gap) = unseen.iter().find(|gap| gap.value.is_some()) {
        let distinct = lost.iter().filter(|lost| Some(lost.value) == gap.value).count() < 2;
        let why = "no write of this value was begun in time to make its version";
        return Err(if distinct {
            Trouble::Broken(vec![gap.shown_by], why)
        } else {
            Trouble::Whole
        });
    }
    let mut begun = left.plain();
    let enough = unseen.iter().all(|gap| begun.next().is_some_and(|after| after < gap.version));
    if enough { Ok(()) } else { Err(Trouble::Whole) }
}

/// Writes of unknown outcome that no version was given to.
struct Left<'a> {
    lost: &'a [Lost],
    used: Vec<bool>,
    by_value: Numbered<i64, Vec<usize>>,
    by_expected: Numbered<i64, Vec<usize>>,
}

impl<'a> Left<'a> {
    fn new(lost: &'a [Lost]) -> Left<'a> {
        let (mut by_value, mut by_expected) = (Numbered::default(), Numbered::default());
        for (at, one) in lost.iter().enumerate() {
            let list: &mut Vec<usize> = match one.expected {
                None => by_value.entry(one.value).or_default(),
                Some(expected) => by_expected.entry(expected).or_default(),
            };
            list.push(at);
        }
        Left { lost, used: vec![false; lost.len()], by_value, by_expected }
    }

    /// Gives a compare-and-set of the version before, or a write of the value seen.
    fn fill(&mut self, gap: &Gap) -> bool {
        let expecting = self.by_expected.get(&(gap.version - 1)).into_iter().flatten();
        let writing = gap.value.and_then(|value| self.by_value.get(&value)).into_iter().flatten();
        let fits = |at: &&usize| {
            let one = &self.lost[**at];
            let value = gap.value.is_none_or(|value| value == one.value);
            !self.used[**at] && one.after < gap.version && value
        };
        let found = expecting.rev().find(fits).or_else(|| writing.rev().find(fits)).copied();
        found.inspect(|at| self.used[*at] = true).is_some()
    }

    /// Where the plain ones that are left may come, in order.
    fn plain(&self) -> impl Iterator<Item = i64> {
        let unused = self.lost.iter().zip(&self.used).filter(|(_, used)| !**used);
        unused.filter(|(lost, _)| lost.expected.is_none()).map(|(lost, _)| lost.after)
    }
}
