//! What a generator draws: numbers that are a function of seed and client alone, and values that
//! nobody else writes.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Values of client `c` are `c * VALUES_PER_CLIENT + 1, + 2, …`, so a value names its writer.
pub const VALUES_PER_CLIENT: i64 = 1_000_000;

/// The draws of one client.
#[derive(Clone, Debug)]
pub(crate) struct Draws {
    rng: ChaCha8Rng,
    next_value: i64,
}

impl Draws {
    /// Those of `client` under `seed`.
    ///
    /// # Panics
    /// When `client` has no block of values left below `i64::MAX`.
    pub(crate) fn new(seed: u64, client: u64) -> Draws {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(client);
        let block = i64::try_from(client).ok().and_then(|c| c.checked_mul(VALUES_PER_CLIENT));
        Draws { rng, next_value: block.expect("fewer than 9e12 clients") + 1 }
    }

    /// Any number.
    pub(crate) fn any(&mut self) -> u32 {
        self.rng.next_u32()
    }

    /// A number below `n`, one draw each, by multiplication: `rand`'s own ranges may change
    /// between its versions, and streams must not.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        let scaled = (u64::from(self.rng.next_u32()) * u64::from(n)) >> 32;
        u32::try_from(scaled).expect("below n")
    }

    /// The lower of two draws: of 10 names, the first gets 19 % and the last 1 %.
    pub(crate) fn popular(&mut self, names: &[String]) -> String {
        let n = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let idx = self.below(n).min(self.below(n));
        names[idx as usize].clone()
    }

    /// A value that no other operation of the run writes.
    pub(crate) fn value(&mut self) -> i64 {
        let value = self.next_value;
        self.next_value += 1;
        value
    }
}
