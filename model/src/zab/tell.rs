//! A step in words.

use zab::{Message, Role, ServerId, Store};

use super::action::{self, Action};
use super::invariants::{list, name};
use super::link::LinkId;
use super::world::World;
use super::{App, Setup, Txn, Words};
use crate::link::Ends;

/// What `action` does in the world `before`, and what everybody can see of it.
pub(crate) fn tell(setup: &Setup, before: &World, action: &Action) -> String {
    let what = act(before, action);
    let Some(after) = action::apply(setup, before, action.clone()) else { return what };
    let seen: Vec<String> =
        before.servers.iter().filter_map(|server| change(before, &after, server.id)).collect();
    if seen.is_empty() { what } else { format!("{what}; {}", seen.join("; ")) }
}

fn act(world: &World, action: &Action) -> String {
    match action {
        Action::Deliver { link, to } => deliver(world, *link, *to),
        Action::Notice { link, at } => {
            format!("n{at} notices that its connection with n{} is gone", link.other(*at))
        }
        Action::Store(id) => store(world, *id),
        Action::Crash { server, kept } => crash(world, *server, *kept),
        Action::Start(id) => {
            let log = list(world.server(*id).disk.durable.history());
            format!("n{id} starts; on its disk: {log}")
        }
        Action::Cut(LinkId { learner, leader }) => {
            format!("the connection between n{learner} and n{leader} breaks")
        }
        Action::Timeout(id) => format!("n{id} has waited too long for a quorum"),
        Action::Elect(among) => match among.as_slice() {
            [alone] => format!("n{alone} hears no vote but its own"),
            _ => format!("{} hear each other's votes", names(among)),
        },
        Action::Submit(id) => {
            let txn = letter(world.ghost.submitted.saturating_add(1));
            format!("a client of n{id} submits {txn}")
        }
        Action::Sync(id) => format!("a client of n{id} asks for sync"),
        Action::Vote { from, to } => vote(world, *from, *to),
        Action::Resend(id) => format!("n{id} repeats its vote"),
        Action::Settle(id) => format!("n{id} has heard nothing better for a while"),
    }
}

