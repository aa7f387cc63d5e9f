//! Clients and faults, drawn from the seed.

use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use zab::{Input, Role, ServerId};

use super::oracle::Txn;
use super::world::{Event, MS, World};

/// Longer than what a server's peers wait for it.
pub(crate) const LONGEST_PAUSE: u64 = 1500 * MS;

impl World {
    /// One step of the clients. Once all is healed they take their time: under their full load
    /// some server is always a message behind.
    pub(crate) fn client(&mut self) {
        let slower = if self.faulty { 2 } else { 40 };
        let delay = self.rng.random_range(1..=slower * self.habits.client_us);
        self.after(delay, Event::Client);
        let id = self.any();
        if self.nodes[&id].paused_until > self.now {
            return;
        }
        match self.rng.random_range(0..100) {
            n if n < self.habits.snapshots => self.take_snapshot(id),
            n if n < self.habits.snapshots + self.habits.reconfigurations => self.reconfigure(),
            n if n < 40 => self.sync(id),
            _ => self.submit(id),
        }
    }

    pub(crate) fn submit(&mut self, id: ServerId) {
        let serial = self.next_serial();
        if self.nodes[&id].role().serving() {
            self.node(id).submitted.insert(serial);
            self.count("submitted");
        }
        self.step(id, Input::Submit { txn: Txn { serial, members: None } });
    }

    fn sync(&mut self, id: ServerId) {
        let token = self.next_serial();
        self.oracle.sync_asked(token);
        self.step(id, Input::Sync { token });
    }

    fn take_snapshot(&mut self, id: ServerId) {
        let (incarnation, app) = (self.nodes[&id].incarnation, self.nodes[&id].app);
        let delay = self.rng.random_range(1..=2 * self.habits.flush_us);
        self.after(delay, Event::Snapshot { id, incarnation, app });
        // As a driver does that is short of memory.
        if self.rng.random() {
            self.step(id, Input::Forget { upto: app.zxid });
        }
    }

    /// One fault, and when the next comes.
    pub(crate) fn fault(&mut self) {
        let delay = self.rng.random_range(1..=2 * self.habits.fault_us);
        self.after(delay, Event::Fault);
        if !self.faulty {
            return;
        }
        match self.rng.random_range(0..15) {
            0 | 1 => self.kill_any(),
            2 | 3 => self.power_cut_any(),
            4 => self.power_cut_many(),
            5 | 6 => self.pause_any(),
            7 | 8 => self.isolate_any(),
            9 => self.split(),
            10 => self.block_one_way(),
            11 | 12 => self.cut_any(),
            13 => self.part_two(),
            _ => self.roll(),
        }
    }

    /// Perhaps strikes soon after a server has taken a step.
    pub(crate) fn lie_in_wait(&mut self, id: ServerId) {
        if self.rng.random_ratio(self.habits.ambush, 100) {
            let delay = self.rng.random_range(0..=2 * self.habits.flush_us);
            self.after(delay, Event::Ambush { id });
        }
    }

    pub(crate) fn strike(&mut self, id: ServerId) {
        if !self.faulty {
            return;
        }
        self.count("ambush");
        match self.rng.random_range(0..8) {
            0 | 1 => self.kill(id),
            2 | 3 => self.power_cut(id),
            4 => self.power_cut_many(),
            5 => self.pause(id),
            6 => self.cut_any(),
            _ => self.isolate(id),
        }
    }

    pub(crate) fn any(&mut self) -> ServerId {
        *self.ids().choose(&mut self.rng).expect("there are servers")
    }

    /// The leader half of the time: most faults that matter happen to it.
    fn target(&mut self) -> ServerId {
        let leads = |id: &ServerId| matches!(self.nodes[id].role(), Role::Leading { .. });
        match self.ids().into_iter().find(leads) {
            Some(leader) if self.rng.random_bool(0.5) => leader,
            _ => self.any(),
        }
    }

    fn kill_any(&mut self) {
        let id = self.target();
        self.kill(id);
    }

