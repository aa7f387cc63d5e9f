//! What a follower may do, and what it makes of what it hears.

use zab::{ServerId, Zxid};

use super::disk::{Write, count_to, follows, last};
use super::ghost::Event;
use super::link::{LinkId, Words};
use super::state::{Allowed, Follower, Role, Stage, State};
use super::{Entry, Flaw};

impl State {
    /// An oracle names a leader (the paper's phase 0); any server will do.
    pub(crate) fn follow(&mut self, id: ServerId, leader: ServerId) -> Allowed {
        if !self.server(id).looks() || id == leader {
            return Err(format!("n{id} cannot turn to n{leader} now"));
        }
        self.close_role(id);
        let tail = self.server(id).written.last();
        self.server_mut(id).role = Role::Following(Follower {
            leader,
            link: None,
            epoch: 0,
            stage: Stage::Connecting,
            due: Vec::new(),
            tail,
            installing: None,
            committed: Zxid::ZERO,
            acked: Zxid::ZERO,
            pinged: None,
            synced: Vec::new(),
        });
        Ok(())
    }

    /// The connection to the leader stands; FOLLOWERINFO goes out.
    pub(crate) fn greet(&mut self, id: ServerId, link: LinkId) -> Allowed {
        let accepted = self.server(id).written.accepted;
        let follower = self.follower_mut(id)?;
        if follower.stage != Stage::Connecting || link.leader != follower.leader {
            return Err(format!("n{id} has no use for a connection with n{}", link.leader));
        }
        follower.link = Some(link);
        follower.stage = Stage::Discovering;
        self.connect(link);
        self.say(id, Words::FollowerInfo { accepted })
    }

    /// To the leader.
    pub(crate) fn say(&mut self, id: ServerId, words: Words) -> Allowed {
        let link = self.follower(id)?.link.ok_or_else(|| format!("n{id} is not connected"))?;
        self.send(id, link, words);
        Ok(())
    }

    pub(crate) fn may_accept(&self, id: ServerId) -> bool {
        let accepted = self.server(id).written.accepted;
        self.follower(id).is_ok_and(|f| f.stage == Stage::Promising && accepted < f.epoch)
    }

    /// `acceptedEpoch` is written.
    pub(crate) fn accept(&mut self, id: ServerId) -> Allowed {
        if !self.may_accept(id) {
            return Err(format!("n{id} was offered no newer epoch"));
        }
        let accepted = self.follower(id)?.epoch;
        let current = self.server(id).written.current;
        self.write(id, Write::Epochs { accepted, current });
        Ok(())
    }

    pub(crate) fn may_promise(&self, id: ServerId) -> bool {
        let files = match self.rules.has(Flaw::EarlyPromise) {
            true => &self.server(id).written,
            false => &self.server(id).disk.durable,
        };
        self.follower(id).is_ok_and(|f| f.stage == Stage::Promising && files.accepted >= f.epoch)
    }

    /// ACKEPOCH goes out.
    pub(crate) fn promise(&mut self, id: ServerId) -> Allowed {
        if !self.may_promise(id) {
            return Err(format!("n{id} sends ACKEPOCH for an epoch that is not on its disk"));
        }
        let server = self.server(id);
        let (current, last) = server.written.age();
        let snapshot = super::disk::last(&server.history()[..server.snapshot]);
        let follower = self.follower_mut(id)?;
        (follower.stage, follower.tail) = (Stage::Synchronising, last);
        self.say(id, Words::AckEpoch { current, last, snapshot })
    }

    pub(crate) fn may_perform(&self, id: ServerId) -> bool {
        let Ok(follower) = self.follower(id) else { return false };
        let from = match self.rules.flaw {
            Some(Flaw::UnwrittenAck) => Stage::Serving,
            Some(Flaw::EpochFirst | Flaw::UnsyncedAck) => Stage::Adopting { unsynced: 0 },
            _ => Stage::Synchronising,
        };
        let epoch_first = self.rules.has(Flaw::EpochFirst);
        let ready = !epoch_first || self.server(id).written.current == follower.epoch;
        !follower.due.is_empty() && follower.stage >= from && ready
    }

    /// The first write that is due is made.
    pub(crate) fn perform(&mut self, id: ServerId) -> Allowed<Write> {
        if !self.may_perform(id) {
            return Err(format!("n{id} was told to write nothing"));
        }
        let follower = self.follower_mut(id)?;
        let write = follower.due.remove(0);
        self.write(id, write.clone());
        if let Write::Install { .. } = write {
            self.install(id);
        }
        Ok(write)
    }

