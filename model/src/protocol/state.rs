//! The ensemble at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zab::{ServerId, Zxid};

use super::disk::{Disk, Files, Write, last};
use super::ghost::{Event, Ghost};
use super::invariants;
use super::link::{Link, LinkId, Words};
use super::{Entry, Flaw};
use crate::care::Files as _;
use crate::catalogue::Bounds;
use crate::link::Ends;

/// A rule that does not allow what was tried, in words.
pub(crate) type Allowed<T = ()> = Result<T, String>;

/// What does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rules {
    /// Servers that vote; any majority of them is a quorum.
    pub(crate) servers: usize,
    pub(crate) flaw: Option<Flaw>,
}

impl Rules {
    pub(crate) fn quorum(self) -> usize {
        match self.flaw {
            Some(Flaw::HalfQuorum) => (self.servers / 2).max(1),
            _ => self.servers / 2 + 1,
        }
    }

    pub(crate) fn has(self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }
}

/// Servers, connections, and what happened so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub(crate) rules: Rules,
    /// Servers whose word does not count.
    pub(crate) observers: BTreeSet<ServerId>,
    pub(crate) servers: BTreeMap<ServerId, Arc<Server>>,
    pub(crate) links: BTreeMap<LinkId, Link>,
    pub(crate) ghost: Arc<Ghost>,
    /// What of the bounds is used up.
    pub(crate) used: Bounds,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) up: bool,
    pub(crate) disk: Disk,
    /// What it takes for its files.
    pub(crate) written: Files,
    /// How many entries of its history it has delivered.
    pub(crate) delivered: usize,
    /// How many are in its snapshot: it cannot be cut below.
    pub(crate) snapshot: usize,
    /// What a snapshot holds that TRUNC does not reach; nothing, unless that is the flaw.
    pub(crate) uncut: Vec<Entry>,
    pub(crate) role: Role,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// Looks for a leader. Learners that were faster wait, with their accepted epochs.
    Looking {
        waiting: BTreeMap<ServerId, (LinkId, u32)>,
    },
    Following(Follower),
    Leading(Leader),
}

