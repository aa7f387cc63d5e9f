//! The state: servers, disks, connections; and how a server's outputs change it.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use zab::{Command, Input, Message, Output, Peer, Role, ServerId, Store, Timer};

use super::disk::Disk;
use super::ghost::{Broadcast, Ghost};
use super::link::{Link, LinkId};
use super::rehearsal::{Move, Script};
use super::{App, Setup, Txn, Words};
use crate::catalogue::Bounds;
use crate::link::Ends;

/// The whole ensemble at one moment, and what happened to it so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub(crate) servers: Vec<Arc<Server>>,
    /// So many of the first servers do not vote.
    pub(crate) observers: usize,
    pub(crate) links: BTreeMap<LinkId, Link>,
    /// The last vote sent from one to another and not yet read: a newer one replaces it, as in
    /// ZooKeeper's `QuorumCnxManager`, whose queues hold one.
    pub(crate) notices: BTreeMap<(ServerId, ServerId), Words>,
    pub(crate) ghost: Arc<Ghost>,
    /// What of the bounds is used up.
    pub(crate) used: Bounds,
    pub(crate) script: Script,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) id: ServerId,
    /// None while it is down.
    pub(crate) peer: Option<Peer<Txn, App>>,
    pub(crate) app: App,
    pub(crate) disk: Disk,
    pub(crate) timers: BTreeSet<Timer>,
}

impl Server {
    pub(crate) fn role(&self) -> Option<Role> {
        self.peer.as_ref().map(Peer::role)
    }

    pub(crate) fn is_looking(&self) -> bool {
        self.role() == Some(Role::Looking)
    }

    pub(crate) fn serving(&self) -> bool {
        self.role().is_some_and(Role::serving)
    }
}

impl World {
    /// All servers are down.
    pub(crate) fn down(setup: &Setup) -> World {
        let n = setup.bounds.servers;
        let server = |id| Server {
            id,
            peer: None,
            app: App::new(),
            disk: Disk::with(setup.base.clone()),
            timers: BTreeSet::new(),
        };
        World {
            servers: (1..=n as ServerId).map(|id| Arc::new(server(id))).collect(),
            links: BTreeMap::new(),
            notices: BTreeMap::new(),
            ghost: Arc::default(),
            observers: setup.bounds.observers,
            used: Bounds { servers: n, ..Bounds::default() },
            script: Script::new(setup.rehearsed),
        }
    }

    pub(crate) fn server(&self, id: ServerId) -> &Server {
        &self.servers[id as usize - 1]
    }

    pub(crate) fn voters(&self) -> impl Iterator<Item = &Server> {
        self.servers[self.observers..].iter().map(AsRef::as_ref)
    }

    pub(crate) fn observing(&self) -> impl Iterator<Item = &Server> {
        self.servers[..self.observers].iter().map(AsRef::as_ref)
    }

    pub(crate) fn server_mut(&mut self, id: ServerId) -> &mut Server {
        Arc::make_mut(&mut self.servers[id as usize - 1])
    }

    pub(crate) fn ghost_mut(&mut self) -> &mut Ghost {
        Arc::make_mut(&mut self.ghost)
    }

    pub(crate) fn start(&mut self, id: ServerId, setup: &Setup) {
        let server = self.server_mut(id);
        server.app.clone_from(&server.disk.durable.state);
        let durable = server.disk.durable.read();
        self.script.add(|| Move::Start { server: id, planted: setup.mutant.is_some() });
        if let Some(flaw) = durable.flaw() {
            return self.fail(id, format!("it does not start from its disk: {flaw}"));
        }
        let mut out = Vec::new();
        match guarded(|| Peer::restart(setup.config(id), durable, &mut out)) {
            Ok(peer) => {
                self.server_mut(id).peer = Some(peer);
                self.script.expect(id, None, &out);
                self.carry_out_all(id, out);
            }
            Err(what) => self.fail(id, what),
        }
    }

    /// Power is gone; the first `kept` of the pending writes survive.
    pub(crate) fn crash(&mut self, id: ServerId, kept: usize) {
        self.all_arrive();
        (0..kept).for_each(|_| self.script.order(id, || Command::Write));
        self.script.add(|| Move::Kill { server: id });
        let server = self.server_mut(id);
        server.disk.crash(kept);
        server.peer = None;
        server.app.clear();
        server.timers.clear();
        self.notices.retain(|(_, to), _| *to != id);
        self.close_ends(id, |_| true);
    }

