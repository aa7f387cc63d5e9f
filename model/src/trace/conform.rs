//! Recorded steps as steps of the protocol: what a server took in, then what it did.

use std::collections::BTreeSet;

use zab::{Digest, Durable, Input, Members, Message, Output, Record, ServerId, Store, Zxid};

use super::merge::{Merge, Next};
use super::{Coverage, Rejection, Traces, Verdict, plain};
use crate::link::Ends;
use crate::protocol::disk::count_to;
use crate::protocol::ghost::Event;
use crate::protocol::link::{LinkId, Words};
use crate::protocol::state::{Allowed, Role, Server, State};
use crate::protocol::tell;

/// What the protocol says; what was exercised up to there.
pub(super) fn conform(traces: &Traces, wipes: bool) -> (Verdict, Coverage) {
    let mut walk = Walk { state: State::down(traces.keys().copied(), None), via: None, wipes };
    let mut merge = Merge::new(traces);
    let mut coverage = Coverage::default();
    while let Some(Next { server, line, record }) = merge.next(|id, record| walk.ready(id, record))
    {
        let rejection = |what| Rejection { server, line, at: record.at(), what };
        if reconfigures(record) {
            let what = format!("n{server} changes who belongs to the ensemble");
            return (Verdict::Unknown(rejection(what)), coverage);
        }
        coverage.count(server, record);
        if let Err(what) = walk.step(server, record) {
            return (Verdict::Rejected(rejection(what)), coverage);
        }
    }
    (Verdict::Conforms, coverage)
}

/// Dynamic reconfiguration is not part of ZAB as published.
fn reconfigures(record: &Record) -> bool {
    match record {
        Record::Start { config, .. } => config.configuration.version > Zxid::ZERO,
        Record::Step { out, .. } => out.iter().any(|output| match output {
            Output::Store(Store::Append(entry)) => entry.txn.members.is_some(),
            Output::Store(Store::Settled { .. }) => true,
            _ => false,
        }),
    }
}

/// The protocol's state, as the steps so far have made it.
pub(super) struct Walk {
    pub(super) state: State,
    /// The connection that this step's `Connected` is about.
    pub(super) via: Option<u64>,
    /// Disks may be emptied while their server is down.
    wipes: bool,
}

impl Walk {
    /// Has the message arrived that this step takes in?
    fn ready(&self, id: ServerId, record: &Record) -> bool {
        let Record::Step { input: Input::Received { from, message }, via, .. } = record else {
            return true;
        };
        match link_of(id, *from, message, *via) {
            Some(link) => self.front(link, id).is_some(),
            None => true,
        }
    }

    fn front(&self, link: LinkId, to: ServerId) -> Option<&Words> {
        self.state.links.get(&link)?.half(link, to).inbox.front()
    }

    fn step(&mut self, id: ServerId, record: &Record) -> Allowed {
        let out = match record {
            Record::Start { config, durable, out, .. } => {
                self.meet(id, &config.configuration.members)?;
                self.start(id, durable)?;
                out
            }
            Record::Step { .. } if !self.state.server(id).up => {
                return Err(format!("n{id} takes a step before it starts"));
            }
            Record::Step { input, via, out, .. } => {
                self.absorb(id, input, *via)?;
                out
            }
        };
        if self.state.may_synchronise(id) {
            self.state.begin_synchronisation(id)?;
        }
        out.iter().try_for_each(|output| self.emit(id, output))?;
        self.nothing_is_due(id, out)?;
        match self.state.ghost.broken.first() {
            None => Ok(()),
            Some((name, what)) => Err(format!("{what} ({name})")),
        }
    }

