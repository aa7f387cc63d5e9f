//! An election as one step: the servers that hear each other exchange votes until all is said.
//!
//! Votes are sent at best effort, so an election in which only these are heard, in this order, is
//! one that can happen. Which servers hear each other is what the search chooses.

use zab::{Input, ServerId, Timer};

use super::world::World;

/// More votes than any exchange among so few servers needs.
const VOTES_MAX: usize = 1000;

impl World {
    /// False when nobody decided anything.
    pub(crate) fn elect(&mut self, among: &[ServerId]) -> bool {
        let looking: Vec<ServerId> =
            among.iter().copied().filter(|id| self.server(*id).is_looking()).collect();
        for &id in &looking {
            self.step(id, Input::Timer(Timer::Resend));
        }
        self.exchange(among);
        for &id in &looking {
            if self.server(id).timers.contains(&Timer::Settle) {
                self.step(id, Input::Timer(Timer::Settle));
            }
        }
        self.exchange(among);
        self.notices.clear();
        looking.iter().any(|id| !self.server(*id).is_looking())
    }

    fn exchange(&mut self, among: &[ServerId]) {
        for _ in 0..VOTES_MAX {
            let mut ways = self.notices.keys().copied();
            let heard = ways.find(|(from, to)| among.contains(from) && among.contains(to));
            let Some((from, to)) = heard else { return };
            self.notify(from, to);
        }
    }
}