    /// The process dies; what it wrote, the kernel writes to the disk.
    fn kill(&mut self, id: ServerId) {
        for _ in 0..self.node(id).disk.pending() {
            self.flush_one(id);
        }
        self.down(id, "kill");
    }

    fn power_cut_any(&mut self) {
        let id = self.target();
        self.power_cut(id);
    }

    /// The machine dies; a prefix of what was not yet synced survives, most often nothing.
    fn power_cut(&mut self, id: ServerId) {
        let pending = self.node(id).disk.pending();
        let survives =
            if self.rng.random_bool(0.3) { self.rng.random_range(0..=pending) } else { 0 };
        for _ in 0..survives {
            self.flush_one(id);
        }
        if self.node(id).disk.lose() > 0 {
            self.count("lost writes");
        }
        self.down(id, "power cut");
    }

    fn down(&mut self, id: ServerId, how: &'static str) {
        if self.node(id).peer.is_none() {
            return;
        }
        self.count(how);
        self.stop(id);
        let delay = self.rng.random_range(1..=400 * MS);
        self.after(delay, Event::Restart { id });
    }

    /// A quorum or more loses power at one moment.
    fn power_cut_many(&mut self) {
        let mut ids = self.ids();
        ids.shuffle(&mut self.rng);
        let dead = self.rng.random_range(ids.len() / 2 + 1..=ids.len());
        for id in ids.into_iter().take(dead) {
            self.power_cut(id);
        }
    }

    fn pause_any(&mut self) {
        let id = self.target();
        self.pause(id);
    }

    fn pause(&mut self, id: ServerId) {
        self.count("pause");
        let until = self.now + self.rng.random_range(1..=LONGEST_PAUSE);
        self.node(id).paused_until = self.node(id).paused_until.max(until);
    }

    fn isolate_any(&mut self) {
        let id = self.target();
        self.isolate(id);
    }

    fn isolate(&mut self, id: ServerId) {
        let rest: Vec<_> = self.ids().into_iter().filter(|other| *other != id).collect();
        self.separate(&[id], &rest);
    }

    fn split(&mut self) {
        let mut ids = self.ids();
        ids.shuffle(&mut self.rng);
        let (minority, majority) = ids.split_at(ids.len() / 2);
        self.separate(minority, majority);
    }

    fn separate(&mut self, a: &[ServerId], b: &[ServerId]) {
        self.count("partition");
        let there = a.iter().flat_map(|&a| b.iter().map(move |&b| (a, b)));
        self.block(there.flat_map(|(a, b)| [(a, b), (b, a)]).collect());
    }

    /// Two servers lose sight of each other while others see both.
    fn part_two(&mut self) {
        let (a, b) = (self.target(), self.any());
        self.separate(&[a], &[b]);
    }

    fn block_one_way(&mut self) {
        let (from, to) = (self.target(), self.any());
        self.count("one-way partition");
        self.block(vec![(from, to)]);
    }

    fn block(&mut self, links: Vec<(ServerId, ServerId)>) {
        self.blocked.extend(links.iter().copied());
        let delay = self.rng.random_range(1..=1500 * MS);
        self.after(delay, Event::Unblock { links });
    }

    fn cut_any(&mut self) {
        if let Some(&conn) = self.standing().choose(&mut self.rng) {
            self.count("cut");
            self.cut(conn);
        }
    }

    /// Servers die one after another, each while the one before it comes back: whoever joins last
    /// meets histories that differ.
    fn roll(&mut self) {
        let mut ids = self.ids();
        ids.shuffle(&mut self.rng);
        for id in ids.into_iter().take(2) {
            if self.rng.random_bool(0.5) { self.kill(id) } else { self.power_cut(id) }
        }
    }

    /// Every fault is healed, and none comes again. A pause ends by itself.
    pub(crate) fn heal(&mut self) {
        self.faulty = false;
        self.blocked.clear();
        for id in self.ids() {
            self.start(id);
        }
    }
}
