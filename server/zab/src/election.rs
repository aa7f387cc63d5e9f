//! Looking for a leader: ZooKeeper's FastLeaderElection.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::Core;
use crate::{Input, Message, Output, ServerId, Stance, Timer, Vote};

/// One round of votes. Only participants have one; others look on, and follow whom these elect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Election {
    /// The latest vote of each server in this round, this one's among them.
    votes: BTreeMap<ServerId, Vote>,
    /// What those say that look no more, of whatever round.
    outside: BTreeMap<ServerId, (Vote, Stance)>,
    /// A quorum agrees on the present vote; the settle timer runs.
    settling: bool,
    /// Participants that are not waited for: the leader that was lost, and who cannot be reached.
    absent: BTreeSet<ServerId>,
    /// Participants whose log has other members than this one's: they may wait for votes that it
    /// does not know of.
    differing: BTreeSet<ServerId>,
    /// Who looks on.
    onlookers: BTreeSet<ServerId>,
    /// Learners that were faster, with their accepted epochs.
    pub(crate) waiting: BTreeMap<ServerId, u32>,
}

impl Election {
    /// Opens the next round with this peer as the candidate. `lost` is the leader that it leaves.
    pub(crate) fn start<T, S>(
        lost: Option<ServerId>,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Election {
        let mut election = Election {
            votes: BTreeMap::new(),
            outside: BTreeMap::new(),
            settling: false,
            absent: lost.into_iter().collect(),
            differing: BTreeSet::new(),
            onlookers: BTreeSet::new(),
            waiting: BTreeMap::new(),
        };
        core.round = if core.elects() { core.round + 1 } else { 0 };
        election.propose(core.candidacy(), core, out);
        election.tally(core, out);
        election
    }

    /// The leader, once decided.
    pub(crate) fn handle<T, S>(
        &mut self,
        input: Input<T, S>,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Option<ServerId> {
        match input {
            Input::Timer(Timer::Settle) => return self.settled(core).then_some(core.vote.leader),
            Input::Timer(Timer::Resend) => self.broadcast(core, out),
            Input::Received { from, message } => return self.hear(from, message, core, out),
            Input::Unreachable { peer } => {
                self.absent.insert(peer);
                return self.unanimous(core);
            }
            Input::Connected { peer } => out.push(Output::Disconnect { peer }),
            Input::Disconnected { peer } => {
                self.waiting.remove(&peer);
            }
            _ => {}
        }
        None
    }

    fn hear<T, S>(
        &mut self,
        from: ServerId,
        message: Message<T, S>,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Option<ServerId> {
        match message {
            Message::Notification { vote, stance: Stance::Looking, .. }
                if vote == Vote::NOBODY || !core.has_elector(from) =>
            {
                if self.onlookers.insert(from) {
                    core.notify(from, Stance::Looking, out);
                }
                None
            }
            Message::Notification { round, vote, stance: Stance::Looking, logged, .. } => {
                self.outside.remove(&from);
                self.differing.remove(&from);
                if logged != core.configurations.logged_version() {
                    self.differing.insert(from);
                }
                self.count(from, round, vote, core, out);
                self.unanimous(core)
            }
            Message::Notification { round, vote, stance, .. } => {
                self.outside.insert(from, (vote, stance));
                self.join(from, round, vote, core, out)
            }
            Message::Members(configuration) => {
                if core.told(configuration, out) {
                    self.votes.clear();
                    self.propose(core.candidacy(), core, out);
                }
                None
            }
            Message::FollowerInfo { accepted_epoch } => {
                self.waiting.insert(from, accepted_epoch);
                self.turn_away(core, out);
                None
            }
            _ => {
                self.waiting.remove(&from);
                out.push(Output::Disconnect { peer: from });
                None
            }
        }
    }

    /// The vote of another one that looks, or has looked in this round.
    fn count<T, S>(
        &mut self,
        from: ServerId,
        round: u64,
        vote: Vote,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) {
        self.absent.remove(&from);
        let behind = round < core.round;
        if behind && core.elects() {
            return core.notify(from, Stance::Looking, out);
        }
        // Who has no vote goes by the round of those that have, whichever it is. A candidate may
        // need it all the same, if it is to be a participant and does not know it yet.
        if behind || round > core.round {
            core.round = round;
            self.votes.clear();
            let own = core.candidacy();
            let best = if core.config.beats(vote, own) { vote } else { own };
            self.propose(best, core, out);
        } else if core.config.beats(vote, core.vote) {
            self.propose(vote, core, out);
        }
        self.votes.insert(from, vote);
        self.tally(core, out);
    }

    /// Joins the leader that a server follows which looks no more: at once if this round's votes
    /// agree, or if a quorum follows, and in either case only if the leader says that it leads.
    fn join<T, S>(
        &mut self,
        from: ServerId,
        round: u64,
        vote: Vote,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Option<ServerId> {
        let this_round = round == core.round;
        if this_round && core.has_elector(from) {
            self.count(from, round, vote, core, out);
        }
        let here = core.config.id;
        let elected = this_round && self.elected(vote, core);
        let followed = vote.leader != here && self.followed(vote.leader, core);
        let leads = vote.leader == here || self.says_it_leads(vote.leader);
        if !leads || !(elected || followed) {
            return None;
        }
        (core.round, core.vote) = (round, vote);
        Some(vote.leader)
    }

    fn propose<T, S>(&mut self, vote: Vote, core: &mut Core<T>, out: &mut Vec<Output<T, S>>) {
        core.vote = vote;
        self.settling = false;
        self.votes.insert(core.config.id, vote);
        self.turn_away(core, out);
        self.broadcast(core, out);
    }

    /// Who came to follow this server looks again if it is for another one now.
    fn turn_away<T, S>(&mut self, core: &Core<T>, out: &mut Vec<Output<T, S>>) {
        if core.vote.leader != core.config.id {
            let waiting = std::mem::take(&mut self.waiting);
            out.extend(waiting.into_keys().map(|peer| Output::Disconnect { peer }));
        }
    }

    /// Starts the settle timer when a quorum comes to agree. It is not stopped when a better vote
    /// ends the agreement: when it goes off, agreement is looked at again.
    fn tally<T, S>(&mut self, core: &Core<T>, out: &mut Vec<Output<T, S>>) {
        let agreed = self.settled(core);
        if agreed && !self.settling {
            let ms = core.config.timing.settle_ms;
            out.push(Output::SetTimer { timer: Timer::Settle, ms });
        }
        self.settling = agreed;
    }

    fn settled<T>(&self, core: &Core<T>) -> bool {
        self.elected(core.vote, core)
    }

    /// Nobody is left who could still vote for another one: there is nothing to wait for. (One
    /// that comes back with a better vote costs another election, never safety: no leader is
    /// established whose history is older than that of anybody who promises to follow it.)
    fn unanimous<T>(&self, core: &Core<T>) -> Option<ServerId> {
        let said = |id| self.absent.contains(&id) || self.votes.get(&id) == Some(&core.vote);
        let all = core.electing().all(|members| members.voters().all(said));
        (all && self.differing.is_empty() && self.settled(core)).then_some(core.vote.leader)
    }

    fn elected<T>(&self, vote: Vote, core: &Core<T>) -> bool {
        core.is_majority(|id| self.votes.get(&id) == Some(&vote))
    }

    /// By a quorum of any configuration: a reconfiguration that only this server's log has may be
    /// cut off again.
    fn followed<T>(&self, leader: ServerId, core: &Core<T>) -> bool {
        let follows = |id| self.outside.get(&id).is_some_and(|(vote, _)| vote.leader == leader);
        core.electing().any(|members| core.config.is_quorum(members, follows))
    }

    fn says_it_leads(&self, leader: ServerId) -> bool {
        matches!(self.outside.get(&leader), Some((vote, Stance::Leading)) if vote.leader == leader)
    }

    /// To every participant, and to those that look on.
    fn broadcast<T, S>(&self, core: &Core<T>, out: &mut Vec<Output<T, S>>) {
        let voters = core.electing().flat_map(crate::Members::voters);
        let all: BTreeSet<ServerId> = voters.chain(self.onlookers.iter().copied()).collect();
        for other in all.into_iter().filter(|id| *id != core.config.id) {
            core.notify(other, Stance::Looking, out);
        }
        let ms = core.config.timing.resend_ms;
        out.push(Output::SetTimer { timer: Timer::Resend, ms });
    }
}
