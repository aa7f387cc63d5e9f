//! Who belongs to the ensemble, and whose word counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Config, Mutant, ServerId, Vote, Zxid};

/// A server of the ensemble.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Member {
    /// A participant: its votes and acknowledgements count. An observer's never do.
    pub votes: bool,
    /// Where it is reached; opaque here.
    pub address: String,
}

/// The servers of an ensemble.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Members(pub BTreeMap<ServerId, Member>);

impl Members {
    /// Participants without addresses.
    #[must_use]
    pub fn of_voters(ids: impl IntoIterator<Item = ServerId>) -> Members {
        Members::of(ids, [])
    }

    /// Participants and observers without addresses.
    #[must_use]
    pub fn of(
        voters: impl IntoIterator<Item = ServerId>,
        observers: impl IntoIterator<Item = ServerId>,
    ) -> Members {
        let member = |votes| move |id| (id, Member { votes, address: String::new() });
        let observers = observers.into_iter().map(member(false));
        Members(voters.into_iter().map(member(true)).chain(observers).collect())
    }

    /// The participants.
    pub fn voters(&self) -> impl Iterator<Item = ServerId> {
        self.0.iter().filter(|(_, member)| member.votes).map(|(id, _)| *id)
    }

    /// Is it a participant?
    #[must_use]
    pub fn has_voter(&self, id: ServerId) -> bool {
        self.0.get(&id).is_some_and(|member| member.votes)
    }
}

/// The members from some transaction on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Configuration {
    /// The zxid of the reconfiguration; zero for what the servers were started with.
    pub version: Zxid,
    /// Who belongs to the ensemble.
    pub members: Arc<Members>,
}

impl Configuration {
    /// What a server is started with, as long as its history has no reconfiguration.
    #[must_use]
    pub fn initial(members: Members) -> Configuration {
        Configuration { version: Zxid::ZERO, members: Arc::new(members) }
    }
}

/// A transaction may say who belongs to the ensemble from it on.
pub trait Transaction {
    /// The members from here on, if this is a reconfiguration.
    fn members(&self) -> Option<&Arc<Members>> {
        None
    }
}

impl<T: Transaction> Transaction for Arc<T> {
    fn members(&self) -> Option<&Arc<Members>> {
        (**self).members()
    }
}

impl Transaction for () {}
impl Transaction for u8 {}
impl Transaction for u64 {}

/// The configurations that count. A reconfiguration counts from when it is in the log, beside the
/// one in force; once it is committed, alone. (Shraer, Reed, Malkhi, Junqueira: Dynamic
/// Reconfiguration of Primary/Backup Clusters, USENIX ATC 2012.)
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Configurations {
    in_force: Configuration,
    next: Option<Configuration>,
    /// A committed one that is not in this server's log yet: it says where to look for the others.
    hint: Option<Configuration>,
}

impl Configurations {
    pub(crate) fn new(in_force: Configuration) -> Configurations {
        Configurations { in_force, next: None, hint: None }
    }

    /// The newest one known to be committed and in the history.
    pub(crate) fn in_force(&self) -> &Configuration {
        &self.in_force
    }

    /// The one in the log that is not known to be committed.
    pub(crate) fn next(&self) -> Option<&Configuration> {
        self.next.as_ref()
    }

    /// The newest one known to be committed.
    pub(crate) fn newest(&self) -> &Configuration {
        self.hint.as_ref().unwrap_or(&self.in_force)
    }

    /// The version of the newest one in the history.
    pub(crate) fn logged_version(&self) -> Zxid {
        self.next.as_ref().unwrap_or(&self.in_force).version
    }

    /// `members` are in the log at `version`. There is one reconfiguration under way at a time, so
    /// the one before it is committed.
    pub(crate) fn logged(&mut self, version: Zxid, members: Arc<Members>) {
        if let Some(committed) = self.next.replace(Configuration { version, members }) {
            self.in_force = committed;
        }
        if self.hint.as_ref().is_some_and(|hint| hint.version == version) {
            self.committed(version);
        }
        self.drop_hint();
    }

    /// The log ends at `last`.
    pub(crate) fn truncated(&mut self, last: Zxid) {
        self.next.take_if(|next| next.version > last);
    }

