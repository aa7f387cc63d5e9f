//! Each defect that a model has is in the list of those shown, and is found where the list says.

use std::collections::BTreeSet;

use model::catalogue::{self, MODELS};
use model::shown::SHOWN;
use model::{Budget, End};

#[test]
fn every_defect_of_every_model_is_listed() {
    let kind = |model: &str| match model {
        name if name.starts_with("zab-") => "protocol",
        name if name.starts_with("paxos") => "paxos",
        name if name.starts_with("sessions") => "sessions",
        "storage" => "storage",
        "breaker" => "breaker",
        _ => "core",
    };
    let of = |model: &catalogue::Named| {
        model.mutants().into_iter().map(|mutant| (kind(model.name), mutant)).collect::<Vec<_>>()
    };
    let known = MODELS.iter().flat_map(of);
    let listed = SHOWN.iter().map(|shown| (kind(shown.model), shown.mutant));
    assert_eq!(known.collect::<BTreeSet<_>>(), listed.collect::<BTreeSet<_>>());
}

#[test]
fn each_is_found_where_the_list_says() {
    for shown in SHOWN {
        let model = catalogue::find(shown.model).expect("it is in the catalogue");
        let (bounds, mutant) = ((shown.within)(model.bounds), Some(shown.mutant));
        let budget = Budget::default();
        let outcome = model.check_for(shown.invariant, bounds, mutant, budget, &mut |_| {});
        let end = outcome.expect("the bounds make sense").end;
        assert!(matches!(end, End::Broken(_)), "{shown:?}: {end:?}");
    }
}

#[test]
fn an_unknown_invariant_is_refused() {
    let model = catalogue::find("crash").expect("it is in the catalogue");
    let budget = Budget::default();
    let outcome = model.check_for(Some("Truth"), model.bounds, None, budget, &mut |_| {});
    assert!(outcome.expect_err("there is none").contains("no invariant Truth; there are "));
}
