//! A stage for peers on which things happen only when the script says so.

mod parse;
mod show;

use std::collections::{BTreeMap, VecDeque};

use zab::{Config, Durable, Entry, Input, Message, Output, Peer, ServerId, Store};

use parse::{Event, parse};
use show::show;

pub(crate) type Txn = u64;
/// Every transaction delivered.
pub(crate) type State = Vec<Txn>;

/// Peers, and all that is under way between them.
#[derive(Default)]
pub(crate) struct Stage {
    actors: BTreeMap<ServerId, Actor>,
    /// What travels, by sender and receiver.
    links: BTreeMap<(ServerId, ServerId), VecDeque<Message<Txn, State>>>,
    /// Connections asked for, by learner and leader.
    dials: VecDeque<(ServerId, ServerId)>,
    shown: Vec<String>,
}

struct Actor {
    config: Config,
    peer: Option<Peer<Txn, State>>,
    state: State,
    durable: Durable<Txn>,
    /// The state that the durable snapshot holds.
    snapshot: State,
    writes: VecDeque<Store<Txn, State>>,
}

impl Stage {
    /// Makes an event happen; what the peers did, one line each.
    pub(crate) fn event(&mut self, line: &str) -> Vec<String> {
        let loud = line.strip_suffix(" quietly");
        match parse(loud.unwrap_or(line)) {
            Event::Start { config, durable } => self.start(config, durable),
            Event::Restart { id } => self.restart(id),
            Event::Crash { id } => self.crash(id),
            Event::Input { id, input } => self.step(id, input),
            Event::Stored { id, ops } => self.stored(id, ops),
            Event::Deliver { from, to, all } => self.deliver(from, to, all),
            Event::Drop { from, to } => self.links.entry((from, to)).or_default().clear(),
            Event::Connect { learner, leader } => self.connect(learner, leader),
            Event::Cut { a, b } => self.cut(a, b),
            Event::Run => self.run(),
        }
        let shown = std::mem::take(&mut self.shown);
        if loud.is_some() { Vec::new() } else { shown }
    }

    fn start(&mut self, config: Config, durable: Durable<Txn>) {
        let id = config.id;
        let (state, writes) = (State::new(), VecDeque::new());
        let snapshot = State::new();
        self.actors.insert(id, Actor { config, peer: None, state, durable, snapshot, writes });
        self.restart(id);
    }

    fn restart(&mut self, id: ServerId) {
        let actor = self.actors.get_mut(&id).expect("it was started before");
        let mut out = Vec::new();
        actor.state = actor.snapshot.clone();
        actor.peer = Some(Peer::restart(actor.config.clone(), actor.durable.clone(), &mut out));
        self.carry_out(id, out);
    }

    fn crash(&mut self, id: ServerId) {
        let actor = self.actors.get_mut(&id).expect("it was started before");
        actor.peer = None;
        actor.writes.clear();
        self.links.retain(|(from, to), _| *from != id && *to != id);
        for other in self.others(id) {
            self.step(other, Input::Disconnected { peer: id });
        }
    }

    fn others(&self, id: ServerId) -> Vec<ServerId> {
        self.actors.keys().copied().filter(|other| *other != id).collect()
    }

    fn step(&mut self, id: ServerId, input: Input<Txn, State>) {
        let mut out = Vec::new();
        if let Some(peer) = self.actors.get_mut(&id).and_then(|actor| actor.peer.as_mut()) {
            peer.handle(input, &mut out);
        }
        self.carry_out(id, out);
    }

    fn stored(&mut self, id: ServerId, ops: Option<usize>) {
        let actor = self.actors.get_mut(&id).expect("it was started before");
        let ops = ops.unwrap_or(actor.writes.len());
        let writes: Vec<_> = actor.writes.drain(..ops).collect();
        for write in writes {
            actor.apply(write);
        }
        self.step(id, Input::Stored { ops });
    }

