//! The engine against a search that tries every order: random small histories, both verdicts.

use checker::engine::{Call, Decision, decide};
use checker::{Budget, Limits};
use proptest::prelude::*;
use spec::{CasRegister, Register, Searchable, plain, versioned};
use stateright::semantics::SequentialSpec;

use crate::brute_force::brute_force;

fn engine<S: Searchable + Default>(calls: &[Call<S>]) -> Decision<S> {
    decide(S::default(), calls, &mut Budget::new(Limits::default()))
}

fn agrees<S: Searchable + Default>(calls: &[Call<S>]) {
    let linearizable = engine(calls) == Decision::Linearizable;
    assert_eq!(linearizable, brute_force(&S::default(), calls));
}

/// An operation, its answer, and whether nobody waited for it.
type Asked<S> = (<S as SequentialSpec>::Op, Option<<S as SequentialSpec>::Ret>, bool);

/// Moments for `n` calls: each gets two of 2n positions, in either order.
fn intervals(n: usize) -> impl Strategy<Value = Vec<(u64, u64)>> {
    let positions: Vec<u64> = (0..2 * n as u64).collect();
    Just(positions).prop_shuffle().prop_map(|positions| {
        let mut pairs: Vec<_> =
            positions.chunks(2).map(|pair| (pair[0].min(pair[1]), pair[0].max(pair[1]))).collect();
        pairs.sort_unstable();
        pairs
    })
}

fn history<S: Searchable + 'static>(
    answered: impl Strategy<Value = Asked<S>> + Clone + 'static,
) -> impl Strategy<Value = Vec<Call<S>>> {
    (1usize..8).prop_flat_map(move |n| {
        (intervals(n), prop::collection::vec(answered.clone(), n)).prop_map(|(times, asked)| {
            let call = |((start, end), (op, ret, open)): ((u64, u64), Asked<S>)| {
                let end = (ret.is_some() && !open).then_some(end);
                Call { op, ret, start, end }
            };
            times.into_iter().zip(asked).map(call).collect()
        })
    })
}

/// Few values and versions, so that about as many histories hold as do not. One in eight answers
/// is known without an end: a write that others saw.
fn versioned_call() -> impl Strategy<Value = Asked<Register>> + Clone {
    use versioned::{Op, Ret};
    let value = prop_oneof![Just(None), (1i64..4).prop_map(Some)];
    let op = prop_oneof![
        Just(Op::Read),
        (1i64..4).prop_map(Op::Write),
        (0i32..3, 1i64..4).prop_map(|(expected, value)| Op::Cas { expected, value }),
    ];
    (op, value, 0i32..4, 0u8..8).prop_map(|(op, value, version, dice)| {
        let ret = match op {
            Op::Read => Ret::Value { value, version },
            Op::Cas { expected, .. } if dice < 6 => Ret::Written { version: expected + 1 },
            Op::Cas { .. } => Ret::BadVersion,
            Op::Write(_) => Ret::Written { version },
        };
        let unknown = op != Op::Read && dice % 2 == 0;
        (op, (!unknown).then_some(ret), dice == 1)
    })
}

fn plain_call() -> impl Strategy<Value = Asked<CasRegister>> + Clone {
    use plain::{Op, Ret};
    let op = prop_oneof![
        Just(Op::Read),
        (1i64..4).prop_map(Op::Write),
        (1i64..4, 1i64..4).prop_map(|(expected, value)| Op::Cas { expected, value }),
    ];
    (op, prop_oneof![Just(None), (1i64..4).prop_map(Some)], 0u8..8).prop_map(|(op, value, dice)| {
        let ret = match op {
            Op::Read => Ret::Value(value),
            Op::Cas { .. } if dice < 3 => Ret::Differs,
            Op::Cas { .. } | Op::Write(_) => Ret::Written,
        };
        (op, (op == Op::Read || dice % 2 != 0).then_some(ret), false)
    })
}

/// A history that holds: calls take effect one after the other at the middle of their interval,
/// and some answers are lost.
fn correct<S: Searchable + Default>(asked: Vec<Asked<S>>, times: &[(u64, u64)]) -> Vec<Call<S>> {
    let mut order: Vec<usize> = (0..asked.len()).collect();
    order.sort_by_key(|&n| times[n].0 + times[n].1);
    let mut state = S::default();
    let mut answers: Vec<Option<S::Ret>> = asked.iter().map(|_| None).collect();
    for n in order {
        let answer = state.invoke(&asked[n].0);
        answers[n] = asked[n].1.is_some().then_some(answer);
    }
    let calls = asked.into_iter().zip(answers).zip(times);
    calls
        .map(|(((op, _, _), ret), &(start, end))| Call {
            end: ret.is_some().then_some(end),
            op,
            ret,
            start,
        })
        .collect()
}

/// Three lost writes, of which two made room for a write at version 3: any may be the third, which
/// is seen later.
#[test]
fn which_lost_writes_happened_is_left_open_until_it_shows() {
    use versioned::{Op, Ret};
    let call = |op, ret, start, end| Call::<Register> { op, ret, start, end };
    for third in 1..=3 {
        let mut calls: Vec<_> =
            (1..=3).map(|lost| call(Op::Write(lost), None, lost.unsigned_abs(), None)).collect();
        calls.push(call(Op::Write(4), Some(Ret::Written { version: 3 }), 4, Some(5)));
        let seen = |version| Some(Ret::Value { value: Some(third), version });
        calls.push(call(Op::Read, seen(4), 6, Some(7)));
        assert_eq!(engine(&calls), Decision::Linearizable, "lost write {third} comes last");
        calls.push(call(Op::Read, seen(5), 8, Some(9)));
        assert!(matches!(engine(&calls), Decision::Broken { call: 5, .. }), "once only");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn versioned_registers_agree_with_brute_force(calls in history::<Register>(versioned_call())) {
        agrees(&calls);
    }

    #[test]
    fn plain_registers_agree_with_brute_force(calls in history::<CasRegister>(plain_call())) {
        agrees(&calls);
    }

    #[test]
    fn correct_versioned_histories_hold(
        asked in prop::collection::vec(versioned_call(), 7),
        times in intervals(7),
    ) {
        prop_assert_eq!(engine(&correct::<Register>(asked, &times)), Decision::Linearizable);
    }

    #[test]
    fn correct_plain_histories_hold(
        asked in prop::collection::vec(plain_call(), 7),
        times in intervals(7),
    ) {
        prop_assert_eq!(engine(&correct::<CasRegister>(asked, &times)), Decision::Linearizable);
    }
}
