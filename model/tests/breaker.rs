//! The server's circuit breaker keeps its promises in every state within the bounds; each flaw is found.

use model::catalogue::{self, Bounds};
use model::{Budget, End, Outcome};

const CAUGHT: [(&str, &str); 5] = [
    ("stays-open", "ClosesWhenHealthy"),
    ("lost-probes", "ClosesWhenHealthy"),
    ("any-probes", "FewProbes"),
    ("counts-refused", "RefusedTakesNoEffect"),
    ("answers-only", "SilenceOpens"),
];

#[test]
fn the_breaker_keeps_its_promises_in_every_state() {
    let outcome = check(None);
    assert_eq!(outcome.end, End::Held);
    assert!(outcome.progress.states > 1000, "{:?}", outcome.progress);
}

#[test]
fn every_flaw_is_found() {
    for (flaw, invariant) in CAUGHT {
        let outcome = check(Some(flaw));
        let End::Broken(chapter) = outcome.end else { panic!("{flaw}: {outcome:?}") };
        assert_eq!(chapter.invariant, invariant, "{flaw}: {chapter:#?}");
    }
}

fn check(flaw: Option<&str>) -> Outcome {
    let model = catalogue::find("breaker").expect("it is in the catalogue");
    let bounds = Bounds { txns: 3, ..model.bounds };
    model.check(bounds, flaw, Budget::default(), &mut |_| {}).expect("the bounds make sense")
}