    /// The application takes the snapshot's state: all of the history that it covers.
    fn install(&mut self, id: ServerId) {
        let Ok(follower) = self.follower(id) else { return };
        let upto = follower.committed;
        let server = self.server_mut(id);
        let count = count_to(server.history(), upto).unwrap_or(0);
        (server.snapshot, server.delivered) = (count, count);
    }

    pub(crate) fn may_adopt(&self, id: ServerId) -> bool {
        let Ok(follower) = self.follower(id) else { return false };
        let Stage::Adopting { unsynced } = follower.stage else { return false };
        let ready = match self.rules.flaw {
            Some(Flaw::EpochFirst | Flaw::UnwrittenAck | Flaw::UnsyncedAck) => true,
            _ => unsynced == 0 && follower.due.is_empty(),
        };
        ready && self.server(id).written.current < follower.epoch
    }

    /// `currentEpoch` is written: the history is the epoch's.
    pub(crate) fn adopt(&mut self, id: ServerId) -> Allowed {
        if !self.may_adopt(id) {
            return Err(format!("n{id} writes currentEpoch before the history is on its disk"));
        }
        let current = self.follower(id)?.epoch;
        let accepted = self.server(id).written.accepted;
        self.write(id, Write::Epochs { accepted, current });
        Ok(())
    }

    pub(crate) fn may_ack_leader(&self, id: ServerId) -> bool {
        let (server, Ok(follower)) = (self.server(id), self.follower(id)) else { return false };
        let Stage::Adopting { unsynced } = follower.stage else { return false };
        match self.rules.flaw {
            Some(Flaw::UnwrittenAck) => server.written.current == follower.epoch,
            Some(Flaw::UnsyncedAck) => {
                server.written.current == follower.epoch && follower.due.is_empty()
            }
            _ => {
                server.disk.durable.current == follower.epoch
                    && unsynced == 0
                    && follower.due.is_empty()
            }
        }
    }

    /// NEWLEADER is acknowledged.
    pub(crate) fn ack_leader(&mut self, id: ServerId) -> Allowed {
        if !self.may_ack_leader(id) {
            return Err(format!(
                "n{id} acknowledges NEWLEADER before history and epoch are on disk"
            ));
        }
        let follower = self.follower_mut(id)?;
        follower.stage = Stage::Adopted;
        let (epoch, leader) = (follower.epoch, follower.leader);
        self.say(id, Words::AckLeader { epoch })?;
        self.observe(&Event::Adopted { follower: id, leader });
        Ok(())
    }

    /// The end of what it may acknowledge.
    pub(crate) fn may_ack(&self, id: ServerId) -> Option<Zxid> {
        let (server, follower) = (self.server(id), self.follower(id).ok()?);
        let zxid = match self.rules.flaw {
            Some(Flaw::EarlyAck | Flaw::UnwrittenAck) => server.written.last(),
            _ => server.disk.durable.last(),
        };
        let from = match self.rules.flaw {
            Some(Flaw::EagerAck) => Stage::Adopting { unsynced: 0 },
            _ => Stage::Adopted,
        };
        (follower.stage >= from && zxid.epoch() == follower.epoch).then_some(zxid)
    }

    /// A proposal, and all before it, is acknowledged.
    pub(crate) fn ack(&mut self, id: ServerId, zxid: Zxid) -> Allowed {
        if self.may_ack(id).is_none_or(|last| last < zxid) {
            return Err(format!("n{id} acknowledges {zxid:?}, which is not on its disk"));
        }
        self.follower_mut(id)?.acked = zxid;
        if self.rules.has(Flaw::StrayAcks) {
            self.ack_everywhere(id, zxid);
            return Ok(());
        }
        self.say(id, Words::Ack { zxid })
    }

    /// To whoever has not noticed yet that it follows another one.
    fn ack_everywhere(&mut self, id: ServerId, zxid: Zxid) {
        let own = self.links.keys().copied().filter(|link| link.learner == id);
        let all: Vec<LinkId> = own.collect();
        all.into_iter().for_each(|link| self.send(id, link, Words::Ack { zxid }));
    }

    /// The entry that it may deliver next.
    pub(crate) fn next_committed(&self, id: ServerId) -> Option<Entry> {
        let (server, follower) = (self.server(id), self.follower(id).ok()?);
        let serves = follower.stage == Stage::Serving || self.rules.has(Flaw::EarlyService);
        let next = server.history().get(server.delivered).filter(|_| serves);
        next.filter(|entry| entry.zxid <= follower.committed).cloned()
    }

