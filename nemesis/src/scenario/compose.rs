//! Scenarios drawn at random, after what most lost writes have in common: somebody misses something, others
//! that have it go, who missed it comes back, and somebody falls just then.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The text of a scenario. The same seed gives the same one.
pub fn compose(seed: u64) -> String {
    let mut composer = Composer { rng: ChaCha8Rng::seed_from_u64(seed), lines: Vec::new() };
    composer.compose();
    composer.lines.join("\n") + "\n"
}

struct Composer {
    rng: ChaCha8Rng,
    lines: Vec<String>,
}

impl Composer {
    fn compose(&mut self) {
        self.say("name leader as first");
        let harm = self.hurt(&["minority|follower", "minority|follower", "leader"], "late");
        self.let_time_pass();
        self.hurt(
            &["rest", "rest", "leader|follower", "quorum-critical|leader|follower"],
            "others",
        );
        if self.rng.random() {
            self.let_time_pass();
        }
        self.say("heal late");
        self.meet("late", harm == "kill");
        self.hurt(&["late", "late", "leader|late", "newest", "most-behind|late"], "fallen");
        if self.rng.random() {
            self.hurt(&["first", "leader|first"], "last");
            self.say("heal last");
        }
        let mut healed = ["others", "fallen"];
        if self.rng.random() {
            healed.swap(0, 1);
        }
        for name in healed {
            self.say(&format!("heal {name}"));
            let wait = self.rng.random_range(0..200);
            self.say(&format!("wait {wait}ms"));
        }
        self.say("await 10 answers within 15s");
    }

    /// Kills are what loses what was only in memory, so most harm is a kill.
    fn hurt(&mut self, whom: &[&str], name: &str) -> &'static str {
        let harm = self.one_of(&["kill", "kill", "kill", "pause", "isolate"]);
        let who = self.one_of(whom);
        self.say(&format!("{harm} {who} as {name}"));
        harm
    }

    fn let_time_pass(&mut self) {
        let (answers, wait) = (self.rng.random_range(1..=30), self.rng.random_range(1..=400));
        // Answers may never come; a script must go on then.
        let line = match self.rng.random() {
            true if self.lines.len() == 2 => format!("await {answers} answers"),
            _ => format!("wait {wait}ms"),
        };
        self.say(&line);
    }

    /// A moment in the return of a server: its epoch, its log, or some milliseconds. One that was not
    /// killed may find the old epoch still in force.
    fn meet(&mut self, name: &str, killed: bool) {
        let wait = self.rng.random_range(1..=600);
        let line = match self.rng.random_range(0..4) {
            0 | 1 if killed => {
                format!("await {name} changes currentEpoch|acceptedEpoch|state within 8s")
            }
            0..=2 => format!("await {name} changes log.*|snapshot.*|state within 8s"),
            _ => format!("wait {wait}ms"),
        };
        self.say(&line);
        if self.rng.random() {
            let delay = self.rng.random_range(0..=60);
            self.say(&format!("wait {delay}ms"));
        }
    }

    fn one_of<T: Copy>(&mut self, words: &[T]) -> T {
        *words.choose(&mut self.rng).expect("no list is empty")
    }

    fn say(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn each_can_be_read_and_most_differ() {
        let all: BTreeSet<_> = (0..200).map(compose).collect();
        for text in &all {
            let read: Result<Scenario, _> = text.parse();
            assert!(read.is_ok(), "{read:?}\n{text}");
        }
        assert!(all.len() > 190, "{}", all.len());
        assert_eq!(compose(7), compose(7));
    }
}
