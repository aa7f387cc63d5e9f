//! Recorded steps: a trace of a peer is its [`Record`]s in order.
//!
//! What transactions and states contain is of no interest to the protocol, so a record holds a
//! number for each: equal numbers, equal contents. A trace can be replayed: [`Peer`](crate::Peer)
//! is a function of its inputs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Config, Durable, Entry, Input, Members, Message, Output, Store, Transaction};

/// Stands for a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest {
    /// Of its contents.
    pub of: u64,
    /// The members from here on, if it is a reconfiguration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Arc<Members>>,
}

impl Transaction for Digest {
    fn members(&self) -> Option<&Arc<Members>> {
        self.members.as_ref()
    }
}

/// A line of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A peer restarted. All that it knew and that is not here is gone.
    Start {
        /// Microseconds on a clock that all servers of the run share.
        at: u64,
        /// What it was told.
        config: Config,
        /// What it found on its disk.
        durable: Durable<Digest>,
        /// What it had done at once.
        out: Vec<Output<Digest, u64>>,
    },
    /// A peer took an input.
    Step {
        /// As in `Start`.
        at: u64,
        /// Names the connection on which a message came, or which stands now, as both ends do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<u64>,
        /// The input.
        input: Input<Digest, u64>,
        /// The outputs.
        out: Vec<Output<Digest, u64>>,
    },
}

impl Record {
    /// When it was.
    #[must_use]
    pub fn at(&self) -> u64 {
        let (Record::Start { at, .. } | Record::Step { at, .. }) = self;
        *at
    }
}

/// How transactions and states are turned into others.
#[derive(Clone, Copy, Debug)]
pub struct Mapping<F, G> {
    /// Of a transaction.
    pub txn: F,
    /// Of a state.
    pub state: G,
}

impl<T> Entry<T> {
    fn map<U>(&self, txn: impl Fn(&T) -> U) -> Entry<U> {
        Entry { zxid: self.zxid, txn: txn(&self.txn) }
    }
}

impl<T> Durable<T> {
    /// The same with other transactions.
    #[must_use]
    pub fn map<U>(&self, txn: impl Fn(&T) -> U) -> Durable<U> {
        Durable {
            accepted_epoch: self.accepted_epoch,
            current_epoch: self.current_epoch,
            snapshot: self.snapshot,
            settled: self.settled,
            log: self.log.iter().map(|entry| entry.map(&txn)).collect(),
        }
    }
}

impl<T, S> Input<T, S> {
    /// The same with other transactions and states.
    #[must_use]
    pub fn map<U, V>(&self, mapping: &Mapping<impl Fn(&T) -> U, impl Fn(&S) -> V>) -> Input<U, V> {
        match self {
            Input::Timer(timer) => Input::Timer(*timer),
            Input::Received { from, message } => {
                Input::Received { from: *from, message: message.map(mapping) }
            }
            Input::Connected { peer } => Input::Connected { peer: *peer },
            Input::Disconnected { peer } => Input::Disconnected { peer: *peer },
            Input::Unreachable { peer } => Input::Unreachable { peer: *peer },
            Input::Stored { ops } => Input::Stored { ops: *ops },
            Input::Submit { txn } => Input::Submit { txn: (mapping.txn)(txn) },
            Input::Sync { token } => Input::Sync { token: *token },
            Input::Compact { upto } => Input::Compact { upto: *upto },
            Input::Forget { upto } => Input::Forget { upto: *upto },
        }
    }
}

impl<T, S> Output<T, S> {
    /// The same with other transactions and states.
    #[must_use]
    pub fn map<U, V>(&self, mapping: &Mapping<impl Fn(&T) -> U, impl Fn(&S) -> V>) -> Output<U, V> {
        match self {
            Output::Send { to, message } => Output::Send { to: *to, message: message.map(mapping) },
            Output::SendSnapshot { to, zxid } => Output::SendSnapshot { to: *to, zxid: *zxid },
            Output::Connect { to } => Output::Connect { to: *to },
            Output::Disconnect { peer } => Output::Disconnect { peer: *peer },
            Output::Store(store) => Output::Store(store.map(mapping)),
            Output::SetTimer { timer, ms } => Output::SetTimer { timer: *timer, ms: *ms },
            Output::CancelTimer(timer) => Output::CancelTimer(*timer),
            Output::Deliver(entry) => Output::Deliver(entry.map(&mapping.txn)),
            Output::Reset { zxid, state } => {
                Output::Reset { zxid: *zxid, state: state.as_ref().map(&mapping.state) }
            }
            Output::Role(role) => Output::Role(*role),
            Output::Contacts(members) => Output::Contacts(members.clone()),
            Output::SyncDone { token } => Output::SyncDone { token: *token },
        }
    }
}

impl<T, S> Store<T, S> {
    fn map<U, V>(&self, mapping: &Mapping<impl Fn(&T) -> U, impl Fn(&S) -> V>) -> Store<U, V> {
        match self {
            Store::Append(entry) => Store::Append(entry.map(&mapping.txn)),
            Store::Truncate { after } => Store::Truncate { after: *after },
            Store::Install { zxid, state, log } => Store::Install {
                zxid: *zxid,
                state: (mapping.state)(state),
                log: log.iter().map(|entry| entry.map(&mapping.txn)).collect(),
            },
            Store::Epochs { accepted, current } => {
                Store::Epochs { accepted: *accepted, current: *current }
            }
            Store::Settled { version } => Store::Settled { version: *version },
        }
    }
}

impl<T, S> Message<T, S> {
    /// The same with other transactions and states.
    #[must_use]
    pub fn map<U, V>(
        &self,
        mapping: &Mapping<impl Fn(&T) -> U, impl Fn(&S) -> V>,
    ) -> Message<U, V> {
        match self {
            Message::Notification { round, vote, stance, version, logged } => {
                Message::Notification {
                    round: *round,
                    vote: *vote,
                    stance: *stance,
                    version: *version,
                    logged: *logged,
                }
            }
            Message::Members(configuration) => Message::Members(configuration.clone()),
            Message::FollowerInfo { accepted_epoch } => {
                Message::FollowerInfo { accepted_epoch: *accepted_epoch }
            }
            Message::LeaderInfo { epoch } => Message::LeaderInfo { epoch: *epoch },
            Message::AckEpoch { current_epoch, last, snapshot } => Message::AckEpoch {
                current_epoch: *current_epoch,
                last: *last,
                snapshot: *snapshot,
            },
            Message::Truncate { after } => Message::Truncate { after: *after },
            Message::Snapshot { zxid, state } => {
                Message::Snapshot { zxid: *zxid, state: (mapping.state)(state) }
            }
            Message::Propose(entry) => Message::Propose(entry.map(&mapping.txn)),
            Message::NewLeader { epoch, configuration } => {
                Message::NewLeader { epoch: *epoch, configuration: configuration.clone() }
            }
            Message::AckLeader { epoch } => Message::AckLeader { epoch: *epoch },
            Message::UpToDate { committed } => Message::UpToDate { committed: *committed },
            Message::Ack { zxid } => Message::Ack { zxid: *zxid },
            Message::Commit { zxid } => Message::Commit { zxid: *zxid },
            Message::Ping { seq } => Message::Ping { seq: *seq },
            Message::Pong { seq } => Message::Pong { seq: *seq },
            Message::Forward { txn } => Message::Forward { txn: (mapping.txn)(txn) },
            Message::SyncRequest { token } => Message::SyncRequest { token: *token },
            Message::SyncReply { token } => Message::SyncReply { token: *token },
        }
    }
}
