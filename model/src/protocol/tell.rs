//! A step in words.

use zab::ServerId;

use super::action::{self, Action};
use super::disk::Write;
use super::invariants::{list, name};
use super::link::{LinkId, Words};
use super::state::{Phase, Role, Server, Stage, State};
use crate::link::Ends;

/// What `action` does in the state `before`, and what everybody can see of it.
pub(crate) fn tell(before: &State, action: &Action) -> String {
    let what = act(before, action);
    let Some(after) = action::apply(before, action) else { return what };
    let seen: Vec<String> =
        before.servers.keys().filter_map(|id| change(before, &after, *id)).collect();
    if seen.is_empty() { what } else { format!("{what}; {}", seen.join("; ")) }
}

fn act(state: &State, action: &Action) -> String {
    match action {
        Action::Deliver { link, to } => deliver(state, *link, *to),
        Action::Notice { link, at } => {
            format!("n{at} notices that its connection with n{} is gone", link.other(*at))
        }
        Action::Store(id) => {
            let write = state.server(*id).disk.pending.front();
            write.map_or_else(String::new, |write| {
                format!("on the disk of n{id}: {}", written(write))
            })
        }
        Action::Crash { server, kept } => crash(state, *server, *kept),
        Action::Start(id) => {
            format!("n{id} starts; on its disk: {}", list(&state.server(*id).disk.durable.history))
        }
        Action::Cut(LinkId { learner, leader, .. }) => {
            format!("the connection between n{learner} and n{leader} breaks")
        }
        Action::Timeout(id) => format!("n{id} has waited too long"),
        Action::Elect { leader, followers } => {
            format!("n{leader} is elected by itself and {}", names(followers))
        }
        Action::Follow { server, leader } => format!("n{server} turns to n{leader}"),
        Action::Submit(id) => format!("n{id} gets a transaction from a client"),
        Action::Sync(id) => format!("a client of n{id} asks for sync"),
        Action::Broadcast(id) => format!("n{id} sends its last entry to all its learners"),
    }
}

fn names(ids: &[ServerId]) -> String {
    let names: Vec<String> = ids.iter().map(|id| format!("n{id}")).collect();
    if names.is_empty() { "nobody else".to_owned() } else { names.join(", ") }
}

fn deliver(state: &State, link: LinkId, to: ServerId) -> String {
    let words = state.links.get(&link).and_then(|found| found.half(link, to).inbox.front());
    let from = link.other(to);
    words.map_or_else(String::new, |words| format!("n{from} to n{to}: {}", message(words)))
}

pub(crate) fn message(words: &Words) -> String {
    match words {
        Words::FollowerInfo { accepted } => {
            format!("I have promised epoch {accepted} (FOLLOWERINFO)")
        }
        Words::LeaderInfo { epoch } => format!("the new epoch is {epoch} (LEADERINFO)"),
        Words::AckEpoch { current, last, .. } => {
            format!("promised; my history is of epoch {current} and ends at {last:?} (ACKEPOCH)")
        }
        Words::Truncate { after } => format!("drop all after {after:?} (TRUNC)"),
        Words::Snapshot { history } => format!("start from {} (SNAP)", list(history)),
        Words::Propose(entry) => format!("append {} (PROPOSAL)", name(entry)),
        Words::Inform(entry) => format!("append {}, it is committed (INFORM)", name(entry)),
        Words::NewLeader { epoch } => format!("that is the history of epoch {epoch} (NEWLEADER)"),
        Words::AckLeader { epoch } => format!("I have the history of epoch {epoch} (ACK)"),
        Words::UpToDate { committed } => {
            format!("all up to {committed:?} is committed, serve (UPTODATE)")
        }
        Words::Ack { zxid } => format!("all up to {zxid:?} is on my disk (ACK)"),
        Words::Commit { zxid } => format!("all up to {zxid:?} is committed (COMMIT)"),
        Words::Ping { seq } => format!("do you still follow me? (PING {seq})"),
        Words::Pong { seq } => format!("I still follow you (PING {seq})"),
        Words::Sync { .. } => "sync, please (SYNC)".to_owned(),
        Words::Synced { .. } => "you have all that the sync must see (SYNC)".to_owned(),
    }
}

fn written(write: &Write) -> String {
    match write {
        Write::Append(entry) => format!("{} is durable", name(entry)),
        Write::Truncate { after } => format!("all after {after:?} is dropped"),
        Write::Install { history } => format!("history is replaced by {}", list(history)),
        Write::Epochs { accepted, current } => {
            format!("accepted epoch {accepted}, current epoch {current}")
        }
    }
}

fn crash(state: &State, id: ServerId, kept: usize) -> String {
    format!("n{id} {}", state.server(id).disk.lost(kept))
}

/// Servers, and what is on its way between them, a line each.
pub(crate) fn show(state: &State) -> String {
    let servers = state.servers.iter().map(|(id, server)| {
        let files = &server.written;
        let role = if server.up { role(server) } else { "is down".to_owned() };
        format!(
            "n{id} {role}; accepted epoch {}, current epoch {}; history {}, of which {} delivered; {} writes to be stored",
            files.accepted,
            files.current,
            list(&files.history),
            server.delivered,
            server.disk.pending.len()
        )
    });
    let ends = state.links.iter().flat_map(|(id, link)| id.ends().map(|to| (*id, link, to)));
    let said = ends.filter(|(id, link, to)| !link.half(*id, *to).inbox.is_empty());
    let said = said.map(|(id, link, to)| {
        let words: Vec<String> = link.half(id, to).inbox.iter().map(message).collect();
        format!("on the way from n{} to n{to}: {}", id.other(to), words.join("; "))
    });
    servers.chain(said).collect::<Vec<_>>().join("\n")
}

/// A server's new role and what it delivered, if anything changed.
fn change(before: &State, after: &State, id: ServerId) -> Option<String> {
    let (old, new) = (before.server(id), after.server(id));
    let mut seen = Vec::new();
    let now = role(new);
    if new.up && role(old) != now {
        seen.push(now);
    }
    if new.delivered > old.delivered {
        seen.push(format!("delivers {}", list(&new.history()[old.delivered..new.delivered])));
    }
    (!seen.is_empty()).then(|| format!("n{id} {}", seen.join(" and ")))
}

fn role(server: &Server) -> String {
    match &server.role {
        Role::Looking { .. } => "looks for a leader".to_owned(),
        Role::Leading(leader) => match leader.phase {
            Phase::Gathering => "takes itself for elected".to_owned(),
            Phase::Discovery => format!("opens epoch {}", leader.epoch),
            Phase::Synchronisation { .. } => {
                format!("sends out its history for epoch {}", leader.epoch)
            }
            Phase::Broadcast => format!("leads epoch {}", leader.epoch),
        },
        Role::Following(follower) => match follower.stage {
            Stage::Serving => format!("serves, following n{}", follower.leader),
            Stage::Adopted => format!("has taken over the history of epoch {}", follower.epoch),
            _ => format!("follows n{}", follower.leader),
        },
    }
}