    fn deliver(&mut self, from: ServerId, to: ServerId, all: bool) {
        while let Some(message) = self.links.get_mut(&(from, to)).and_then(VecDeque::pop_front) {
            self.step(to, Input::Received { from, message });
            if !all {
                return;
            }
        }
    }

    fn connect(&mut self, learner: ServerId, leader: ServerId) {
        self.dials.retain(|dial| *dial != (learner, leader));
        self.step(learner, Input::Connected { peer: leader });
    }

    fn cut(&mut self, a: ServerId, b: ServerId) {
        self.links.retain(|link, _| *link != (a, b) && *link != (b, a));
        self.step(a, Input::Disconnected { peer: b });
        self.step(b, Input::Disconnected { peer: a });
    }

    /// One thing at a time, in a fixed order, until nothing is under way.
    fn run(&mut self) {
        loop {
            let busy = |(link, words): (&_, &VecDeque<_>)| (!words.is_empty()).then_some(*link);
            let writes = |(id, actor): (&_, &Actor)| (!actor.writes.is_empty()).then_some(*id);
            if let Some((learner, leader)) = self.dials.pop_front() {
                self.connect(learner, leader);
            } else if let Some((from, to)) = self.links.iter().find_map(busy) {
                self.deliver(from, to, false);
            } else if let Some(id) = self.actors.iter().find_map(writes) {
                self.stored(id, None);
            } else {
                return;
            }
        }
    }

    fn carry_out(&mut self, id: ServerId, out: Vec<Output<Txn, State>>) {
        let mut hung_up = Vec::new();
        for output in out {
            self.shown.extend(show(id, &output));
            let actor = self.actors.get_mut(&id).expect("only actors act");
            match output {
                Output::Send { to, message } => self.send(id, to, message),
                Output::SendSnapshot { to, zxid } => {
                    let state = actor.state.clone();
                    self.send(id, to, Message::Snapshot { zxid, state });
                }
                Output::Connect { to } => self.dials.push_back((id, to)),
                Output::Disconnect { peer } => {
                    self.disconnect(id, peer);
                    hung_up.push(peer);
                }
                Output::Store(write) => actor.writes.push_back(write),
                Output::Deliver(entry) => actor.state.push(entry.txn),
                Output::Reset { state, .. } => {
                    actor.state = state.unwrap_or_else(|| actor.snapshot.clone());
                }
                Output::SetTimer { .. }
                | Output::CancelTimer(_)
                | Output::Contacts(_)
                | Output::Role(_)
                | Output::SyncDone { .. } => {}
            }
        }
        for peer in hung_up {
            self.step(peer, Input::Disconnected { peer: id });
        }
    }

    /// To a server that is down, nothing gets.
    fn send(&mut self, from: ServerId, to: ServerId, message: Message<Txn, State>) {
        if self.actors.get(&to).is_some_and(|actor| actor.peer.is_some()) {
            self.links.entry((from, to)).or_default().push_back(message);
        }
    }

    /// What is under way is lost; notifications have a connection of their own.
    fn disconnect(&mut self, id: ServerId, peer: ServerId) {
        self.dials.retain(|dial| *dial != (id, peer));
        for link in [(id, peer), (peer, id)] {
            let words = self.links.entry(link).or_default();
            words.retain(Message::is_for_election);
        }
    }
}

impl Actor {
    fn apply(&mut self, write: Store<Txn, State>) {
        let durable = &mut self.durable;
        match write {
            Store::Append(entry) => durable.log.push(entry),
            Store::Truncate { after } => durable.log.retain(|entry: &Entry<_>| entry.zxid <= after),
            Store::Install { zxid, state, log } => {
                (durable.snapshot, durable.log) = (zxid, log);
                self.snapshot = state;
            }
            Store::Epochs { accepted, current } => {
                (durable.accepted_epoch, durable.current_epoch) = (accepted, current);
            }
            Store::Settled { version } => durable.settled = version,
        }
    }
}