impl Default for Role {
    fn default() -> Role {
        Role::Looking { waiting: BTreeMap::new() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Follower {
    pub(crate) leader: ServerId,
    pub(crate) link: Option<LinkId>,
    /// 0 before LEADERINFO.
    pub(crate) epoch: u32,
    pub(crate) stage: Stage,
    /// What it was told to write and has not yet, in order.
    pub(crate) due: Vec<Write>,
    /// The end of its history once all that is due is written.
    pub(crate) tail: Zxid,
    /// A snapshot came: what will replace the history.
    pub(crate) installing: Option<Vec<Entry>>,
    /// It knows that everything up to here is committed.
    pub(crate) committed: Zxid,
    /// What it has acknowledged of this epoch.
    pub(crate) acked: Zxid,
    /// A ping to be answered.
    pub(crate) pinged: Option<u64>,
    /// Syncs answered by the leader, and not yet to the client.
    pub(crate) synced: Vec<u64>,
}

/// How far a follower is. Later stages are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    Connecting,
    /// FOLLOWERINFO is sent.
    Discovering,
    /// LEADERINFO came.
    Promising,
    /// ACKEPOCH is sent.
    Synchronising,
    /// NEWLEADER came; so many writes of its history are not durable.
    Adopting {
        unsynced: usize,
    },
    /// NEWLEADER is acknowledged.
    Adopted,
    /// UPTODATE came.
    Serving,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leader {
    /// 0 while gathering.
    pub(crate) epoch: u32,
    pub(crate) phase: Phase,
    pub(crate) learners: BTreeMap<ServerId, Learner>,
    /// The newest promise heard of that this leader cannot be part of.
    pub(crate) outbid: Option<u32>,
    /// A promise came with a newer history than this leader's.
    pub(crate) overtaken: bool,
    /// The number of the last ping.
    pub(crate) pinged: u64,
    /// Syncs to be confirmed: whose, which, and the number of the last ping before.
    pub(crate) syncs: Vec<(ServerId, u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Phase {
    /// Waits for a quorum's accepted epochs (the paper's phase 1).
    Gathering,
    /// Waits for a quorum's promises.
    Discovery,
    /// Waits for a quorum to take over its history (phase 2); so many of its writes are not durable.
    Synchronisation { unsynced: usize },
    /// Established (phase 3).
    Broadcast,
}

/// What a leader knows of a learner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Learner {
    pub(crate) link: LinkId,
    pub(crate) accepted: u32,
    pub(crate) stage: LearnerStage,
    /// The last entry it was sent, or is known to have.
    pub(crate) sent: Zxid,
    pub(crate) acked: Zxid,
    pub(crate) ponged: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum LearnerStage {
    /// FOLLOWERINFO came.
    Joined,
    /// LEADERINFO is sent.
    Told,
    /// ACKEPOCH came, with the end of its log and of its snapshot.
    Promised { last: Zxid, snapshot: Zxid },
    /// The history is being sent.
    Catching,
    /// NEWLEADER is sent.
    Synchronising,
    /// NEWLEADER is acknowledged.
    Adopted,
    /// UPTODATE is sent.
    Welcomed,
}

impl Server {
    pub(crate) fn history(&self) -> &[Entry] {
        &self.written.history
    }

    pub(crate) fn write(&mut self, write: Write) {
        self.written.apply(&write);
        self.disk.pending.push_back(write);
    }

    /// What a restart makes of the log, and of a snapshot that was not cut.
    fn restore(&mut self) {
        let snapshot = &self.uncut;
        let history = &mut self.disk.durable.history;
        history.retain(|entry| entry.zxid > last(snapshot));
        history.splice(..0, snapshot.iter().cloned());
        self.written.clone_from(&self.disk.durable);
    }

    pub(crate) fn looks(&self) -> bool {
        self.up && matches!(self.role, Role::Looking { .. })
    }

    pub(crate) fn serving(&self) -> bool {
        match &self.role {
            Role::Looking { .. } => false,
            Role::Following(follower) => follower.stage == Stage::Serving,
            Role::Leading(leader) => leader.phase == Phase::Broadcast,
        }
    }
}

impl State {
    /// `n` servers with empty disks, all down.
    pub(crate) fn down(servers: impl Iterator<Item = ServerId>, flaw: Option<Flaw>) -> State {
        let servers: BTreeMap<_, _> = servers.map(|id| (id, Arc::default())).collect();
        let rules = Rules { servers: servers.len(), flaw };
        let (links, ghost, observers) = (BTreeMap::new(), Arc::default(), BTreeSet::new());
        State { rules, observers, servers, links, ghost, used: Bounds::default() }
    }

    /// These servers are observers: quorums are of the others.
    pub(crate) fn observed_by(mut self, observers: BTreeSet<ServerId>) -> State {
        self.rules.servers = self.servers.len() - observers.len();
        self.observers = observers;
        self
    }

    /// Is this a quorum: the learners that `count`, and the leader itself if `own`?
    pub(crate) fn enough(
        &self,
        leader: &Leader,
        own: bool,
        count: impl Fn(&Learner) -> bool,
    ) -> bool {
        let early = leader.phase <= Phase::Discovery && self.rules.has(Flaw::ObserverEpoch);
        let voters = leader.learners.iter().filter(|(id, _)| early || self.counts(**id));
        let counted = voters.filter(|(_, learner)| count(learner)).count();
        counted + usize::from(own) >= self.rules.quorum()
    }

    pub(crate) fn observes(&self, id: ServerId) -> bool {
        self.observers.contains(&id)
    }

    /// Does the word of this server count?
    pub(crate) fn counts(&self, id: ServerId) -> bool {
        !self.observes(id) || self.rules.has(Flaw::CountedObservers)
    }

    /// Those who vote.
    pub(crate) fn voters(&self) -> impl Iterator<Item = &Server> {
        let voters = self.servers.iter().filter(|(id, _)| !self.observes(**id));
        voters.map(|(_, server)| server.as_ref())
    }

    /// A server that there is.
    pub(crate) fn server(&self, id: ServerId) -> &Server {
        &self.servers[&id]
    }

    pub(crate) fn server_mut(&mut self, id: ServerId) -> &mut Server {
        Arc::make_mut(self.servers.get_mut(&id).expect("servers come and go, but are never new"))
    }

    pub(crate) fn ghost_mut(&mut self) -> &mut Ghost {
        Arc::make_mut(&mut self.ghost)
    }

    pub(crate) fn follower(&self, id: ServerId) -> Allowed<&Follower> {
        match &self.server(id).role {
            Role::Following(follower) => Ok(follower),
            _ => Err(format!("n{id} follows nobody")),
        }
    }

    pub(crate) fn follower_mut(&mut self, id: ServerId) -> Allowed<&mut Follower> {
        match &mut self.server_mut(id).role {
            Role::Following(follower) => Ok(follower),
            _ => Err(format!("n{id} follows nobody")),
        }
    }

    pub(crate) fn leader(&self, id: ServerId) -> Allowed<&Leader> {
        match &self.server(id).role {
            Role::Leading(leader) => Ok(leader),
            _ => Err(format!("n{id} does not lead")),
        }
    }

    pub(crate) fn leader_mut(&mut self, id: ServerId) -> Allowed<&mut Leader> {
        match &mut self.server_mut(id).role {
            Role::Leading(leader) => Ok(leader),
            _ => Err(format!("n{id} does not lead")),
        }
    }

    /// Shows every invariant what happened; then the ghost remembers it.
    pub(crate) fn observe(&mut self, event: &Event) {
        if !self.ghost.broken.is_empty() {
            return;
        }
        let broken = invariants::broken(self, event);
        let (server, entry) = match event {
            Event::Delivered { server, place } => (*server, Some(*place)),
            Event::Proposed { leader: server, .. } | Event::Established { leader: server, .. } => {
                (*server, None)
            }
            _ => (0, None),
        };
        let known = self.servers.get(&server);
        let entry = entry.and_then(|place| known?.history().get(place).cloned());
        let delivered = known.map_or(0, |server| server.delivered);
        let entries = known.map_or(0, |server| server.history().len());
        let ghost = self.ghost_mut();
        ghost.broken = broken;
        ghost.absorb(event, entry, delivered, entries);
    }

    pub(crate) fn write(&mut self, id: ServerId, write: Write) {
        if let Some(kept) = self.dropped(id, &write) {
            self.observe(&Event::Dropped { server: id, kept });
        }
        let server = self.server_mut(id);
        server.write(write);
        let entries = server.history().len();
        (server.delivered, server.snapshot) =
            (server.delivered.min(entries), server.snapshot.min(entries));
    }

    /// How much of its history a server keeps when it makes this write, if not all.
    fn dropped(&self, id: ServerId, write: &Write) -> Option<usize> {
        let history = self.server(id).history();
        let kept = match write {
            Write::Append(_) | Write::Epochs { .. } => return None,
            Write::Truncate { after } => history.partition_point(|entry| entry.zxid <= *after),
            Write::Install { history: new } => {
                history.iter().zip(new).take_while(|(old, new)| old == new).count()
            }
        };
        (kept < history.len()).then_some(kept)
    }

    /// One more entry is delivered.
    pub(crate) fn deliver_next(&mut self, id: ServerId) {
        let server = self.server_mut(id);
        let place = server.delivered;
        server.delivered += 1;
        let reign = match &server.role {
            Role::Leading(leader) => Some(leader.epoch),
            _ => None,
        };
        self.observe(&Event::Delivered { server: id, place });
        if let Some(epoch) = reign {
            self.ghost_mut().reigning(id, epoch, place + 1);
        }
    }

    pub(crate) fn send(&mut self, from: ServerId, link: LinkId, words: Words) {
        if let Some(found) = self.links.get_mut(&link) {
            found.send(link, link.other(from), words);
        }
    }

    /// A connection from `learner` to `leader` stands. The ends of an older one notice first.
    pub(crate) fn connect(&mut self, link: LinkId) {
        self.links.insert(link, Link::new());
    }

    pub(crate) fn close(&mut self, link: LinkId, end: ServerId) {
        if let Some(found) = self.links.get_mut(&link) {
            found.close(link, end);
            if found.is_closed() {
                self.links.remove(&link);
            }
        }
    }

    /// `end` closes every connection that it has.
    pub(crate) fn close_all(&mut self, end: ServerId) {
        let own: Vec<LinkId> =
            self.links.keys().copied().filter(|link| link.ends().contains(&end)).collect();
        own.into_iter().for_each(|link| self.close(link, end));
    }

    /// `end` closes the connections of its role. Others may be on their way to it.
    pub(crate) fn close_role(&mut self, end: ServerId) {
        let own: Vec<LinkId> = match &self.server(end).role {
            Role::Looking { waiting } => waiting.values().map(|(link, _)| *link).collect(),
            Role::Following(follower) => follower.link.into_iter().collect(),
            Role::Leading(leader) => leader.learners.values().map(|l| l.link).collect(),
        };
        own.into_iter().for_each(|link| self.close(link, end));
    }

    /// A server's role ends: it looks for a leader.
    pub(crate) fn leave(&mut self, id: ServerId) {
        self.close_role(id);
        let rules = self.rules;
        let server = self.server_mut(id);
        if rules.has(Flaw::KeptDatabase) {
            server.written.history.truncate(server.delivered);
        }
        if rules.has(Flaw::LateLog) && matches!(server.role, Role::Following(_)) {
            server.written.history.clone_from(&server.disk.durable.history);
            server.delivered = server.delivered.min(server.history().len());
        }
        if rules.has(Flaw::KeptSnapshot) {
            server.uncut.clone_from(&server.disk.durable.history);
        }
        server.role = Role::default();
    }

    /// A server stops at once; the first `kept` of its pending writes survive.
    pub(crate) fn crash(&mut self, id: ServerId, kept: usize) {
        self.close_all(id);
        let server = self.server_mut(id);
        server.disk.crash(kept);
        server.restore();
        server.up = false;
        server.role = Role::default();
        server.snapshot = server.snapshot.min(server.history().len());
        server.delivered = server.snapshot;
    }

    pub(crate) fn start(&mut self, id: ServerId) {
        self.server_mut(id).up = true;
    }

    /// The oldest pending write of a server becomes durable.
    pub(crate) fn store(&mut self, id: ServerId) -> bool {
        let server = self.server_mut(id);
        let stored = server.disk.store();
        let unsynced = match &mut server.role {
            Role::Following(Follower { stage: Stage::Adopting { unsynced }, .. })
            | Role::Leading(Leader { phase: Phase::Synchronisation { unsynced }, .. }) => unsynced,
            _ => return stored,
        };
        *unsynced = unsynced.saturating_sub(usize::from(stored));
        stored
    }

    /// `sync` is asked of a server that serves.
    pub(crate) fn ask(&mut self, id: ServerId, token: u64) -> Allowed {
        self.observe(&Event::Asked { server: id, token });
        match &mut self.server_mut(id).role {
            Role::Looking { .. } => Err(format!("n{id} does not serve")),
            Role::Leading(leader) => {
                leader.syncs.push((id, token, leader.pinged));
                Ok(())
            }
            Role::Following(_) => self.say(id, Words::Sync { token }),
        }
    }
}
