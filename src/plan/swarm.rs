//! Swarm testing: runs differ in the kinds of their faults, and not only in their dice.
//!
//! A fault that is always there hides what needs its absence. After "Swarm Testing", Groce et al., ISSTA 2012.

use history::Settings;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Keeps each kind of fault with the chance of a coin, at least one of them, and draws how often
/// faults come: from thrice as often to half as often as asked. The seed decides.
pub(super) fn draw(settings: &mut Settings) {
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let all = std::mem::take(&mut settings.faults);
    let chosen = if all.is_empty() { 0 } else { rng.random_range(0..all.len()) };
    let kept = all.into_iter().enumerate().filter(|(n, _)| rng.random() || *n == chosen);
    settings.faults = kept.map(|(_, kind)| kind).collect();
    // In whole milliseconds, as it could have been typed.
    let factor = rng.random_range(-1.58_f64..=1.0).exp2();
    settings.interval_s = (settings.interval_s * factor * 1000.0).round().max(100.0) / 1000.0;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::plan::Plan;

    fn drawn(seed: u64) -> Settings {
        let plan = Plan { swarm: Some(true), ..Plan::default() };
        plan.resolve(seed).expect("the defaults are allowed")
    }

    #[test]
    fn seeds_differ_in_kind_and_a_seed_does_not_differ_from_itself() {
        let kinds: BTreeSet<_> = (0..100).map(|seed| drawn(seed).faults).collect();
        assert!(kinds.len() > 90, "{}", kinds.len());
        assert!(kinds.iter().all(|kinds| !kinds.is_empty()));
        assert_eq!(drawn(7), drawn(7));
    }

    #[test]
    fn rates_differ_within_bounds() {
        let rates: Vec<_> = (0..100).map(|seed| drawn(seed).interval_s).collect();
        assert!(rates.iter().all(|rate| (0.6..=4.0).contains(rate)), "{rates:?}");
        assert!(rates.iter().any(|rate| *rate < 1.0) && rates.iter().any(|rate| *rate > 3.0));
    }

    #[test]
    fn only_what_was_named_is_drawn_from() {
        let faults = Some("kill,pause".parse().expect("these exist"));
        let plan = Plan { swarm: Some(true), faults, ..Plan::default() };
        let drawn = (0..50).map(|seed| plan.resolve(seed).expect("it is allowed").faults);
        let sets: BTreeSet<_> = drawn.map(|faults| faults.join("+")).collect();
        assert_eq!(sets, ["kill", "kill+pause", "pause"].map(str::to_owned).into());
    }
}
