//! Excerpts of registers with compare-and-set by value.

use spec::CasRegister;
use spec::plain::{Op, Ret};

use super::{Excerpt, Excerpted, Whole};
use crate::engine::Call;

impl Excerpted for CasRegister {
    type Part = CasRegister;

    fn changes(call: &Call<Self>) -> Option<i64> {
        match call.op {
            Op::Write(value) | Op::Cas { value, .. } => {
                (call.ret != Some(Ret::Differs)).then_some(value)
            }
            Op::Read => None,
        }
    }

    fn observes(call: &Call<Self>) -> Option<i64> {
        match (call.op, call.ret) {
            (Op::Read, Some(Ret::Value(value))) => value,
            (Op::Cas { expected, .. }, _) => Some(expected),
            _ => None,
        }
    }

    /// Who was refused may have met any value but one.
    fn is_told_by_value(call: &Call<Self>) -> bool {
        call.ret != Some(Ret::Differs)
    }

    /// Whoever finds a value of which every writer is shown that it can have met finds the last write
    /// shown: one that is left out in between would have replaced it. Who finds another value says
    /// nothing about these, and who did not find one may have met any write.
    fn excerpt(whole: &Whole<'_, Self>, kept: &[usize]) -> Excerpt<Self> {
        let scene = Scene::new(whole, kept);
        whole.project(kept.iter().copied(), |call| match (call.op, call.ret) {
            (Op::Read, Some(Ret::Value(Some(value)))) if !scene.has_writers(value, call) => None,
            (Op::Cas { .. }, Some(Ret::Differs)) => {
                scene.has_all_writers(call).then_some((call.op, call.ret))
            }
            (Op::Cas { expected, value }, ret) if !scene.has_writers(expected, call) => {
                Some((Op::Write(value), ret))
            }
            (op, ret) => Some((op, ret)),
        })
    }
}

/// What can be said of the writers of values that are not shown.
struct Scene<'a> {
    whole: &'a Whole<'a, CasRegister>,
    kept: &'a [usize],
    /// Ends and starts of writes shown that have happened, by end; each start is the latest so far.
    written: Vec<(u64, u64)>,
}

impl<'a> Scene<'a> {
    fn new(whole: &'a Whole<'a, CasRegister>, kept: &'a [usize]) -> Scene<'a> {
        let calls = kept.iter().map(|&n| &whole.calls[n]);
        let happened = calls.filter(|call| call.ret == Some(Ret::Written));
        let mut written: Vec<_> =
            happened.filter_map(|call| Some((call.end?, call.start))).collect();
        written.sort_unstable();
        let mut latest = 0;
        for (_, start) in &mut written {
            latest = latest.max(*start);
            *start = latest;
        }
        Scene { whole, kept, written }
    }

    /// Is every writer of the value shown that `reader` can have met? Not one that ended before a
    /// write began which is shown, and which had happened when `reader` began; nor one that began after
    /// it ended.
    fn has_writers(&self, value: i64, reader: &Call<CasRegister>) -> bool {
        let (since, until) = match self.whole.changes.get(&value) {
            // Where it comes from is told, though it is not needed.
            Some(1) => (0, u64::MAX),
            _ => self.reach(reader),
        };
        let writers = self.whole.writers.get(&value);
        writers.is_none_or(|writers| writers.between(since, until).all(|n| self.shows(n)))
    }

    /// The same for all values.
    fn has_all_writers(&self, reader: &Call<CasRegister>) -> bool {
        let (since, until) = self.reach(reader);
        self.whole.writers.values().all(|one| one.between(since, until).all(|n| self.shows(n)))
    }

    fn reach(&self, reader: &Call<CasRegister>) -> (u64, u64) {
        let before = self.written.partition_point(|(end, _)| *end < reader.start);
        let since = before.checked_sub(1).map_or(0, |last| self.written[last].1);
        (since, reader.end.unwrap_or(u64::MAX))
    }

    fn shows(&self, position: usize) -> bool {
        self.kept.binary_search(&position).is_ok()
    }
}
