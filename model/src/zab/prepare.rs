//! First states, prepared so that what is worth searching is near.

use zab::{Input, ServerId, Zxid};

use super::Setup;
use super::link::LinkId;
use super::world::World;
use crate::catalogue::Bounds;
use crate::link::Ends;

/// Where a search begins. The highest server id is called the last server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// All servers look for a leader; their disks are empty.
    Boot,
    /// The last server leads epoch 1; all have delivered 1:1.
    Broadcast,
    /// All servers just started, with different logs: 1:1 and 1:2 are committed, the last server
    /// lacks 1:2, and the one before it has 1:3, which nobody else has.
    Recovery,
    /// All servers just started, with logs that fork: 1:1 is committed, the last server has 2:1 and
    /// the one before it 1:2, which nobody else has. Only the latter is still of epoch 1.
    Forks,
    /// The last server leads epoch 1, has an entry of its own, and has not noticed that the others
    /// left it and are led in epoch 2.
    StaleLeader,
    /// The first server just started, with an empty disk; the others are in epoch 1, and have 1:1.
    Join,
    /// The first server just started; the leader holds what it lacks in its snapshot only.
    Snapshot,
    /// As `Recovery`, but only votes are exchanged, one at a time.
    Votes,
}

impl Prepared {
    pub(crate) fn votes_only(self) -> bool {
        self == Prepared::Votes
    }

    /// Is an election that all servers take part in no part of it? With X9 and X43, fewer are enough.
    pub(crate) fn elects_afresh(self) -> bool {
        matches!(self, Prepared::Boot | Prepared::Recovery | Prepared::Forks | Prepared::Votes)
    }

    pub(crate) fn log_kept(self) -> usize {
        if self == Prepared::Snapshot { 0 } else { 500 }
    }

    pub(crate) fn world(self, setup: &Setup) -> World {
        let n = setup.bounds.servers as ServerId;
        // What is only read from disks is written by the correct core.
        let sound = Setup { mutant: None, votes_only: false, ..setup.clone() };
        let mut world = World::down(setup);
        match self {
            Prepared::Boot => world.start_all(1..=n, setup),
            Prepared::Broadcast => established(&mut world, setup, n),
            Prepared::Recovery | Prepared::Votes => {
                divergent(&mut world, &sound, n);
                world.start_all(1..=n, setup);
            }
            Prepared::Forks => {
                forked(&mut world, &sound, n);
                world.start_all(1..=n, setup);
            }
            Prepared::StaleLeader => stale(&mut world, setup, n),
            Prepared::Join => joining(&mut world, setup, n),
            Prepared::Snapshot => compacted(&mut world, setup, n),
        }
        if self != Prepared::Votes {
            world.notices.clear();
        }
        (1..=n).for_each(|id| world.server_mut(id).disk.care = setup.care);
        world.used = Bounds::default();
        world
    }
}

fn established(world: &mut World, setup: &Setup, n: ServerId) {
    world.start_all(1..=n, setup);
    world.establish(1..=n);
    world.commit(n);
}

fn divergent(world: &mut World, setup: &Setup, n: ServerId) {
    joined(world, setup, n);
    world.crash(n, 0);
    world.commit(n - 1);
    world.append_alone(n - 1);
    world.crash_all();
}

fn forked(world: &mut World, setup: &Setup, n: ServerId) {
    joined(world, setup, n);
    world.append_alone(n - 1);
    world.crash_all();
    let others: Vec<ServerId> = (1..=n).filter(|id| *id != n - 1).collect();
    world.start_all(others.iter().copied(), setup);
    world.establish(others.into_iter());
    world.append_alone(n);
    world.crash_all();
}

/// The last server joins the others, whose leader is the one before it; all have 1:1.
fn joined(world: &mut World, setup: &Setup, n: ServerId) {
    world.start_all(1..n, setup);
    world.establish(1..n);
    world.commit(n - 1);
    world.start(n, setup);
    world.establish(1..=n);
}

fn stale(world: &mut World, setup: &Setup, n: ServerId) {
    established(world, setup, n);
    for learner in 1..n {
        let link = LinkId { learner, leader: n };
        world.cut(link);
        world.notice_closed(link, learner);
    }
    world.establish(1..n);
    world.submit(n);
}

fn joining(world: &mut World, setup: &Setup, n: ServerId) {
    world.start_all(2..=n, setup);
    world.establish(2..=n);
    world.commit(n);
    world.start(1, setup);
}

fn compacted(world: &mut World, setup: &Setup, n: ServerId) {
    established(world, setup, n);
    world.crash(1, 0);
    world.commit(n);
    for id in 2..=n {
        world.compact(id);
    }
    world.start(1, setup);
}

/// Steps of the preparation: what they are for, they reach.
impl World {
    fn start_all(&mut self, ids: impl Iterator<Item = ServerId>, setup: &Setup) {
        ids.for_each(|id| self.start(id, setup));
    }

