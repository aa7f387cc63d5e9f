//! The peer: its roles, and the way from one to the next.

use std::fmt::Debug;
use std::hash::Hash;

use crate::core::Core;
use crate::disk::Epochs;
use crate::election::Election;
use crate::follower::Follower;
use crate::leader::Leader;
use crate::{
    Config, Configuration, Durable, Input, Members, Message, Output, Role, ServerId, Stance, Timer,
    Transaction, Zxid,
};

/// A member of the ensemble, as a value: `T` is a transaction, `S` the application's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer<T, S> {
    core: Core<T>,
    phase: Phase<T, S>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase<T, S> {
    Looking(Election),
    Following(Follower<T, S>),
    Leading(Leader),
}

impl<T, S> Peer<T, S>
where
    T: Clone + Eq + Hash + Debug + Transaction,
    S: Clone + Eq + Hash + Debug,
{
    /// Boot and crash recovery are one path: what is durable, and nothing else.
    ///
    /// # Panics
    /// If `durable` has a [flaw](Durable::flaw).
    #[must_use]
    pub fn restart(config: Config, durable: Durable<T>, out: &mut Vec<Output<T, S>>) -> Peer<T, S> {
        assert_eq!(durable.flaw(), None, "what was read from disk must be checked first");
        let mut core = Core::restart(config, durable);
        tell_contacts(&mut core, out);
        let phase = Phase::Looking(Election::start(None, &mut core, out));
        let mut peer = Peer { core, phase };
        peer.lead_alone(out);
        peer
    }

    /// The only way in. Outputs are appended to `out`, in the order in which they must be carried
    /// out. Messages that make no sense here and now end the connection they came on, never more.
    ///
    /// # Panics
    /// If [`Input::Stored`] reports more than was ordered.
    pub fn handle(&mut self, input: Input<T, S>, out: &mut Vec<Output<T, S>>) {
        match input {
            Input::Compact { upto } => return self.core.compact(upto),
            Input::Forget { upto } => return self.core.forget(upto),
            Input::Stored { ops } => self.core.disk.stored(ops),
            Input::Received { from, .. } if from == self.core.config.id => return,
            Input::Received {
                from,
                message: Message::Notification { round, stance, version, .. },
            } => {
                self.update(from, version, out);
                if !self.is_looking() && !self.rejoins(from, round, stance) {
                    return self.answer(from, stance, out);
                }
                if !self.is_looking() {
                    self.look(out);
                }
            }
            Input::Received { message: Message::Members(_), .. } if !self.is_looking() => return,
            _ => {}
        }
        self.step(input, out);
        if self.core.new_contacts {
            tell_contacts(&mut self.core, out);
        }
    }

    /// Who leads, as far as this peer knows.
    #[must_use]
    pub fn role(&self) -> Role {
        match &self.phase {
            Phase::Looking(_) => Role::Looking,
            Phase::Following(follower) => follower.role(&self.core),
            Phase::Leading(leader) => leader.role(),
        }
    }

    /// The epochs last ordered to disk.
    #[must_use]
    pub fn epochs(&self) -> Epochs {
        self.core.epochs
    }

    /// The last entry of its log, durable or not.
    #[must_use]
    pub fn last_logged(&self) -> Zxid {
        self.core.log.last()
    }

    /// The last entry delivered; no entry is known to be committed beyond it.
    #[must_use]
    pub fn delivered(&self) -> Zxid {
        self.core.delivered
    }

    /// The newest configuration in its history that it knows to be committed.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        self.core.configurations.in_force()
    }

    /// The configuration in its log that is not known to be committed.
    #[must_use]
    pub fn next_configuration(&self) -> Option<&Configuration> {
        self.core.configurations.next()
    }

    /// Is a quorum of `members` synchronised with this leader? Without one, what it proposes after
    /// a reconfiguration to them cannot be committed.
    #[must_use]
    pub fn has_quorum_of(&self, members: &Members) -> bool {
        match &self.phase {
            Phase::Leading(leader) => leader.has_quorum_of(members, &self.core),
            Phase::Looking(_) | Phase::Following(_) => false,
        }
    }

    #[cfg(test)]
    pub(crate) fn core_mut(&mut self) -> &mut Core<T> {
        &mut self.core
    }

    fn step(&mut self, input: Input<T, S>, out: &mut Vec<Output<T, S>>) {
        let core = &mut self.core;
        let left = match &mut self.phase {
            Phase::Looking(election) => {
                if let Some(leader) = election.handle(input, core, out) {
                    self.decide(leader, out);
                }
                return;
            }
            Phase::Following(follower) => follower.handle(input, core, out).is_err(),
            Phase::Leading(leader) => leader.handle(input, core, out).is_err(),
        };
        if left {
            self.look(out);
        }
    }

    fn is_looking(&self) -> bool {
        matches!(self.phase, Phase::Looking(_))
    }

    /// A leader that nobody has joined looks again with those that look in another round: they
    /// cannot join it, and without them it may never have a quorum.
    fn rejoins(&self, from: ServerId, round: u64, stance: Stance) -> bool {
        let Phase::Leading(leader) = &self.phase else { return false };
        let other_round = stance == Stance::Looking && round != self.core.round;
        leader.gathering() && other_round && self.core.has_elector(from)
    }

    /// Tells one that knows only an older configuration the newest one.
    fn update(&self, from: ServerId, version: Zxid, out: &mut Vec<Output<T, S>>) {
        let newest = self.core.configurations.newest();
        if version < newest.version {
            out.push(Output::Send { to: from, message: Message::Members(newest.clone()) });
        }
    }

    /// Tells one that looks whom this peer follows.
    fn answer(&self, from: ServerId, stance: Stance, out: &mut Vec<Output<T, S>>) {
        let own = match self.phase {
            Phase::Leading(_) => Stance::Leading,
            _ => Stance::Following,
        };
        if stance == Stance::Looking {
            self.core.notify(from, own, out);
        }
    }

    /// Ends a role: clients first, then connections, then the next election.
    fn look(&mut self, out: &mut Vec<Output<T, S>>) {
        out.push(Output::Role(Role::Looking));
        let mut lost = None;
        match &self.phase {
            Phase::Looking(_) => {}
            Phase::Following(follower) => {
                lost = Some(follower.leader);
                out.push(Output::Disconnect { peer: follower.leader });
            }
            Phase::Leading(leader) => disconnect(leader.learners.keys(), out),
        }
        out.extend([Timer::Init, Timer::Beat].map(Output::CancelTimer));
        self.phase = Phase::Looking(Election::start(lost, &mut self.core, out));
        self.lead_alone(out);
    }

    /// The only voter needs nobody's vote.
    fn lead_alone(&mut self, out: &mut Vec<Output<T, S>>) {
        let here = self.core.config.id;
        if self.core.is_majority(|id| id == here) {
            self.decide(here, out);
        }
    }

    /// The election is over.
    fn decide(&mut self, leader: ServerId, out: &mut Vec<Output<T, S>>) {
        let Phase::Looking(election) = &mut self.phase else { return };
        let waiting = std::mem::take(&mut election.waiting);
        out.extend([Timer::Resend, Timer::Settle].map(Output::CancelTimer));
        if leader == self.core.config.id {
            self.phase = Phase::Leading(Leader::start(waiting, &mut self.core, out));
        } else {
            disconnect(waiting.keys(), out);
            self.phase = Phase::Following(Follower::start(leader, &self.core, out));
        }
    }
}

fn tell_contacts<T, S>(core: &mut Core<T>, out: &mut Vec<Output<T, S>>) {
    core.new_contacts = false;
    out.push(Output::Contacts(core.configurations.contacts()));
}

fn disconnect<'a, T, S>(peers: impl Iterator<Item = &'a ServerId>, out: &mut Vec<Output<T, S>>) {
    out.extend(peers.map(|&peer| Output::Disconnect { peer }));
}
