//! What may happen next, and what comes of it.

use serde::{Deserialize, Serialize};
use zab::ServerId;

use super::link::LinkId;
use super::state::{LearnerStage, Phase, Role, State};
use super::{Entry, Flaw};
use crate::catalogue::Bounds;
use crate::link::Ends;

/// One step of the ensemble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(private_interfaces, reason = "a step is stored and told, not taken apart")]
pub enum Action {
    /// The next message of a connection arrives.
    Deliver {
        /// Which connection.
        link: LinkId,
        /// At which end.
        to: ServerId,
    },
    /// An end of a connection notices that it is gone.
    Notice {
        /// Which connection.
        link: LinkId,
        /// Which end.
        at: ServerId,
    },
    /// The oldest pending write of a server becomes durable.
    Store(ServerId),
    /// A server stops at once; so many of its pending writes survive.
    Crash {
        /// Which server.
        server: ServerId,
        /// All when it was killed, any number after a power cut.
        kept: usize,
    },
    /// A server comes back.
    Start(ServerId),
    /// A connection breaks.
    Cut(LinkId),
    /// A server has waited too long.
    Timeout(ServerId),
    /// An oracle names a leader to some that look for one.
    Elect {
        /// Any of them.
        leader: ServerId,
        /// The others; a quorum with it.
        followers: Vec<ServerId>,
    },
    /// A server turns to a leader that there is.
    Follow {
        /// Who looked for one.
        server: ServerId,
        /// The leader.
        leader: ServerId,
    },
    /// A transaction reaches an established leader.
    Submit(ServerId),
    /// A client of a server asks for `sync`.
    Sync(ServerId),
    /// A leader sends what it has appended (only where that is apart).
    Broadcast(ServerId),
}

impl Action {
    /// All names.
    pub(crate) const NAMES: [&str; 12] = [
        "deliver",
        "notice",
        "store",
        "crash",
        "start",
        "cut",
        "timeout",
        "elect",
        "follow",
        "submit",
        "sync",
        "broadcast",
    ];

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Action::Deliver { .. } => "deliver",
            Action::Notice { .. } => "notice",
            Action::Store(_) => "store",
            Action::Crash { .. } => "crash",
            Action::Start(_) => "start",
            Action::Cut(_) => "cut",
            Action::Timeout(_) => "timeout",
            Action::Elect { .. } => "elect",
            Action::Follow { .. } => "follow",
            Action::Submit(_) => "submit",
            Action::Sync(_) => "sync",
            Action::Broadcast(_) => "broadcast",
        }
    }
}

/// Adds every action that `state` allows within the bounds.
pub(crate) fn offer(state: &State, bounds: &Bounds, actions: &mut Vec<Action>) {
    if !state.ghost.broken.is_empty() {
        return;
    }
    offer_links(state, bounds, actions);
    for id in state.servers.keys() {
        offer_server(state, bounds, *id, actions);
    }
    if state.used.elections < bounds.elections {
        offer_elections(state, actions);
    }
}

fn offer_links(state: &State, bounds: &Bounds, actions: &mut Vec<Action>) {
    for (&id, link) in &state.links {
        for end in id.ends() {
            if !link.half(id, end).inbox.is_empty() {
                actions.push(Action::Deliver { link: id, to: end });
            }
            if link.may_notice(id, end) {
                actions.push(Action::Notice { link: id, at: end });
            }
        }
        let whole = id.ends().into_iter().all(|end| link.half(id, end).open);
        if state.used.cuts < bounds.cuts && whole && !link.cut {
            actions.push(Action::Cut(id));
        }
    }
}

