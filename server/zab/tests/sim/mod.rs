//! A deterministic simulation of an ensemble: the peer is real, all else is made of a seed.

mod chaos;
mod disk;
mod links;
mod membership;
mod net;
mod node;
mod oracle;
mod world;
mod writes;

use zab::Mutant;

use chaos::LONGEST_PAUSE;
pub(crate) use oracle::{Kind, Violation};
pub(crate) use world::Tally;
use world::{MS, World};

/// After the last pause ends, virtual time until all must agree again: an `initLimit` that a server may
/// spend waiting for one that is not there, and the next election and synchronisation.
const CONVERGENCE_LIMIT: u64 = 10_000 * MS;

/// What a seed came to.
pub(crate) struct Outcome {
    pub(crate) violation: Option<Violation>,
    pub(crate) tally: Tally,
    pub(crate) steps: u64,
    /// Virtual milliseconds until all agreed after the last pause ended.
    pub(crate) converged_ms: u64,
}

/// Runs a seed: `ms` of chaos, then healing, then proof of life.
pub(crate) fn run(seed: u64, ms: u64, mutant: Option<Mutant>, trace: bool) -> Outcome {
    let mut world = World::new(seed, mutant);
    world.trace = trace;
    world.run(ms * MS);
    let mut converged = 0;
    if mutant.is_none() {
        world.heal();
        world.run(world.now + LONGEST_PAUSE);
        converged = world.converge(CONVERGENCE_LIMIT);
        world.prove_life(CONVERGENCE_LIMIT);
    }
    let World { oracle, mut tally, steps, .. } = world;
    let [all, trunc, snap] =
        ["newleader", "trunc", "snap"].map(|what| tally.get(what).unwrap_or(&0));
    tally.insert("diff", all - trunc - snap);
    Outcome { violation: oracle.violation, tally, steps, converged_ms: converged / MS }
}
