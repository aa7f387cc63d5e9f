//! The same history with narrower calls, for the search.

use spec::plain::{Op, Ret};

use super::blocks::{Blocks, Chain};
use super::{Call, Calls, CasRegister};

/// Calls narrowed to where they must take effect: a write ends before a call that needs its value
/// has ended, and a call begins after the writes that it needs; a chain that must come before a
/// forward zone ends before it, and so for one after. Writes whose value nobody saw are left out.
/// If these calls have an order, so have the given ones.
pub(super) fn narrow(
    calls: Calls<'_>,
    blocks: &Blocks,
    chains: &[Chain],
) -> Vec<Call<CasRegister>> {
    let forward: Vec<&Chain> = chains.iter().filter(|chain| chain.is_forward()).collect();
    let mut narrowed: Vec<_> = calls.iter().filter(|call| is_failed(call)).cloned().collect();
    for chain in chains {
        let (from, to) = bounds(chain, &forward);
        let mut spans = spans(calls, blocks, chain, from);
        let mut end = to;
        for (position, start) in spans.drain(..).rev() {
            let call = &calls[position];
            let own_end = call.end.unwrap_or(u64::MAX).min(to);
            // What comes before in the chain ends before a later write does.
            let is_write = call.op != Op::Read;
            end = end.min(own_end);
            let ends = if is_write { end } else { own_end };
            let ret = call.ret.or(Some(Ret::Written));
            narrowed.push(Call { ret, start, end: Some(ends), ..call.clone() });
        }
    }
    narrowed.sort_by_key(|call| call.start);
    narrowed
}

fn is_failed(call: &Call<CasRegister>) -> bool {
    call.ret == Some(Ret::Differs)
}

/// When the chain's calls take effect, given the forward zones that come before and after it.
fn bounds(chain: &Chain, forward: &[&Chain]) -> (u64, u64) {
    let before = forward.partition_point(|zone| zone.first_end.0 < chain.last_start.0);
    let before = forward[..before].iter().rev().find(|zone| zone.first != chain.first);
    let after = forward.partition_point(|zone| zone.last_start.0 <= chain.first_end.0);
    let after = forward[after..].iter().find(|zone| zone.first != chain.first);
    let from = before.map_or(0, |zone| zone.last_start.0);
    (from, after.map_or(u64::MAX, |zone| zone.first_end.0))
}

/// The chain's calls in order, each with the time at which it can begin.
fn spans(calls: Calls<'_>, blocks: &Blocks, chain: &Chain, from: u64) -> Vec<(usize, u64)> {
    let mut spans = Vec::new();
    let mut earliest = from;
    for block in blocks.from(chain.first) {
        let mut latest = earliest;
        for &position in block.writer.iter().chain(&block.reads) {
            let start = calls[position].start.max(earliest);
            if block.writer == Some(position) {
                earliest = start;
            }
            latest = latest.max(start);
            spans.push((position, start));
        }
        earliest = latest;
    }
    spans
}
