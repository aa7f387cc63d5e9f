//! What the engine measures, under ZooKeeper's names (`ServerMetrics`). The clock is an argument.

use std::collections::{BTreeSet, VecDeque};

use tokio::time::Instant;
use zab::{Message, Role, ServerId, Store, Zxid};

use crate::proposal::Output;
use crate::summary::Summary;

/// Transactions between two digests that are kept, and digests kept (`DataTree.DIGEST_LOG_*`).
const DIGEST_INTERVAL: u64 = 128;
const DIGESTS: usize = 1024;

/// Counters and times of one server since it started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) fsync: Summary,
    pub(crate) snapshot: Summary,
    pub(crate) election: Summary,
    pub(crate) unavailable: Summary,
    pub(crate) quorum_ack: Summary,
    pub(crate) looking: u64,
    pub(crate) proposals: u64,
    pub(crate) proposal_bytes: Sizes,
    pub(crate) commits: u64,
    pub(crate) learner_proposals: u64,
    pub(crate) learner_commits: u64,
    pub(crate) diffs: u64,
    pub(crate) snaps: u64,
    pub(crate) expired: u64,
    /// Clients whose proof of who they are was refused.
    pub(crate) auth_failed: u64,
    /// Past `fsync.warningthresholdms`.
    pub(crate) slow_fsyncs: u64,
    /// Writes of this server's clients past a hard limit of a quota.
    pub(crate) quota_refused: u64,
    /// The same past a limit that is soft, or not enforced.
    pub(crate) quota_exceeded: u64,
    /// Comparisons in which this server and another one differed.
    pub(crate) mismatches: u64,
    /// Learners that this leader has brought up.
    pub(crate) synced: BTreeSet<ServerId>,
    pub(crate) leading_since: Option<Instant>,
    by_snapshot: BTreeSet<ServerId>,
    looking_since: Option<Instant>,
    down_since: Option<Instant>,
    proposed: VecDeque<(Zxid, Instant)>,
    digests: VecDeque<(u64, u64)>,
}

/// Bytes of the last, of the smallest and of the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) last: i64,
    pub(crate) min: i64,
    pub(crate) max: i64,
}

/// As in ZooKeeper where there was none yet.
impl Default for Sizes {
    fn default() -> Sizes {
        Sizes { last: -1, min: -1, max: -1 }
    }
}

impl Sizes {
    fn add(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let min = if self.last < 0 { bytes } else { self.min.min(bytes) };
        *self = Sizes { last: bytes, min, max: self.max.max(bytes) };
    }
}

impl Metrics {
    /// A server starts out looking for a leader.
    pub(crate) fn new(now: Instant) -> Metrics {
        let since = Some(now);
        Metrics { looking: 1, looking_since: since, down_since: since, ..Metrics::default() }
    }

    /// The role changes.
    pub(crate) fn role(&mut self, former: Role, role: Role, now: Instant) {
        if role == Role::Looking && former != Role::Looking {
            self.looking += 1;
            self.looking_since = Some(now);
        }
        if role != Role::Looking
            && let Some(since) = self.looking_since.take()
        {
            self.election.add(now - since);
        }
        if role.serving()
            && let Some(since) = self.down_since.take()
        {
            self.unavailable.add(now - since);
        }
        if former.serving() && !role.serving() {
            self.down_since = Some(now);
        }
        if matches!(role, Role::Leading { serving: true, .. }) {
            self.leading_since = self.leading_since.or(Some(now));
        } else {
            self.leading_since = None;
            self.synced.clear();
            self.by_snapshot.clear();
            self.proposed.clear();
        }
    }

    /// The protocol orders something in this role.
    pub(crate) fn output(&mut self, output: &Output, role: Role) {
        match (output, role) {
            (Output::Store(Store::Append(entry)), Role::Leading { .. }) => {
                self.proposals += 1;
                self.proposal_bytes.add(entry.txn.len());
                self.proposed.push_back((entry.zxid, Instant::now()));
            }
            (Output::Store(Store::Append(_)), _) => self.learner_proposals += 1,
            (Output::Deliver(entry), Role::Leading { .. }) => {
                self.commits += 1;
                self.committed(entry.zxid);
            }
            (Output::Deliver(_), _) => self.learner_commits += 1,
            (Output::SendSnapshot { to, .. }, _) => {
                self.snaps += 1;
                self.by_snapshot.insert(*to);
            }
            (Output::Send { to, message: Message::NewLeader { .. } }, _) => {
                self.diffs += u64::from(!self.by_snapshot.remove(to));
            }
            (Output::Send { to, message: Message::UpToDate { .. } }, _) => {
                self.synced.insert(*to);
            }
            (Output::Disconnect { peer }, _) => {
                self.synced.remove(peer);
            }
            _ => {}
        }
    }

