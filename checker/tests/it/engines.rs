//! Every engine against a search that tries every order, on random small histories of every
//! specification. `CHECKER_HISTORIES=1000000` for more than the 100,000 of each.

use std::collections::BTreeSet;

use checker::engine::{Call, Decidable, Decision, Shortcut, decide, shortcut};
use checker::{Budget, Limits};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spec::{CasRegister, Counter, Entry, Lock, Queue, Register, Set};
use spec::{counter, kv, lock, plain, queue, set, versioned};

use crate::engine::brute_force;

const CALLS_MAX: usize = 8;

/// How operations and wrong answers of a specification are drawn.
pub(crate) trait Drawn: Decidable {
    /// The n-th call's operation.
    fn op(rng: &mut ChaCha8Rng, n: i64) -> Self::Op;
    /// An answer that may be wrong.
    fn answer(rng: &mut ChaCha8Rng, op: &Self::Op) -> Self::Ret;
    /// May the operation have an unknown outcome? Of those that only read, nothing is learnt.
    fn may_be_lost(op: &Self::Op) -> bool;
}

/// How often each came out.
#[derive(Debug, Default)]
struct Tally {
    valid: u32,
    invalid: u32,
    short_valid: u32,
    short_invalid: u32,
}

pub(crate) fn n_histories() -> u32 {
    let asked = std::env::var("CHECKER_HISTORIES").ok();
    asked.map_or(100_000, |asked| asked.parse().expect("CHECKER_HISTORIES is a number"))
}

fn agree<S: Drawn>(seed: u64) -> Tally {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tally = Tally::default();
    for _ in 0..n_histories() {
        let wrong = rng.random_bool(0.6);
        let calls = history::<S>(&mut rng, wrong);
        let truth = brute_force(&S::default(), &calls);
        let found = decide(S::default(), &calls, &mut Budget::new(Limits::default()));
        assert_eq!(found == Decision::Linearizable, truth, "search: {calls:#?}");
        match shortcut(&calls) {
            Some(Shortcut::Linearizable) => {
                assert!(truth, "shortcut accepts: {calls:#?}");
                tally.short_valid += 1;
            }
            Some(Shortcut::Broken { calls: blamed, why }) => {
                assert!(!truth, "shortcut refuses ({blamed:?} {why}): {calls:#?}");
                assert!(!blamed.is_empty() && blamed.iter().all(|&call| call < calls.len()));
                tally.short_invalid += 1;
            }
            None => {}
        }
        *(if truth { &mut tally.valid } else { &mut tally.invalid }) += 1;
    }
    let enough = n_histories() / 20;
    assert!(tally.valid > enough && tally.invalid > enough, "one-sided: {tally:?}");
    tally
}

/// Did the shortcut answer a fair share, both ways?
fn is_used(tally: &Tally) {
    let enough = n_histories() / 50;
    assert!(tally.short_valid > enough && tally.short_invalid > enough, "{tally:?}");
}

/// A history that held, of which at times an answer was changed where it may be `wrong`.
pub(crate) fn history<S: Drawn>(rng: &mut ChaCha8Rng, wrong: bool) -> Vec<Call<S>> {
    let n = rng.random_range(1..=CALLS_MAX);
    let mut instants: Vec<u64> = (0..3 * n as u64).collect();
    if rng.random_bool(0.7) {
        instants.shuffle(rng);
    } else {
        // Few overlap.
        (0..n).for_each(|_| {
            let at = rng.random_range(0..instants.len() - 1);
            instants.swap(at, at + 1);
        });
    }
    let mut times: Vec<_> = instants.chunks(3).map(<[u64]>::to_vec).collect();
    times.iter_mut().for_each(|times| times.sort_unstable());
    times.sort_by_key(|times| times[1]);
    let mut state = S::default();
    let mut calls = Vec::new();
    for (n, times) in (1..).zip(times) {
        let op = S::op(rng, n);
        let lost = S::may_be_lost(&op) && rng.random_bool(0.15);
        if lost && rng.random_bool(0.5) {
            calls.push(Call { op, ret: None, start: times[0], end: None });
            continue;
        }
        let right = state.invoke(&op);
        let ret = if wrong && rng.random_bool(0.3) { S::answer(rng, &op) } else { right };
        let ret = (!lost).then_some(ret);
        let end = (!lost).then_some(times[2]);
        calls.push(Call { op, ret, start: times[0], end });
    }
    calls.sort_by_key(|call| call.start);
    calls
}

/// A value of its own in most histories, one of few in others.
fn value(rng: &mut ChaCha8Rng, n: i64) -> i64 {
    if rng.random_bool(0.95) { n } else { rng.random_range(1..3) }
}

fn some_value(rng: &mut ChaCha8Rng) -> i64 {
    rng.random_range(1..=CALLS_MAX.cast_signed() as i64)
}

impl Drawn for CasRegister {
    fn op(rng: &mut ChaCha8Rng, n: i64) -> plain::Op {
        match rng.random_range(0..5) {
            0 | 1 => plain::Op::Read,
            2 => plain::Op::Write(value(rng, n)),
            _ => plain::Op::Cas { expected: rng.random_range(1..=n), value: value(rng, n) },
        }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &plain::Op) -> plain::Ret {
        match op {
            plain::Op::Read if rng.random_bool(0.2) => plain::Ret::Value(None),
            plain::Op::Read => plain::Ret::Value(Some(some_value(rng))),
            plain::Op::Cas { .. } if rng.random_bool(0.5) => plain::Ret::Differs,
            _ => plain::Ret::Written,
        }
    }