    /// Everything up to `upto` is committed: the reconfiguration that this puts in force, if any.
    pub(crate) fn committed(&mut self, upto: Zxid) -> Option<&Configuration> {
        self.in_force = self.next.take_if(|next| next.version <= upto)?;
        self.drop_hint();
        Some(&self.in_force)
    }

    /// The leader has `configuration` in force.
    pub(crate) fn adopt(&mut self, configuration: Configuration) {
        if configuration.version >= self.in_force.version {
            self.next.take_if(|next| next.version <= configuration.version);
            self.in_force = configuration;
            self.drop_hint();
        }
    }

    /// Another server knows that `configuration` is committed: true if this is news.
    pub(crate) fn told(&mut self, configuration: Configuration) -> bool {
        if configuration.version <= self.newest().version {
            return false;
        }
        match self.next.take_if(|next| next.version == configuration.version) {
            Some(next) => self.in_force = next,
            None => self.hint = Some(configuration),
        }
        self.drop_hint();
        true
    }

    /// Those whose quorums decide.
    pub(crate) fn deciding(&self) -> impl Iterator<Item = &Members> {
        let next = self.next.as_ref();
        std::iter::once(&self.in_force).chain(next).map(|one| &*one.members)
    }

    /// Those by whose votes a leader is found. By a hint none is led: who lacks what it says in
    /// its log cannot get a quorum's promise, but may follow.
    pub(crate) fn electing(&self) -> impl Iterator<Item = &Members> {
        let hint = self.hint.as_ref().map(|hint| &*hint.members);
        let own = self.deciding().filter(move |_| hint.is_none());
        hint.into_iter().chain(own)
    }

    /// Does this server's word count in any of them?
    pub(crate) fn has_voter(&self, id: ServerId) -> bool {
        self.deciding().any(|members| members.has_voter(id))
    }

    /// Everybody this server may have to speak to.
    pub(crate) fn contacts(&self) -> Members {
        let hint = self.hint.iter().map(|hint| &*hint.members);
        let all = self.deciding().chain(hint);
        Members(all.flat_map(|members| members.0.clone()).collect())
    }

    fn drop_hint(&mut self) {
        let known = self.in_force.version;
        self.hint.take_if(|hint| hint.version <= known);
    }
}

impl Config {
    /// Participants that make a quorum of `members`: any two quorums share one.
    #[must_use]
    pub fn quorum(&self, members: &Members) -> usize {
        let n = members.voters().count();
        match self.mutant {
            Some(Mutant::X9) => (n / 2).max(1),
            _ => n / 2 + 1,
        }
    }

    /// Are the servers that `count` a quorum of `members`?
    pub(crate) fn is_quorum(&self, members: &Members, count: impl Fn(ServerId) -> bool) -> bool {
        let counted = members.0.keys().filter(|id| self.counts(members, **id) && count(**id));
        counted.count() >= self.quorum(members)
    }

    /// Does this server's word count in `members`?
    pub(crate) fn counts(&self, members: &Members, id: ServerId) -> bool {
        match self.mutant {
            Some(Mutant::X43) => members.0.contains_key(&id),
            _ => members.has_voter(id),
        }
    }