    /// There must be a trace of every member; the first start says who observes.
    fn meet(&mut self, id: ServerId, members: &Members) -> Allowed {
        let observers: BTreeSet<ServerId> =
            members.0.keys().copied().filter(|id| !members.has_voter(*id)).collect();
        let servers = self.state.servers.values();
        let first = servers.clone().all(|server| **server == Server::default());
        if first && !observers.is_empty() {
            self.state = self.state.clone().observed_by(observers.clone());
        }
        let (known, named) = (&self.state.servers, &members.0);
        if !named.keys().eq(known.keys()) || observers != self.state.observers {
            return Err(format!(
                "n{id} takes the ensemble for {:?}; there are traces of {:?}",
                named.keys().collect::<Vec<_>>(),
                known.keys().collect::<Vec<_>>()
            ));
        }
        Ok(())
    }

    /// A server that was up has crashed: what it finds is what it had written, or part of it.
    fn start(&mut self, id: ServerId, durable: &Durable<Digest>) -> Allowed {
        self.state.close_all(id);
        if self.wipes && durable.accepted_epoch == 0 && durable.log.is_empty() {
            let server = self.state.server_mut(id);
            (server.disk, server.written, server.snapshot) = Default::default();
        }
        while !self.finds(id, durable) {
            if !self.state.server_mut(id).disk.store() {
                return Err(format!(
                    "n{id} starts with epochs {} and {} and a history that ends at {:?}: what it \
                     had on its disk cannot become that",
                    durable.accepted_epoch,
                    durable.current_epoch,
                    durable.log.last().map_or(durable.snapshot, |entry| entry.zxid)
                ));
            }
        }
        self.state.crash(id, 0);
        let server = self.state.server_mut(id);
        let snapshot = count_to(server.history(), durable.snapshot);
        server.snapshot = snapshot.expect("the snapshot was found");
        server.delivered = server.snapshot;
        self.state.start(id);
        Ok(())
    }

    /// Is that what is durable now?
    fn finds(&self, id: ServerId, durable: &Durable<Digest>) -> bool {
        let files = &self.state.server(id).disk.durable;
        let epochs = (files.accepted, files.current);
        let Some(covered) = count_to(&files.history, durable.snapshot) else { return false };
        epochs == (durable.accepted_epoch, durable.current_epoch)
            && files.history[covered..].iter().eq(&durable
                .log
                .iter()
                .map(plain)
                .collect::<Vec<_>>())
    }

    fn absorb(&mut self, id: ServerId, input: &Input<Digest, u64>, via: Option<u64>) -> Allowed {
        self.via = None;
        match input {
            Input::Received { from, message } => {
                if let Some(link) = link_of(id, *from, message, via) {
                    return self.receive(id, link, message);
                }
            }
            Input::Connected { .. } => self.via = via,
            Input::Disconnected { peer } => self.lose(id, *peer),
            Input::Stored { ops } => {
                if !(0..*ops).all(|_| self.state.store(id)) {
                    return Err(format!("n{id} hears of more writes than it made"));
                }
            }
            Input::Sync { token } => self.ask(id, *token),
            Input::Compact { upto } => {
                let server = self.state.server_mut(id);
                let covered = count_to(server.history(), *upto);
                if let Some(covered) = covered.filter(|covered| *covered <= server.delivered) {
                    server.snapshot = server.snapshot.max(covered);
                }
            }
            Input::Timer(_)
            | Input::Submit { .. }
            | Input::Unreachable { .. }
            | Input::Forget { .. } => {}
        }
        Ok(())
    }

    fn receive(&mut self, id: ServerId, link: LinkId, message: &Message<Digest, u64>) -> Allowed {
        let from = link.other(id);
        let Some(next) = self.front(link, id) else {
            return Err(format!("n{id} hears {message:?}, which n{from} has not said to it"));
        };
        if !same(next, message) {
            let next = tell::message(next);
            return Err(format!("n{id} hears {message:?}; next from n{from} is: {next}"));
        }
        let half = self.state.links.get_mut(&link).map(|found| found.half_mut(link, id));
        let words = half.and_then(|half| half.inbox.pop_front()).expect("it was just looked at");
        self.state.take(link, id, words)
    }

