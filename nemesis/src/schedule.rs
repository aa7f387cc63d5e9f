//! When which fault begins and ends: a pure function of the seed.

use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, FaultId, FaultSpec, Kind, Skip, View, resolve};
use crate::trigger::Trigger;

/// One entry of the schedule. Times are milliseconds since the faults' part of the run began.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Scheduled {
    /// Its number, from 1 in order of time.
    pub id: FaultId,
    /// When to inject it, or to begin to wait for its event.
    pub at_ms: u64,
    /// How long to leave it in force. Entries may overlap.
    pub hold_ms: u64,
    /// What to inject.
    pub spec: FaultSpec,
    /// Seed of the choice of targets.
    pub seed: u64,
    /// What sets it off; absent if it is time alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Awaited>,
}

/// An event that a fault waits for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Awaited {
    /// Which.
    pub event: Trigger,
    /// For how long.
    pub within_ms: u64,
}

impl Scheduled {
    /// When to heal it, at the latest.
    pub fn heal_at_ms(&self) -> u64 {
        self.at_ms + self.on.as_ref().map_or(0, |on| on.within_ms) + self.hold_ms
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
/// shortened. Later kinds, and the members of each, are drawn like cards from a deck, so that a run sees
/// many of them. Half of the later faults end within their interval; the other half end soon after the
/// next one began, so that a server comes back while another one is missed. One that stops everything
/// ends after half a second. One that an event sets off has its turn like the others, and waits from then on until the
/// next one that waits for the same has its turn.
/// Without kinds, or with a duration of less than 1 ms per kind, the schedule is empty.
pub fn generate(
    seed: u64,
    kinds: &[Kind],
    duration: Duration,
    interval: Duration,
) -> Vec<Scheduled> {
    let slot_ms = slot_ms(n_first_slots(kinds), duration, interval);
    if kinds.is_empty() || slot_ms == 0 {
        return Vec::new();
    }
    let end_ms = millis(duration) - slot_ms;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut decks = Decks::new(kinds, &mut rng);
    let (mut schedule, mut slot) = (Vec::new(), 0);
    while slot < end_ms / slot_ms {
        let entry = entry(slot, slot_ms, end_ms, &mut decks, &mut rng);
        let n_slots = n_slots(entry.spec, slot_ms);
        // What would be cut short at the end is left out, unless there is nothing else.
        if schedule.is_empty() || entry.hold_ms >= n_slots * slot_ms / 2 || n_slots == 1 {
            schedule.push(entry);
        }
        slot += n_slots;
    }
    bound_waits(&mut schedule, end_ms);
    schedule
}

/// The same in phases of equal length, each with kinds of its own.
pub fn in_phases(
    seed: u64,
    phases: &[Vec<Kind>],
    duration: Duration,
    interval: Duration,
) -> Vec<Scheduled> {
    let each = duration / u32::try_from(phases.len()).unwrap_or(u32::MAX).max(1);
    let mut schedule: Vec<Scheduled> = Vec::new();
    for (n, kinds) in (0..).zip(phases) {
        let (begin_ms, last) = (millis(each) * n, schedule.last().map_or(0, |entry| entry.id.0));
        let phase = generate(seed.wrapping_add(n), kinds, each, interval).into_iter();
        schedule.extend(phase.map(|entry| Scheduled {
            id: FaultId(last + entry.id.0),
            at_ms: begin_ms + entry.at_ms,
            ..entry
        }));
    }
    schedule
}

/// Two faults do not wait for the same event at once, and the last one has time to be held and healed.
fn bound_waits(schedule: &mut [Scheduled], end_ms: u64) {
    for i in 0..schedule.len() {
        let (entry, later) = schedule[i..].split_first_mut().expect("i is in range");
        let Some(on) = &mut entry.on else { continue };
        let same = |other: &&Scheduled| other.on.as_ref().is_some_and(|o| o.event == on.event);
        let next_ms = later.iter().find(same).map_or(u64::MAX, |next| next.at_ms);
        entry.hold_ms = entry.hold_ms.min(end_ms.saturating_sub(entry.at_ms).div_ceil(2));
        let until_ms = next_ms.min(end_ms.saturating_sub(entry.hold_ms));
        on.within_ms = until_ms.saturating_sub(entry.at_ms);
    }
}

/// Slots of the first round, in which each kind occurs once.
fn n_first_slots(kinds: &[Kind]) -> usize {
    let is_scenario = |kind: &&Kind| matches!(kind.foremost(), FaultSpec::Scenario { .. });
    kinds.len() + kinds.iter().filter(is_scenario).count() * (SCENARIO_SLOTS as usize - 1)
}

/// The interval, or less if the first round and the quiet end would not fit.
fn slot_ms(n_slots: usize, duration: Duration, interval: Duration) -> u64 {
    let widest = millis(duration) / (n_slots as u64 + 1);
    millis(interval).min(widest)
}

fn entry(
    slot: u64,
    slot_ms: u64,
    end_ms: u64,
    decks: &mut Decks<'_>,
    rng: &mut ChaCha8Rng,
) -> Scheduled {
    let in_first_round = !decks.first.is_empty();
    let (spec, on) = decks.draw(rng);
    let at_ms = slot * slot_ms + rng.random_range(0..=slot_ms / 8);
    let wished_ms = match in_first_round || rng.random() {
        true => rng.random_range(slot_ms / 2..=slot_ms * 3 / 4),
        false => rng.random_range(slot_ms..=slot_ms * 11 / 8),
    };
    let wished_ms = match n_slots(spec, slot_ms) {
        1 => wished_ms,
        n => n * slot_ms - slot_ms / 4,
    };
    let longest_ms = if stops_all(spec) { OUTAGE_MS } else { u64::MAX };
    let hold_ms = wished_ms.min(end_ms - at_ms).min(longest_ms);
    let id = FaultId(slot as u32 + 1);
    let on = on.map(|event| Awaited { event, within_ms: 0 });
    Scheduled { id, at_ms, hold_ms, spec, seed: rng.random(), on }
}

/// A scenario has several steps and waits for things to happen, and a Java machine starts slowly.
const SCENARIO_MS: u64 = 15_000;
/// The most that it takes, so that other kinds have their turn in a short run.
const SCENARIO_SLOTS: u64 = 8;

/// How many slots a fault takes for itself.
fn n_slots(spec: FaultSpec, slot_ms: u64) -> u64 {
    match spec {
        FaultSpec::Scenario { .. } => (SCENARIO_MS / slot_ms).clamp(1, SCENARIO_SLOTS),
        _ => 1,
    }
}

/// A run needs time in which something works.
const OUTAGE_MS: u64 = 500;

/// Does nothing work while it is in force, whatever else is?
fn stops_all(spec: FaultSpec) -> bool {
    matches!(spec, FaultSpec::PowerCut { .. })
}

/// Where the next fault comes from.
struct Decks<'a> {
    all: &'a [Kind],
    /// Each kind once, to be drawn before any is drawn twice.
    first: Vec<usize>,
    kinds: Deck<usize>,
    members: Vec<Deck<FaultSpec>>,
}

impl<'a> Decks<'a> {
    fn new(kinds: &'a [Kind], rng: &mut ChaCha8Rng) -> Decks<'a> {
        let mut first: Vec<usize> = (0..kinds.len()).collect();
        first.shuffle(rng);
        let members = kinds.iter().map(|kind| Deck::of(kind.members())).collect();
        Decks { all: kinds, first, kinds: Deck::of((0..kinds.len()).collect()), members }
    }

    /// A fault, and what sets it off.
    fn draw(&mut self, rng: &mut ChaCha8Rng) -> (FaultSpec, Option<Trigger>) {
        let (kind, spec) = match self.first.pop() {
            Some(kind) => (kind, self.all[kind].foremost()),
            None => {
                let kind = self.kinds.draw(rng);
                (kind, self.members[kind].draw(rng))
            }
        };
        (spec, self.all[kind].on().cloned())
    }
}

/// Cards that are drawn until none is left, then shuffled again.
struct Deck<T> {
    all: Vec<T>,
    left: Vec<T>,
}

impl<T: Copy> Deck<T> {
    /// A deck of at least one card.
    fn of(all: Vec<T>) -> Deck<T> {
        Deck { all, left: Vec::new() }
    }