    /// Is `a` the better candidate: by epoch, then zxid, then id?
    pub(crate) fn beats(&self, a: Vote, b: Vote) -> bool {
        match self.mutant {
            Some(Mutant::X7) => (a.zxid, a.leader) > (b.zxid, b.leader),
            Some(Mutant::X8) => a.leader > b.leader,
            _ => a > b,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(version: u32, voters: &[ServerId]) -> Configuration {
        let members = Arc::new(Members::of_voters(voters.iter().copied()));
        Configuration { version: Zxid::new(1, version), members }
    }

    fn log(all: &mut Configurations, one: &Configuration) {
        all.logged(one.version, one.members.clone());
    }

    #[test]
    fn one_under_way_counts_beside_the_one_in_force_until_it_is_committed() {
        let (old, new) = (at(1, &[1, 2, 3]), at(5, &[3, 4]));
        let mut all = Configurations::new(old.clone());
        log(&mut all, &new);
        assert!(all.deciding().eq([&*old.members, &*new.members]));
        assert_eq!(all.committed(Zxid::new(1, 4)), None);
        assert_eq!(all.committed(Zxid::new(1, 5)), Some(&new));
        assert!(all.deciding().eq([&*new.members]));
    }

    #[test]
    fn one_cut_off_counts_no_more_and_one_after_another_commits_it() {
        let (old, new, newer) = (at(1, &[1]), at(5, &[1, 2]), at(8, &[2]));
        let mut all = Configurations::new(old.clone());
        log(&mut all, &new);
        all.truncated(Zxid::new(1, 4));
        assert!(all.deciding().eq([&*old.members]));
        log(&mut all, &new);
        log(&mut all, &newer);
        assert!(all.deciding().eq([&*new.members, &*newer.members]));
    }

    #[test]
    fn a_hint_says_who_elects_and_never_who_decides() {
        let (old, hint) = (at(1, &[1, 2]), at(9, &[3]));
        let mut all = Configurations::new(old.clone());
        assert!(all.told(hint.clone()) && !all.told(at(7, &[4])));
        assert!(all.electing().eq([&*hint.members]));
        assert!(all.deciding().eq([&*old.members]));
        assert!(all.contacts().voters().eq([1, 2, 3]));
        log(&mut all, &hint);
        assert_eq!(all.in_force(), &hint);
        assert!(all.contacts().voters().eq([3]));
    }

    #[test]
    fn what_is_in_the_log_is_in_force_once_another_knows_it_committed() {
        let (old, new) = (at(1, &[1, 2]), at(5, &[3]));
        let mut all = Configurations::new(old);
        log(&mut all, &new);
        assert!(all.told(new.clone()));
        assert!(all.deciding().eq([&*new.members]));
    }

    #[test]
    fn only_the_one_that_was_hinted_at_is_in_force_once_it_is_logged() {
        let (old, between, hint) = (at(1, &[1, 2]), at(5, &[1]), at(9, &[3]));
        let mut all = Configurations::new(old.clone());
        all.told(hint);
        log(&mut all, &between);
        assert_eq!(all.in_force(), &old);
    }

    /// However that one has come.
    #[test]
    fn a_hint_goes_when_a_newer_one_is_in_force() {
        let (hint, new) = (at(3, &[3]), at(5, &[5]));
        let ways: [fn(&mut Configurations, Configuration); 4] = [
            |all, new| log(all, &Configuration { version: Zxid::new(1, 6), ..new }),
            |all, new| drop(all.committed(new.version).cloned()),
            |all, new| all.adopt(new),
            |all, new| assert!(all.told(new)),
        ];
        for (n, way) in ways.into_iter().enumerate() {
            let mut all = Configurations::new(at(1, &[1]));
            all.told(hint.clone());
            log(&mut all, &new);
            assert!(all.electing().eq([&*hint.members]));
            way(&mut all, new.clone());
            assert!(all.electing().all(|members| *members == *new.members), "way {n}");
        }
    }

    /// Of two of one version, which servers were started with, the leader's counts.
    #[test]
    fn what_the_leader_has_in_force_counts_unless_it_is_older() {
        let (new, others) = (at(5, &[1, 2]), at(5, &[2, 3]));
        let mut all = Configurations::new(at(1, &[1]));
        log(&mut all, &new);
        all.adopt(others.clone());
        assert!(all.deciding().eq([&*others.members]), "it is under way no more");
        all.adopt(at(4, &[7]));
        assert_eq!(all.in_force(), &others);
        all.adopt(new.clone());
        assert_eq!(all.in_force(), &new);
    }

    #[test]
    fn a_quorum_is_more_than_half_of_the_participants() {
        let timing =
            crate::Timing { tick_ms: 2, init_limit: 1, sync_limit: 1, settle_ms: 1, resend_ms: 1 };
        let members = Members::of(1..=4, 5..=9);
        let configuration = Configuration::initial(members.clone());
        let config = Config { id: 1, configuration, timing, log_kept: 0, mutant: None };
        assert!(config.is_quorum(&members, |id| id <= 3));
        assert!(!config.is_quorum(&members, |id| id <= 2 || id >= 5), "observers do not count");
    }
}
