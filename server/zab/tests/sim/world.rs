//! The world: virtual time, and the driver of every peer. Its network is in `links.rs`, its disks
//! are in `writes.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zab::{
    Config, Configuration, Input, Message, Mutant, Output, Role, ServerId, Store, Timer, Timing,
    Zxid,
};

use super::membership;
use super::net::{Conn, ConnId, End, Words};
use super::node::Node;
use super::oracle::{App, Kind, Oracle, Txn};

/// Microseconds.
pub(crate) const MS: u64 = 1000;

/// What happens next, and to whom.
#[derive(Debug)]
pub(crate) enum Event {
    Timer { id: ServerId, timer: Timer, setting: u64 },
    Flush { id: ServerId, incarnation: u32 },
    Snapshot { id: ServerId, incarnation: u32, app: App },
    Notice { id: ServerId, from: ServerId, words: Words },
    Dialled { conn: ConnId },
    Accept { conn: ConnId, incarnation: u32 },
    Arrival { conn: ConnId, end: End },
    Restart { id: ServerId },
    Client,
    Fault,
    Ambush { id: ServerId },
    Unblock { links: Vec<(ServerId, ServerId)> },
}

/// How this world behaves; drawn from the seed.
#[derive(Debug)]
pub(crate) struct Habits {
    pub(crate) delay_us: u64,
    /// Percent of notifications that get lost.
    pub(crate) loss: u32,
    pub(crate) flush_us: u64,
    pub(crate) client_us: u64,
    pub(crate) fault_us: u64,
    /// Percent of the steps towards an established leader at which a server is struck.
    pub(crate) ambush: u32,
    pub(crate) log_kept: usize,
    /// Percent of client steps that are a snapshot.
    pub(crate) snapshots: u32,
    /// Percent of client steps that are a reconfiguration.
    pub(crate) reconfigurations: u32,
}

impl Habits {
    fn draw(rng: &mut ChaCha8Rng) -> Habits {
        Habits {
            delay_us: [200, 2 * MS, 10 * MS][rng.random_range(0..3)],
            loss: [0, 5, 20][rng.random_range(0..3)],
            flush_us: [100, 5 * MS, 20 * MS][rng.random_range(0..3)],
            client_us: [2 * MS, 20 * MS, 200 * MS][rng.random_range(0..3)],
            fault_us: [50 * MS, 200 * MS, 1000 * MS][rng.random_range(0..3)],
            ambush: [0, 5, 20][rng.random_range(0..3)],
            log_kept: [0, 3, 50][rng.random_range(0..3)],
            snapshots: [0, 2, 10][rng.random_range(0..3)],
            reconfigurations: [0, 1, 5, 20][rng.random_range(0..4)],
        }
    }
}

/// How often each thing happened that the simulation is there to exercise.
pub(crate) type Tally = BTreeMap<&'static str, u64>;

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) habits: Habits,
    pub(crate) nodes: BTreeMap<ServerId, Node>,
    pub(crate) oracle: Oracle,
    pub(crate) tally: Tally,
    /// One-way links that carry nothing.
    pub(crate) blocked: BTreeSet<(ServerId, ServerId)>,
    pub(crate) faulty: bool,
    pub(crate) trace: bool,
    pub(crate) steps: u64,
    pub(crate) conns: Vec<Conn>,
    events: BTreeMap<(u64, u64), Event>,
    /// Numbers events, timer settings, transactions and tokens.
    serial: u64,
}

impl World {
    pub(crate) fn new(seed: u64, mutant: Option<Mutant>) -> World {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let habits = Habits::draw(&mut rng);
        let (members, servers) = membership::draw(&mut rng);
        let initial = Configuration::initial(members);
        let timing =
            Timing { tick_ms: 100, init_limit: 20, sync_limit: 4, settle_ms: 50, resend_ms: 100 };
        let node = |id: ServerId| {
            let configuration = initial.clone();
            let config = Config { id, configuration, timing, log_kept: habits.log_kept, mutant };
            Node::new(config, [1, 1, 1, 10][seed.wrapping_add(id) as usize % 4])
        };
        let mut world = World {
            now: 0,
            nodes: (1..=servers).map(|id| (id, node(id))).collect(),
            rng,
            habits,
            oracle: Oracle::new(initial),
            tally: Tally::new(),
            blocked: BTreeSet::new(),
            faulty: true,
            trace: false,
            steps: 0,
            conns: Vec::new(),
            events: BTreeMap::new(),
            serial: 0,
        };
        for id in 1..=servers {
            let at = world.rng.random_range(0..100 * MS);
            world.after(at, Event::Restart { id });
        }
        world.after(0, Event::Client);
        world.after(0, Event::Fault);
        world
    }