fn offer_server(state: &State, bounds: &Bounds, id: ServerId, actions: &mut Vec<Action>) {
    let (server, used) = (state.server(id), &state.used);
    if !server.up {
        return actions.push(Action::Start(id));
    }
    if !server.disk.pending.is_empty() {
        actions.push(Action::Store(id));
    }
    if used.crashes < bounds.crashes {
        let kept = 0..=server.disk.at_stake();
        actions.extend(kept.map(|kept| Action::Crash { server: id, kept }));
    }
    if used.timeouts < bounds.timeouts && !server.looks() {
        actions.push(Action::Timeout(id));
    }
    if used.syncs < bounds.syncs && server.serving() {
        actions.push(Action::Sync(id));
    }
    match &server.role {
        Role::Looking { .. } => {
            let leaders =
                state.servers.iter().filter(|(_, other)| matches!(other.role, Role::Leading(_)));
            let follow =
                |(leader, _): (&ServerId, _)| Action::Follow { server: id, leader: *leader };
            actions.extend(leaders.map(follow));
        }
        Role::Following(_) => {}
        Role::Leading(leader) => {
            if used.txns < bounds.txns && leader.phase == Phase::Broadcast {
                actions.push(Action::Submit(id));
            }
            let lacks = |to: &ServerId| {
                leader.learners[to].stage >= LearnerStage::Synchronising
                    && state.next_for(id, *to).is_some()
            };
            if state.rules.has(Flaw::LateBroadcast) && leader.learners.keys().any(lacks) {
                actions.push(Action::Broadcast(id));
            }
        }
    }
}

/// Any server that votes may be named to any quorum: nothing that is promised may rest on who is elected.
fn offer_elections(state: &State, actions: &mut Vec<Action>) {
    let looking =
        state.servers.iter().filter(|(id, server)| server.looks() && !state.observes(**id));
    let looking: Vec<ServerId> = looking.map(|(id, _)| *id).collect();
    for &leader in &looking {
        let others: Vec<ServerId> = looking.iter().copied().filter(|id| *id != leader).collect();
        for set in 0_u32..1 << others.len() {
            if set.count_ones() as usize + 1 >= state.rules.quorum() {
                let chosen = others.iter().enumerate().filter(|(idx, _)| set & 1 << idx != 0);
                let followers = chosen.map(|(_, id)| *id).collect();
                actions.push(Action::Elect { leader, followers });
            }
        }
    }
}

/// The state after `action`; none when nothing came of it.
pub(crate) fn apply(state: &State, action: &Action) -> Option<State> {
    let mut next = state.clone();
    next.carry_out(action).then_some(next)
}

impl State {
    fn carry_out(&mut self, action: &Action) -> bool {
        match *action {
            Action::Deliver { link, to } => return self.receive(link, to),
            Action::Notice { link, at } => {
                self.give_up(link, at);
                self.settle(at);
            }
            Action::Store(id) => {
                let stored = self.store(id);
                self.settle(id);
                return stored;
            }
            Action::Crash { server, kept } => {
                self.used.crashes += 1;
                self.crash(server, kept);
            }
            Action::Start(id) => self.start(id),
            Action::Cut(link) => {
                self.used.cuts += 1;
                self.links.get_mut(&link).into_iter().for_each(|link| link.cut = true);
            }
            Action::Timeout(id) => {
                self.used.timeouts += 1;
                self.leave(id);
            }
            Action::Elect { leader, ref followers } => return self.elect(leader, followers),
            Action::Follow { server, leader } => return self.turn_to(server, leader),
            Action::Submit(id) => return self.submit(id),
            Action::Sync(id) => {
                self.used.syncs += 1;
                let token = self.used.syncs as u64;
                let asked = self.ask(id, token).is_ok();
                self.settle(id);
                return asked;
            }
            Action::Broadcast(id) => return self.broadcast_late(id).is_ok(),
        }
        true
    }

    pub(crate) fn elect(&mut self, leader: ServerId, followers: &[ServerId]) -> bool {
        self.used.elections += 1;
        let led = self.lead(leader).is_ok();
        led && followers.iter().all(|id| self.turn_to(*id, leader))
    }

    /// A connection is made at once; the leader notices first that an older one is gone.
    fn turn_to(&mut self, id: ServerId, leader: ServerId) -> bool {
        let link = LinkId { learner: id, leader, via: 0 };
        if self.follow(id, leader).is_err() {
            return false;
        }
        if self.links.get(&link).is_some_and(|old| old.half(link, leader).open) {
            self.give_up(link, leader);
            self.settle(leader);
        }
        self.greet(id, link).is_ok()
    }

    pub(crate) fn submit(&mut self, id: ServerId) -> bool {
        self.used.txns += 1;
        let Some(zxid) = self.next_zxid(id) else { return false };
        self.ghost_mut().submitted += 1;
        let txn = self.ghost.submitted;
        let proposed = self.propose(id, Entry { zxid, txn }).is_ok();
        self.settle(id);
        proposed
    }
}
