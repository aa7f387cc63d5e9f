//! Single-decree Paxos: proposers, acceptors, readers; messages lost, repeated, reordered.
//!
//! Source: Lamport, "Paxos Made Simple" (2001). What was sent once is on its way for ever: it may
//! arrive late, again, or never. The register is write-once: the first chosen value stays.

mod flaw;
mod step;
mod tell;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stateright::semantics::write_once_register::{WORegister, WORegisterOp, WORegisterRet};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};
use stateright::{Model, Property};

pub use flaw::Flaw;

use crate::catalogue::Bounds;
use crate::search::{Story, Watch, in_words};

/// A proposer's or reader's number, from 1; a proposer's value is its number.
pub(crate) type ClientId = usize;
/// An acceptor's number, from 1.
pub(crate) type AcceptorId = usize;
/// A proposer's value.
pub(crate) type Value = u8;

/// Ballots are ordered, and no two clients share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Ballot {
    pub(crate) round: usize,
    pub(crate) client: ClientId,
}

/// What is sent; to acceptors without an acceptor, from one with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Words {
    Prepare { ballot: Ballot },
    Promise { ballot: Ballot, acceptor: AcceptorId, accepted: Option<(Ballot, Value)> },
    Accept { ballot: Ballot, value: Value },
    Accepted { ballot: Ballot, acceptor: AcceptorId, value: Value },
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Decree {
    pub(crate) acceptors: Vec<Acceptor>,
    pub(crate) clients: Vec<Client>,
    pub(crate) sent: BTreeSet<Words>,
    /// Who knows which value to be chosen.
    pub(crate) chosen: BTreeSet<(ClientId, Value)>,
    pub(crate) crashes: usize,
    tester: LinearizabilityTester<ClientId, WORegister<Value>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Acceptor {
    pub(crate) promised: Option<Ballot>,
    pub(crate) accepted: Option<(Ballot, Value)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    /// How many ballots it has begun.
    pub(crate) round: usize,
    pub(crate) promises: BTreeSet<(AcceptorId, Option<(Ballot, Value)>)>,
    /// What it asked to be accepted.
    pub(crate) asked: Option<Value>,
    pub(crate) accepted: BTreeSet<AcceptorId>,
    pub(crate) done: bool,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(private_interfaces, reason = "a step is stored and told, not taken apart")]
pub enum Action {
    /// A client begins its next ballot.
    Begin(ClientId),
    /// A message arrives at an acceptor.
    Ask {
        /// Which acceptor.
        acceptor: AcceptorId,
        /// What it says.
        words: Words,
    },
    /// A message arrives at a client.
    Answer(Words),
    /// An acceptor crashes and comes back.
    Crash(AcceptorId),
}

impl Action {
    const NAMES: [&str; 4] = ["begin", "ask", "answer", "crash"];

    fn name(&self) -> &'static str {
        match self {
            Action::Begin(_) => "begin",
            Action::Ask { .. } => "ask",
            Action::Answer(_) => "answer",
            Action::Crash(_) => "crash",
        }
    }
}

/// The model: acceptors, proposers with a value each, and readers.
#[derive(Clone, Debug)]
pub struct Paxos {
    pub(crate) bounds: Bounds,
    pub(crate) flaw: Option<Flaw>,
    watch: Arc<Watch>,
}

impl Paxos {
    /// Of the bounds it takes `servers` acceptors, `txns` proposers, `syncs` readers, `elections`
    /// ballots for each, `crashes` of acceptors.
    #[must_use]
    pub fn new(bounds: Bounds, flaw: Option<Flaw>) -> Paxos {
        Paxos { bounds, flaw, watch: Watch::new(&Action::NAMES) }
    }

    pub(crate) fn quorum(&self) -> usize {
        match self.flaw {
            Some(Flaw::HalfQuorum) => (self.bounds.servers / 2).max(1),
            Some(Flaw::ThinQuorum) => {
                let f = (self.bounds.servers - 1) / 2;
                (self.bounds.servers - f) / 2 + 1
            }
            _ => self.bounds.servers / 2 + 1,
        }
    }

    /// Clients after the proposers only read.
    pub(crate) fn reads(&self, client: ClientId) -> bool {
        client > self.bounds.txns
    }

    fn op(&self, client: ClientId) -> WORegisterOp<Value> {
        if self.reads(client) { WORegisterOp::Read } else { WORegisterOp::Write(client as Value) }
    }

