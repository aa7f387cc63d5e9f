//! When which fault begins and ends: a pure function of the seed.

use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, FaultId, FaultSpec, Kind, Skip, View, resolve};

/// One entry of the schedule. Times are milliseconds since the faults' part of the run began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Scheduled {
    /// Its number, from 1 in order of time.
    pub id: FaultId,
    /// When to inject it.
    pub at_ms: u64,
    /// How long to leave it in force. Entries may overlap.
    pub hold_ms: u64,
    /// What to inject.
    pub spec: FaultSpec,
    /// Seed of the choice of targets.
    pub seed: u64,
}

impl Scheduled {
    /// When to heal it.
    pub fn heal_at_ms(&self) -> u64 {
        self.at_ms + self.hold_ms
    }

    /// Chooses the targets. The same view gives the same targets.
    pub fn resolve(&self, view: &View) -> Result<Fault, Skip> {
        resolve(&self.spec, view, &mut ChaCha8Rng::seed_from_u64(self.seed))
    }
}

/// Draws a schedule: about one fault per `interval`, the last one healed an interval before `duration`.
///
/// Each of `kinds` occurs once, in random order and without overlap, before any occurs twice; a group's
/// first member is the one aimed at the leader. If `duration` has no room for that, the interval is
/// shortened. Later faults last half an interval to one and a half, so that neighbours may overlap.
/// Without kinds, or with a duration of less than 1 ms per kind, the schedule is empty.
pub fn generate(
    seed: u64,
    kinds: &[Kind],
    duration: Duration,
    interval: Duration,
) -> Vec<Scheduled> {
    let slot_ms = slot_ms(kinds.len(), duration, interval);
    if kinds.is_empty() || slot_ms == 0 {
        return Vec::new();
    }
    let end_ms = millis(duration) - slot_ms;
    let n_slots = end_ms / slot_ms;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let first = first_round(kinds, &mut rng);
    (0..n_slots).map(|slot| entry(slot, slot_ms, end_ms, &first, kinds, &mut rng)).collect()
}

/// The interval, or less if the first round and the quiet end would not fit.
fn slot_ms(n_kinds: usize, duration: Duration, interval: Duration) -> u64 {
    let widest = millis(duration) / (n_kinds as u64 + 1);
    millis(interval).min(widest)
}

fn first_round(kinds: &[Kind], rng: &mut ChaCha8Rng) -> Vec<FaultSpec> {
    let mut specs: Vec<_> = kinds.iter().map(|kind| kind.foremost()).collect();
    specs.shuffle(rng);
    specs
}

fn entry(
    slot: u64,
    slot_ms: u64,
    end_ms: u64,
    first: &[FaultSpec],
    kinds: &[Kind],
    rng: &mut ChaCha8Rng,
) -> Scheduled {
    let in_first_round = first.get(slot as usize);
    let spec = in_first_round
        .copied()
        .unwrap_or_else(|| kinds[rng.random_range(0..kinds.len())].draw(rng));
    let at_ms = slot * slot_ms + rng.random_range(0..=slot_ms / 8);
    let wished_ms = match in_first_round {
        Some(_) => rng.random_range(slot_ms / 2..=slot_ms * 3 / 4),
        None => rng.random_range(slot_ms / 2..=slot_ms * 3 / 2),
    };
    let hold_ms = wished_ms.min(end_ms - at_ms);
    let id = FaultId(slot as u32 + 1);
    Scheduled { id, at_ms, hold_ms, spec, seed: rng.random() }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Target;
    use std::fmt::Write;

    fn kinds(names: &[&str]) -> Vec<Kind> {
        names.iter().map(|name| name.parse().expect("the tests know the kinds")).collect()
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_same_seed_draws_the_same_schedule_for_ever() {
        let all = kinds(&["kill", "pause", "partition"]);
        let mut text = String::new();
        for s in generate(7, &all, seconds(30), seconds(3)) {
            writeln!(text, "{} {} {} {} {:x}", s.id, s.at_ms, s.hold_ms, s.spec, s.seed)
                .expect("strings take everything");
        }
        assert_eq!(text, include_str!("../testdata/schedule-7.txt"));
    }

    #[test]
    fn every_kind_comes_early_alone_and_is_healed_in_time() {
        let asked = kinds(&["kill", "pause", "partition", "partition:client", "kill:one"]);
        for seed in 0..300 {
            for duration in [1, 5, 15, 30, 120] {
                let schedule = generate(seed, &asked, seconds(duration), seconds(3));
                let (first, _) = schedule.split_at(asked.len());
                for kind in &asked {
                    assert!(first.iter().any(|s| s.spec == kind.foremost()), "{kind}");
                }
                assert!(first.windows(2).all(|pair| pair[0].heal_at_ms() < pair[1].at_ms));
                assert!(schedule.is_sorted_by_key(|s| s.at_ms));
                assert!(schedule.iter().all(|s| s.heal_at_ms() < duration * 1000));
                assert!(schedule.iter().all(|s| s.hold_ms > 0));
            }
        }
    }

    #[test]
    fn later_faults_overlap_and_leaders_are_hit_often() {
        let asked = kinds(&["kill", "pause", "partition"]);
        let schedule = generate(1, &asked, seconds(600), seconds(3));
        let overlaps = schedule.windows(2).filter(|p| p[0].heal_at_ms() > p[1].at_ms).count();
        let n_leader = schedule.iter().filter(|s| s.spec.to_string().ends_with("leader")).count();
        assert!(overlaps * 4 > schedule.len(), "{overlaps}");
        assert!(n_leader * 3 > schedule.len(), "{n_leader}");
        assert_eq!(
            schedule.iter().find(|s| s.spec.to_string().starts_with("kill")).map(|s| s.spec),
            Some(FaultSpec::Kill { target: Target::Leader })
        );
    }

    #[test]
    fn no_kinds_or_no_time_is_an_empty_schedule() {
        assert_eq!(generate(1, &[], seconds(30), seconds(3)), []);
        assert_eq!(generate(1, &kinds(&["kill"]), Duration::ZERO, seconds(3)), []);
        assert_eq!(generate(1, &kinds(&["kill"]), seconds(30), Duration::ZERO), []);
    }
}
