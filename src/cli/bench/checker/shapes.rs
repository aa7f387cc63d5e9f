//! The histories that are generated.

use super::generate::{Shape, Values};

/// From short to long; one register, then a hundred.
pub(super) fn all(seed: u64) -> impl Iterator<Item = Shape> {
    let lengths = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
    let sizes = [(5, 1), (10, 1), (30, 1), (100, 1), (10, 100)];
    lengths.into_iter().flat_map(move |operations| {
        sizes.into_iter().flat_map(move |(clients, keys)| {
            KINDS.into_iter().map(move |(values, unknown, stale)| Shape {
                clients,
                operations,
                keys,
                values,
                unknown,
                stale,
                seed,
            })
        })
    })
}

/// Values, writes of unknown outcome in a thousand, and whether a stale read is planted.
const KINDS: [(Values, u32, bool); 9] = [
    (Values::Distinct, 0, false),
    (Values::Distinct, 0, true),
    (Values::Distinct, 1, false),
    (Values::Distinct, 10, false),
    (Values::Distinct, 10, true),
    (Values::Cas, 10, false),
    (Values::Five, 0, false),
    (Values::Five, 0, true),
    (Values::Five, 10, false),
];