fn names(ids: &[ServerId]) -> String {
    let names: Vec<String> = ids.iter().map(|id| format!("n{id}")).collect();
    match names.split_last() {
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

fn deliver(world: &World, link: LinkId, to: ServerId) -> String {
    let words = world.links.get(&link).and_then(|found| found.half(link, to).inbox.front());
    let from = link.other(to);
    words.map_or_else(String::new, |words| format!("n{from} to n{to}: {}", message(words)))
}

fn vote(world: &World, from: ServerId, to: ServerId) -> String {
    let words = world.notices.get(&(from, to));
    words.map_or_else(String::new, |words| format!("n{from} to n{to}: {}", message(words)))
}

fn message(words: &Words) -> String {
    match words {
        Message::Notification { round, vote, stance, .. } => format!(
            "in round {round} I vote for n{} (epoch {}, last {:?}); I am {}",
            vote.leader,
            vote.epoch,
            vote.zxid,
            format!("{stance:?}").to_lowercase()
        ),
        Message::Members(newer) => format!("newer members, of {:?}, are committed", newer.version),
        Message::FollowerInfo { accepted_epoch } => {
            format!("I follow you; I have accepted epoch {accepted_epoch} (FOLLOWERINFO)")
        }
        Message::LeaderInfo { epoch } => format!("the new epoch is {epoch} (LEADERINFO)"),
        Message::AckEpoch { current_epoch, last, .. } => format!(
            "accepted; my history is of epoch {current_epoch} and ends at {last:?} (ACKEPOCH)"
        ),
        Message::Truncate { after } => format!("drop all after {after:?} (TRUNC)"),
        Message::Snapshot { state, .. } => format!("start from this state: {} (SNAP)", list(state)),
        Message::Propose(entry) => format!("append {} (PROPOSAL)", name(entry)),
        Message::NewLeader { epoch, .. } => {
            format!("that is the history of epoch {epoch} (NEWLEADER)")
        }
        Message::AckLeader { epoch } => format!("I have the history of epoch {epoch} (ACK)"),
        Message::UpToDate { committed } => {
            format!("all up to {committed:?} is committed, serve (UPTODATE)")
        }
        Message::Ack { zxid } => format!("all up to {zxid:?} is on my disk (ACK)"),
        Message::Commit { zxid } => format!("all up to {zxid:?} is committed (COMMIT)"),
        Message::Ping { seq } => format!("do you still follow me? (PING {seq})"),
        Message::Pong { seq } => format!("I still follow you (PONG {seq})"),
        Message::Forward { txn } => format!("order {} (REQUEST)", letter(*txn)),
        Message::SyncRequest { .. } => "sync, please (SYNC)".to_owned(),
        Message::SyncReply { .. } => "you have all that the sync must see (SYNC)".to_owned(),
    }
}

fn letter(txn: Txn) -> char {
    char::from(b'`'.saturating_add(txn))
}

fn store(world: &World, id: ServerId) -> String {
    let write = world.server(id).disk.pending.front();
    write.map_or_else(String::new, |write| format!("on the disk of n{id}: {}", written(write)))
}

fn written(write: &Store<Txn, App>) -> String {
    match write {
        Store::Append(entry) => format!("{} is durable", name(entry)),
        Store::Truncate { after } => format!("all after {after:?} is dropped"),
        Store::Install { state, log, .. } => {
            format!("history is replaced by {}", list(state.iter().chain(log)))
        }
        Store::Epochs { accepted, current } => {
            format!("accepted epoch {accepted}, current epoch {current}")
        }
        Store::Settled { version } => format!("the members of {version:?} are committed"),
    }
}

fn crash(world: &World, id: ServerId, kept: usize) -> String {
    format!("n{id} {}", world.server(id).disk.lost(kept))
}

/// Servers, and what is on its way between them, a line each.
pub(crate) fn show(world: &World) -> String {
    let servers = world.servers.iter().map(|server| {
        let files = server.disk.written();
        format!(
            "n{} {}; accepted epoch {}, current epoch {}; history {}; state {}; {} writes to be stored",
            server.id,
            server.role().map_or("is down".to_owned(), role),
            files.accepted,
            files.current,
            list(files.history()),
            list(&server.app),
            server.disk.pending.len()
        )
    });
    let ends = world.links.iter().flat_map(|(id, link)| id.ends().map(|to| (*id, link, to)));
    let said = ends.filter(|(id, link, to)| !link.half(*id, *to).inbox.is_empty());
    let said = said.map(|(id, link, to)| {
        let words: Vec<String> = link.half(id, to).inbox.iter().map(message).collect();
        format!("on the way from n{} to n{to}: {}", id.other(to), words.join("; "))
    });
    servers.chain(said).collect::<Vec<_>>().join("\n")
}

/// A server's new role and what it delivered, if anything changed.
fn change(before: &World, after: &World, id: ServerId) -> Option<String> {
    let (old, new) = (before.server(id), after.server(id));
    let mut seen = Vec::new();
    if old.role() != new.role()
        && let Some(now) = new.role()
    {
        seen.push(role(now));
    }
    if new.app.len() > old.app.len() && new.app.starts_with(&old.app) {
        seen.push(format!("delivers {}", list(&new.app[old.app.len()..])));
    } else if new.peer.is_some() && old.app != new.app {
        seen.push(format!("now has the state {}", list(&new.app)));
    }
    (!seen.is_empty()).then(|| format!("n{id} {}", seen.join(" and ")))
}

fn role(role: Role) -> String {
    match role {
        Role::Looking => "looks for a leader".to_owned(),
        Role::Leading { epoch: 0, .. } => "takes itself for elected".to_owned(),
        Role::Leading { epoch, serving: false } => format!("opens epoch {epoch}"),
        Role::Leading { epoch, serving: true } => format!("leads epoch {epoch}"),
        Role::Following { leader, epoch: 0, .. } | Role::Observing { leader, epoch: 0, .. } => {
            format!("turns to n{leader}")
        }
        Role::Following { leader, epoch, serving: false }
        | Role::Observing { leader, epoch, serving: false } => {
            format!("accepts epoch {epoch} of n{leader}")
        }
        Role::Following { leader, epoch, serving: true }
        | Role::Observing { leader, epoch, serving: true } => {
            format!("serves, following n{leader} in epoch {epoch}")
        }
    }
}