    pub(crate) fn deliver(&mut self, link: LinkId, to: ServerId) -> bool {
        let words = self.links.get_mut(&link).and_then(|found| found.receive(link, to));
        let Some(message) = words else { return false };
        self.step(to, Input::Received { from: link.other(to), message });
        true
    }

    /// `end` notices that the connection is gone; what was on the way to it is lost.
    pub(crate) fn notice_closed(&mut self, link: LinkId, end: ServerId) {
        self.all_arrive();
        self.close_end(link, end);
        self.step(end, Input::Disconnected { peer: link.other(end) });
    }

    pub(crate) fn store(&mut self, id: ServerId) -> bool {
        let any = self.server_mut(id).disk.store();
        if any {
            self.step(id, Input::Stored { ops: 1 });
        }
        any
    }

    pub(crate) fn notify(&mut self, from: ServerId, to: ServerId) -> bool {
        let Some(message) = self.notices.remove(&(from, to)) else { return false };
        self.step(to, Input::Received { from, message });
        true
    }

    pub(crate) fn submit(&mut self, id: ServerId) {
        self.ghost_mut().submitted += 1;
        let txn = self.ghost.submitted;
        self.step(id, Input::Submit { txn });
    }

    pub(crate) fn sync(&mut self, id: ServerId, token: u64) {
        self.ghost_mut().sync_asked(token);
        self.step(id, Input::Sync { token });
    }

    /// A connection breaks.
    pub(crate) fn cut(&mut self, id: LinkId) {
        self.all_arrive();
        for end in id.ends() {
            self.script.order(end, || Command::Cut { peer: id.other(end) });
        }
        self.links.get_mut(&id).into_iter().for_each(|link| link.cut = true);
    }

    /// What is on its way survives the end of its sender: of real servers, it must have arrived.
    fn all_arrive(&mut self) {
        let World { links, script, .. } = self;
        if !script.is_wanted() {
            return;
        }
        for (id, link) in links {
            for end in id.ends().into_iter().filter(|end| !link.half(*id, *end).inbox.is_empty()) {
                let (from, count) = (id.other(end), link.half(*id, end).inbox.len());
                script.order(end, || Command::Frames { from, count });
            }
        }
    }

    /// Gives a server an input, and whatever follows from it at once.
    pub(crate) fn step(&mut self, id: ServerId, input: Input<Txn, App>) {
        self.script.bring_about(id, &input);
        self.take(id, input);
    }

    fn take(&mut self, id: ServerId, input: Input<Txn, App>) {
        if let Input::Timer(timer) = input {
            self.server_mut(id).timers.remove(&timer);
        }
        let given = self.script.is_wanted().then(|| input.clone());
        let Some(peer) = &mut self.server_mut(id).peer else { return };
        let mut out = Vec::new();
        match guarded(|| peer.handle(input, &mut out)) {
            Ok(()) => {
                self.script.expect(id, given, &out);
                self.carry_out_all(id, out);
            }
            Err(what) => self.fail(id, what),
        }
    }

    /// It cannot go on: a defect, whatever else holds.
    fn fail(&mut self, id: ServerId, what: String) {
        self.ghost_mut().failed.get_or_insert((id, what));
        self.server_mut(id).peer = None;
    }

    fn carry_out_all(&mut self, id: ServerId, out: Vec<Output<Txn, App>>) {
        let mut connected = VecDeque::new();
        for output in out {
            connected.extend(self.carry_out(id, output));
        }
        if let Some(Role::Leading { epoch, serving: true }) = self.server(id).role() {
            let app = self.server(id).app.clone();
            self.ghost_mut().reigning(id, epoch, &app);
        }
        for input in connected {
            self.step(id, input);
        }
    }

