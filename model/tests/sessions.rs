//! A session is kept and ended as promised, and each flaw is found.

use model::catalogue::{self, Named};
use model::{Budget, End, Outcome};

#[test]
fn a_session_is_kept_and_ended_as_promised() {
    let model = named();
    let outcome = check(model, None);
    assert_eq!(outcome.end, End::Held);
    assert!(outcome.progress.states > 1000, "{:?}", outcome.progress);
    assert!(outcome.covered.iter().all(|(_, count)| *count > 0), "{:?}", outcome.covered);
}

#[test]
fn every_flaw_is_found() {
    let model = named();
    for (flaw, invariant) in [
        ("no-owner", "WritesInOrder"),
        ("old-deadlines", "LiveSessionKept"),
        ("silent-followers", "LiveSessionKept"),
        ("write-after-close", "NothingAfterClose"),
    ] {
        assert!(model.mutants().contains(&flaw));
        match check(model, Some(flaw)).end {
            End::Broken(chapter) => assert_eq!(chapter.invariant, invariant, "{chapter:#?}"),
            end => panic!("{flaw}: {end:?}"),
        }
    }
    assert_eq!(model.mutants().len(), 4, "each is looked for above");
}

fn named() -> &'static Named {
    catalogue::find("sessions").expect("it is in the catalogue")
}

fn check(model: &Named, flaw: Option<&str>) -> Outcome {
    model.check(model.bounds, flaw, Budget::default(), &mut |_| {}).expect("the bounds make sense")
}
