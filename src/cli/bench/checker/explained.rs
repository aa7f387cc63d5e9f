//! Every planted stale read is explained by few operations, and those are told as a proof.

use checker::engine::{Call, CasRegister, Decision, decide};
use checker::{Budget, Limits, Outcome, Witness};

use super::generate::{Shape, Values, generate};
use super::witness::verdict;

/// Operations of an explanation that a person reads.
const FEW: usize = 10;

/// The shapes of the table, up to a length; `STALE_OPERATIONS=100000` for more.
fn shapes() -> Vec<Shape> {
    let asked = std::env::var("STALE_OPERATIONS").ok();
    let most = asked.map_or(1_000, |asked| asked.parse().expect("STALE_OPERATIONS is a number"));
    // Its oldest value is known from reads alone, far from the stale one.
    let far = Shape {
        clients: 5,
        operations: 100_000,
        keys: 1,
        values: Values::Distinct,
        unknown: 10,
        stale: true,
        seed: 2,
    };
    let mut shapes = vec![far];
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
    let (mut planted, mut broken, mut searched, mut most) = (0, 0, 0, 0);
    for shape in shapes() {
        planted += 1;
        let history = generate(shape);
        let verdict = verdict(&history);
        match verdict.checks[0].outcome {
            Outcome::Invalid => {}
            // Lost writes of all five values may leave no read to make stale; or that takes too long to tell.
            Outcome::Valid | Outcome::Unknown if shape.values == Values::Five => continue,
            outcome => panic!("{outcome}: {shape:?}: {}", verdict.sentence),
        }
        broken += 1;
        searched += u32::from(shape.values == Values::Five);
        let witness = verdict.checks[0].witness.as_ref().expect("it is invalid");
        let few = witness.operations.len();
        most = most.max(few);
        assert!(few <= FEW, "{few} operations: {shape:?}: {}", witness.sentence);
        assert_eq!(witness.order.len(), few - 1, "as a proof has it: {shape:?}: {witness:?}");
        assert!(!is_linearizable(&history, witness), "{shape:?}: {}", witness.sentence);
    }
    println!(
        "{planted} planted stale reads, {broken} seen, {searched} of them by search; at most {most} \
         operations explain one"
    );
    assert!(broken > planted / 2 && searched > 20, "{broken} of {planted}, {searched} by search");
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