    fn draw(&mut self, rng: &mut ChaCha8Rng) -> T {
        if self.left.is_empty() {
            self.left.clone_from(&self.all);
            self.left.shuffle(rng);
        }
        self.left.pop().expect("filled above")
    }
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
    fn a_round_of_the_deck_has_every_shape_of_partition() {
        let schedule = generate(1, &kinds(&["partition"]), seconds(36), seconds(3));
        let shapes: std::collections::BTreeSet<_> =
            schedule[1..].iter().map(|s| s.spec.to_string()).collect();
        assert_eq!(shapes.len(), 7, "{shapes:?}");
    }

    #[test]
    fn what_stops_everything_is_short() {
        let asked = kinds(&["disk:power-cut", "kill"]);
        let schedule = generate(1, &asked, seconds(60), seconds(3));
        let of = |family: &str| {
            let those = schedule.iter().filter(|s| s.spec.to_string().starts_with(family));
            those.map(|s| s.hold_ms).max().expect("there are some")
        };
        assert!(of("disk") <= OUTAGE_MS && of("kill") > OUTAGE_MS);
    }

    #[test]
    fn a_scenario_has_its_time_for_itself() {
        let schedule = generate(1, &kinds(&["scenario", "kill"]), seconds(120), seconds(2));
        let is_scenario = |s: &Scheduled| matches!(s.spec, FaultSpec::Scenario { .. });
        for pair in schedule.windows(2).filter(|pair| is_scenario(&pair[0])) {
            assert!(pair[0].hold_ms > 7_000 && pair[0].heal_at_ms() < pair[1].at_ms, "{pair:?}");
        }
        assert!(schedule.iter().any(is_scenario) && !schedule.iter().all(is_scenario));
    }

