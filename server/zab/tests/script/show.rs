//! What peers do, as the scripts write it.

use zab::{Entry, Message, Output, ServerId, Store, Timer};

use super::{State, Txn};

pub(crate) fn show(id: ServerId, output: &Output<Txn, State>) -> String {
    match output {
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
    }
}

fn words(message: &Message<Txn, State>) -> String {
    match message {
        Message::Notification { round, vote, stance } => format!(
            "Notification {stance:?}, round {round}, for {} (epoch {}, {:?})",
            vote.leader, vote.epoch, vote.zxid
        ),
        Message::Propose(entry) => format!("Propose {}", one(entry)),
        other => format!("{other:?}"),
    }
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
    }
}

fn one(entry: &Entry<Txn>) -> String {
    format!("{:?}={}", entry.zxid, entry.txn)
}

fn timer_name(timer: Timer) -> String {
    format!("{timer:?}").to_lowercase()
}