    fn may_be_lost(op: &plain::Op) -> bool {
        *op != plain::Op::Read
    }
}

impl Drawn for Register {
    fn op(rng: &mut ChaCha8Rng, n: i64) -> versioned::Op {
        match rng.random_range(0..4) {
            0 | 1 => versioned::Op::Read,
            2 => versioned::Op::Write(n),
            _ => versioned::Op::Cas { expected: rng.random_range(0..3), value: n },
        }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &versioned::Op) -> versioned::Ret {
        let version = rng.random_range(0..4);
        match op {
            versioned::Op::Read => versioned::Ret::Value { value: Some(some_value(rng)), version },
            versioned::Op::Cas { .. } if rng.random_bool(0.5) => versioned::Ret::BadVersion,
            _ => versioned::Ret::Written { version },
        }
    }

    fn may_be_lost(op: &versioned::Op) -> bool {
        *op != versioned::Op::Read
    }
}

impl Drawn for Counter {
    fn op(rng: &mut ChaCha8Rng, _: i64) -> counter::Op {
        match rng.random_range(0..20) {
            0..8 => counter::Op::Read,
            8 => counter::Op::Add(-1),
            _ => counter::Op::Add(2),
        }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &counter::Op) -> counter::Ret {
        match op {
            counter::Op::Read => counter::Ret::Value(rng.random_range(-1..9)),
            counter::Op::Add(_) => counter::Ret::Added,
        }
    }

    fn may_be_lost(op: &counter::Op) -> bool {
        *op != counter::Op::Read
    }
}

impl Drawn for Set {
    fn op(rng: &mut ChaCha8Rng, n: i64) -> set::Op {
        match rng.random_range(0..30) {
            0..12 => set::Op::Read,
            12 => set::Op::Remove(some_value(rng)),
            13 => set::Op::Contains(some_value(rng)),
            _ => set::Op::Add(value(rng, n)),
        }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &set::Op) -> set::Ret {
        match op {
            set::Op::Read => {
                let n = rng.random_range(0..4);
                set::Ret::Elements((0..n).map(|_| some_value(rng)).collect::<BTreeSet<_>>())
            }
            set::Op::Contains(_) => set::Ret::Found(rng.random_bool(0.5)),
            set::Op::Add(_) | set::Op::Remove(_) => set::Ret::Done,
        }
    }

    fn may_be_lost(op: &set::Op) -> bool {
        matches!(op, set::Op::Add(_) | set::Op::Remove(_))
    }
}

impl Drawn for Queue {
    fn op(rng: &mut ChaCha8Rng, n: i64) -> queue::Op {
        if rng.random_bool(0.5) { queue::Op::Dequeue } else { queue::Op::Enqueue(value(rng, n)) }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &queue::Op) -> queue::Ret {
        match op {
            queue::Op::Dequeue if rng.random_bool(0.4) => queue::Ret::Empty,
            queue::Op::Dequeue => queue::Ret::Dequeued(some_value(rng)),
            queue::Op::Enqueue(_) => queue::Ret::Enqueued,
        }
    }

    fn may_be_lost(_: &queue::Op) -> bool {
        true
    }
}

impl Drawn for Entry {
    fn op(rng: &mut ChaCha8Rng, n: i64) -> kv::Op {
        match rng.random_range(0..4) {
            0 | 1 => kv::Op::Get,
            2 => kv::Op::Append(n.to_string()),
            _ => kv::Op::Put(n.to_string()),
        }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &kv::Op) -> kv::Ret {
        match op {
            kv::Op::Get => kv::Ret::Text(some_value(rng).to_string()),
            kv::Op::Put(_) | kv::Op::Append(_) => kv::Ret::Done,
        }
    }

    fn may_be_lost(op: &kv::Op) -> bool {
        *op != kv::Op::Get
    }
}

impl Drawn for Lock {
    fn op(rng: &mut ChaCha8Rng, _: i64) -> lock::Op {
        let client = rng.random_range(0..2);
        if rng.random_bool(0.5) {
            lock::Op::Acquire { client }
        } else {
            lock::Op::Release { client }
        }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &lock::Op) -> lock::Ret {
        match op {
            _ if rng.random_bool(0.3) => lock::Ret::Refused,
            lock::Op::Acquire { .. } => {
                let token = rng.random_bool(0.8).then(|| rng.random_range(1..6));
                lock::Ret::Acquired { token }
            }
            lock::Op::Release { .. } => lock::Ret::Released,
        }
    }

    fn may_be_lost(_: &lock::Op) -> bool {
        true
    }
}

#[test]
fn plain_registers() {
    is_used(&agree::<CasRegister>(1));
}

#[test]
fn versioned_registers() {
    agree::<Register>(2);
}

#[test]
fn counters() {
    is_used(&agree::<Counter>(3));
}

#[test]
fn sets() {
    is_used(&agree::<Set>(4));
}

#[test]
fn queues() {
    is_used(&agree::<Queue>(5));
}

#[test]
fn entries() {
    agree::<Entry>(6);
}

#[test]
fn locks() {
    agree::<Lock>(7);
}
