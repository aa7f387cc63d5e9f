//! First states, prepared so that what is worth searching is near.

use zab::{ServerId, Zxid};

use super::disk::Write;
use super::ghost::Proposal;
use super::state::State;
use super::{Entry, Flaw};
use crate::care::Care;
use crate::catalogue::Bounds;
use crate::link::Ends;

/// Where a search begins. The highest server id is called the last server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// All servers look for a leader; their disks are empty.
    Boot,
    /// The last server leads epoch 1; all have delivered 1:1.
    Broadcast,
    /// As `Broadcast`, but 1:4294967295 is what all have delivered last.
    Brink,
    /// As `Broadcast`, but the first server was down meanwhile and looks for a leader.
    Join,
    /// All look for a leader, with different logs: 1:1 and 1:2 are committed, the last server lacks
    /// 1:2, and the one before it has 1:3, which nobody else has.
    Recovery,
    /// The last server leads epoch 1, has an entry of its own, and has not noticed that the others
    /// left it and are led in epoch 2.
    StaleLeader,
}

impl Prepared {
    pub(crate) fn state(self, bounds: &Bounds, flaw: Option<Flaw>) -> State {
        let n = bounds.servers as ServerId;
        // A preparation goes by the book.
        let mut state = State::down(1..=n, None).observed_by(bounds.observing().collect());
        (1..=n).for_each(|id| state.start(id));
        match self {
            Prepared::Boot => {}
            Prepared::Broadcast => state.establish_one(n, 1..n),
            Prepared::Brink => exhaust(&mut state, n),
            Prepared::Join => {
                state.establish_one(n, 2..n);
            }
            Prepared::Recovery => diverge(&mut state, n),
            Prepared::StaleLeader => depose(&mut state, n),
        }
        state.rules.flaw = flaw;
        let care = flaw.map_or(Care::Full, Flaw::care);
        (1..=n).for_each(|id| state.server_mut(id).disk.care = care);
        state.used = Bounds::default();
        state
    }
}

/// Nobody proposes four billion transactions: all but the last are on the disks beforehand.
fn exhaust(state: &mut State, n: ServerId) {
    let entry = Entry { zxid: Zxid::new(1, u32::MAX - 1), txn: state.ghost.submitted };
    for id in 1..=n {
        state.server_mut(id).write(Write::Append(entry.clone()));
        while state.store(id) {}
    }
    let proposal = Proposal { txn: entry.txn, previous: None };
    state.ghost_mut().proposals.insert(entry.zxid, proposal);
    state.establish_one(n, 1..n);
}

fn diverge(state: &mut State, n: ServerId) {
    state.establish_one(n - 1, 1..n - 1);
    let taken = state.elect_and_settle_late(n, n - 1);
    debug_assert!(taken, "the last server joins");
    state.crash(n, 0);
    state.notice_all();
    state.commit_one(n - 1);
    state.submit(n - 1);
    while state.store(n - 1) {}
    (1..n).rev().for_each(|id| state.crash(id, 0));
    (1..=n).for_each(|id| state.start(id));
}

fn depose(state: &mut State, n: ServerId) {
    state.establish_one(n, 1..n);
    (1..n).for_each(|id| state.leave(id));
    let elected = state.elect(n - 1, &(1..n - 1).collect::<Vec<_>>());
    debug_assert!(elected, "the others elect one of them");
    state.quiesce();
    state.submit(n);
}

/// Steps of the preparation: what they are for, they reach.
impl State {
    /// `leader` is established with `followers`, and commits one entry.
    fn establish_one(&mut self, leader: ServerId, followers: impl Iterator<Item = ServerId>) {
        let elected = self.elect(leader, &followers.collect::<Vec<_>>());
        debug_assert!(elected, "all look for a leader");
        self.quiesce();
        self.commit_one(leader);
    }

    fn elect_and_settle_late(&mut self, server: ServerId, leader: ServerId) -> bool {
        let action = super::Action::Follow { server, leader };
        let next = super::action::apply(self, &action);
        let done = next.is_some();
        next.into_iter().for_each(|next| *self = next);
        self.quiesce();
        done
    }

    fn commit_one(&mut self, leader: ServerId) {
        self.submit(leader);
        self.quiesce();
        assert_eq!(self.ghost.broken, [], "a preparation breaks nothing");
        let last = self.ghost.committed.last().map(|entry| entry.txn);
        assert_eq!(last, Some(self.ghost.submitted), "n{leader} commits");
    }

    /// Messages arrive and writes are done until nothing is left, but nobody notices what broke.
    pub(crate) fn quiesce(&mut self) {
        while self.quiesce_one() {}
    }

    fn quiesce_one(&mut self) -> bool {
        let all: Vec<ServerId> = self.servers.keys().copied().collect();
        self.quiesce_one_of(&all)
    }

    /// Only these go on.
    fn quiesce_one_of(&mut self, ids: &[ServerId]) -> bool {
        let links: Vec<_> = self.links.keys().copied().collect();
        let ends = links.into_iter().flat_map(|link| link.ends().map(|end| (link, end)));
        let mut ends = ends.filter(|(_, end)| ids.contains(end));
        ends.any(|(link, end)| self.receive(link, end))
            || ids.iter().any(|id| {
                let stored = self.store(*id);
                self.settle(*id);
                stored
            })
    }

    /// Everybody notices what is gone.
    fn notice_all(&mut self) {
        let links: Vec<_> = self.links.keys().copied().collect();
        for (link, end) in links.into_iter().flat_map(|link| link.ends().map(|end| (link, end))) {
            if self.links.get(&link).is_some_and(|found| found.may_notice(link, end)) {
                self.give_up(link, end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// n1 is an observer: what is for it stays on its way.
    #[test]
    fn an_observer_may_be_any_distance_behind_and_holds_nothing_up() {
        let bounds = Bounds { servers: 4, observers: 1, ..Bounds::default() };
        let mut state = Prepared::Broadcast.state(&bounds, None);
        for _ in 0..5 {
            state.submit(4);
            while state.quiesce_one_of(&[2, 3, 4]) {}
        }
        let delivered = |id| state.server(id).delivered;
        assert_eq!([1, 2, 3, 4].map(delivered), [1, 6, 6, 6]);
        state.quiesce();
        assert_eq!(state.server(1).delivered, 6);
        assert_eq!(state.ghost.broken, []);
    }
}
