//! A server: a peer, its application, its disk, its timers, its connections.

use std::collections::{BTreeMap, BTreeSet};

use zab::{Config, Configuration, Output, Peer, Role, ServerId, Timer};

use super::disk::Disk;
use super::net::ConnId;
use super::oracle::{App, Txn};

pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) peer: Option<Peer<Txn, App>>,
    /// How often it was started.
    pub(crate) incarnation: u32,
    pub(crate) paused_until: u64,
    pub(crate) app: App,
    pub(crate) disk: Disk,
    pub(crate) flushing: bool,
    /// How many times slower its disk is than the fastest.
    pub(crate) slowness: u64,
    /// Set timers, by the number of the setting.
    pub(crate) timers: BTreeMap<Timer, u64>,
    /// The connection to its leader.
    pub(crate) upstream: Option<ConnId>,
    /// The connections of its learners.
    pub(crate) downstream: BTreeMap<ServerId, ConnId>,
    /// Transactions its clients wait for.
    pub(crate) submitted: BTreeSet<u64>,
}

impl Node {
    pub(crate) fn new(config: Config, slowness: u64) -> Node {
        Node {
            config,
            peer: None,
            incarnation: 0,
            paused_until: 0,
            app: App::default(),
            disk: Disk::default(),
            flushing: false,
            slowness,
            timers: BTreeMap::new(),
            upstream: None,
            downstream: BTreeMap::new(),
            submitted: BTreeSet::new(),
        }
    }

    pub(crate) fn role(&self) -> Role {
        self.peer.as_ref().map_or(Role::Looking, Peer::role)
    }

    /// `configuration` is the one in its snapshot.
    pub(crate) fn start(&mut self, configuration: Configuration, out: &mut Vec<Output<Txn, App>>) {
        self.incarnation += 1;
        self.app = self.disk.snapshot;
        let config = Config { configuration, ..self.config.clone() };
        self.peer = Some(Peer::restart(config, self.disk.read(), out));
    }

    /// Everything in memory is gone.
    pub(crate) fn stop(&mut self) {
        self.peer = None;
        self.paused_until = 0;
        self.flushing = false;
        self.timers.clear();
        self.submitted.clear();
    }
}