    /// The client knows that `value` is chosen, or, reading, that nothing was.
    pub(crate) fn learn(&self, state: &mut Decree, client: ClientId, value: Option<Value>) {
        state.clients[client - 1].done = true;
        state.chosen.extend(value.map(|value| (client, value)));
        let result = match (self.reads(client), value) {
            (true, value) => WORegisterRet::ReadOk(value),
            (false, Some(value)) if value == client as Value => WORegisterRet::WriteOk,
            (false, _) => WORegisterRet::WriteFail,
        };
        let told = state.tester.on_return(client, result);
        told.expect("a client has one operation, which returns once");
    }

    pub(crate) fn begin(&self, state: &mut Decree, client: ClientId) {
        if state.clients[client - 1].round == 0 {
            let told = state.tester.on_invoke(client, self.op(client));
            told.expect("a client has one operation");
        }
        let round = state.clients[client - 1].round + 1;
        state.clients[client - 1] = Client { round, ..Client::default() };
        state.sent.insert(Words::Prepare { ballot: Ballot { round, client } });
    }
}

impl Model for Paxos {
    type State = Decree;
    type Action = Action;

    fn init_states(&self) -> Vec<Decree> {
        vec![Decree {
            acceptors: vec![Acceptor::default(); self.bounds.servers],
            clients: vec![Client::default(); self.bounds.txns + self.bounds.syncs],
            sent: BTreeSet::new(),
            chosen: BTreeSet::new(),
            crashes: 0,
            tester: LinearizabilityTester::new(WORegister(None)),
        }]
    }

    fn actions(&self, state: &Decree, actions: &mut Vec<Action>) {
        if !self.watch.stopped() {
            step::offer(self, state, actions);
        }
    }

    fn next_state(&self, state: &Decree, action: Action) -> Option<Decree> {
        let name = action.name();
        let next = step::apply(self, state, &action);
        self.watch.count(name);
        Some(next)
    }

    fn format_step(&self, before: &Decree, action: Action) -> Option<String> {
        in_words(self, before, &action)
    }

    fn properties(&self) -> Vec<Property<Paxos>> {
        self.watch.wanted(vec![
            Property::always("Agreement", |model: &Paxos, state| {
                model.watch.judge(agreement(state).is_none())
            }),
            Property::always("Validity", |model: &Paxos, state| {
                model.watch.judge(validity(model.bounds, state))
            }),
            Property::always("Linearizability", |model: &Paxos, state: &Decree| {
                model.watch.judge(state.tester.is_consistent())
            }),
        ])
    }
}

/// Two clients that know of different values.
fn agreement(state: &Decree) -> Option<String> {
    let (one, a) = state.chosen.first()?;
    let (other, b) = state.chosen.iter().find(|(_, b)| b != a)?;
    Some(format!("client {one} takes {a} for chosen, client {other} takes {b}"))
}

/// Only what was proposed is chosen.
fn validity(bounds: Bounds, state: &Decree) -> bool {
    let begun = |value: &Value| {
        let client = usize::from(*value);
        (1..=bounds.txns).contains(&client) && state.clients[client - 1].round > 0
    };
    state.chosen.iter().all(|(_, value)| begun(value))
}

impl Story for Paxos {
    fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    fn tell(&self, before: &Decree, action: &Action) -> String {
        tell::tell(self, before, action)
    }

    fn why(&self, name: &str, state: &Decree) -> String {
        match (name, agreement(state)) {
            ("Agreement", Some(what)) => what,
            ("Validity", _) => format!("of {:?}, something was never proposed", state.chosen),
            _ => "no order of the operations explains what the clients were told".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The invariants that `state` breaks, each looked at alone.
    fn broken(state: &Decree) -> Vec<&'static str> {
        let model = || Paxos::new(Bounds { servers: 3, txns: 2, ..Bounds::default() }, None);
        let properties = model().properties().into_iter();
        let broken = properties.filter(|property| !(property.condition)(&model(), state));
        broken.map(|property| property.name).collect()
    }

    #[test]
    fn every_invariant_can_be_broken() {
        let model = Paxos::new(Bounds { servers: 3, txns: 2, ..Bounds::default() }, None);
        let mut state = model.init_states().remove(0);
        model.begin(&mut state, 1);
        model.begin(&mut state, 2);
        assert_eq!(broken(&state), Vec::<&str>::new());

        let mut split = state.clone();
        split.chosen = [(1, 1), (2, 2)].into();
        assert_eq!(broken(&split), ["Agreement"]);

        let mut invented = state.clone();
        invented.chosen = [(1, 9)].into();
        assert_eq!(broken(&invented), ["Validity"]);

        for client in [1, 2] {
            let told = state.tester.on_return(client, WORegisterRet::WriteOk);
            told.expect("both have begun");
        }
        assert_eq!(broken(&state), ["Linearizability"]);
    }
}
