//! What no server knows: the history of the whole, on which the invariants look.

use std::collections::BTreeMap;

use zab::{ServerId, Zxid};

use super::{Entry, Txn};

/// What just happened, as far as an invariant may care. The state is the one after it; the ghost
/// still the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A leader gave a transaction its place.
    Proposed { leader: ServerId, entry: Entry },
    /// A server delivered the entry at this place of its history.
    Delivered { server: ServerId, place: usize },
    /// A leader has a quorum of promises, and its history is the epoch's.
    Prospective { leader: ServerId, epoch: u32 },
    /// A quorum has taken over a leader's history.
    Established { leader: ServerId, epoch: u32 },
    /// A follower says that it has taken over its leader's history.
    Adopted { follower: ServerId, leader: ServerId },
    /// A server drops what is behind the first `kept` entries of its history.
    Dropped { server: ServerId, kept: usize },
    /// A client of a server asked for `sync`.
    Asked { server: ServerId, token: u64 },
    /// And got its answer.
    Answered { server: ServerId, token: u64 },
    /// A server was told what makes no sense to it.
    Nonsense { server: ServerId, what: String },
}

/// Everything that happened and matters to an invariant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ghost {
    /// How many transactions clients have submitted.
    pub(crate) submitted: Txn,
    /// What leaders proposed.
    pub(crate) proposals: BTreeMap<Zxid, Proposal>,
    /// How much each epoch's leader had delivered when it first proposed.
    pub(crate) began: BTreeMap<u32, (ServerId, usize)>,
    /// What was delivered, by place: the longest of all servers' sequences.
    pub(crate) committed: Vec<Entry>,
    /// Leaders with a quorum of promises, by epoch.
    pub(crate) prospective: BTreeMap<u32, ServerId>,
    /// Established leaders, in the order in which they came to be.
    pub(crate) reigns: Vec<Reign>,
    /// Syncs under way: how much was committed when each was asked.
    pub(crate) syncs: BTreeMap<(ServerId, u64), usize>,
    /// The invariants that the last event broke, and how. Nothing happens after it.
    pub(crate) broken: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Proposal {
    pub(crate) txn: Txn,
    /// What its leader proposed before it in the same epoch.
    pub(crate) previous: Option<Zxid>,
}

/// An established leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reign {
    pub(crate) epoch: u32,
    pub(crate) leader: ServerId,
    /// Entries of its history when it was established.
    pub(crate) first: usize,
    /// Entries it has delivered since.
    pub(crate) last: usize,
}

impl Ghost {
    /// `delivered`: how many entries the event's server has delivered by now; `entries`: how many
    /// its history has.
    pub(crate) fn absorb(
        &mut self,
        event: &Event,
        entry: Option<Entry>,
        delivered: usize,
        entries: usize,
    ) {
        match event {
            Event::Proposed { leader, entry } => self.proposed(*leader, entry, delivered),
            Event::Delivered { place, .. } => {
                let entry = entry.expect("what is delivered is in a history");
                if *place == self.committed.len() {
                    self.committed.push(entry);
                }
            }
            Event::Prospective { leader, epoch } => {
                self.prospective.insert(*epoch, *leader);
            }
            Event::Established { leader, epoch } => {
                let (epoch, leader) = (*epoch, *leader);
                self.reigns.push(Reign { epoch, leader, first: entries, last: delivered });
            }
            Event::Asked { server, token } => {
                self.syncs.insert((*server, *token), self.committed.len());
            }
            Event::Answered { server, token } => {
                self.syncs.remove(&(*server, *token));
            }
            Event::Adopted { .. } | Event::Dropped { .. } | Event::Nonsense { .. } => {}
        }
    }

    fn proposed(&mut self, leader: ServerId, entry: &Entry, delivered: usize) {
        let epoch = entry.zxid.epoch();
        let newest = self.proposals.range(..entry.zxid).next_back();
        let previous = newest.map(|(zxid, _)| *zxid).filter(|zxid| zxid.epoch() == epoch);
        let proposal = Proposal { txn: entry.txn, previous };
        self.proposals.entry(entry.zxid).or_insert(proposal);
        self.began.entry(epoch).or_insert((leader, delivered));
    }

    /// The leader of `epoch` has delivered this much by now.
    pub(crate) fn reigning(&mut self, leader: ServerId, epoch: u32, delivered: usize) {
        let mut reigns = self.reigns.iter_mut().rev();
        if let Some(reign) = reigns.find(|reign| (reign.leader, reign.epoch) == (leader, epoch)) {
            reign.last = delivered;
        }
    }
}
