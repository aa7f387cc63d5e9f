//! Mutations of valid histories are caught in the share that a search of every order says: not one
//! more, not one less. A change may well leave a history valid.

use checker::engine::{
    Asked, Decision, RealTime, Sessions, Shortcut, decide, decide_sessions, shortcut,
};
use checker::{Budget, Limits};
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use spec::{CasRegister, Counter, Entry, Lock, Queue, Register, Searchable, Set, Znodes};

use crate::brute_force::{brute_force, of_sessions};
use crate::drawn::{Drawn, Plain, by_object, history, n_histories};

/// What is done to a history.
#[derive(Clone, Copy, Debug)]
enum Mutation {
    /// Another answer to one call.
    Answer,
    /// Two calls exchange their answers.
    Exchange,
    /// A call is left out.
    Drop,
    /// Two calls exchange when they were invoked and answered.
    Move,
}

const MUTATIONS: [Mutation; 4] =
    [Mutation::Answer, Mutation::Exchange, Mutation::Drop, Mutation::Move];

/// Mutates one history or none, if there is nothing to do it to.
fn mutate<D: Drawn>(
    rng: &mut ChaCha8Rng,
    mutation: Mutation,
    before: &[Asked<D::Spec>],
) -> Option<Vec<Asked<D::Spec>>> {
    let mut asked = before.to_vec();
    let answered: Vec<_> = (0..asked.len()).filter(|&n| asked[n].call.end.is_some()).collect();
    let (&one, &other) = (answered.choose(rng)?, answered.choose(rng)?);
    match mutation {
        Mutation::Answer => asked[one].call.ret = Some(D::answer(rng, &asked[one].call.op)),
        Mutation::Exchange => exchange_answers(&mut asked, one, other),
        Mutation::Drop => drop(asked.remove(one)),
        Mutation::Move => {
            let times = |one: &Asked<D::Spec>| (one.client, one.call.start, one.call.end);
            let (first, second) = (times(&asked[one]), times(&asked[other]));
            for (at, (client, start, end)) in [(one, second), (other, first)] {
                asked[at].client = client;
                (asked[at].call.start, asked[at].call.end) = (start, end);
            }
            asked.sort_by_key(|one| one.call.start);
        }
    }
    (asked != before).then_some(asked)
}

/// Only answers of one kind: no server answers a read as it does a write.
fn exchange_answers<S: Searchable>(asked: &mut [Asked<S>], one: usize, other: usize) {
    let kind = |n: usize| asked[n].call.ret.as_ref().map(std::mem::discriminant);
    if kind(one) == kind(other) {
        let answer = asked[one].call.ret.clone();
        asked[one].call.ret = asked[other].call.ret.clone();
        asked[other].call.ret = answer;
    }
}

/// Mutants that are still valid, and those that are not, by kind of mutation.
type Tally = [[u32; 2]; MUTATIONS.len()];

/// The promises: linearizability of each object, and those of all at once.
const PROMISES: [Option<RealTime>; 3] = [None, Some(RealTime::OfUpdates), Some(RealTime::Ignored)];

fn caught_as_brute_force_says<D: Drawn>(seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tallies = [Tally::default(); PROMISES.len()];
    for _ in 0..n_histories() / 4 {
        let asked = history::<D>(&mut rng, false);
        assert!(!is_caught::<D>(None, &asked), "it was valid: {asked:#?}");
        for (n, mutation) in MUTATIONS.into_iter().enumerate() {
            let Some(mutant) = mutate::<D>(&mut rng, mutation, &asked) else { continue };
            for (promise, tally) in PROMISES.into_iter().zip(&mut tallies) {
                tally[n][usize::from(is_caught::<D>(promise, &mutant))] += 1;
            }
        }
    }
    for (promise, tally) in PROMISES.into_iter().zip(tallies) {
        let of = format!("{} ({promise:?})", D::NAME);
        println!("{of}: still valid and caught, {MUTATIONS:?}: {tally:?}");
        let [valid, caught] = [0, 1].map(|n| tally.iter().map(|of_kind| of_kind[n]).sum::<u32>());
        let all = valid + caught;
        assert!(valid > all / 20 && caught > all / 20, "{of} is one-sided: {tally:?}");
        let each_both_ways = tally.as_flattened().iter().all(|n| *n > 0);
        assert!(each_both_ways, "{of}, a kind of mutation is one-sided: {tally:?}");
    }
}

/// The verdict of brute force, with which every engine agrees.
fn is_caught<D: Drawn>(promise: Option<RealTime>, mutant: &[Asked<D::Spec>]) -> bool {
    let mut budget = Budget::new(Limits::default());
    if let Some(real_time) = promise {
        let caught = !of_sessions(mutant, real_time);
        let found = decide_sessions(mutant, real_time, &mut budget);
        assert_eq!(matches!(found, Sessions::Broken { .. }), caught, "{real_time:?}: {mutant:#?}");
        return caught;
    }
    let of_object = |calls: &Vec<_>| {
        let caught = !brute_force(&D::Spec::default(), calls);
        let found = decide(D::Spec::default(), calls, &mut budget);
        assert_eq!(matches!(found, Decision::Broken { .. }), caught, "search: {mutant:#?}");
        if let Some(found) = shortcut(calls) {
            let broken = matches!(found, Shortcut::Broken { .. });
            assert_eq!(broken, caught, "shortcut: {mutant:#?}");
        }
        caught
    };
    by_object(mutant).iter().map(of_object).filter(|caught| *caught).count() > 0
}

#[test]
fn of_plain_registers() {
    caught_as_brute_force_says::<Plain>(9);
}

#[test]
fn of_registers_with_compare_and_set() {
    caught_as_brute_force_says::<CasRegister>(1);
}

#[test]
fn of_versioned_registers() {
    caught_as_brute_force_says::<Register>(2);
}

#[test]
fn of_counters() {
    caught_as_brute_force_says::<Counter>(3);
}

#[test]
fn of_sets() {
    caught_as_brute_force_says::<Set>(4);
}

#[test]
fn of_queues() {
    caught_as_brute_force_says::<Queue>(5);
}

#[test]
fn of_entries() {
    caught_as_brute_force_says::<Entry>(6);
}

#[test]
fn of_locks() {
    caught_as_brute_force_says::<Lock>(7);
}

#[test]
fn of_trees() {
    caught_as_brute_force_says::<Znodes>(8);
}
