//! A client's session: heard from, moved, expired, across changes of the leader.
//!
//! Source: ZooKeeper Programmer's Guide, "ZooKeeper Sessions", and ZooKeeper Internals. The order of
//! transactions is taken for granted here (that is [`protocol`](crate::protocol)). Time goes in
//! ticks; what servers hear in a tick has reached the leader before the next one, unless the
//! connection broke.

mod flaw;
mod step;

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stateright::{Model, Property};

pub use flaw::Flaw;

use crate::catalogue::Bounds;
use crate::search::{Story, Watch, in_words};

/// A session that was not heard from for more ticks than this may be expired.
const TIMEOUT: usize = 2;
/// Ticks of a search.
const TICKS: usize = 5;

/// A server's place, from 0.
type Place = usize;

/// What a server tells the leader, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Word {
    /// The client was heard from.
    Touch,
    /// The client is connected to me now.
    Claim,
    /// The client's so-manieth write.
    Write(usize),
}

/// A transaction of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Op {
    Write(usize),
    Close,
}

/// The session, as everybody sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    now: usize,
    leader: Place,
    /// Where the client is connected.
    server: Place,
    /// Writes that the client has sent.
    sent: usize,
    /// From each server to the leader.
    channels: Vec<VecDeque<Word>>,
    /// The server whose writes the leader takes.
    owner: Place,
    /// The last tick of the session, as the leader has it; and as each server last knew it.
    deadline: usize,
    known: Vec<usize>,
    log: Vec<Op>,
    /// How much of the log each server has shown, at least, and the client has seen.
    shown: Vec<usize>,
    seen: usize,
    /// The client was shown less than it had seen.
    back: bool,
    /// The last tick, before this one, in which a server that reaches the leader heard the client;
    /// and whether it was heard in this one.
    heard: usize,
    hears: bool,
    /// It was expired though it was heard from not long ago.
    robbed: bool,
    used: Bounds,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A tick passes.
    Tick,
    /// The client says that it is there.
    Ping,
    /// The client writes.
    Write,
    /// The client reads, from a server that has applied so much of the log.
    Read(usize),
    /// The client goes to another server.
    Move(usize),
    /// What a server has to say reaches the leader.
    Deliver(usize),
    /// The leader expires the session.
    Expire,
    /// Another server becomes the leader; what was on its way is lost.
    Lead(usize),
}

impl Action {
    const NAMES: [&str; 8] = ["tick", "ping", "write", "read", "move", "deliver", "expire", "lead"];

    fn name(&self) -> &'static str {
        match self {
            Action::Tick => "tick",
            Action::Ping => "ping",
            Action::Write => "write",
            Action::Read(_) => "read",
            Action::Move(_) => "move",
            Action::Deliver(_) => "deliver",
            Action::Expire => "expire",
            Action::Lead(_) => "lead",
        }
    }
}

/// One session of an ensemble.
#[derive(Clone, Debug)]
pub struct Sessions {
    bounds: Bounds,
    flaw: Option<Flaw>,
    watch: Arc<Watch>,
}

impl Sessions {
    /// Of the bounds it takes `servers`, `txns` writes, `syncs` reads, `cuts` moves and `elections`.
    #[must_use]
    pub fn new(bounds: Bounds, flaw: Option<Flaw>) -> Sessions {
        Sessions { bounds, flaw, watch: Watch::new(&Action::NAMES) }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }
}

impl Model for Sessions {
    type State = Session;
    type Action = Action;

    /// The client has just connected to the second server; the first one leads.
    fn init_states(&self) -> Vec<Session> {
        let n = self.bounds.servers;
        vec![Session {
            now: 0,
            leader: 0,
            server: 1,
            sent: 0,
            channels: vec![VecDeque::new(); n],
            owner: 1,
            deadline: TIMEOUT,
            known: vec![TIMEOUT; n],
            log: Vec::new(),
            shown: vec![0; n],
            seen: 0,
            back: false,
            heard: 0,
            hears: false,
            robbed: false,
            used: Bounds::default(),
        }]
    }

    fn actions(&self, session: &Session, actions: &mut Vec<Action>) {
        if !self.watch.stopped() {
            step::offer(self, session, actions);
        }
    }

    fn next_state(&self, session: &Session, action: Action) -> Option<Session> {
        let next = step::apply(self, session, &action);
        self.watch.count(action.name());
        Some(next)
    }

    fn format_step(&self, before: &Session, action: Action) -> Option<String> {
        in_words(self, before, &action)
    }

    fn properties(&self) -> Vec<Property<Sessions>> {
        self.watch.wanted(vec![
            Property::always("LiveSessionKept", |model: &Sessions, session: &Session| {
                model.watch.judge(!session.robbed)
            }),
            Property::always("WritesInOrder", |model: &Sessions, session: &Session| {
                model.watch.judge(session.writes_ascend())
            }),
            Property::always("ReadsInOrder", |model: &Sessions, session: &Session| {
                model.watch.judge(!session.back)
            }),
            Property::always("NothingAfterClose", |model: &Sessions, session: &Session| {
                model.watch.judge(session.close_is_last())
            }),
        ])
    }
}

impl Session {
    /// A client writes one thing after another, so no earlier write follows a later one.
    fn writes_ascend(&self) -> bool {
        let writes = self.log.iter().filter_map(|op| match op {
            Op::Write(n) => Some(*n),
            Op::Close => None,
        });
        writes.is_sorted()
    }

    fn close_is_last(&self) -> bool {
        self.log.iter().rev().skip(1).all(|op| *op != Op::Close)
    }
}

impl Story for Sessions {
    fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    fn tell(&self, before: &Session, action: &Action) -> String {
        step::tell(before, action)
    }

    fn why(&self, name: &str, session: &Session) -> String {
        let Session { now, heard, log, .. } = session;
        match name {
            "LiveSessionKept" => format!(
                "the session is expired in tick {now}; its client was heard from in tick {heard}"
            ),
            "WritesInOrder" => format!("an earlier write follows a later one: {log:?}"),
            "ReadsInOrder" => format!("the client is shown an older state than before, of {log:?}"),
            _ => format!("something follows the end of the session: {log:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_invariant_can_be_broken() {
        let model = Sessions::new(Bounds { servers: 2, ..Bounds::default() }, None);
        let sound = model.init_states().remove(0);
        let broken = |log: &[Op]| {
            let state = Session { log: log.to_vec(), now: 3, ..sound.clone() };
            let properties = model.properties().into_iter();
            let broken =
                properties.filter(|p| !(p.condition)(&Sessions::new(model.bounds, None), &state));
            broken.map(|property| property.name).collect::<Vec<_>>()
        };
        assert_eq!(broken(&[Op::Write(1), Op::Write(2), Op::Close]), Vec::<&str>::new());
        assert_eq!(broken(&[Op::Write(2), Op::Write(1)]), ["WritesInOrder"]);
        assert_eq!(broken(&[Op::Close, Op::Write(1)]), ["NothingAfterClose"]);
        let ahead = Session { seen: 1, ..sound.clone() };
        assert!(step::apply(&model, &ahead, &Action::Read(0)).back);
        assert!(!step::apply(&model, &ahead, &Action::Read(1)).back);
        let Session { now, heard, .. } = step::apply(&model, &sound, &Action::Tick);
        assert!(now <= heard + TIMEOUT, "so it is too early to expire");
        let early = step::apply(&model, &sound, &Action::Expire);
        assert!(early.robbed);
    }
}
