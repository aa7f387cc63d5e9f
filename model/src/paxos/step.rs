//! What may happen in Paxos, and what comes of it.

use super::{AcceptorId, Action, Ballot, Decree, Flaw, Paxos, Value, Words};

/// Adds every action that may change something.
pub(crate) fn offer(model: &Paxos, state: &Decree, actions: &mut Vec<Action>) {
    for (idx, client) in state.clients.iter().enumerate() {
        if !client.done && client.round < model.bounds.elections {
            actions.push(Action::Begin(idx + 1));
        }
    }
    for words in &state.sent {
        match words {
            Words::Prepare { .. } | Words::Accept { .. } => {
                let heeded = (1..=model.bounds.servers).filter(|id| heeds(state, *id, words));
                let ask = |acceptor| Action::Ask { acceptor, words: words.clone() };
                actions.extend(heeded.map(ask));
            }
            Words::Promise { .. } | Words::Accepted { .. } => {
                if awaited(state, words) {
                    actions.push(Action::Answer(words.clone()));
                }
            }
        }
    }
    if state.crashes < model.bounds.crashes {
        actions.extend((1..=model.bounds.servers).map(Action::Crash));
    }
}

/// Would this change anything at the acceptor?
fn heeds(state: &Decree, id: AcceptorId, words: &Words) -> bool {
    let acceptor = &state.acceptors[id - 1];
    match *words {
        Words::Prepare { ballot } => acceptor.promised < Some(ballot),
        Words::Accept { ballot, value } => {
            acceptor.promised <= Some(ballot) && acceptor.accepted != Some((ballot, value))
        }
        _ => false,
    }
}

/// Would this change anything at the client whose ballot it is of?
fn awaited(state: &Decree, words: &Words) -> bool {
    let (Words::Promise { ballot, .. } | Words::Accepted { ballot, .. }) = words else {
        return false;
    };
    let client = &state.clients[ballot.client - 1];
    let waits = !client.done && client.round == ballot.round;
    waits
        && match words {
            Words::Promise { acceptor, accepted, .. } => {
                client.asked.is_none() && !client.promises.contains(&(*acceptor, *accepted))
            }
            Words::Accepted { acceptor, .. } => !client.accepted.contains(acceptor),
            _ => false,
        }
}

pub(crate) fn apply(model: &Paxos, state: &Decree, action: &Action) -> Decree {
    let mut next = state.clone();
    match *action {
        Action::Begin(client) => model.begin(&mut next, client),
        Action::Ask { acceptor, words: Words::Prepare { ballot } } => {
            prepare(&mut next, acceptor, ballot);
        }
        Action::Ask { acceptor, words: Words::Accept { ballot, value } } => {
            accept(&mut next, acceptor, ballot, value);
        }
        Action::Answer(Words::Promise { ballot, acceptor, accepted }) => {
            promise(model, &mut next, ballot, acceptor, accepted);
        }
        Action::Answer(Words::Accepted { ballot, acceptor, value }) => {
            accepted(model, &mut next, ballot, acceptor, value);
        }
        Action::Crash(acceptor) => {
            next.crashes += 1;
            if model.flaw == Some(Flaw::Forgetful) {
                next.acceptors[acceptor - 1] = super::Acceptor::default();
            }
        }
        Action::Ask { .. } | Action::Answer(_) => {}
    }
    next
}

fn prepare(state: &mut Decree, id: AcceptorId, ballot: Ballot) {
    let acceptor = &mut state.acceptors[id - 1];
    if acceptor.promised < Some(ballot) {
        acceptor.promised = Some(ballot);
        let accepted = acceptor.accepted;
        state.sent.insert(Words::Promise { ballot, acceptor: id, accepted });
    }
}

fn accept(state: &mut Decree, id: AcceptorId, ballot: Ballot, value: Value) {
    let acceptor = &mut state.acceptors[id - 1];
    if acceptor.promised <= Some(ballot) {
        acceptor.promised = Some(ballot);
        acceptor.accepted = Some((ballot, value));
        state.sent.insert(Words::Accepted { ballot, acceptor: id, value });
    }
}

/// With a quorum of promises, the value of the newest accepted ballot is asked for, else an own
/// one. A reader has none: where nothing was accepted, nothing was chosen.
fn promise(
    model: &Paxos,
    state: &mut Decree,
    ballot: Ballot,
    acceptor: AcceptorId,
    accepted: Option<(Ballot, Value)>,
) {
    let client = &mut state.clients[ballot.client - 1];
    if client.done || client.round != ballot.round || client.asked.is_some() {
        return;
    }
    client.promises.insert((acceptor, accepted));
    if client.promises.len() < model.quorum() {
        return;
    }
    let newest = client.promises.iter().filter_map(|(_, accepted)| *accepted).max();
    let adopted = newest.map(|(_, value)| value).filter(|_| model.flaw != Some(Flaw::NoAdoption));
    let own = (!model.reads(ballot.client)).then_some(ballot.client as Value);
    match adopted.or(own) {
        Some(value) => {
            client.asked = Some(value);
            client.promises.clear();
            state.sent.insert(Words::Accept { ballot, value });
        }
        None => model.learn(state, ballot.client, None),
    }
}

fn accepted(model: &Paxos, state: &mut Decree, ballot: Ballot, acceptor: AcceptorId, value: Value) {
    let client = &mut state.clients[ballot.client - 1];
    if client.done || client.round != ballot.round {
        return;
    }
    client.accepted.insert(acceptor);
    if client.accepted.len() >= model.quorum() {
        client.accepted.clear();
        model.learn(state, ballot.client, Some(value));
    }
}
