//! Mutations of valid histories are caught in the share that a search of every order says: not one
//! more, not one less. A change may well leave a history valid.

use checker::engine::{Call, Decision, Shortcut, decide, shortcut};
use checker::{Budget, Limits};
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use spec::{CasRegister, Counter, Entry, Lock, Queue, Register, Set};

use crate::engine::brute_force;
use crate::engines::{Drawn, history, n_histories};

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
fn mutate<S: Drawn>(
    rng: &mut ChaCha8Rng,
    mutation: Mutation,
    before: &[Call<S>],
) -> Option<Vec<Call<S>>> {
    let mut calls = before.to_vec();
    let answered: Vec<_> = (0..calls.len()).filter(|&n| calls[n].end.is_some()).collect();
    let (&one, &other) = (answered.choose(rng)?, answered.choose(rng)?);
    match mutation {
        Mutation::Answer => calls[one].ret = Some(S::answer(rng, &calls[one].op)),
        Mutation::Exchange => exchange_answers(&mut calls, one, other),
        Mutation::Drop => drop(calls.remove(one)),
        Mutation::Move => {
            let (start, end) = (calls[one].start, calls[one].end);
            (calls[one].start, calls[one].end) = (calls[other].start, calls[other].end);
            (calls[other].start, calls[other].end) = (start, end);
            calls.sort_by_key(|call| call.start);
        }
    }
    (calls != before).then_some(calls)
}

/// Only answers of one kind: no server answers a read as it does a write.
fn exchange_answers<S: Drawn>(calls: &mut [Call<S>], one: usize, other: usize) {
    let kind = |n: usize| calls[n].ret.as_ref().map(std::mem::discriminant);
    if kind(one) == kind(other) {
        let answer = calls[one].ret.clone();
        calls[one].ret = calls[other].ret.clone();
        calls[other].ret = answer;
    }
}

/// Mutants that are still valid, and those that are not, by kind of mutation.
type Tally = [[u32; 2]; MUTATIONS.len()];

fn caught_as_brute_force_says<S: Drawn>(seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tally = Tally::default();
    for _ in 0..n_histories() / 10 {
        let calls = history::<S>(&mut rng, false);
        assert!(brute_force(&S::default(), &calls), "it was valid: {calls:#?}");
        for (mutation, tally) in MUTATIONS.into_iter().zip(&mut tally) {
            if let Some(mutant) = mutate(&mut rng, mutation, &calls) {
                tally[usize::from(is_caught(&mutant))] += 1;
            }
        }
    }
    println!("still valid and caught, {MUTATIONS:?}: {tally:?}");
    let [valid, caught] = [0, 1].map(|n| tally.iter().map(|of_kind| of_kind[n]).sum::<u32>());
    let all = valid + caught;
    assert!(valid > all / 20 && caught > all / 20, "one-sided: {tally:?}");
    let each_both_ways = tally.as_flattened().iter().all(|n| *n > 0);
    assert!(each_both_ways, "a kind of mutation is one-sided: {tally:?}");
}

/// The verdict of brute force, with which every engine agrees.
fn is_caught<S: Drawn>(mutant: &[Call<S>]) -> bool {
    let caught = !brute_force(&S::default(), mutant);
    let found = decide(S::default(), mutant, &mut Budget::new(Limits::default()));
    assert_eq!(matches!(found, Decision::Broken { .. }), caught, "search: {mutant:#?}");
    if let Some(found) = shortcut(mutant) {
        let broken = matches!(found, Shortcut::Broken { .. });
        assert_eq!(broken, caught, "shortcut: {mutant:#?}");
    }
    caught
}

#[test]
fn of_plain_registers() {
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
