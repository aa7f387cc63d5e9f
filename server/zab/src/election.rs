//! Looking for a leader: ZooKeeper's FastLeaderElection.

use std::collections::BTreeMap;

use crate::core::Core;
use crate::{Input, Message, Output, ServerId, Stance, Timer, Vote};

/// One round of votes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Election {
    /// The latest vote of each server in this round, this one's among them.
    votes: BTreeMap<ServerId, Vote>,
    /// What those say that look no more, of whatever round.
    outside: BTreeMap<ServerId, (Vote, Stance)>,
    /// A quorum agrees on the present vote; the settle timer runs.
    settling: bool,
    /// Learners that were faster, with their accepted epochs.
    pub(crate) waiting: BTreeMap<ServerId, u32>,
}

impl Election {
    /// Opens the next round with this peer as the candidate.
    pub(crate) fn start<T, S>(core: &mut Core<T>, out: &mut Vec<Output<T, S>>) -> Election {
        let mut election = Election {
            votes: BTreeMap::new(),
            outside: BTreeMap::new(),
            settling: false,
            waiting: BTreeMap::new(),
        };
        core.round += 1;
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
            Input::Timer(Timer::Resend) => broadcast(core, out),
            Input::Received { from, message } => return self.hear(from, &message, core, out),
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
        message: &Message<T, S>,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Option<ServerId> {
        match *message {
            Message::Notification { round, vote, stance: Stance::Looking } => {
                self.outside.remove(&from);
                self.count(from, round, vote, core, out);
                None
            }
            Message::Notification { round, vote, stance } => {
                self.outside.insert(from, (vote, stance));
                self.join(from, round, vote, core, out)
            }
            Message::FollowerInfo { accepted_epoch } => {
                self.waiting.insert(from, accepted_epoch);
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
        if round < core.round {
            return core.notify(from, Stance::Looking, out);
        }
        if round > core.round {
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
        if this_round {
            self.count(from, round, vote, core, out);
        }
        let here = core.config.id;
        let elected = this_round && self.supporters(vote) >= core.config.quorum();
        let followed = vote.leader != here && self.followers(vote.leader) >= core.config.quorum();
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
        broadcast(core, out);
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
        self.supporters(core.vote) >= core.config.quorum()
    }

    fn supporters(&self, vote: Vote) -> usize {
        self.votes.values().filter(|other| **other == vote).count()
    }

    fn followers(&self, leader: ServerId) -> usize {
        self.outside.values().filter(|(vote, _)| vote.leader == leader).count()
    }

    fn says_it_leads(&self, leader: ServerId) -> bool {
        matches!(self.outside.get(&leader), Some((vote, Stance::Leading)) if vote.leader == leader)
    }
}

fn broadcast<T, S>(core: &Core<T>, out: &mut Vec<Output<T, S>>) {
    let here = core.config.id;
    for &other in core.config.voters.iter().filter(|id| **id != here) {
        core.notify(other, Stance::Looking, out);
    }
    let ms = core.config.timing.resend_ms;
    out.push(Output::SetTimer { timer: Timer::Resend, ms });
}
