//! What of the protocol a run exercised.

use std::collections::{BTreeMap, BTreeSet};

use zab::{Digest, Input, Message, Output, Record, Role, ServerId, Store};

/// How often each action was seen, and which ones followed each other at one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// By action.
    pub actions: BTreeMap<&'static str, u64>,
    /// Pairs of actions, one right after the other.
    pub pairs: BTreeSet<(&'static str, &'static str)>,
    last: BTreeMap<ServerId, &'static str>,
}

/// Every action that can be seen in a trace.
pub(super) const ACTIONS: [&str; 25] = [
    "start",
    "look",
    "lead",
    "follow",
    "open-epoch",
    "establish",
    "serve",
    "follower-info",
    "leader-info",
    "ack-epoch",
    "trunc",
    "snap",
    "propose",
    "new-leader",
    "ack-leader",
    "up-to-date",
    "ack",
    "commit",
    "deliver",
    "truncate",
    "install",
    "stored",
    "disconnected",
    "sync",
    "sync-done",
];

impl Coverage {
    pub(super) fn count(&mut self, server: ServerId, record: &Record) {
        let (input, out) = match record {
            Record::Start { out, .. } => (Some("start"), out),
            Record::Step { input, out, .. } => (of_input(input), out),
        };
        for action in input.into_iter().chain(out.iter().filter_map(of_output)) {
            *self.actions.entry(action).or_insert(0) += 1;
            if let Some(last) = self.last.insert(server, action) {
                self.pairs.insert((last, action));
            }
        }
    }

    /// The actions that were not seen.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        ACTIONS.into_iter().filter(|action| !self.actions.contains_key(action)).collect()
    }
}

fn of_input(input: &Input<Digest, u64>) -> Option<&'static str> {
    Some(match input {
        Input::Stored { .. } => "stored",
        Input::Disconnected { .. } => "disconnected",
        Input::Sync { .. } => "sync",
        _ => return None,
    })
}

fn of_output(output: &Output<Digest, u64>) -> Option<&'static str> {
    Some(match output {
        Output::Send { message, .. } => return of_message(message),
        Output::SendSnapshot { .. } => "snap",
        Output::Store(Store::Truncate { .. }) => "truncate",
        Output::Store(Store::Install { .. }) => "install",
        Output::Deliver(_) => "deliver",
        Output::SyncDone { .. } => "sync-done",
        Output::Role(Role::Looking) => "look",
        Output::Role(Role::Leading { epoch: 0, .. }) => "lead",
        Output::Role(Role::Leading { serving: false, .. }) => "open-epoch",
        Output::Role(Role::Leading { .. }) => "establish",
        Output::Role(Role::Following { epoch: 0, .. } | Role::Observing { epoch: 0, .. }) => {
            "follow"
        }
        Output::Role(
            Role::Following { serving: true, .. } | Role::Observing { serving: true, .. },
        ) => "serve",
        _ => return None,
    })
}

fn of_message(message: &Message<Digest, u64>) -> Option<&'static str> {
    Some(match message {
        Message::FollowerInfo { .. } => "follower-info",
        Message::LeaderInfo { .. } => "leader-info",
        Message::AckEpoch { .. } => "ack-epoch",
        Message::Truncate { .. } => "trunc",
        Message::Propose(_) => "propose",
        Message::NewLeader { .. } => "new-leader",
        Message::AckLeader { .. } => "ack-leader",
        Message::UpToDate { .. } => "up-to-date",
        Message::Ack { .. } => "ack",
        Message::Commit { .. } => "commit",
        _ => return None,
    })
}
