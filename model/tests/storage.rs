//! One server's storage keeps what it reported, whatever a crash leaves; each flaw is found.

use model::catalogue::{self, Bounds};
use model::{Budget, End, Outcome};

/// A flaw, the invariant it breaks, and the most steps it takes.
const CAUGHT: [(&str, &str, usize); 5] = [
    ("no-sync", "ReportedSurvives", 7),
    ("no-directory-sync", "ReportedSurvives", 9),
    ("unchecked-log", "OnlyWhatWasWritten", 8),
    ("late-tail", "StateIsHistory", 21),
    ("trusted-names", "ReportedSurvives", 10),
];

#[test]
fn what_was_reported_survives_any_crash() {
    for (crashes, syncs) in [(1, 1), (2, 0)] {
        let outcome = check(Bounds { crashes, syncs, ..own() }, None, None);
        assert_eq!(outcome.end, End::Held);
        let unseen: Vec<_> = outcome.covered.iter().filter(|(_, count)| *count == 0).collect();
        let expected = if syncs == 0 { vec!["snapshot", "copy"] } else { vec![] };
        assert_eq!(unseen.iter().map(|(name, _)| *name).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn every_flaw_is_found() {
    let model = catalogue::find("storage").expect("it is in the catalogue");
    assert_eq!(model.mutants(), CAUGHT.map(|(flaw, ..)| flaw));
    for (flaw, invariant, steps) in CAUGHT {
        let crashes = if flaw == "trusted-names" { 2 } else { 1 };
        let outcome = check(Bounds { crashes, ..own() }, Some(flaw), Some(invariant));
        let End::Broken(chapter) = outcome.end else { panic!("{flaw}: {outcome:?}") };
        assert!(chapter.story.len() <= steps, "{flaw}: {chapter:#?}");
    }
}

fn own() -> Bounds {
    catalogue::find("storage").expect("it is in the catalogue").bounds
}

fn check(bounds: Bounds, flaw: Option<&str>, invariant: Option<&str>) -> Outcome {
    let model = catalogue::find("storage").expect("it is in the catalogue");
    let found = model.check_for(invariant, bounds, flaw, Budget::default(), &mut |_| {});
    found.expect("the bounds make sense")
}