    pub(crate) fn ids(&self) -> Vec<ServerId> {
        self.nodes.keys().copied().collect()
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(crate) fn after(&mut self, delay: u64, event: Event) {
        let serial = self.next_serial();
        self.events.insert((self.now + delay, serial), event);
    }

    /// Lets time pass until `until`, or until a promise is broken.
    pub(crate) fn run(&mut self, until: u64) {
        while self.oracle.violation.is_none() {
            let Some(entry) = self.events.first_entry() else { break };
            if entry.key().0 > until {
                break;
            }
            let ((now, _), event) = entry.remove_entry();
            self.now = now;
            self.happen(event);
        }
        self.now = self.now.max(until);
    }

    fn happen(&mut self, event: Event) {
        if let Some(node) = self.victim(&event).and_then(|id| self.nodes.get(&id))
            && node.paused_until > self.now
        {
            return self.after(node.paused_until - self.now, event);
        }
        match event {
            Event::Timer { id, timer, setting } => self.timer(id, timer, setting),
            Event::Flush { id, incarnation } => self.flush(id, incarnation),
            Event::Snapshot { id, incarnation, app } => self.snapshot(id, incarnation, app),
            Event::Notice { id, from, words } => {
                self.step(id, Input::Received { from, message: words });
            }
            Event::Dialled { conn } => self.dialled(conn),
            Event::Accept { conn, incarnation } => self.accept(conn, incarnation),
            Event::Arrival { conn, end } => self.arrival(conn, end),
            Event::Restart { id } => self.start(id),
            Event::Client => self.client(),
            Event::Fault => self.fault(),
            Event::Ambush { id } => self.strike(id),
            Event::Unblock { links } => self.blocked.retain(|link| !links.contains(link)),
        }
    }

    /// Whose pause delays this event?
    fn victim(&self, event: &Event) -> Option<ServerId> {
        match event {
            Event::Timer { id, .. }
            | Event::Flush { id, .. }
            | Event::Snapshot { id, .. }
            | Event::Notice { id, .. } => Some(*id),
            Event::Dialled { conn } | Event::Arrival { conn, end: End::Learner } => {
                Some(self.conns[*conn].learner.id)
            }
            Event::Accept { conn, .. } | Event::Arrival { conn, end: End::Leader } => {
                Some(self.conns[*conn].leader.id)
            }
            _ => None,
        }
    }

    pub(crate) fn node(&mut self, id: ServerId) -> &mut Node {
        self.nodes.get_mut(&id).expect("peers name only voters")
    }

    fn timer(&mut self, id: ServerId, timer: Timer, setting: u64) {
        if self.node(id).timers.get(&timer) == Some(&setting) {
            self.node(id).timers.remove(&timer);
            self.step(id, Input::Timer(timer));
        }
    }

    /// Feeds a peer, if it is up, and does what it says.
    pub(crate) fn step(&mut self, id: ServerId, input: Input<Txn, App>) {
        self.steps += 1;
        if self.trace {
            println!("{:>9} {id} <- {input:?}", self.now);
        }
        let mut out = Vec::new();
        let Some(peer) = &mut self.node(id).peer else { return };
        peer.handle(input, &mut out);
        self.carry_out(id, out);
    }

    fn carry_out(&mut self, id: ServerId, out: Vec<Output<Txn, App>>) {
        for output in out {
            if self.trace {
                println!("{:>9} {id} ->     {output:?}", self.now);
            }
            if self.faulty && is_step_to_leadership(&output) {
                self.lie_in_wait(id);
            }
            match output {
                Output::Send { to, message } if message.is_for_election() => {
                    self.notify(id, to, message);
                }
                Output::Send { to, message } => self.send(id, to, message),
                Output::SendSnapshot { to, zxid } => {
                    self.count("snap");
                    let state = self.node(id).app;
                    assert_eq!(state.zxid, zxid, "a snapshot is of the state delivered");
                    self.send(id, to, Message::Snapshot { zxid, state });
                }
                Output::Connect { to } => self.connect(id, to),
                Output::Disconnect { peer } => self.disconnect(id, peer),
                Output::Store(write) => {
                    self.node(id).disk.order(write);
                    self.schedule_flush(id);
                }
                Output::SetTimer { timer, ms } => self.set_timer(id, timer, ms),
                Output::CancelTimer(timer) => {
                    self.node(id).timers.remove(&timer);
                }
                Output::Deliver(entry) => self.deliver(id, &entry),
                Output::Reset { zxid, state } => {
                    let app = state.unwrap_or(self.node(id).disk.snapshot);
                    assert_eq!(app.zxid, zxid, "a reset names the state it goes to");
                    self.node(id).app = app;
                    self.oracle.compare(id, app);
                }
                Output::Role(role) => self.role(id, role),
                Output::Contacts(_) => {}
                Output::SyncDone { token } => {
                    self.count("sync");
                    let app = self.node(id).app;
                    self.oracle.sync_done(id, token, app);
                }
            }
        }
    }

    fn deliver(&mut self, id: ServerId, entry: &zab::Entry<Txn>) {
        let (app, known) = (self.node(id).app, self.oracle.committed());
        self.node(id).app = self.oracle.delivered(id, app, entry);
        if self.oracle.committed() > known {
            let what = format!("{id} delivered {:?}", entry.zxid);
            let before = self.oracle.configuration(Zxid(entry.zxid.0 - 1)).clone();
            let after = self.oracle.configuration(entry.zxid).clone();
            for configuration in [before, after] {
                let holds = |node: &Node| node.disk.holds(entry.zxid);
                self.check_durable(&configuration.members, holds, &what);
            }
        }
        if self.node(id).submitted.remove(&entry.txn.serial) {
            self.count("acknowledged");
        }
    }

    fn role(&mut self, id: ServerId, role: Role) {
        match role {
            Role::Looking => self.node(id).submitted.clear(),
            Role::Leading { epoch, serving: true } => {
                self.count("established");
                let (app, incarnation) = (self.node(id).app, self.node(id).incarnation);
                self.oracle.established(id, incarnation, epoch, app);
                let what = format!("{id} is established in current epoch {epoch}");
                self.check_decided(id, |node| node.disk.epochs().1 >= epoch, &what);
            }
            _ => {}
        }
    }

    fn set_timer(&mut self, id: ServerId, timer: Timer, ms: u64) {
        let setting = self.next_serial();
        self.node(id).timers.insert(timer, setting);
        let jitter = self.rng.random_range(950..1050);
        self.after(ms * jitter, Event::Timer { id, timer, setting });
    }

    pub(crate) fn start(&mut self, id: ServerId) {
        if self.node(id).peer.is_none() {
            let mut out = Vec::new();
            let snapshot = self.node(id).disk.snapshot.zxid;
            let configuration = self.oracle.configuration(snapshot).clone();
            self.node(id).start(configuration, &mut out);
            let app = self.node(id).app;
            self.oracle.compare(id, app);
            self.carry_out(id, out);
        }
    }

    /// Ends a server. Connections break as the kernel closes them.
    pub(crate) fn stop(&mut self, id: ServerId) {
        self.node(id).stop();
        if let Some(conn) = self.node(id).upstream {
            self.close(conn, End::Learner);
        }
        let learners: Vec<_> = self.node(id).downstream.values().copied().collect();
        for conn in learners {
            self.close(conn, End::Leader);
        }
    }

    /// One leader serves, all members follow it, and everybody has delivered everything.
    pub(crate) fn converged(&self) -> bool {
        let leaders = self
            .nodes
            .values()
            .filter(|node| matches!(node.role(), Role::Leading { serving: true, .. }));
        let members = self.newest().members;
        let complete = |(id, node): (&ServerId, &Node)| {
            let serves = node.role().serving() == members.0.contains_key(id);
            serves && node.app.len == self.oracle.committed()
        };
        leaders.count() == 1 && self.nodes.iter().all(complete)
    }

    /// Runs until all converge; the virtual time it took.
    pub(crate) fn converge(&mut self, limit: u64) -> u64 {
        self.wait(limit, World::converged)
    }

    /// A transaction submitted anywhere is delivered everywhere.
    pub(crate) fn prove_life(&mut self, limit: u64) {
        let committed = self.oracle.committed();
        for id in self.ids() {
            self.submit(id);
        }
        let servers = self.newest().members.0.len();
        self.wait(limit, |world| {
            world.oracle.committed() >= committed + servers && world.converged()
        });
    }

    fn wait(&mut self, limit: u64, condition: impl Fn(&World) -> bool) -> u64 {
        let begin = self.now;
        while !condition(self) && self.oracle.violation.is_none() {
            if self.now - begin > limit {
                let roles: Vec<_> = self.nodes.values().map(Node::role).collect();
                self.oracle.violated(Kind::Stuck, format!("after {limit} us: {roles:?}"));
                break;
            }
            self.run(self.now + 10 * MS);
        }
        self.now - begin
    }
}

/// Where the order of durability, acknowledgement and commitment matters most.
fn is_step_to_leadership(output: &Output<Txn, App>) -> bool {
    match output {
        Output::Send { message, .. } => matches!(
            message,
            Message::LeaderInfo { .. }
                | Message::AckEpoch { .. }
                | Message::Truncate { .. }
                | Message::NewLeader { .. }
                | Message::AckLeader { .. }
                | Message::UpToDate { .. }
        ),
        Output::Store(write) => !matches!(write, Store::Append(_)),
        _ => false,
    }
}
