//! What clients do: an endless stream of operations for each, a function of (seed, client) alone.

use serde::{Deserialize, Serialize};

use crate::draws::Draws;

/// What one client is to do next. As JSON: `{"f":"write","key":"/r3","value":2000017}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "f", rename_all = "kebab-case")]
pub enum Op {
    /// `sync`, then `getData`.
    Read {
        /// The znode.
        key: String,
    },
    /// `getData` alone, from whatever server the session is on.
    LocalRead {
        /// The znode.
        key: String,
    },
    /// `setData` whatever the version.
    Write {
        /// The znode.
        key: String,
        /// Written by no other operation of the run.
        value: i64,
    },
    /// `setData` at the version that the client last saw of this znode: the stream cannot know it.
    Cas {
        /// The znode.
        key: String,
        /// Written by no other operation of the run.
        value: i64,
    },
    /// Resume the session on another server.
    Move {
        /// Picks the server: modulo their number.
        to: u32,
    },
}

/// The register workload: reads, writes and compare-and-sets of a few znodes.
///
/// Of 100 operations about 35 are reads, 20 local reads, 25 writes, 17 compare-and-sets and 3
/// moves. A local read follows each move at once: a server that lags behind what the session has
/// seen must be caught before anything brings it up to date. Lower keys are more popular.
#[derive(Clone, Debug)]
pub struct Register {
    draws: Draws,
    keys: Vec<String>,
    moved: bool,
}

impl Register {
    /// The stream of `client` under `seed`, over `keys`.
    ///
    /// # Panics
    /// When `keys` is empty, or `client` has no block of values left below `i64::MAX`.
    #[must_use]
    pub fn new(seed: u64, client: u64, keys: &[String]) -> Register {
        assert!(!keys.is_empty(), "a register workload needs a key");
        Register { draws: Draws::new(seed, client), keys: keys.to_vec(), moved: false }
    }

    fn op(&mut self) -> Op {
        if std::mem::take(&mut self.moved) {
            return Op::LocalRead { key: self.key() };
        }
        // Out of 97 draws 3 are moves, each of which brings a local read with it.
        match self.draws.below(97) {
            0..35 => Op::Read { key: self.key() },
            35..52 => Op::LocalRead { key: self.key() },
            52..77 => Op::Write { key: self.key(), value: self.value() },
            77..94 => Op::Cas { key: self.key(), value: self.value() },
            _ => self.travel(),
        }
    }

    fn travel(&mut self) -> Op {
        self.moved = true;
        Op::Move { to: self.draws.any() }
    }

    fn key(&mut self) -> String {
        self.draws.popular(&self.keys)
    }

    fn value(&mut self) -> i64 {
        self.draws.value()
    }
}

impl Iterator for Register {
    type Item = Op;

    /// Never `None`.
    fn next(&mut self) -> Option<Op> {
        Some(self.op())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::VALUES_PER_CLIENT;

    fn keys(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("/r{i}")).collect()
    }

    fn stream(seed: u64, client: u64, n: usize) -> Vec<Op> {
        Register::new(seed, client, &keys(10)).take(n).collect()
    }

    fn name(op: &Op) -> String {
        serde_json::to_value(op).unwrap()["f"].as_str().unwrap().to_owned()
    }

    /// The bytes of a stream are part of what a seed means: a change here makes old seeds
    /// unrepeatable, and must be deliberate.
    #[test]
    fn golden_streams() {
        let text = |seed, client| {
            let ops = stream(seed, client, 32);
            ops.iter().map(|op| serde_json::to_string(op).unwrap()).collect::<Vec<_>>()
        };
        let expected: Vec<&str> = include_str!("../testdata/register-1.jsonl").lines().collect();
        assert_eq!([text(1, 0), text(1, 1)].concat(), expected);
    }

    #[test]
    fn same_seed_same_stream_and_no_other() {
        assert_eq!(stream(7, 3, 500), stream(7, 3, 500));
        assert_ne!(stream(7, 3, 50), stream(8, 3, 50));
        assert_ne!(stream(7, 3, 50), stream(7, 4, 50));
    }

    #[test]
    fn no_two_clients_write_the_same_value() {
        let mut seen = BTreeSet::new();
        for client in 0..10 {
            for op in stream(1, client, 5_000) {
                if let Op::Write { value, .. } | Op::Cas { value, .. } = op {
                    assert!(seen.insert(value), "client {client} repeats {value}");
                    assert_eq!(u64::try_from(value / VALUES_PER_CLIENT), Ok(client));
                }
            }
        }
        assert!(seen.len() > 20_000);
    }

    #[test]
    fn the_mix_is_as_documented() {
        let mut counts = BTreeMap::new();
        for client in 0..10 {
            for op in stream(42, client, 10_000) {
                *counts.entry(name(&op)).or_insert(0_i32) += 1;
            }
        }
        for (f, percent) in
            [("read", 35), ("local-read", 20), ("write", 25), ("cas", 17), ("move", 3)]
        {
            let per_mille = counts[f] / 100;
            assert!((per_mille - 10 * percent).abs() <= 8, "{f}: {per_mille} of 1000");
        }
    }

    #[test]
    fn a_local_read_follows_each_move() {
        let ops = stream(5, 0, 10_000);
        let moves = ops.windows(2).filter(|pair| matches!(pair[0], Op::Move { .. }));
        assert!(moves.clone().count() > 200);
        assert!(moves.clone().all(|pair| matches!(pair[1], Op::LocalRead { .. })));
    }

    #[test]
    fn every_key_is_used_and_the_first_most() {
        let mut counts = BTreeMap::new();
        for op in stream(9, 0, 10_000) {
            if let Op::Read { key } | Op::Write { key, .. } = op {
                *counts.entry(key).or_insert(0) += 1;
            }
        }
        assert_eq!(counts.len(), 10);
        assert!(counts["/r0"] > 5 * counts["/r9"]);
    }

    #[test]
    fn ops_survive_json() {
        for op in stream(3, 2, 200) {
            let text = serde_json::to_string(&op).unwrap();
            assert_eq!(serde_json::from_str::<Op>(&text).unwrap(), op);
        }
    }
}