    /// A client's question. A follower's own words to its leader are among its outputs.
    fn ask(&mut self, id: ServerId, token: u64) {
        if !self.state.server(id).serving() {
            return;
        }
        self.state.observe(&Event::Asked { server: id, token });
        if let Ok(leader) = self.state.leader_mut(id) {
            leader.syncs.push((id, token, leader.pinged));
        }
    }

    /// The connection with `peer` is gone, or closed.
    pub(super) fn lose(&mut self, id: ServerId, peer: ServerId) {
        let link = match &self.state.server(id).role {
            Role::Looking { waiting } => waiting.get(&peer).map(|(link, _)| *link),
            Role::Following(follower) => follower.link.filter(|link| link.leader == peer),
            Role::Leading(leader) => leader.learners.get(&peer).map(|learner| learner.link),
        };
        let Some(link) = link else { return };
        self.state.close(link, id);
        match &mut self.state.server_mut(id).role {
            Role::Looking { waiting } => drop(waiting.remove(&peer)),
            Role::Following(_) => {}
            // Whether it leads on is for its next step to show.
            Role::Leading(_) => drop(self.state.lose(id, peer)),
        }
    }

    /// A follower has done all that it was told, or is no follower any more.
    fn nothing_is_due(&self, id: ServerId, out: &[Output<Digest, u64>]) -> Allowed {
        let Ok(follower) = self.state.follower(id) else { return Ok(()) };
        match follower.due.first() {
            None => Ok(()),
            Some(write) => Err(format!("n{id} was told to write {write:?}, and did {out:?}")),
        }
    }
}

/// The connection that a message travels on; none of a vote, which has none, and of a client's
/// request, whose way is of no interest.
pub(super) fn link_of(
    to: ServerId,
    from: ServerId,
    message: &Message<Digest, u64>,
    via: Option<u64>,
) -> Option<LinkId> {
    let via = via.unwrap_or(0);
    match message {
        Message::Notification { .. } | Message::Members(_) | Message::Forward { .. } => None,
        Message::FollowerInfo { .. }
        | Message::AckEpoch { .. }
        | Message::AckLeader { .. }
        | Message::Ack { .. }
        | Message::Pong { .. }
        | Message::SyncRequest { .. } => Some(LinkId { learner: from, leader: to, via }),
        _ => Some(LinkId { learner: to, leader: from, via }),
    }
}

/// Does a message say this? Of a snapshot, its end counts: its state is no concern of the protocol.
fn same(words: &Words, message: &Message<Digest, u64>) -> bool {
    match (words, message) {
        (Words::FollowerInfo { accepted }, Message::FollowerInfo { accepted_epoch }) => {
            accepted == accepted_epoch
        }
        (Words::LeaderInfo { epoch }, Message::LeaderInfo { epoch: other })
        | (Words::NewLeader { epoch }, Message::NewLeader { epoch: other, .. })
        | (Words::AckLeader { epoch }, Message::AckLeader { epoch: other }) => epoch == other,
        (
            Words::AckEpoch { current, last, snapshot },
            Message::AckEpoch { current_epoch, last: end, snapshot: base },
        ) => (current, last, snapshot) == (current_epoch, end, base),
        (Words::Truncate { after }, Message::Truncate { after: other }) => after == other,
        (Words::Snapshot { history }, Message::Snapshot { zxid, .. }) => {
            crate::protocol::disk::last(history) == *zxid
        }
        (Words::Propose(entry), Message::Propose(other)) => *entry == plain(other),
        (Words::UpToDate { committed: zxid }, Message::UpToDate { committed: other })
        | (Words::Ack { zxid }, Message::Ack { zxid: other })
        | (Words::Commit { zxid }, Message::Commit { zxid: other }) => zxid == other,
        (Words::Ping { seq }, Message::Ping { seq: other })
        | (Words::Pong { seq }, Message::Pong { seq: other }) => seq == other,
        (Words::Sync { token }, Message::SyncRequest { token: other })
        | (Words::Synced { token }, Message::SyncReply { token: other }) => token == other,
        _ => false,
    }
}
