//! What a server did, as steps that the protocol must allow.

use zab::{Digest, Message, Output, Role as Said, ServerId, Store, Zxid};

use super::conform::Walk;
use super::plain;
use crate::protocol::Entry;
use crate::protocol::disk::{Write, last};
use crate::protocol::leader::Way;
use crate::protocol::link::{LinkId, Words};
use crate::protocol::state::{Allowed, LearnerStage, Phase, Role, Stage};

impl Walk {
    pub(super) fn emit(&mut self, id: ServerId, output: &Output<Digest, u64>) -> Allowed {
        match output {
            Output::Send { to, message } => self.say(id, *to, message),
            Output::SendSnapshot { to, zxid } => {
                let server = self.state.server(id);
                let end = last(&server.history()[..server.delivered]);
                expect(end == *zxid, || {
                    format!("n{id} sends a snapshot up to {zxid:?}, not {end:?}")
                })?;
                self.state.begin_catching(id, *to, Way::Snapshot)
            }
            Output::Disconnect { peer } => {
                self.lose(id, *peer);
                Ok(())
            }
            Output::Store(store) => self.write(id, store),
            Output::Deliver(entry) => {
                self.establish(id)?;
                self.state.deliver(id, &plain(entry))
            }
            Output::Reset { zxid, .. } => self.reset(id, *zxid),
            Output::Role(role) => self.role(id, *role),
            Output::SyncDone { token } => match self.state.server(id).role {
                Role::Leading(_) => self.state.confirm(id, id, *token),
                _ => self.state.answer(id, *token),
            },
            Output::Connect { .. }
            | Output::Contacts(_)
            | Output::SetTimer { .. }
            | Output::CancelTimer(_) => Ok(()),
        }
    }

    fn say(&mut self, id: ServerId, to: ServerId, message: &Message<Digest, u64>) -> Allowed {
        let state = &mut self.state;
        match message {
            Message::Notification { .. }
            | Message::Members(_)
            | Message::Forward { .. }
            | Message::Snapshot { .. } => Ok(()),
            Message::FollowerInfo { accepted_epoch } => self.greet(id, to, *accepted_epoch),
            Message::LeaderInfo { epoch } => {
                let own = state.leader(id)?.epoch;
                expect(own == *epoch, || format!("n{id} says that its epoch {own} is {epoch}"))?;
                state.tell_epoch(id, to)
            }
            Message::AckEpoch { current_epoch, last, .. } => {
                let own = state.server(id).written.age();
                expect(own == (*current_epoch, *last), || {
                    format!("n{id} says that its history {own:?} is {current_epoch}, {last:?}")
                })?;
                state.promise(id)
            }
            Message::Truncate { after } => {
                state.begin_catching(id, to, Way::Truncate { after: *after })
            }
            Message::Propose(entry) => {
                self.begin_diff(id, to)?;
                let next = self.state.next_for(id, to).cloned();
                expect(next.as_ref() == Some(&plain(entry)), || {
                    format!("n{id} sends n{to} {:?}; next for it is {next:?}", entry.zxid)
                })?;
                self.state.propose_to(id, to, entry.zxid)
            }
            Message::NewLeader { epoch, .. } => {
                self.begin_diff(id, to)?;
                let own = self.state.leader(id)?.epoch;
                expect(own == *epoch, || format!("n{id} says that its epoch {own} is {epoch}"))?;
                self.state.new_leader(id, to)
            }
            Message::AckLeader { .. } => state.ack_leader(id),
            Message::UpToDate { committed } => {
                self.establish(id)?;
                self.state.welcome(id, to, *committed)
            }
            Message::Ack { zxid } => state.ack(id, *zxid),
            Message::Commit { zxid } => state.commit_to(id, to, *zxid),
            Message::Ping { seq } => state.ping(id, to, *seq),
            Message::Pong { seq } => state.pong(id, *seq),
            Message::SyncRequest { token } => state.say(id, Words::Sync { token: *token }),
            Message::SyncReply { token } => state.confirm(id, to, *token),
        }
    }

    fn greet(&mut self, id: ServerId, to: ServerId, accepted: u32) -> Allowed {
        let own = self.state.server(id).written.accepted;
        expect(own == accepted, || format!("n{id} has promised {own} and says {accepted}"))?;
        let link = LinkId { learner: id, leader: to, via: self.via.unwrap_or(0) };
        self.state.greet(id, link)
    }

