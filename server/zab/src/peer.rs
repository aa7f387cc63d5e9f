//! The peer: its roles, and the way from one to the next.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;

use crate::core::Core;
use crate::disk::Epochs;
use crate::election::Election;
use crate::follower::Follower;
use crate::leader::Leader;
use crate::{Config, Durable, Input, Message, Output, Role, ServerId, Stance, Timer, Zxid};

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
    T: Clone + Eq + Hash + Debug,
    S: Clone + Eq + Hash + Debug,
{
    /// Boot and crash recovery are one path: what is durable, and nothing else.
    ///
    /// # Panics
    /// If `config.voters` lacks `config.id`, or `durable` has a [flaw](Durable::flaw).
    #[must_use]
    pub fn restart(config: Config, durable: Durable<T>, out: &mut Vec<Output<T, S>>) -> Peer<T, S> {
        assert!(config.voters.contains(&config.id), "server {} is no voter", config.id);
        assert_eq!(durable.flaw(), None, "what was read from disk must be checked first");
        let mut core = Core::restart(config, durable);
        let phase = Phase::Looking(Election::start(&mut core, out));
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
            Input::Stored { ops } => self.core.disk.stored(ops),
            Input::Received { from, message: Message::Notification { round, stance, .. } } => {
                if from == self.core.config.id || !self.core.config.voters.contains(&from) {
                    return;
                }
                if !self.is_looking() && !self.rejoins(round, stance) {
                    return self.answer(from, stance, out);
                }
                if !self.is_looking() {
                    self.look(out);
                }
            }
            Input::Received { from, .. } if !self.core.config.voters.contains(&from) => {
                return out.push(Output::Disconnect { peer: from });
            }
            _ => {}
        }
        self.step(input, out);
    }

    /// Who leads, as far as this peer knows.
    #[must_use]
    pub fn role(&self) -> Role {
        match &self.phase {
            Phase::Looking(_) => Role::Looking,
            Phase::Following(follower) => follower.role(),
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

    /// The servers whose votes count.
    #[must_use]
    pub fn voters(&self) -> &BTreeSet<ServerId> {
        &self.core.config.voters
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
    fn rejoins(&self, round: u64, stance: Stance) -> bool {
        let Phase::Leading(leader) = &self.phase else { return false };
        leader.gathering() && stance == Stance::Looking && round != self.core.round
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
        match &self.phase {
            Phase::Looking(_) => {}
            Phase::Following(follower) => out.push(Output::Disconnect { peer: follower.leader }),
            Phase::Leading(leader) => disconnect(leader.learners.keys(), out),
        }
        out.extend([Timer::Init, Timer::Beat].map(Output::CancelTimer));
        self.phase = Phase::Looking(Election::start(&mut self.core, out));
        self.lead_alone(out);
    }

    /// The only voter needs nobody's vote.
    fn lead_alone(&mut self, out: &mut Vec<Output<T, S>>) {
        if self.core.config.voters.len() == 1 {
            self.decide(self.core.config.id, out);
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

fn disconnect<'a, T, S>(peers: impl Iterator<Item = &'a ServerId>, out: &mut Vec<Output<T, S>>) {
    out.extend(peers.map(|&peer| Output::Disconnect { peer }));
}
