//! What makes an excerpt a proof, of each specification.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spec::{CasRegister, Counter, Entry, Lock, Queue, Register, Set, Znodes};
use spec::{counter, kv, lock, plain, queue, set, versioned, znodes};

use super::*;
use crate::budget::Limits;

const CALLS: usize = 6;

/// A linearizable history: each call takes effect at an instant within its interval. Some have no
/// answer; of these, `known` says which answer is known all the same, as of a lost write that others
/// saw.
fn linearizable<S: Excerpted>(
    rng: &mut ChaCha8Rng,
    op: impl Fn(&mut ChaCha8Rng, i64) -> S::Op,
    known: impl Fn(&S::Ret) -> bool,
) -> Vec<Call<S>> {
    let mut instants: Vec<u64> = (1..=3 * CALLS as u64).collect();
    if rng.random_bool(0.5) {
        instants.shuffle(rng);
    }
    let mut times: Vec<_> = instants.chunks(3).map(<[u64]>::to_vec).collect();
    times.iter_mut().for_each(|times| times.sort_unstable());
    times.sort_by_key(|times| times[1]);
    let mut state = S::default();
    let mut calls = Vec::new();
    for (value, times) in (0..).zip(times) {
        let op = op(rng, value);
        let ret = state.invoke(&op);
        let lost = !S::is_read_only(&op, &ret) && rng.random_bool(0.2);
        let ret = (!lost || known(&ret)).then_some(ret);
        calls.push(Call { op, ret, start: times[0], end: (!lost).then_some(times[2]) });
    }
    calls.sort_by_key(|call| call.start);
    calls
}

fn every_excerpt_has_an_order<S: Excerpted>(
    op: impl Fn(&mut ChaCha8Rng, i64) -> S::Op,
    known: impl Fn(&S::Ret) -> bool,
) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..1000 {
        let calls = linearizable::<S>(&mut rng, &op, &known);
        let whole = Whole::new(&calls);
        for subset in 0_u32..1 << CALLS {
            let kept: Vec<_> = (0..CALLS).filter(|n| subset & (1 << n) != 0).collect();
            let excerpt = S::excerpt(&whole, &kept);
            let mut budget = Budget::new(Limits::default());
            assert!(!excerpt.is_broken(&mut budget), "{kept:?} of {calls:#?}");
            assert!(excerpt.blamed(&mut budget).is_none(), "{kept:?} of {calls:#?}");
        }
    }
}

#[test]
fn of_registers_with_versions() {
    let op = |rng: &mut ChaCha8Rng, value| match rng.random_range(0..4) {
        0 | 1 => versioned::Op::Read,
        2 => versioned::Op::Write(value),
        _ => versioned::Op::Cas { expected: rng.random_range(0..3), value },
    };
    let known = |ret: &versioned::Ret| matches!(ret, versioned::Ret::Written { .. });
    every_excerpt_has_an_order::<Register>(op, known);
}

#[test]
fn of_plain_registers() {
    let op = |rng: &mut ChaCha8Rng, n| {
        let value = if rng.random_bool(0.7) { n } else { rng.random_range(0..3) };
        match rng.random_range(0..4) {
            0 | 1 => plain::Op::Read,
            2 => plain::Op::Write(value),
            _ => plain::Op::Cas { expected: rng.random_range(0..=n), value },
        }
    };
    every_excerpt_has_an_order::<CasRegister>(op, |_| false);
    let few = |rng: &mut ChaCha8Rng, _| match rng.random_range(0..5) {
        0 | 1 => plain::Op::Read,
        2 | 3 => plain::Op::Write(rng.random_range(0..2)),
        _ => plain::Op::Cas { expected: rng.random_range(0..2), value: rng.random_range(0..2) },
    };
    every_excerpt_has_an_order::<CasRegister>(few, |_| false);
}

#[test]
fn of_counters() {
    let op = |rng: &mut ChaCha8Rng, _| match rng.random_range(0..2) {
        0 => counter::Op::Read,
        _ => counter::Op::Add(rng.random_range(-1..3)),
    };
    every_excerpt_has_an_order::<Counter>(op, |_| false);
}

#[test]
fn of_sets() {
    let op = |rng: &mut ChaCha8Rng, _| match rng.random_range(0..6) {
        0 | 1 => set::Op::Read,
        2 => set::Op::Contains(rng.random_range(0..3)),
        3 => set::Op::Remove(rng.random_range(0..3)),
        _ => set::Op::Add(rng.random_range(0..3)),
    };
    every_excerpt_has_an_order::<Set>(op, |_| false);
}

#[test]
fn of_queues() {
    let op = |rng: &mut ChaCha8Rng, n| match rng.random_range(0..8) {
        0..4 => queue::Op::Dequeue,
        4 => queue::Op::Enqueue(rng.random_range(0..3)),
        _ => queue::Op::Enqueue(n),
    };
    every_excerpt_has_an_order::<Queue>(op, |_| false);
}

#[test]
fn of_entries() {
    let op = |rng: &mut ChaCha8Rng, n: i64| match rng.random_range(0..5) {
        0 | 1 => kv::Op::Get,
        2 => kv::Op::Put(n.to_string()),
        _ => kv::Op::Append(n.to_string()),
    };
    every_excerpt_has_an_order::<Entry>(op, |_| false);
}

#[test]
fn of_locks() {
    let op = |rng: &mut ChaCha8Rng, _| {
        let client = rng.random_range(0..2);
        match rng.random_range(0..2) {
            0 => lock::Op::Acquire { client },
            _ => lock::Op::Release { client },
        }
    };
    every_excerpt_has_an_order::<Lock>(op, |_| false);
}

