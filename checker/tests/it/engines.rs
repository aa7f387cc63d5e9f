//! Every engine against a search that tries every order, on random small histories of every
//! specification, and for every promise of consistency.

use std::fmt;
use std::thread;

use checker::engine::{
    Asked, Call, Decidable, Decision, RealTime, Sessions, Shortcut, decide, decide_sessions,
    shortcut,
};
use checker::{Budget, Limits};
use spec::{CasRegister, Counter, Entry, Lock, Queue, Register, Set, Znodes};

use crate::brute_force::{brute_force, of_sessions};
use crate::drawn::{Drawn, Plain, by_object, histories, n_histories};

/// Verdicts of one engine: those that there is an order, and those that there is none.
#[derive(Clone, Copy, Debug, Default)]
struct Verdicts {
    valid: u32,
    invalid: u32,
}

impl Verdicts {
    /// Notes what was found, which is the truth.
    fn note<S: Decidable>(&mut self, who: &str, found: bool, truth: bool, history: &[Asked<S>]) {
        assert_eq!(found, truth, "{who}: {history:#?}");
        *(if truth { &mut self.valid } else { &mut self.invalid }) += 1;
    }

    fn all(self) -> u32 {
        self.valid + self.invalid
    }

    fn both_ways(self, least: u32) -> bool {
        self.valid > least && self.invalid > least
    }
}

impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = (self.valid * 100).checked_div(self.all()).unwrap_or(0);
        write!(f, "{} ({share} % valid)", self.all())
    }
}

/// The verdicts on one specification, by engine.
#[derive(Debug, Default)]
struct Tally {
    name: &'static str,
    histories: u32,
    search: Verdicts,
    short: Verdicts,
    sequential: Verdicts,
    zookeeper: Verdicts,
}

impl Tally {
    fn engines(&self) -> [(&'static str, Verdicts); 4] {
        [
            ("search", self.search),
            ("shortcut", self.short),
            ("sequential", self.sequential),
            ("zookeeper", self.zookeeper),
        ]
    }
}

fn budget() -> Budget {
    Budget::new(Limits::default())
}

fn agree<D: Drawn>(seed: u64) -> Tally {
    let mut tally = Tally { name: D::NAME, ..Tally::default() };
    for history in histories::<D>(seed, n_histories()) {
        tally.histories += 1;
        let mut linearizable = true;
        for calls in by_object(&history).iter().filter(|calls| !calls.is_empty()) {
            linearizable &= of_one_object(calls, &mut tally, &history);
        }
        let sequential = of_sessions(&history, RealTime::Ignored);
        let zookeeper = of_sessions(&history, RealTime::OfUpdates);
        assert!(!linearizable || zookeeper, "linearizable is more: {history:#?}");
        assert!(!zookeeper || sequential, "sequential is least: {history:#?}");
        let found = in_sessions(&history, RealTime::Ignored);
        tally.sequential.note("sequential", found, sequential, &history);
        let found = in_sessions(&history, RealTime::OfUpdates);
        tally.zookeeper.note("zookeeper", found, zookeeper, &history);
    }
    tally
}

/// Is it linearizable, as all engines that know say?
fn of_one_object<S: Decidable>(calls: &[Call<S>], tally: &mut Tally, history: &[Asked<S>]) -> bool {
    let truth = brute_force(&S::default(), calls);
    let found = decide(S::default(), calls, &mut budget());
    tally.search.note("search", found == Decision::Linearizable, truth, history);
    if let Some(found) = shortcut(calls) {
        if let Shortcut::Broken { calls: blamed, .. } = &found {
            assert!(!blamed.is_empty() && blamed.iter().all(|&call| call < calls.len()));
        }
        tally.short.note("shortcut", found == Shortcut::Linearizable, truth, history);
    }
    truth
}

/// Of what has no order, the longest found must have one, and the call blamed no place after it.
fn in_sessions<S: Decidable>(history: &[Asked<S>], real_time: RealTime) -> bool {
    match decide_sessions(history, real_time, &mut budget()) {
        Sessions::Ordered => true,
        Sessions::Broken { order, call, .. } => {
            assert!(!order.contains(&call), "it has a place: {history:#?}");
            false
        }
        Sessions::GaveUp { .. } => panic!("eight calls are too many: {history:#?}"),
    }
}

#[test]
fn every_engine_agrees_with_brute_force() {
    let specifications: [fn(u64) -> Tally; 9] = [
        agree::<Plain>,
        agree::<CasRegister>,
        agree::<Register>,
        agree::<Counter>,
        agree::<Set>,
        agree::<Queue>,
        agree::<Entry>,
        agree::<Lock>,
        agree::<Znodes>,
    ];
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let each = (1..).zip(specifications).map(|(seed, agree)| scope.spawn(move || agree(seed)));
        let each: Vec<_> = each.collect();
        each.into_iter().map(|one| one.join().expect("all agree")).collect()
    });
    report(&tallies);
    let histories: u32 = tallies.iter().map(|tally| tally.histories).sum();
    assert!(histories >= 100_000 || std::env::var_os("CHECKER_HISTORIES").is_some(), "{histories}");
    for tally in &tallies {
        for (engine, verdicts) in tally.engines() {
            // Not every specification has a shortcut, and those take what they can.
            let unused = engine == "shortcut" && !has_shortcut(tally.name);
            let enough = tally.histories / if engine == "shortcut" { 50 } else { 20 };
            assert!(unused || verdicts.both_ways(enough), "one-sided: {engine}, {tally:?}");
        }
    }
}

fn has_shortcut(specification: &str) -> bool {
    ["register", "cas-register", "counter", "set", "queue"].contains(&specification)
}

/// One line: what was compared with brute force.
fn report(tallies: &[Tally]) {
    let of = |tally: &Tally| {
        let used = tally.engines().into_iter().filter(|(_, verdicts)| verdicts.all() > 0);
        let each: Vec<_> = used.map(|(engine, verdicts)| format!("{engine} {verdicts}")).collect();
        format!("{}: {}", tally.name, each.join(", "))
    };
    let all: Vec<_> = tallies.iter().map(of).collect();
    let histories: u32 = tallies.iter().map(|tally| tally.histories).sum();
    let verdicts: u32 =
        tallies.iter().flat_map(Tally::engines).map(|(_, verdicts)| verdicts.all()).sum();
    println!(
        "{histories} histories, {verdicts} verdicts, all as brute force has them: {}",
        all.join("; ")
    );
}
