//! What clients do to a small tree, as a pure function of seed and client.

use history::znode::Ask;
use serde::{Deserialize, Serialize};

use crate::draws::Draws;

/// A version in a stream that stands for the one that the client last saw of that znode.
pub const LAST_SEEN: i32 = -2;

/// A step of the znodes workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "f", rename_all = "kebab-case")]
pub enum Step {
    /// A request; versions may be [`LAST_SEEN`].
    Ask {
        /// What.
        request: Ask,
    },
    /// Delete the oldest sequential znode of one's own.
    DeleteOwn,
    /// Resume the session on another server.
    Move {
        /// Picks the server: modulo their number.
        to: u32,
    },
    /// Leave the session without a word, as a client does that crashes, and open another.
    Abandon,
}

/// The znodes workload: persistent, ephemeral and sequential znodes under a few parents, created,
/// set, deleted, read and watched, alone and in multis; sessions that move, end and are left
/// behind.
///
/// Under each parent, all clients fight for four names of persistent znodes and two of ephemeral
/// ones. A multi in four fails: it checks a znode that never exists.
#[derive(Clone, Debug)]
pub struct Znodes {
    draws: Draws,
    parents: Vec<String>,
}

const PERSISTENT: [&str; 4] = ["a", "b", "c", "d"];
const EPHEMERAL: [&str; 2] = ["e", "f"];
/// Of a znode that nobody creates.
const NEVER: &str = "never";

impl Znodes {
    /// The stream of `client` under `seed`, over `parents`.
    ///
    /// # Panics
    /// When `parents` is empty, or `client` has no block of values left below `i64::MAX`.
    #[must_use]
    pub fn new(seed: u64, client: u64, parents: &[String]) -> Znodes {
        assert!(!parents.is_empty(), "a znodes workload needs a parent");
        Znodes { draws: Draws::new(seed, client), parents: parents.to_vec() }
    }

    fn step(&mut self) -> Step {
        let request = match self.below(200) {
            0..28 => self.create(&PERSISTENT, false),
            28..46 => self.create(&EPHEMERAL, true),
            46..58 => self.create_sequential("s-", false),
            58..66 => self.create_sequential("q-", true),
            66..86 => self.delete(),
            86..100 => return Step::DeleteOwn,
            100..126 => self.set(),
            126..154 => Ask::Get { path: self.path(), watch: self.chance(40) },
            154..166 => Ask::Exists { path: self.path(), watch: self.chance(60) },
            166..182 => Ask::Children { path: self.parent(), watch: self.chance(50), sync: false },
            182..195 => self.multi(),
            195..198 => return Step::Move { to: self.draws.any() },
            198 => return Step::Abandon,
            _ => Ask::Close,
        };
        Step::Ask { request }
    }

    fn create(&mut self, names: &[&str], ephemeral: bool) -> Ask {
        let path = self.path_of(names);
        Ask::Create { path, value: self.value(), ephemeral, sequential: false }
    }

    fn create_sequential(&mut self, name: &str, ephemeral: bool) -> Ask {
        let path = format!("{}/{name}", self.parent());
        Ask::Create { path, value: self.value(), ephemeral, sequential: true }
    }

    fn delete(&mut self) -> Ask {
        Ask::Delete { path: self.path(), version: self.version() }
    }

    fn set(&mut self) -> Ask {
        Ask::Set { path: self.path(), value: self.value(), version: self.version() }
    }

    /// Writes two names of one parent.
    fn multi(&mut self) -> Ask {
        let parent = self.parent();
        let first = self.below(4) as usize;
        let second = (first + 1 + self.below(3) as usize) % 4;
        let [first, second] = [first, second].map(|i| format!("{parent}/{}", PERSISTENT[i]));
        let (one, other) = (self.value(), self.value());
        let create = |path: &str, value| {
            let path = path.to_owned();
            Ask::Create { path, value, ephemeral: false, sequential: false }
        };
        let set = |path: &str, value| Ask::Set { path: path.to_owned(), value, version: -1 };
        let ops = match self.below(4) {
            0 => vec![set(&first, one), set(&second, other)],
            1 => vec![
                Ask::Check { path: first.clone(), version: LAST_SEEN },
                set(&first, one),
                create(&second, other),
            ],
            2 => vec![
                Ask::Delete { path: first.clone(), version: -1 },
                create(&first, one),
                set(&second, other),
            ],
            _ => vec![
                set(&first, one),
                create(&format!("{parent}/g"), other),
                Ask::Check { path: format!("{parent}/{NEVER}"), version: 0 },
            ],
        };
        Ask::Multi { ops }
    }

    fn parent(&mut self) -> String {
        self.draws.popular(&self.parents)
    }

    /// Two of three are persistent ones.
    fn path(&mut self) -> String {
        if self.chance(67) { self.path_of(&PERSISTENT) } else { self.path_of(&EPHEMERAL) }
    }

    fn path_of(&mut self, names: &[&str]) -> String {
        let idx = self.below(names.len() as u32) as usize;
        format!("{}/{}", self.parent(), names[idx])
    }

    fn version(&mut self) -> i32 {
        if self.chance(50) { -1 } else { LAST_SEEN }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    fn value(&mut self) -> i64 {
        self.draws.value()
    }

    fn below(&mut self, n: u32) -> u32 {
        self.draws.below(n)
    }
}

impl Iterator for Znodes {
    type Item = Step;

    /// Never `None`.
    fn next(&mut self) -> Option<Step> {
        Some(self.step())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn stream(seed: u64, client: u64, n: usize) -> Vec<Step> {
        let parents = ["/z0".to_owned(), "/z1".to_owned()];
        Znodes::new(seed, client, &parents).take(n).collect()
    }

    /// The bytes of a stream are part of what a seed means: a change here makes old seeds
    /// unrepeatable, and must be deliberate.
    #[test]
    fn golden_stream() {
        let lines: Vec<String> =
            stream(1, 0, 24).iter().map(|step| serde_json::to_string(step).unwrap()).collect();
        let expected: Vec<&str> = include_str!("../testdata/znodes-1.jsonl").lines().collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn same_seed_same_stream_and_no_other() {
        assert_eq!(stream(7, 3, 500), stream(7, 3, 500));
        assert_ne!(stream(7, 3, 50), stream(8, 3, 50));
        assert_ne!(stream(7, 3, 50), stream(7, 4, 50));
    }

    #[test]
    fn every_kind_of_step_occurs_and_values_are_unique() {
        let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
        let mut values = BTreeSet::new();
        for step in (0..4).flat_map(|client| stream(42, client, 5_000)) {
            let kind = match &step {
                Step::Ask { request } => request.name().to_owned(),
                other => serde_json::to_value(other).unwrap()["f"].as_str().unwrap().to_owned(),
            };
            *kinds.entry(kind).or_default() += 1;
            let Step::Ask { request } = step else { continue };
            for value in request.parts().iter().filter_map(Ask::written) {
                assert!(values.insert(value), "{value} is written twice");
            }
        }
        assert!(kinds.values().all(|n| *n > 50), "{kinds:?}");
        assert_eq!(kinds.len(), 11, "{kinds:?}");
    }

    #[test]
    fn steps_survive_json() {
        for step in stream(3, 2, 200) {
            let text = serde_json::to_string(&step).unwrap();
            assert_eq!(serde_json::from_str::<Step>(&text).unwrap(), step);
        }
    }
}
