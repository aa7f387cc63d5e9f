//! What peers do, as the scripts write it.

use zab::{Configuration, Entry, Member, Message, Output, ServerId, Store, Timer, Zxid};

use super::{State, Txn};

/// Nothing of whom it may speak to: that says the configuration.
pub(crate) fn show(id: ServerId, output: &Output<Txn, State>) -> Option<String> {
    Some(match output {
        Output::Contacts(_) => return None,
        Output::Send { to, message } => format!("{id} -> {to}: {}", words(message)),
        Output::SendSnapshot { to, zxid } => format!("{id} -> {to}: Snapshot of {zxid:?}"),
        Output::Connect { to } => format!("{id} dials {to}"),
        Output::Disconnect { peer } => format!("{id} hangs up on {peer}"),
        Output::Store(write) => format!("{id} writes {}", writing(write)),
        Output::SetTimer { timer, ms } => format!("{id} sets {} to {ms} ms", timer_name(*timer)),
        Output::CancelTimer(timer) => format!("{id} stops {}", timer_name(*timer)),
        Output::Deliver(entry) => format!("{id} delivers {}", one(entry)),
        Output::Reset { zxid, state: Some(state) } => format!("{id} resets to {zxid:?} {state:?}"),
        Output::Reset { zxid, state: None } => format!("{id} resets to its snapshot at {zxid:?}"),
        Output::Role(role) => format!("{id} is {role:?}"),
        Output::SyncDone { token } => format!("{id} answers sync {token}"),
    })
}

fn words(message: &Message<Txn, State>) -> String {
    match message {
        Message::Notification { round, vote, stance, .. } => format!(
            "Notification {stance:?}, round {round}, for {} (epoch {}, {:?})",
            vote.leader, vote.epoch, vote.zxid
        ),
        Message::Propose(entry) => format!("Propose {}", one(entry)),
        Message::NewLeader { epoch, configuration } if configuration.version == Zxid::ZERO => {
            format!("NewLeader {{ epoch: {epoch} }}")
        }
        Message::NewLeader { epoch, configuration } => {
            format!("NewLeader {{ epoch: {epoch} }}, {}", members(configuration))
        }
        Message::Members(configuration) => format!("Members {}", members(configuration)),
        other => format!("{other:?}"),
    }
}

fn members(configuration: &Configuration) -> String {
    let one = |(id, member): (&ServerId, &Member)| match member.votes {
        true => format!("{id}"),
        false => format!("{id} (observer)"),
    };
    let all: Vec<_> = configuration.members.0.iter().map(one).collect();
    format!("{} as of {:?}", all.join(", "), configuration.version)
}

fn writing(write: &Store<Txn, State>) -> String {
    match write {
        Store::Append(entry) => format!("entry {}", one(entry)),
        Store::Truncate { after } => format!("truncation after {after:?}"),
        Store::Install { zxid, state, log } => {
            let log: Vec<_> = log.iter().map(one).collect();
            format!("snapshot {zxid:?} {state:?} and log [{}]", log.join(", "))
        }
        Store::Epochs { accepted, current } => {
            format!("accepted epoch {accepted}, current epoch {current}")
        }
        Store::Settled { version } => format!("that the members of {version:?} are committed"),
    }
}

fn one(entry: &Entry<Txn>) -> String {
    format!("{:?}={}", entry.zxid, entry.txn)
}

fn timer_name(timer: Timer) -> String {
    format!("{timer:?}").to_lowercase()
}
