//! A session is kept and ended as promised, and each flaw is found.

use model::catalogue::{self, Named};
use model::{Budget, End, Outcome};

#[test]
fn a_session_is_kept_and_ended_as_promised() {
    let [alone, read] = ["sessions", "sessions-read"].map(|name| check(named(name), None));
    for outcome in [&alone, &read] {
        assert_eq!(outcome.end, End::Held);
        assert!(outcome.progress.states > 1000, "{:?}", outcome.progress);
    }
    for ((name, alone), (_, read)) in alone.covered.iter().zip(&read.covered) {
        assert!(alone + read > 0, "no {name}");
    }
}

#[test]
fn every_flaw_is_found() {
    let caught = [
        ("no-owner", "sessions", "WritesInOrder"),
        ("old-deadlines", "sessions", "LiveSessionKept"),
        ("silent-followers", "sessions", "LiveSessionKept"),
        ("unseen-allowed", "sessions-read", "ReadsInOrder"),
        ("write-after-close", "sessions", "NothingAfterClose"),
    ];
    for (flaw, name, invariant) in caught {
        let model = named(name);
        assert!(model.mutants().contains(&flaw));
        match check(model, Some(flaw)).end {
            End::Broken(chapter) => assert_eq!(chapter.invariant, invariant, "{chapter:#?}"),
            end => panic!("{flaw}: {end:?}"),
        }
    }
    assert_eq!(named("sessions").mutants().len(), caught.len(), "each is looked for above");
}

fn named(name: &str) -> &'static Named {
    catalogue::find(name).expect("it is in the catalogue")
}

fn check(model: &Named, flaw: Option<&str>) -> Outcome {
    model.check(model.bounds, flaw, Budget::default(), &mut |_| {}).expect("the bounds make sense")
}
