//! The world's network: notifications that may be lost, connections that hold and break.

use rand::Rng;
use zab::{Input, Message, ServerId};

use super::net::{Conn, ConnId, End, Item, Words};
use super::world::{Event, MS, World};

impl World {
    pub(crate) fn delay(&mut self) -> u64 {
        let usual = self.rng.random_range(1..=self.habits.delay_us);
        if self.rng.random_ratio(1, 50) { usual * 10 } else { usual }
    }

    pub(crate) fn notify(&mut self, from: ServerId, id: ServerId, words: Words) {
        let lost = self.faulty && self.rng.random_ratio(self.habits.loss, 100);
        if !lost && !self.blocked.contains(&(from, id)) {
            let delay = self.delay();
            self.after(delay, Event::Notice { id, from, words });
        }
    }

    pub(crate) fn connect(&mut self, id: ServerId, to: ServerId) {
        let conn = self.conns.len();
        self.conns.push(Conn::new(id, to));
        self.node(id).upstream = Some(conn);
        let unreachable = self.blocked.contains(&(id, to)) || self.blocked.contains(&(to, id));
        let delay = if unreachable { 200 * MS } else { self.delay() };
        self.after(delay, Event::Dialled { conn });
    }

    pub(crate) fn dialled(&mut self, conn: ConnId) {
        let (id, to) = (self.conns[conn].learner.id, self.conns[conn].leader.id);
        if !self.conns[conn].learner.open {
            return;
        }
        let blocked = self.blocked.contains(&(id, to)) || self.blocked.contains(&(to, id));
        if blocked || self.node(to).peer.is_none() {
            self.conns[conn].learner.open = false;
            self.node(id).upstream = None;
            return self.step(id, Input::Disconnected { peer: to });
        }
        let incarnation = self.node(to).incarnation;
        self.after(0, Event::Accept { conn, incarnation });
        self.step(id, Input::Connected { peer: to });
    }

    pub(crate) fn accept(&mut self, conn: ConnId, incarnation: u32) {
        let (learner, id) = (self.conns[conn].learner.id, self.conns[conn].leader.id);
        if self.node(id).peer.is_none() || self.node(id).incarnation != incarnation {
            return self.close(conn, End::Leader);
        }
        if let Some(old) = self.node(id).downstream.remove(&learner) {
            self.close(old, End::Leader);
            self.step(id, Input::Disconnected { peer: learner });
        }
        self.node(id).downstream.insert(learner, conn);
    }

    pub(crate) fn send(&mut self, from: ServerId, to: ServerId, words: Words) {
        match &words {
            Message::Truncate { .. } => self.count("trunc"),
            Message::NewLeader { epoch, .. } => {
                self.count("newleader");
                let (epoch, what) =
                    (*epoch, format!("{from} synchronises in accepted epoch {epoch}"));
                self.check_decided(from, |node| node.disk.epochs().0 >= epoch, &what);
            }
            _ => {}
        }
        let upstream = self.node(from).upstream.filter(|&conn| self.conns[conn].leader.id == to);
        let (conn, end) = match upstream {
            Some(conn) => (conn, End::Leader),
            None => {
                let conn = self.node(from).downstream.get(&to).copied();
                (conn.expect("peers speak only on connections that stand"), End::Learner)
            }
        };
        self.transmit(conn, end, Item::Words(words));
    }

    pub(crate) fn transmit(&mut self, conn: ConnId, end: End, item: Item) {
        let at = self.now + self.delay();
        let half = self.conns[conn].half(end);
        half.busy_until = half.busy_until.max(at);
        half.inbox.push_back(item);
        let delay = half.busy_until - self.now;
        self.after(delay, Event::Arrival { conn, end });
    }

    pub(crate) fn arrival(&mut self, conn: ConnId, end: End) {
        let id = self.conns[conn].half(end).id;
        let peer = self.conns[conn].half(end.other()).id;
        let half = self.conns[conn].half(end);
        if !half.open {
            return;
        }
        let accepted = end == End::Learner || self.nodes[&id].downstream.get(&peer) == Some(&conn);
        if !accepted {
            return self.after(MS, Event::Arrival { conn, end });
        }
        let half = self.conns[conn].half(end);
        let held = matches!(half.inbox.front(), Some(Item::Words(_)));
        if held && self.blocked.contains(&(peer, id)) {
            return self.after(20 * MS, Event::Arrival { conn, end });
        }
        match self.conns[conn].half(end).inbox.pop_front() {
            Some(Item::Words(message)) => self.step(id, Input::Received { from: peer, message }),
            Some(Item::Eof) => {
                self.forget(conn, end);
                self.step(id, Input::Disconnected { peer });
            }
            None => {}
        }
    }

    pub(crate) fn disconnect(&mut self, id: ServerId, peer: ServerId) {
        let upstream = self.node(id).upstream.filter(|&conn| self.conns[conn].leader.id == peer);
        if let Some(conn) = upstream {
            self.close(conn, End::Learner);
        }
        if let Some(&conn) = self.node(id).downstream.get(&peer) {
            self.close(conn, End::Leader);
        }
    }

    /// One end closes; the other learns of it in time, with or without what was under way.
    pub(crate) fn close(&mut self, conn: ConnId, end: End) {
        self.forget(conn, end);
        if self.rng.random_bool(0.5) {
            self.conns[conn].half(end.other()).inbox.clear();
        }
        self.transmit(conn, end.other(), Item::Eof);
    }

    /// Both ends of a connection learn that it broke.
    pub(crate) fn cut(&mut self, conn: ConnId) {
        for end in [End::Learner, End::Leader] {
            self.conns[conn].half(end).inbox.clear();
            self.transmit(conn, end, Item::Eof);
        }
    }

    pub(crate) fn forget(&mut self, conn: ConnId, end: End) {
        let half = self.conns[conn].half(end);
        half.open = false;
        let (id, peer) = (half.id, self.conns[conn].half(end.other()).id);
        let node = self.node(id);
        if end == End::Learner && node.upstream == Some(conn) {
            node.upstream = None;
        }
        if end == End::Leader && node.downstream.get(&peer) == Some(&conn) {
            node.downstream.remove(&peer);
        }
    }

    pub(crate) fn standing(&self) -> Vec<ConnId> {
        let nodes = self.nodes.values();
        nodes.flat_map(|node| node.downstream.values().copied()).collect()
    }
}