    fn committed(&mut self, upto: Zxid) {
        while let Some((zxid, since)) = self.proposed.front().copied()
            && zxid <= upto
        {
            self.proposed.pop_front();
            self.quorum_ack.add(since.elapsed());
        }
    }

    /// The state after `zxid` has this digest. Every server keeps those of the same zxids, so
    /// that they can be compared.
    pub(crate) fn digest(&mut self, zxid: u64, digest: u64) {
        if zxid.is_multiple_of(DIGEST_INTERVAL) {
            self.digests.push_back((zxid, digest));
            if self.digests.len() > DIGESTS {
                self.digests.pop_front();
            }
        }
    }

    /// The digests kept, oldest first.
    pub(crate) fn digests(&self) -> impl Iterator<Item = (u64, u64)> {
        self.digests.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LEADING: Role = Role::Leading { epoch: 1, serving: true };

    #[test]
    fn elections_and_time_without_service_are_measured() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut metrics = Metrics::new(start);
        let following = |serving| Role::Following { leader: 2, epoch: 1, serving };
        metrics.role(Role::Looking, following(false), at(30));
        metrics.role(following(false), following(true), at(50));
        metrics.role(following(true), Role::Looking, at(100));
        metrics.role(Role::Looking, LEADING, at(110));
        assert_eq!((metrics.election.min_ms(), metrics.election.max_ms()), (10, 30));
        assert_eq!((metrics.unavailable.min_ms(), metrics.unavailable.max_ms()), (10, 50));
        assert_eq!((metrics.looking, metrics.leading_since), (2, Some(at(110))));
    }

    #[test]
    fn proposals_count_once_and_until_they_are_committed() {
        let mut metrics = Metrics::new(Instant::now());
        let entry = |counter| {
            let origin = crate::proposal::Origin { server: 1, incarnation: 0, number: 0 };
            let txn = tree::Txn::CloseSession { id: 1 };
            let txn = crate::proposal::Txn::new(origin, txn);
            zab::Entry { zxid: Zxid::new(1, counter), txn }
        };
        for counter in 1..=3 {
            metrics.output(&Output::Store(Store::Append(entry(counter))), LEADING);
        }
        metrics.output(&Output::Deliver(entry(1)), LEADING);
        metrics.output(&Output::Deliver(entry(2)), LEADING);
        assert_eq!((metrics.proposals, metrics.commits), (3, 2));
        let bytes = i64::try_from(entry(1).txn.len()).unwrap();
        assert_eq!(metrics.proposal_bytes, Sizes { last: bytes, min: bytes, max: bytes });
        assert_eq!(metrics.quorum_ack.count(), 2);
        metrics.output(&Output::SendSnapshot { to: 2, zxid: Zxid::ZERO }, LEADING);
        for to in [2, 3] {
            let configuration = zab::Configuration::initial(zab::Members::default());
            let message = Message::NewLeader { epoch: 1, configuration };
            metrics.output(&Output::Send { to, message }, LEADING);
            let message = Message::UpToDate { committed: Zxid::ZERO };
            metrics.output(&Output::Send { to, message }, LEADING);
        }
        assert_eq!((metrics.snaps, metrics.diffs, metrics.synced.len()), (1, 1, 2));
        metrics.role(LEADING, Role::Looking, Instant::now());
        assert!(metrics.synced.is_empty());
    }

    #[test]
    fn sizes_are_those_of_the_last_the_smallest_and_the_largest() {
        let mut sizes = Sizes::default();
        [7, 3, 9, 5].into_iter().for_each(|bytes| sizes.add(bytes));
        assert_eq!(sizes, Sizes { last: 5, min: 3, max: 9 });
    }

    #[test]
    fn digests_are_those_of_the_same_zxids_everywhere_and_bounded() {
        let mut metrics = Metrics::new(Instant::now());
        (1..=128 * 2000).for_each(|zxid| metrics.digest(zxid, !zxid));
        assert_eq!(metrics.digests().count(), DIGESTS);
        assert_eq!(metrics.digests().last(), Some((256_000, !256_000)));
        assert!(metrics.digests().all(|(zxid, _)| zxid % 128 == 0));
    }
}