    fn establish(&mut self, among: impl Iterator<Item = ServerId>) {
        let among: Vec<_> = among.collect();
        assert!(self.elect(&among), "{among:?} elect a leader");
        self.settle();
        assert!(among.iter().all(|id| self.server(*id).serving()), "{among:?} serve");
    }

    fn commit(&mut self, leader: ServerId) {
        self.submit(leader);
        self.settle();
        let last = self.server(leader).app.last().map(|entry| entry.txn);
        assert_eq!(last, Some(self.ghost.submitted), "the leader commits");
    }

    /// An entry on the leader's disk that nobody has heard of.
    fn append_alone(&mut self, leader: ServerId) {
        self.submit(leader);
        while self.store(leader) {}
    }

    fn crash_all(&mut self) {
        let up: Vec<ServerId> =
            self.servers.iter().filter(|s| s.peer.is_some()).map(|s| s.id).collect();
        up.into_iter().rev().for_each(|id| self.crash(id, 0));
    }

    /// Messages arrive and writes are done until nothing is left, but nobody notices what broke.
    fn settle(&mut self) {
        while self.settle_one() {}
    }

    fn settle_one(&mut self) -> bool {
        let ids: Vec<LinkId> = self.links.keys().copied().collect();
        let delivered =
            ids.into_iter().any(|id| id.ends().into_iter().any(|to| self.deliver(id, to)));
        let n = self.servers.len() as ServerId;
        delivered || (1..=n).any(|id| self.store(id))
    }

    /// Takes a snapshot of all that was delivered.
    fn compact(&mut self, id: ServerId) {
        let state = self.server(id).app.clone();
        let upto = state.last().map_or(Zxid::ZERO, |entry| entry.zxid);
        self.server_mut(id).disk.snapshot(state);
        self.step(id, Input::Compact { upto });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The state that `prepared` leads to when all hear each other and nothing goes wrong.
    fn healed(prepared: Prepared) -> World {
        let bounds = Bounds { servers: 3, ..Bounds::default() };
        let log_kept = prepared.log_kept();
        let setup = Setup { bounds, mutant: None, log_kept, votes_only: false, ..Setup::default() };
        let mut world = prepared.world(&setup);
        for link in world.links.keys().copied().collect::<Vec<_>>() {
            let gone = |end| world.links[&link].may_notice(link, end);
            for end in link.ends().into_iter().filter(|end| gone(*end)).collect::<Vec<_>>() {
                world.notice_closed(link, end);
            }
        }
        world.elect(&[1, 2, 3]);
        world.settle();
        world
    }

    #[test]
    fn from_every_preparation_all_servers_come_to_serve_the_same_history() {
        for prepared in [
            Prepared::Boot,
            Prepared::Recovery,
            Prepared::Forks,
            Prepared::Join,
            Prepared::StaleLeader,
            Prepared::Snapshot,
        ] {
            let world = healed(prepared);
            assert!(world.servers.iter().all(|server| server.serving()), "{prepared:?}");
            let same = world.servers.windows(2).all(|pair| pair[0].app == pair[1].app);
            assert!(same, "{prepared:?}: {world:?}");
        }
    }

    #[test]
    fn the_server_that_only_a_snapshot_helps_gets_one() {
        let world = healed(Prepared::Snapshot);
        assert_eq!(world.server(1).disk.durable.snapshot, Zxid::new(1, 2));
    }

    #[test]
    fn the_tail_that_nobody_else_has_is_truncated() {
        let tail = Zxid::new(1, 2);
        let bounds = Bounds { servers: 3, ..Bounds::default() };
        let setup =
            Setup { bounds, mutant: None, log_kept: 500, votes_only: false, ..Setup::default() };
        let before = Prepared::StaleLeader.world(&setup);
        assert!(before.server(3).disk.written().history().any(|entry| entry.zxid == tail));
        let after = healed(Prepared::StaleLeader);
        assert!(!after.server(3).disk.written().history().any(|entry| entry.zxid == tail));
    }

    /// `up` of `n` servers start with empty disks, and hear each other.
    fn started(n: usize, up: ServerId) -> World {
        let bounds = Bounds { servers: n, ..Bounds::default() };
        let setup =
            Setup { bounds, mutant: None, log_kept: 500, votes_only: false, ..Setup::default() };
        let mut world = World::down(&setup);
        world.start_all(1..=up, &setup);
        world.elect(&(1..=up).collect::<Vec<_>>());
        world.settle();
        world
    }

    #[test]
    fn n_servers_go_on_with_f_down_if_and_only_if_n_is_at_least_2f_plus_1() {
        for n in 3..=7 {
            for up in 1..=n as ServerId {
                let mut world = started(n, up);
                let f = n - up as usize;
                assert_eq!(world.servers[0].serving(), n > 2 * f, "{up} of {n} are up");
                if world.servers[0].serving() {
                    world.commit(up);
                }
            }
        }
    }
}
