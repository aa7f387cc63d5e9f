//! Ensembles under chaos, one per seed: nothing promised may break, and everything must heal.
//!
//! `ZAB_SEEDS=20000 cargo test --release -p zab --test simulation` runs more;
//! `ZAB_SEED=17` runs that one and prints every step.

mod sim;

use sim::{Kind, Tally, run};
use zab::Mutant;

const CHAOS_MS: u64 = 4000;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number of seeds, or a seed"))
}

#[test]
fn promises_hold_under_chaos() {
    let one = variable("ZAB_SEED");
    let seeds = one.map_or(0..variable("ZAB_SEEDS").unwrap_or(300), |seed| seed..seed + 1);
    let (mut tally, mut steps, mut slowest) = (Tally::new(), 0, 0);
    for seed in seeds {
        let outcome = run(seed, CHAOS_MS, None, one.is_some());
        if let Some(violation) = outcome.violation {
            panic!("seed {seed}: {violation}");
        }
        steps += outcome.steps;
        slowest = slowest.max(outcome.converged_ms);
        for (what, count) in outcome.tally {
            *tally.entry(what).or_default() += count;
        }
    }
    println!("{steps} steps, slowest convergence {slowest} ms, {tally:#?}");
    if one.is_none() {
        assert_exercised(&tally);
    }
}

/// A simulation in which nothing happens would find nothing.
fn assert_exercised(tally: &Tally) {
    let needed = [
        "established",
        "acknowledged",
        "sync",
        "diff",
        "trunc",
        "snap",
        "kill",
        "power cut",
        "lost writes",
        "pause",
        "partition",
        "one-way partition",
        "cut",
        "reconfiguration",
        "reconfiguration refused",
        "removed leader",
    ];
    for what in needed {
        assert!(tally.get(what).is_some_and(|count| *count > 0), "no {what} in {tally:?}");
    }
}

/// The number of the seed that finds the mutant, and how.
fn finds(mutant: Mutant, kinds: &[Kind]) {
    let found = (0..300).find_map(|seed| {
        let violation = run(seed, CHAOS_MS, Some(mutant), false).violation?;
        Some((seed, violation))
    });
    let Some((seed, violation)) = found else { panic!("{mutant:?} was not found") };
    println!("{mutant:?}: seed {seed}: {violation}");
    assert!(kinds.contains(&violation.kind), "{mutant:?} found by {violation}");
}

#[test]
fn finds_acknowledgement_before_durability() {
    finds(Mutant::X1, &[Kind::Undurable]);
}

#[test]
fn finds_a_leader_that_counts_itself_too_early() {
    finds(Mutant::X3, &[Kind::Undurable, Kind::Loss]);
}

#[test]
fn finds_a_history_acknowledged_too_early() {
    finds(Mutant::X4, &[Kind::Undurable, Kind::Loss, Kind::Divergence]);
}

#[test]
fn finds_deliveries_out_of_order() {
    finds(Mutant::X15, &[Kind::Order, Kind::Divergence]);
}

#[test]
fn finds_an_epoch_without_its_history() {
    finds(Mutant::X5, &[Kind::Undurable, Kind::Loss, Kind::Divergence]);
}

#[test]
fn finds_promises_that_are_not_kept() {
    finds(Mutant::X6, &[Kind::Undurable, Kind::TwoLeaders, Kind::Loss, Kind::Divergence]);
}

#[test]
fn finds_leaders_chosen_by_id() {
    finds(Mutant::X8, &[Kind::Undurable, Kind::Loss, Kind::Divergence]);
}

#[test]
fn finds_half_quorums() {
    finds(Mutant::X9, &[Kind::Undurable, Kind::Loss, Kind::Divergence, Kind::TwoLeaders]);
}

#[test]
fn finds_ignored_truncation() {
    finds(Mutant::X11, &[Kind::Divergence, Kind::Order]);
}

#[test]
fn finds_observers_that_count() {
    finds(Mutant::X43, &[Kind::Undurable, Kind::Loss, Kind::Divergence, Kind::TwoLeaders]);
}

#[test]
fn finds_reconfigurations_without_a_quorum_of_the_old() {
    finds(Mutant::X44, &[Kind::Undurable, Kind::Loss, Kind::Divergence, Kind::TwoLeaders]);
}

#[test]
fn finds_reconfigurations_without_a_quorum_of_the_new() {
    finds(Mutant::X45, &[Kind::Undurable, Kind::Loss, Kind::Divergence, Kind::TwoLeaders]);
}

#[test]
fn finds_unconfirmed_sync() {
    finds(Mutant::X17, &[Kind::StaleSync]);
}
