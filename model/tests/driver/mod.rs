//! An ensemble of real cores under a random schedule: connections that break, disks that lag, kills
//! and power cuts. Every step is recorded.

mod node;

use std::collections::{BTreeMap, VecDeque};

use model::trace::Traces;
use node::Node;
use zab::{Digest, Input, Members, Message, Mutant, Output, ServerId, Timer};

pub(crate) type Words = Message<Digest, u64>;

/// Several cores, and what is between them.
pub(crate) struct Ensemble {
    nodes: BTreeMap<ServerId, Node>,
    links: Vec<Link>,
    /// A newer vote replaces one that has not been read, as in ZooKeeper's `QuorumCnxManager`.
    votes: BTreeMap<(ServerId, ServerId), Words>,
    /// What a core is told as soon as its present outputs are carried out.
    next: VecDeque<(ServerId, Input<Digest, u64>, Option<u64>)>,
    random: u64,
    at: u64,
    token: u64,
}

/// A connection; its number is its place, and stands for the learner's port.
struct Link {
    ends: [ServerId; 2],
    /// What is on its way to each end.
    inbox: [VecDeque<Item>; 2],
}

enum Item {
    Up,
    Words(Words),
    Down,
}

impl Ensemble {
    pub(crate) fn new(n: ServerId, seed: u64, mutant: Option<Mutant>) -> Ensemble {
        // Of four, the last one observes.
        let members = || Members::of(1..=n.min(3), 4..=n);
        let nodes = (1..=n).map(|id| (id, Node::new(id, members(), mutant))).collect();
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (links, votes, next) = (Vec::new(), BTreeMap::new(), VecDeque::new());
        let mut ensemble = Ensemble { nodes, links, votes, next, random, at: 0, token: 0 };
        (1..=n).for_each(|id| ensemble.start(id));
        ensemble
    }

    pub(crate) fn traces(self) -> Traces {
        self.nodes.into_iter().map(|(id, node)| (id, node.trace)).collect()
    }