    /// Some outputs are answered at once.
    fn carry_out(&mut self, id: ServerId, output: Output<Txn, App>) -> Option<Input<Txn, App>> {
        match output {
            Output::Send { to, message } => self.send(id, to, message),
            Output::SendSnapshot { to, zxid } => {
                let state = self.server(id).app.clone();
                self.send(id, to, Message::Snapshot { zxid, state });
            }
            Output::Connect { to } => return Some(self.connect(id, to)),
            Output::Disconnect { peer } => self.close_ends(id, |link| link.other(id) == peer),
            Output::Store(write) => self.write(id, write),
            Output::SetTimer { timer, .. } => {
                self.server_mut(id).timers.insert(timer);
            }
            Output::CancelTimer(timer) => {
                self.server_mut(id).timers.remove(&timer);
            }
            Output::Deliver(entry) => {
                self.ghost_mut().delivered(&entry);
                self.server_mut(id).app.push(entry);
            }
            Output::Reset { state, .. } => {
                let server = self.server_mut(id);
                server.app = state.unwrap_or_else(|| server.disk.written().state);
            }
            Output::Role(Role::Leading { epoch, serving: true }) => {
                let app = self.server(id).app.clone();
                self.ghost_mut().established(id, epoch, &app);
            }
            Output::Role(_) | Output::Contacts(_) => {}
            Output::SyncDone { token } => {
                let app = self.server(id).app.clone();
                self.ghost_mut().sync_done(id, token, &app);
            }
        }
        None
    }

    fn write(&mut self, id: ServerId, write: Store<Txn, App>) {
        let leads = matches!(self.server(id).role(), Some(Role::Leading { .. }));
        if let (true, Store::Append(entry)) = (leads, &write) {
            let after = self.server(id).app.iter().map(|entry| entry.zxid).collect();
            self.ghost_mut().broadcasts.push(Broadcast { entry: entry.clone(), after });
        }
        self.server_mut(id).disk.pending.push_back(write);
    }

    fn send(&mut self, from: ServerId, to: ServerId, message: Words) {
        if message.is_for_election() {
            if self.server(to).peer.is_some() {
                self.notices.insert((from, to), message);
            }
            return;
        }
        let ids = [LinkId { learner: from, leader: to }, LinkId { learner: to, leader: from }];
        let stands = |id: &&LinkId| self.links.get(id).is_some_and(|l| l.half(**id, from).open);
        match ids.iter().find(stands).copied() {
            Some(id) => self.links.get_mut(&id).expect("just found").send(id, to, message),
            None => self.fail(from, format!("speaks to n{to} on no connection: {message:?}")),
        }
    }

    /// A connection is made at once, or not at all.
    fn connect(&mut self, learner: ServerId, leader: ServerId) -> Input<Txn, App> {
        if self.server(leader).peer.is_none() {
            return Input::Disconnected { peer: leader };
        }
        let id = LinkId { learner, leader };
        let old = self.links.get(&id).is_some_and(|link| link.half(id, leader).open);
        // The new connection is what tells the leader that the old one is gone.
        self.script.order(leader, || Command::Up { peer: learner });
        if old {
            self.close_end(id, leader);
            self.take(leader, Input::Disconnected { peer: learner });
        }
        self.links.insert(id, Link::new());
        Input::Connected { peer: leader }
    }

    fn close_ends(&mut self, end: ServerId, which: impl Fn(LinkId) -> bool) {
        let ids: Vec<_> = self.links.keys().copied().collect();
        for id in ids.into_iter().filter(|id| id.ends().contains(&end) && which(*id)) {
            self.close_end(id, end);
        }
    }

    fn close_end(&mut self, id: LinkId, end: ServerId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.close(id, end);
            if link.is_closed() {
                self.links.remove(&id);
            }
        }
    }
}

/// What the core does, or the assertion of it that failed.
fn guarded<R>(act: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(act))
        .map_err(|cause| format!("the core panics: {}", words_of(cause.as_ref())))
}

fn words_of(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<String>().map(String::as_str);
    text.or(cause.downcast_ref::<&str>().copied()).unwrap_or("no words").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_core_is_told_in_its_words() {
        assert_eq!(guarded(|| 7), Ok(7));
        let what = guarded(|| assert_eq!(1, 2, "the core is wrong")).expect_err("it panics");
        assert!(what.starts_with("the core panics: ") && what.contains("the core is wrong"));
    }
}
