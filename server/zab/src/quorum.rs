//! How many are enough, and who is the better candidate.

use crate::{Config, Mutant, Vote};

impl Config {
    /// Servers that make a quorum: any two quorums share one.
    #[must_use]
    pub fn quorum(&self) -> usize {
        match self.mutant {
            Some(Mutant::X9) => (self.voters.len() / 2).max(1),
            _ => self.voters.len() / 2 + 1,
        }
    }

    /// Is `a` the better candidate: by epoch, then zxid, then id?
    pub(crate) fn beats(&self, a: Vote, b: Vote) -> bool {
        match self.mutant {
            Some(Mutant::X8) => a.leader > b.leader,
            _ => a > b,
        }
    }
}