    pub(crate) fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            let ids: Vec<ServerId> = self.nodes.keys().copied().collect();
            let id = ids[self.below(ids.len())];
            match self.below(1000) {
                0..500 => self.arrive(),
                500..640 => self.vote(),
                640..800 => self.store(id),
                800..860 => self.submit(id),
                860..910 => self.sync(id),
                910..925 => self.snapshot(id),
                925..935 => self.cut(),
                935..942 => self.crash(id),
                _ => self.timer(id),
            }
            if !self.nodes[&id].up() {
                self.start(id);
            }
        }
    }

    /// Knuth's linear congruential generator: the high bits are good enough.
    fn below(&mut self, n: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) as usize % n.max(1)
    }

    fn node(&mut self, id: ServerId) -> &mut Node {
        self.nodes.get_mut(&id).expect("all are known")
    }

    fn start(&mut self, id: ServerId) {
        self.at += 1;
        let at = self.at;
        let out = self.node(id).start(at);
        self.carry_out(id, out);
    }

    fn input(&mut self, id: ServerId, input: Input<Digest, u64>, via: Option<u64>) {
        self.next.push_back((id, input, via));
        while let Some((id, input, via)) = self.next.pop_front() {
            self.at += 1;
            let at = self.at;
            let out = self.node(id).handle(at, input, via);
            self.carry_out(id, out);
        }
    }

    fn carry_out(&mut self, id: ServerId, out: Vec<Output<Digest, u64>>) {
        for output in out {
            match output {
                Output::Send { to, message } if message.is_for_election() => {
                    self.votes.insert((id, to), message);
                }
                Output::Send { to, message } => self.send(id, to, message),
                Output::SendSnapshot { to, zxid } => {
                    let state = self.nodes[&id].state;
                    self.send(id, to, Message::Snapshot { zxid, state });
                }
                Output::Connect { to } => self.connect(id, to),
                Output::Disconnect { peer } => self.hang_up(id, peer),
                output => self.node(id).carry_out(output),
            }
        }
    }

    fn send(&mut self, from: ServerId, to: ServerId, message: Words) {
        let Some(via) = self.nodes[&from].channels.get(&to).copied() else { return };
        let link = &mut self.links[via as usize];
        let end = usize::from(link.ends[1] == to);
        link.inbox[end].push_back(Item::Words(message));
    }

    fn connect(&mut self, learner: ServerId, leader: ServerId) {
        if !self.nodes[&leader].up() {
            return self.next.push_back((learner, Input::Disconnected { peer: leader }, None));
        }
        let via = self.links.len() as u64;
        let inbox = [VecDeque::new(), VecDeque::from([Item::Up])];
        self.links.push(Link { ends: [learner, leader], inbox });
        self.node(learner).channels.insert(leader, via);
        self.next.push_back((learner, Input::Connected { peer: leader }, Some(via)));
    }

    /// `id` closes its connection with `peer`, which will learn of it after all that was said.
    fn hang_up(&mut self, id: ServerId, peer: ServerId) {
        if let Some(via) = self.node(id).channels.remove(&peer) {
            let link = &mut self.links[via as usize];
            let end = usize::from(link.ends[1] == peer);
            link.inbox[end].push_back(Item::Down);
        }
    }

    /// The next item of a random connection arrives.
    fn arrive(&mut self) {
        let waiting = |link: &Link, end: usize| !link.inbox[end].is_empty();
        let ends = self.links.iter().enumerate().flat_map(|(via, link)| {
            (0..2).filter(move |end| waiting(link, *end)).map(move |end| (via, end))
        });
        let ends: Vec<(usize, usize)> = ends.collect();
        if ends.is_empty() {
            return;
        }
        let (place, end) = ends[self.below(ends.len())];
        let link = &mut self.links[place];
        let (to, from) = (link.ends[end], link.ends[1 - end]);
        let Some(item) = link.inbox[end].pop_front() else { return };
        self.take(place as u64, to, from, item);
    }

    fn take(&mut self, via: u64, to: ServerId, from: ServerId, item: Item) {
        if !self.nodes[&to].up() {
            return;
        }
        let current = self.nodes[&to].channels.get(&from) == Some(&via);
        match item {
            Item::Up => {
                if self.node(to).channels.insert(from, via).is_some() {
                    self.input(to, Input::Disconnected { peer: from }, None);
                }
            }
            Item::Words(message) if current => {
                self.input(to, Input::Received { from, message }, Some(via));
            }
            Item::Down if current => {
                self.node(to).channels.remove(&from);
                self.input(to, Input::Disconnected { peer: from }, None);
            }
            // Of a connection that was given up.
            Item::Words(_) | Item::Down => {}
        }
    }

    fn vote(&mut self) {
        if self.votes.is_empty() {
            return;
        }
        let place = self.below(self.votes.len());
        let way = self.votes.keys().nth(place).copied().expect("one of them");
        let ((from, to), message) = self.votes.remove_entry(&way).expect("it is there");
        if self.nodes[&to].up() {
            self.input(to, Input::Received { from, message }, None);
        }
    }

    fn store(&mut self, id: ServerId) {
        let pending = self.nodes[&id].pending.len();
        let ops = self.below(pending + 1);
        self.node(id).make_durable(ops);
        if ops > 0 {
            self.input(id, Input::Stored { ops }, None);
        }
    }

    fn timer(&mut self, id: ServerId) {
        let set: Vec<Timer> = self.nodes[&id].timers.iter().copied().collect();
        if set.is_empty() {
            return;
        }
        let timer = set[self.below(set.len())];
        if timer == Timer::Init && self.below(20) > 0 {
            return;
        }
        self.node(id).timers.remove(&timer);
        self.input(id, Input::Timer(timer), None);
    }

    fn submit(&mut self, id: ServerId) {
        if self.nodes[&id].serving() {
            self.token += 1;
            let txn = Digest { of: self.token, members: None };
            self.input(id, Input::Submit { txn }, None);
        }
    }

    fn sync(&mut self, id: ServerId) {
        if self.nodes[&id].serving() {
            self.token += 1;
            let token = self.token;
            self.input(id, Input::Sync { token }, None);
        }
    }

    fn snapshot(&mut self, id: ServerId) {
        if let Some(upto) = self.node(id).snapshot() {
            self.input(id, Input::Compact { upto }, None);
        }
    }

    fn cut(&mut self) {
        let open: Vec<(ServerId, ServerId)> = self
            .nodes
            .iter()
            .flat_map(|(id, node)| node.channels.keys().map(|peer| (*id, *peer)))
            .collect();
        if open.is_empty() {
            return;
        }
        let (id, peer) = open[self.below(open.len())];
        self.hang_up(id, peer);
        self.input(id, Input::Disconnected { peer }, None);
    }

    /// Some of what was not durable survives.
    fn crash(&mut self, id: ServerId) {
        let pending = self.nodes[&id].pending.len();
        let kept = self.below(pending + 1);
        for link in self.links.iter_mut().filter(|link| link.ends.contains(&id)) {
            let end = usize::from(link.ends[1] == id);
            link.inbox[end].clear();
            link.inbox[1 - end].push_back(Item::Down);
        }
        self.node(id).crash(kept);
    }
}
