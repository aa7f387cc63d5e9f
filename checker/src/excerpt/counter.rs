//! Excerpts of counters.

use spec::Counter;
use spec::counter::Op;

use super::{Excerpt, Excerpted, Whole};

impl Excerpted for Counter {
    type Part = Counter;

    /// Additions that had ended before the first read shown are its beginning, whatever their
    /// order; those that began after the last one are not seen. The others cannot be left out.
    fn excerpt(whole: &Whole<'_, Self>, kept: &[usize]) -> Excerpt<Self> {
        let reads = || kept.iter().map(|&n| &whole.calls[n]).filter(|call| call.op == Op::Read);
        let first = reads().map(|call| call.start).min().unwrap_or(0);
        let last = reads().filter_map(|call| call.end).max().unwrap_or(0);
        let mut excerpt = Excerpt::from(Counter::default());
        for (position, call) in whole.calls.iter().enumerate() {
            match call.op {
                Op::Add(by) if call.end.is_some_and(|end| end < first) => {
                    excerpt.initial.value = excerpt.initial.value.wrapping_add(by);
                }
                Op::Add(_) if call.start < last => excerpt.push(position, call.clone()),
                Op::Read if kept.binary_search(&position).is_ok() => {
                    excerpt.push(position, call.clone());
                }
                Op::Add(_) | Op::Read => {}
            }
        }
        excerpt
    }
}