    /// `sync` is answered to the client.
    pub(crate) fn answer(&mut self, id: ServerId, token: u64) -> Allowed {
        let synced = &mut self.follower_mut(id)?.synced;
        let Some(idx) = synced.iter().position(|answered| *answered == token) else {
            return Err(format!("n{id} answers a sync that its leader has not confirmed"));
        };
        synced.remove(idx);
        self.observe(&Event::Answered { server: id, token });
        Ok(())
    }

    pub(crate) fn pong(&mut self, id: ServerId, seq: u64) -> Allowed {
        let follower = self.follower_mut(id)?;
        if follower.pinged != Some(seq) {
            return Err(format!("n{id} answers PING {seq}, which has not come"));
        }
        follower.pinged = None;
        self.say(id, Words::Pong { seq })
    }

    /// A follower hears its leader.
    pub(crate) fn heed(&mut self, id: ServerId, words: Words) -> Allowed {
        let accepted = self.server(id).written.accepted;
        let early = self.rules.has(Flaw::EarlyService);
        let follower = self.follower_mut(id)?;
        let stage = follower.stage;
        let nonsense = format!("n{id} cannot make sense of {words:?} now");
        match words {
            Words::LeaderInfo { epoch } if stage == Stage::Discovering && epoch >= accepted => {
                (follower.epoch, follower.stage) = (epoch, Stage::Promising);
            }
            Words::Truncate { after } if stage == Stage::Synchronising => {
                if !self.rules.has(Flaw::NoTruncation) {
                    return self.cut(id, after);
                }
            }
            Words::Snapshot { history } if stage == Stage::Synchronising => {
                (follower.tail, follower.committed) = (last(&history), last(&history));
                follower.installing = Some(history);
            }
            Words::Propose(entry) if stage >= Stage::Synchronising => {
                return follower.append(entry, nonsense);
            }
            Words::Inform(entry) if stage == Stage::Serving => {
                let zxid = entry.zxid;
                follower.append(entry, nonsense.clone())?;
                return self.learn(id, zxid, nonsense);
            }
            Words::NewLeader { epoch } if stage == Stage::Synchronising => {
                if epoch != follower.epoch {
                    return Err(nonsense);
                }
                let install = follower.installing.take();
                follower.due.extend(install.map(|history| Write::Install { history }));
                return self.begin_adopting(id);
            }
            Words::UpToDate { committed } if stage == Stage::Adopted => {
                follower.stage = Stage::Serving;
                return self.learn(id, committed, nonsense);
            }
            Words::Commit { zxid } if stage == Stage::Serving || early => {
                return self.learn(id, zxid, nonsense);
            }
            Words::Ping { seq } => follower.pinged = Some(seq),
            Words::Synced { token } if stage == Stage::Serving => follower.synced.push(token),
            _ => return Err(nonsense),
        }
        Ok(())
    }

    fn cut(&mut self, id: ServerId, after: Zxid) -> Allowed {
        let server = self.server(id);
        match count_to(server.history(), after) {
            Some(kept) if kept >= server.snapshot => {}
            _ => return Err(format!("n{id} cannot be cut to {after:?}, which it does not have")),
        }
        let follower = self.follower_mut(id)?;
        follower.tail = after;
        follower.due.push(Write::Truncate { after });
        Ok(())
    }

    fn begin_adopting(&mut self, id: ServerId) -> Allowed {
        let pending = self.server(id).disk.pending.len();
        // Where the epoch is written first, it is one more write before the history is durable.
        let epoch = usize::from(self.rules.has(Flaw::EpochFirst));
        let follower = self.follower_mut(id)?;
        let unsynced = pending + follower.due.len() + epoch;
        follower.stage = Stage::Adopting { unsynced };
        Ok(())
    }

    fn learn(&mut self, id: ServerId, zxid: Zxid, nonsense: String) -> Allowed {
        let follower = self.follower(id)?;
        let due = |write: &Write| matches!(write, Write::Append(entry) if entry.zxid == zxid);
        let known =
            follower.due.iter().any(due) || count_to(self.server(id).history(), zxid).is_some();
        if zxid < follower.committed || !known {
            return Err(nonsense);
        }
        self.follower_mut(id)?.committed = zxid;
        Ok(())
    }
}

impl Follower {
    /// The entry behind all that it knows of is to be written.
    fn append(&mut self, entry: Entry, nonsense: String) -> Allowed {
        if entry.zxid.epoch() > self.epoch || !follows(self.tail, entry.zxid) {
            return Err(nonsense);
        }
        self.tail = entry.zxid;
        match &mut self.installing {
            Some(history) => history.push(entry),
            None => self.due.push(Write::Append(entry)),
        }
        Ok(())
    }
}
