//! Who belongs to the ensemble: drawn at the start, changed by reconfigurations.

use std::sync::Arc;

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use zab::{Configuration, Input, Member, Members, Role, ServerId};

use super::node::Node;
use super::oracle::Txn;
use super::world::World;

/// Participants, some observers, and perhaps servers that are no members yet.
pub(crate) fn draw(rng: &mut ChaCha8Rng) -> (Members, u64) {
    let voters = [1, 2, 3, 3, 3, 4, 5, 5][rng.random_range(0..8)];
    let observers = [0, 0, 1, 2][rng.random_range(0..4)];
    let strangers = [0, 0, 1, 2][rng.random_range(0..4)];
    let members = Members::of(1..=voters, voters + 1..=voters + observers);
    (members, voters + observers + strangers)
}

impl World {
    /// A client asks the leader for other members, as long as there is chaos: a leader that is
    /// removed makes for another election.
    pub(crate) fn reconfigure(&mut self) {
        if !self.faulty {
            return;
        }
        let Some(leader) = self.ids().into_iter().find(|id| self.takes_reconfigurations(*id))
        else {
            return;
        };
        let peer = self.nodes[&leader].peer.as_ref().expect("it leads");
        let mut members = (*peer.configuration().members).clone();
        for _ in 0..self.rng.random_range(1..=2) {
            self.change(leader, &mut members);
        }
        let peer = self.nodes[&leader].peer.as_ref().expect("it leads");
        if !peer.has_quorum_of(&members) {
            return self.count("reconfiguration refused");
        }
        self.count("reconfiguration");
        if !members.has_voter(leader) {
            self.count("removed leader");
        }
        let txn = Txn { serial: self.next_serial(), members: Some(Arc::new(members)) };
        self.step(leader, Input::Submit { txn });
    }

    fn takes_reconfigurations(&self, id: ServerId) -> bool {
        let node = &self.nodes[&id];
        matches!(node.role(), Role::Leading { serving: true, .. })
            && node.paused_until <= self.now
            && node.peer.as_ref().is_some_and(|peer| peer.next_configuration().is_none())
    }

    /// Adds a server, removes one, or changes what it is.
    fn change(&mut self, leader: ServerId, members: &mut Members) {
        let other = *self.ids().choose(&mut self.rng).expect("there are servers");
        let id = if self.rng.random_ratio(1, 4) { leader } else { other };
        match members.0.remove(&id) {
            Some(_) if self.rng.random_bool(0.5) => {}
            Some(member) => _ = members.0.insert(id, Member { votes: !member.votes, ..member }),
            None => {
                let votes = self.rng.random_bool(0.7);
                members.0.insert(id, Member { votes, address: String::new() });
            }
        }
    }

    /// What is true of enough disks for the quorums that decide at `id`.
    pub(crate) fn check_decided(
        &mut self,
        id: ServerId,
        holds: impl Fn(&Node) -> bool,
        what: &str,
    ) {
        let peer = self.nodes[&id].peer.as_ref().expect("it is speaking");
        let in_force = peer.configuration().members.clone();
        let next = peer.next_configuration().map(|next| next.members.clone());
        for members in std::iter::once(in_force).chain(next) {
            self.check_durable(&members, &holds, what);
        }
    }

    pub(crate) fn check_durable(
        &mut self,
        members: &Members,
        holds: impl Fn(&Node) -> bool,
        what: &str,
    ) {
        let holders: Vec<ServerId> =
            self.nodes.iter().filter(|(_, node)| holds(node)).map(|(id, _)| *id).collect();
        self.oracle.durable_at(&holders, members, what);
    }

    /// The members as everybody must come to know them.
    pub(crate) fn newest(&self) -> Configuration {
        self.oracle.configuration(zab::Zxid(u64::MAX)).clone()
    }
}