/// Two znodes, one below the other, and numbered ones beside them.
fn on_a_tree(rng: &mut ChaCha8Rng, n: i64) -> znodes::Op {
    let path = ["/a", "/a/b", "/a/c"][rng.random_range(0..3)].to_owned();
    let data = n.to_string();
    let version = rng.random_range(-1..2);
    let owner = rng.random_bool(0.3).then_some(1);
    match rng.random_range(0..10) {
        0..3 => znodes::Op::Create { path, data, owner, sequential: false },
        3 => znodes::Op::Create { path: "/a/n".to_owned(), data, owner, sequential: true },
        4 => znodes::Op::Set { path, data, version },
        5 => znodes::Op::Get { path },
        6 => znodes::Op::Children { path },
        7 => znodes::Op::Close { session: 1 },
        8 => {
            let check = znodes::Op::Check { path: path.clone(), version };
            znodes::Op::Multi(vec![check, znodes::Op::Delete { path, version }])
        }
        _ => znodes::Op::Delete { path, version },
    }
}

#[test]
fn of_trees() {
    every_excerpt_has_an_order::<Znodes>(on_a_tree, |_| false);
}

fn write(value: i64) -> Call<Register> {
    Call { op: versioned::Op::Write(value), ret: None, start: 0, end: None }
}

fn read(value: i64, version: i32, start: u64) -> Call<Register> {
    let ret = Some(versioned::Ret::Value { value: Some(value), version });
    Call { op: versioned::Op::Read, ret, start, end: Some(start + 1) }
}

#[test]
fn what_cannot_be_is_refused_in_an_excerpt_too() {
    for reads in [[read(1, 2, 1), read(2, 1, 3)], [read(1, 2, 1), read(2, 2, 3)]] {
        let [one, other] = reads;
        let calls = [write(1), write(2), one, other];
        let excerpt = Register::excerpt(&Whole::new(&calls), &[2, 3]);
        let blamed = excerpt.blamed(&mut Budget::new(Limits::default()));
        assert_eq!(blamed.map(|(call, _)| call), Some(1), "{calls:?}");
    }
}

/// A sequential history whose last answer is wrong, and what remains of it.
fn remains<S: Excerpted>(asked: Vec<(S::Op, S::Ret)>) -> Smallest<S::Part> {
    let calls: Vec<Call<S>> = asked
        .into_iter()
        .zip(0..)
        .map(|((op, ret), n)| Call { op, ret: Some(ret), start: 2 * n, end: Some(2 * n + 1) })
        .collect();
    smallest(&calls, &[calls.len() - 1], &mut Budget::new(Limits::default())).expect("it is broken")
}

#[test]
fn what_is_not_needed_is_left_out() {
    use plain::{Op, Ret};
    let writes = (0..100).map(|n| (Op::Write(n), Ret::Written));
    let stale = writes.chain([(Op::Read, Ret::Value(Some(97)))]).collect();
    let found = remains::<CasRegister>(stale);
    assert_eq!(found.positions.len(), 3, "the write of 97, a later one, and the read");
    assert_eq!((found.positions[0], found.positions[2]), (97, 100));
    assert_eq!(found.order, found.positions[..2]);

    let adds = (0..100).map(|_| (counter::Op::Add(1), counter::Ret::Added));
    let short = adds.chain([(counter::Op::Read, counter::Ret::Value(99))]).collect();
    let found = remains::<Counter>(short);
    assert_eq!((found.positions, found.states), (vec![100], vec![Counter { value: 100 }]));

    let adds = (0..100).map(|n| (set::Op::Add(n), set::Ret::Done));
    let lacks = set::Ret::Elements((0..100).filter(|n| *n != 50).collect());
    let found = remains::<Set>(adds.chain([(set::Op::Read, lacks)]).collect());
    assert_eq!(found.positions, [50, 100]);

    let enqueues = (0..100).map(|n| (queue::Op::Enqueue(n), queue::Ret::Enqueued));
    let second = (queue::Op::Dequeue, queue::Ret::Dequeued(1));
    let found = remains::<Queue>(enqueues.chain([second]).collect());
    assert_eq!(found.positions, [0, 1, 100]);

    let path = |n: i64| format!("/{n}");
    let create = |n| znodes::Op::Create {
        path: path(n),
        data: n.to_string(),
        owner: None,
        sequential: false,
    };
    let stat = znodes::Stat::default();
    let creates = (0..100).map(|n| (create(n), znodes::Ret::Created { path: path(n), stat }));
    let gone = (znodes::Op::Delete { path: path(50), version: -1 }, znodes::Ret::Done);
    let stale = znodes::Ret::Data { data: "50".to_owned(), stat };
    let told = [gone, (znodes::Op::Get { path: path(50) }, stale)];
    let found = remains::<Znodes>(creates.chain(told).collect());
    assert_eq!(
        found.positions,
        [100, 101],
        "after the creation, which is settled: {:?}",
        found.states
    );

    let appends = (0..100).map(|n: i64| (kv::Op::Append(n.to_string()), kv::Ret::Done));
    let (put, end) = (kv::Op::Put("x".into()), kv::Op::Append("y".into()));
    let told =
        [(put, kv::Ret::Done), (end, kv::Ret::Done), (kv::Op::Get, kv::Ret::Text("x".into()))];
    let found = remains::<Entry>(appends.chain(told).collect());
    assert_eq!(found.positions, [101, 102], "after the put, what was before does not matter");

    let take =
        |client, token| (lock::Op::Acquire { client }, lock::Ret::Acquired { token: Some(token) });
    let give = |client| (lock::Op::Release { client }, lock::Ret::Released);
    let turns = (1..50).flat_map(|n| [take(1, n), give(1)]);
    let found = remains::<Lock>(turns.chain([take(2, 90), take(3, 91)]).collect());
    assert_eq!(found.positions, [99], "after client 2 took it");
}
