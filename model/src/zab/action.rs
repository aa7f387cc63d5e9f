//! What may happen next, and what comes of it.

use serde::{Deserialize, Serialize};
use zab::{Input, ServerId, Timer};

use super::Setup;
use super::link::LinkId;
use super::world::World;
use crate::link::Ends;

/// One step of the world.
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
    /// A server stops at once. All it has written survives when it was killed; after a power cut,
    /// any prefix of what was not yet durable.
    Crash {
        /// Which server.
        server: ServerId,
        /// How many of the pending writes survive.
        kept: usize,
    },
    /// A server comes back.
    Start(ServerId),
    /// A connection breaks.
    Cut(LinkId),
    /// Discovery and synchronisation take too long for a server.
    Timeout(ServerId),
    /// These exchange votes until all is said.
    Elect(Vec<ServerId>),
    /// A client of a server submits the next transaction.
    Submit(ServerId),
    /// A client of a server asks for `sync`.
    Sync(ServerId),
    /// A vote arrives.
    Vote {
        /// Whose.
        from: ServerId,
        /// Where.
        to: ServerId,
    },
    /// A looking server repeats its vote.
    Resend(ServerId),
    /// A looking server has heard nothing better.
    Settle(ServerId),
}

impl Action {
    /// All names.
    pub(crate) const NAMES: [&str; 13] = [
        "deliver", "notice", "store", "crash", "start", "cut", "timeout", "elect", "submit",
        "sync", "vote", "resend", "settle",
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
            Action::Elect(_) => "elect",
            Action::Submit(_) => "submit",
            Action::Sync(_) => "sync",
            Action::Vote { .. } => "vote",
            Action::Resend(_) => "resend",
            Action::Settle(_) => "settle",
        }
    }
}

/// Adds every action that `world` allows within the bounds.
pub(crate) fn offer(setup: &Setup, world: &World, actions: &mut Vec<Action>) {
    if world.ghost.failed.is_some() {
        return;
    }
    if setup.votes_only {
        return offer_votes(setup, world, actions);
    }
    offer_links(setup, world, actions);
    for server in &world.servers {
        offer_server(setup, world, server.id, actions);
    }
    if world.used.elections < setup.bounds.elections {
        actions.extend(electorates(world).map(Action::Elect));
    }
}

fn offer_links(setup: &Setup, world: &World, actions: &mut Vec<Action>) {
    for (&id, link) in &world.links {
        for end in id.ends() {
            if !link.half(id, end).inbox.is_empty() {
                actions.push(Action::Deliver { link: id, to: end });
            }
            if link.may_notice(id, end) {
                actions.push(Action::Notice { link: id, at: end });
            }
        }
        let whole = id.ends().into_iter().all(|end| link.half(id, end).open);
        if world.used.cuts < setup.bounds.cuts && whole && !link.cut {
            actions.push(Action::Cut(id));
        }
    }
}

fn offer_server(setup: &Setup, world: &World, id: ServerId, actions: &mut Vec<Action>) {
    let (server, used, bounds) = (world.server(id), &world.used, &setup.bounds);
    if server.peer.is_none() {
        return actions.push(Action::Start(id));
    }
    if !server.disk.pending.is_empty() {
        actions.push(Action::Store(id));
    }
    if used.crashes < bounds.crashes {
        let kept = 0..=server.disk.at_stake();
        actions.extend(kept.map(|kept| Action::Crash { server: id, kept }));
    }
    if used.timeouts < bounds.timeouts && server.timers.contains(&Timer::Init) {
        actions.push(Action::Timeout(id));
    }
    if used.txns < bounds.txns && server.serving() {
        actions.push(Action::Submit(id));
    }
    if used.syncs < bounds.syncs && server.serving() {
        actions.push(Action::Sync(id));
    }
}

fn offer_votes(setup: &Setup, world: &World, actions: &mut Vec<Action>) {
    if world.used.elections >= setup.bounds.elections {
        return;
    }
    actions.extend(world.notices.keys().map(|&(from, to)| Action::Vote { from, to }));
    for server in world.servers.iter().filter(|server| server.is_looking()) {
        actions.push(Action::Resend(server.id));
        if server.timers.contains(&Timer::Settle) {
            actions.push(Action::Settle(server.id));
        }
    }
}

/// Every set of servers that may hear each other and in which somebody looks for a leader.
fn electorates(world: &World) -> impl Iterator<Item = Vec<ServerId>> {
    let up: Vec<_> = world.servers.iter().filter(|server| server.peer.is_some()).collect();
    (1_u32..1 << up.len()).filter_map(move |set| {
        let among = up.iter().enumerate().filter(|(idx, _)| set & 1 << idx != 0);
        let among: Vec<_> = among.map(|(_, server)| server).collect();
        let looking = among.iter().any(|server| server.is_looking());
        looking.then(|| among.iter().map(|server| server.id).collect())
    })
}

/// The world after `action`; none when nothing came of it.
pub(crate) fn apply(setup: &Setup, world: &World, action: Action) -> Option<World> {
    let mut next = world.clone();
    let happened = carry_out(setup, &mut next, action);
    if !setup.votes_only {
        next.notices.clear();
    }
    happened.then_some(next)
}

fn carry_out(setup: &Setup, world: &mut World, action: Action) -> bool {
    match action {
        Action::Deliver { link, to } => return world.deliver(link, to),
        Action::Notice { link, at } => world.notice_closed(link, at),
        Action::Store(id) => return world.store(id),
        Action::Crash { server, kept } => {
            world.used.crashes += 1;
            world.crash(server, kept);
        }
        Action::Start(id) => world.start(id, setup),
        Action::Cut(id) => {
            world.used.cuts += 1;
            world.cut(id);
        }
        Action::Timeout(id) => {
            world.used.timeouts += 1;
            world.step(id, Input::Timer(Timer::Init));
        }
        Action::Elect(among) => {
            world.used.elections += 1;
            return world.elect(&among);
        }
        Action::Submit(id) => {
            world.used.txns += 1;
            world.submit(id);
        }
        Action::Sync(id) => {
            world.used.syncs += 1;
            world.sync(id, world.used.syncs as u64);
        }
        Action::Vote { from, to } => return world.vote(to, |world| world.notify(from, to)),
        Action::Resend(id) => world.step(id, Input::Timer(Timer::Resend)),
        Action::Settle(id) => {
            return world.vote(id, |world| {
                world.step(id, Input::Timer(Timer::Settle));
                true
            });
        }
    }
    true
}

impl World {
    /// A step of `id` in an election; counts a decision.
    fn vote(&mut self, id: ServerId, step: impl FnOnce(&mut World) -> bool) -> bool {
        let looked = self.server(id).is_looking();
        let happened = step(self);
        if looked && !self.server(id).is_looking() {
            self.used.elections += 1;
        }
        happened
    }
}
