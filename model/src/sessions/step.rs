//! What may happen to a session, and what comes of it.

use super::{Action, Flaw, Op, Session, Sessions, TICKS, TIMEOUT, Word};

/// Adds every action that may happen within the bounds.
pub(super) fn offer(model: &Sessions, session: &Session, actions: &mut Vec<Action>) {
    let (bounds, used) = (&model.bounds, &session.used);
    let touches = session.channels.iter().flatten().any(|word| *word == Word::Touch);
    if session.now < TICKS && !touches {
        actions.push(Action::Tick);
    }
    if !session.hears {
        actions.push(Action::Ping);
    }
    if session.sent < bounds.txns {
        actions.push(Action::Write);
    }
    if used.syncs < bounds.syncs {
        let applied = session.shown[session.server]..=session.log.len();
        actions.extend(applied.map(Action::Read));
    }
    for place in 0..bounds.servers {
        if used.cuts < bounds.cuts && place != session.server {
            actions.push(Action::Move(place));
        }
        if used.elections < bounds.elections && place != session.leader {
            actions.push(Action::Lead(place));
        }
        if !session.channels[place].is_empty() {
            actions.push(Action::Deliver(place));
        }
    }
    if session.now > session.deadline && !session.log.contains(&Op::Close) {
        actions.push(Action::Expire);
    }
}

pub(super) fn apply(model: &Sessions, session: &Session, action: &Action) -> Session {
    let mut next = session.clone();
    match *action {
        Action::Tick => next.tick(),
        Action::Ping => next.ping(model),
        Action::Write => {
            next.sent += 1;
            let write = Word::Write(next.sent);
            next.channels[next.server].push_back(write);
        }
        Action::Read(applied) => {
            next.used.syncs += 1;
            next.shown[next.server] = applied;
            next.back = applied < next.seen;
            next.seen = applied;
        }
        Action::Move(server) => {
            next.used.cuts += 1;
            next.server = server;
            // The server takes it when it has applied as much.
            if !model.has(Flaw::UnseenAllowed) {
                next.shown[server] = next.shown[server].max(next.seen);
            }
            next.channels[server].push_back(Word::Claim);
            next.ping(model);
        }
        Action::Deliver(place) => next.deliver(model, place),
        Action::Expire => {
            next.robbed = next.now <= next.heard + TIMEOUT;
            next.log.push(Op::Close);
        }
        Action::Lead(place) => next.lead(model, place),
    }
    next
}

impl Session {
    fn tick(&mut self) {
        if self.hears {
            self.heard = self.now;
        }
        self.hears = false;
        self.now += 1;
    }

    fn ping(&mut self, model: &Sessions) {
        self.hears = true;
        if !model.has(Flaw::SilentFollowers) || self.server == self.leader {
            self.channels[self.server].push_back(Word::Touch);
        }
    }

    fn deliver(&mut self, model: &Sessions, place: usize) {
        match self.channels[place].pop_front() {
            None => {}
            Some(Word::Touch) => self.deadline = self.now + TIMEOUT,
            Some(Word::Claim) => self.owner = place,
            Some(Word::Write(n)) => {
                let owned = self.owner == place || model.has(Flaw::NoOwner);
                let closed = self.log.contains(&Op::Close) && !model.has(Flaw::WriteAfterClose);
                if owned && !closed {
                    self.log.push(Op::Write(n));
                }
            }
        }
    }

    /// The new leader knows the sessions, but not when they were heard from: all begin anew. The
    /// server where the client is claims it again, on a connection that begins anew too.
    fn lead(&mut self, model: &Sessions, place: usize) {
        self.used.elections += 1;
        self.known[self.leader] = self.deadline;
        self.leader = place;
        self.deadline =
            if model.has(Flaw::OldDeadlines) { self.known[place] } else { self.now + TIMEOUT };
        self.channels.iter_mut().for_each(std::collections::VecDeque::clear);
        self.owner = self.server;
    }
}

/// In words.
pub(super) fn tell(before: &Session, action: &Action) -> String {
    let name = |place: usize| format!("n{}", place + 1);
    let leader = name(before.leader);
    match *action {
        Action::Tick => format!("tick {} begins", before.now + 1),
        Action::Ping => format!("the client is heard by {}", name(before.server)),
        Action::Write => {
            format!("the client sends write {} to {}", before.sent + 1, name(before.server))
        }
        Action::Read(applied) => {
            let (server, log) = (name(before.server), &before.log[..applied]);
            format!("the client reads from {server}, which has applied {log:?}")
        }
        Action::Move(server) => format!("the client goes to {}", name(server)),
        Action::Deliver(place) => {
            let word = before.channels[place].front();
            format!("{} tells the leader {leader}: {word:?}", name(place))
        }
        Action::Expire => format!("{leader} expires the session"),
        Action::Lead(place) => format!("{} leads from now on", name(place)),
    }
}