    /// The first words of a history that need no TRUNC and no SNAP.
    fn begin_diff(&mut self, id: ServerId, to: ServerId) -> Allowed {
        match self.state.learner_mut(id, to)?.stage {
            LearnerStage::Promised { .. } => self.state.begin_catching(id, to, Way::Diff),
            _ => Ok(()),
        }
    }

    fn write(&mut self, id: ServerId, store: &Store<Digest, u64>) -> Allowed {
        match (store, &self.state.server(id).role) {
            (Store::Append(entry), Role::Leading(_)) => self.state.propose(id, plain(entry)),
            (Store::Epochs { accepted, current }, _) => self.epochs(id, *accepted, *current),
            _ => {
                let due = self.state.perform(id)?;
                expect(matches(&due, store), || format!("n{id} writes {store:?}; due is {due:?}"))
            }
        }
    }

    fn epochs(&mut self, id: ServerId, accepted: u32, current: u32) -> Allowed {
        let state = &mut self.state;
        let newer = accepted > state.server(id).written.accepted;
        match &state.server(id).role {
            Role::Following(_) if newer => state.accept(id),
            Role::Following(_) => state.adopt(id),
            Role::Leading(leader) if newer && leader.phase == Phase::Gathering => {
                state.open(id, accepted)
            }
            Role::Leading(_) if newer => state.yield_to(id, accepted),
            Role::Leading(_) => state.adopt_own(id),
            Role::Looking { .. } => Err(format!("n{id} writes epochs while it looks for a leader")),
        }?;
        let written = &state.server(id).written;
        expect((written.accepted, written.current) == (accepted, current), || {
            format!("n{id} writes epochs {accepted} and {current}")
        })
    }

    fn reset(&mut self, id: ServerId, zxid: Zxid) -> Allowed {
        let server = self.state.server(id);
        let end = last(&server.history()[..server.delivered]);
        expect(end == zxid, || format!("n{id} goes to the state at {zxid:?}, where {end:?} is due"))
    }

    fn role(&mut self, id: ServerId, role: Said) -> Allowed {
        match role {
            Said::Looking => {
                if !self.state.server(id).looks() {
                    self.state.leave(id);
                }
                Ok(())
            }
            Said::Following { leader, epoch: 0, .. } | Said::Observing { leader, epoch: 0, .. } => {
                self.state.follow(id, leader)
            }
            Said::Following { epoch, serving, .. } | Said::Observing { epoch, serving, .. } => {
                let follower = self.state.follower(id)?;
                let true_words =
                    follower.epoch == epoch && (!serving || follower.stage == Stage::Serving);
                expect(true_words, || format!("n{id} takes itself for a follower in epoch {epoch}"))
            }
            Said::Leading { epoch: 0, .. } => self.state.lead(id),
            Said::Leading { serving: true, epoch } => {
                self.establish(id)?;
                let leader = self.state.leader(id)?;
                let leads = leader.phase == Phase::Broadcast && leader.epoch == epoch;
                expect(leads, || format!("n{id} takes itself for the leader of epoch {epoch}"))
            }
            // What it means is written next.
            Said::Leading { .. } => Ok(()),
        }
    }

    /// A leader's first step after it may be established.
    fn establish(&mut self, id: ServerId) -> Allowed {
        match self.state.leader(id) {
            Ok(leader) if leader.phase != Phase::Broadcast => self.state.establish(id),
            _ => Ok(()),
        }
    }
}

fn matches(due: &Write, store: &Store<Digest, u64>) -> bool {
    match (due, store) {
        (Write::Append(entry), Store::Append(other)) => *entry == plain(other),
        (Write::Truncate { after }, Store::Truncate { after: other }) => after == other,
        (Write::Install { history }, Store::Install { zxid, log, .. }) => {
            let end = log.last().map_or(*zxid, |entry| entry.zxid);
            let log: Vec<Entry> = log.iter().map(plain).collect();
            last(history) == end && history.ends_with(&log)
        }
        _ => false,
    }
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Allowed {
    if holds { Ok(()) } else { Err(what()) }
}
