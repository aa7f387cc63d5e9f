//! Every planted stale read is explained by few operations, and those are told as a proof.

use checker::engine::plain::{Op, Ret};
use checker::engine::{Call, CasRegister, Decision, decide};
use checker::{Budget, Limits, Outcome, Spec, Witness, check_foreign};
use history::Status;
use history::foreign::{Datum, Deed, Foreign};

use super::generate::{Shape, Values, generate};

/// Operations of an explanation that a person reads.
const FEW: usize = 10;

/// The shapes of the table, up to a length; `STALE_OPERATIONS=100000` for more.
fn shapes() -> Vec<Shape> {
    let asked = std::env::var("STALE_OPERATIONS").ok();
    let most = asked.map_or(1_000, |asked| asked.parse().expect("STALE_OPERATIONS is a number"));
    let mut shapes = Vec::new();
    for operations in [400, 1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|n| *n <= most) {
        for (clients, keys) in [(5, 1), (10, 1), (30, 1), (100, 1), (10, 3), (10, 100)] {
            for values in [Values::Distinct, Values::Cas, Values::Five] {
                for (unknown, seed) in [(0, 1), (10, 2), (0, 3), (10, 4)] {
                    // Small domains and many clients are a matter of minutes.
                    let hard = values == Values::Five && clients > 10;
                    let shape =
                        Shape { clients, operations, keys, values, unknown, stale: true, seed };
                    shapes.extend((shape.makes_sense() && !hard).then_some(shape));
                }
            }
        }
    }
    shapes
}

#[test]
fn every_planted_stale_read_is_explained_by_few_operations() {
    let (mut planted, mut broken, mut most) = (0, 0, 0);
    for shape in shapes() {
        planted += 1;
        let history = generate(shape);
        let verdict = check_foreign(
            &foreign(&history),
            Spec::named("cas-register").expect("it is one of them"),
            Limits::default(),
        );
        let verdict = verdict.expect("it makes sense");
        match verdict.checks[0].outcome {
            Outcome::Invalid => {}
            // Lost writes of all five values may leave no read to make stale; or that takes too long to tell.
            Outcome::Valid | Outcome::Unknown if shape.values == Values::Five => continue,
            outcome => panic!("{outcome}: {shape:?}: {}", verdict.sentence),
        }
        broken += 1;
        let witness = verdict.checks[0].witness.as_ref().expect("it is invalid");
        let few = witness.operations.len();
        most = most.max(few);
        assert!(few <= FEW, "{few} operations: {shape:?}: {}", witness.sentence);
        assert_eq!(witness.order.len(), few - 1, "as a proof has it: {shape:?}: {witness:?}");
        assert!(!is_linearizable(&history, witness), "{shape:?}: {}", witness.sentence);
    }
    println!("{planted} planted stale reads, {broken} seen; at most {most} operations explain one");
    assert!(broken > planted / 2, "{broken} of {planted}");
}

/// Have the operations shown an order, judged alone by another engine than the one that found them?
fn is_linearizable(history: &[Vec<Call<CasRegister>>], witness: &Witness) -> bool {
    let shown = history.iter().flatten().filter(|call| witness.operations.contains(&call.start));
    let calls: Vec<_> = shown.cloned().collect();
    assert_eq!(calls.len(), witness.operations.len(), "all of them are of the history");
    let mut budget = Budget::new(Limits::default());
    match decide(CasRegister::default(), &calls, &mut budget) {
        Decision::Linearizable => true,
        Decision::Broken { .. } => false,
        Decision::GaveUp { .. } => panic!("it has few operations"),
    }
}

/// As it comes from a file: each call by a client of its own, times for positions.
fn foreign(history: &[Vec<Call<CasRegister>>]) -> Foreign {
    let calls =
        (0..).zip(history).flat_map(|(key, calls)| calls.iter().map(move |call| (key, call)));
    let deed = |(process, (key, call)): (u64, (i64, &Call<CasRegister>))| {
        let (f, asked) = match call.op {
            Op::Read => ("read", Datum::Nil),
            Op::Write(value) => ("write", Datum::Int(value)),
            Op::Cas { expected, value } => {
                ("cas", Datum::List(vec![Datum::Int(expected), Datum::Int(value)]))
            }
        };
        let (status, answered) = match call.ret {
            None => (Status::Unknown, None),
            Some(Ret::Value(value)) => (Status::Ok, Some(value.map_or(Datum::Nil, Datum::Int))),
            Some(Ret::Written) => (Status::Ok, Some(asked.clone())),
            Some(Ret::Differs) => (Status::Fail, None),
        };
        Deed {
            process,
            f: f.to_owned(),
            key: Some(Datum::Int(key)),
            asked,
            answered,
            status,
            error: (status == Status::Fail).then(|| Datum::Keyword("differs".to_owned())),
            invoke: call.start,
            complete: call.end,
            line: call.start,
        }
    };
    Foreign { deeds: (0..).zip(calls).map(deed).collect(), ..Foreign::default() }
}