    #[test]
    fn what_waits_for_the_same_waits_in_turn_and_ends_in_time() {
        let asked =
            kinds(&["kill:that@epoch-change", "pause@epoch-change", "kill@answers:9", "kill"]);
        for seed in 0..100 {
            let schedule = generate(seed, &asked, seconds(60), seconds(2));
            assert!(schedule.iter().all(|s| s.heal_at_ms() < 60_000));
            for event in ["epoch-change", "answers:9"] {
                let event: Trigger = event.parse().expect("it can happen");
                let waits = schedule.iter().filter_map(|s| s.on.as_ref().map(|on| (s.at_ms, on)));
                let waits: Vec<_> = waits.filter(|(_, on)| on.event == event).collect();
                assert!(waits.len() > 5);
                assert!(waits.iter().all(|(_, on)| on.within_ms > 0));
                assert!(waits.windows(2).all(|w| w[0].0 + w[0].1.within_ms <= w[1].0), "{waits:?}");
            }
        }
        // An event draws nothing.
        let (timed, set_off) = (kinds(&["kill", "pause"]), kinds(&["kill@role-change", "pause"]));
        let of = |kinds: &[Kind]| generate(3, kinds, seconds(30), seconds(3));
        for (timed, set_off) in of(&timed).into_iter().zip(of(&set_off)) {
            let hold_ms = timed.hold_ms;
            assert_eq!(timed, Scheduled { on: None, hold_ms, ..set_off });
        }
    }

    #[test]
    fn phases_keep_to_their_kinds_and_times() {
        let phases = [kinds(&["kill"]), kinds(&["partition", "pause"])];
        let schedule = in_phases(5, &phases, seconds(40), seconds(3));
        let (first, second): (Vec<_>, Vec<_>) = schedule.iter().partition(|s| s.at_ms < 20_000);
        let of = |s: &Scheduled, family: &str| s.spec.to_string().starts_with(family);
        assert!(first.len() > 4 && first.iter().all(|s| of(s, "kill") && s.heal_at_ms() < 20_000));
        assert!(second.len() > 4 && !second.iter().any(|s| of(s, "kill")));
        assert!(schedule.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert_eq!(
            in_phases(5, &phases[..1], seconds(40), seconds(3)),
            generate(5, &phases[0], seconds(40), seconds(3))
        );
    }

    #[test]
    fn no_kinds_or_no_time_is_an_empty_schedule() {
        assert_eq!(generate(1, &[], seconds(30), seconds(3)), []);
        assert_eq!(generate(1, &kinds(&["kill"]), Duration::ZERO, seconds(3)), []);
        assert_eq!(generate(1, &kinds(&["kill"]), seconds(30), Duration::ZERO), []);
    }
}
