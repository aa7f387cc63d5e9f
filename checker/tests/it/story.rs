//! Histories written by hand.

use std::path::Path;

use checker::{Check, Verdict};
use history::{
    DigestEvent, Event, FORMAT, FaultEvent, FaultStep, Hex, History, Kind, LogEntry, Machine,
    Manifest, Outcome, Phase, Process, RoleEvent, ServerLog, Settings, Stat, Target, f,
};
use serde::Serialize;
use serde_json::{Value, json};

/// Events in order, 1 ms apart unless told otherwise.
#[derive(Default)]
pub(crate) struct Story {
    events: Vec<Event>,
    pub(crate) logs: Vec<ServerLog>,
    pub(crate) now: u64,
}

/// What a reply says about a znode.
#[derive(Clone, Copy)]
pub(crate) struct Reply {
    /// The zxid in the header.
    pub(crate) zxid: u64,
    pub(crate) mzxid: u64,
    pub(crate) version: i32,
}

/// A reply with the state at its own zxid: a write's, or a read just after it.
pub(crate) fn at(zxid: u64, version: i32) -> Reply {
    Reply { zxid, mzxid: zxid, version }
}

impl Reply {
    /// The same state in a reply with a later zxid.
    pub(crate) fn later(self, zxid: u64) -> Reply {
        Reply { zxid, ..self }
    }
}

impl Story {
    pub(crate) fn new() -> Story {
        Story::default()
    }

    pub(crate) fn event(
        &mut self,
        process: Process,
        kind: Kind,
        f: &str,
        value: impl Serialize,
    ) -> &mut Event {
        self.now += 1_000_000;
        self.events.push(Event {
            index: self.events.len() as u64,
            time: self.now,
            process,
            kind,
            f: f.into(),
            key: None,
            value: serde_json::to_value(value).expect("JSON"),
            error: None,
            node: None,
            session: None,
            zxid: None,
            stat: None,
        });
        self.events.last_mut().expect("just pushed")
    }

    pub(crate) fn invoke(&mut self, client: u64, f: &str, key: &str, value: impl Serialize) {
        self.event(Process::Client(client), Kind::Invoke, f, value).key = Some(key.into());
    }

    /// Client c's session is 0x100 + c, on server c.
    pub(crate) fn complete(
        &mut self,
        client: u64,
        kind: Kind,
        f: &str,
        value: Value,
    ) -> &mut Event {
        let event = self.event(Process::Client(client), kind, f, value);
        event.node = Some(format!("n{client}"));
        event.session = Some(Hex(0x100 + client));
        event
    }

    pub(crate) fn ok(&mut self, client: u64, f: &str, value: Value, reply: Reply) -> &mut Event {
        let event = self.complete(client, Kind::Ok, f, value);
        event.zxid = Some(Hex(reply.zxid));
        let (czxid, mzxid) = (Hex(1), Hex(reply.mzxid));
        event.stat = Some(Stat { czxid, mzxid, version: reply.version });
        event
    }

    pub(crate) fn info(&mut self, client: u64, f: &str) {
        self.complete(client, Kind::Info, f, Value::Null).error = Some("timeout".into());
    }

    pub(crate) fn write(&mut self, client: u64, key: &str, value: i64, reply: Reply) {
        self.invoke(client, f::WRITE, key, value);
        self.ok(client, f::WRITE, json!(value), reply);
    }

    pub(crate) fn lost_write(&mut self, client: u64, key: &str, value: i64) {
        self.invoke(client, f::WRITE, key, value);
        self.info(client, f::WRITE);
    }

    pub(crate) fn cas(
        &mut self,
        client: u64,
        key: &str,
        (expected, value): (i32, i64),
        reply: Reply,
    ) {
        self.invoke(client, f::CAS, key, (expected, value));
        self.ok(client, f::CAS, json!([expected, value]), reply);
    }

    pub(crate) fn bad_version(&mut self, client: u64, key: &str, asked: (i32, i64), zxid: u64) {
        self.invoke(client, f::CAS, key, asked);
        let event = self.complete(client, Kind::Fail, f::CAS, json!(asked));
        event.error = Some("BadVersion".into());
        event.zxid = Some(Hex(zxid));
    }

    pub(crate) fn missing(&mut self, client: u64, key: &str, zxid: u64) {
        self.invoke(client, f::READ, key, Value::Null);
        let event = self.complete(client, Kind::Fail, f::READ, Value::Null);
        event.error = Some("NoNode".into());
        event.zxid = Some(Hex(zxid));
    }

    pub(crate) fn refused_write(&mut self, client: u64, key: &str, value: i64) {
        self.invoke(client, f::WRITE, key, value);
        self.complete(client, Kind::Fail, f::WRITE, json!(value)).error = Some("refused".into());
    }

    /// `quorum`: what the server says that others had, when it stopped because of it.
    pub(crate) fn digest(&mut self, node: &str, zxid: u64, digest: u64, quorum: Option<u64>) {
        let value = DigestEvent { zxid: Hex(zxid), digest: Hex(digest), quorum: quorum.map(Hex) };
        self.event(Process::probe(), Kind::Info, f::DIGEST, value).node = Some(node.into());
    }

    pub(crate) fn read(&mut self, client: u64, key: &str, value: impl Serialize, reply: Reply) {
        self.reads(client, f::READ, key, value, reply);
    }

    pub(crate) fn local_read(
        &mut self,
        client: u64,
        key: &str,
        value: impl Serialize,
        reply: Reply,
    ) {
        self.reads(client, f::LOCAL_READ, key, value, reply);
    }

    fn reads(&mut self, client: u64, f: &str, key: &str, value: impl Serialize, reply: Reply) {
        self.invoke(client, f, key, Value::Null);
        self.ok(client, f, json!(value), reply);
    }

    pub(crate) fn phase(&mut self, phase: Phase) {
        self.event(Process::run(), Kind::Info, f::PHASE, phase);
    }

    pub(crate) fn leader(&mut self, node: &str, epoch: u32) {
        let role = RoleEvent { role: "leader".into(), epoch: Some(epoch) };
        self.event(Process::probe(), Kind::Info, f::ROLE, role).node = Some(node.into());
    }

    pub(crate) fn role(&mut self, node: &str, role: &str) {
        let role = RoleEvent { role: role.into(), epoch: None };
        self.event(Process::probe(), Kind::Info, f::ROLE, role).node = Some(node.into());
    }

    /// All is healed, and the three servers serve.
    pub(crate) fn settled(&mut self) {
        self.phase(Phase::Settle);
        self.leader("n1", 1);
        ["n2", "n3"].into_iter().for_each(|node| self.role(node, "follower"));
    }

    pub(crate) fn exit(&mut self, node: &str, status: &str) {
        self.event(Process::run(), Kind::Info, f::EXIT, status).node = Some(node.into());
    }

    /// A client goes on with its session, or with another one, on another connection.
    pub(crate) fn connect(&mut self, client: u64, from: Option<u64>, to: u64) {
        let node = format!("n{client}");
        self.event(Process::Client(client), Kind::Invoke, f::CONNECT, &node).session =
            from.map(Hex);
        let event = self.event(Process::Client(client), Kind::Ok, f::CONNECT, &node);
        (event.node, event.session) = (Some(node), Some(Hex(to)));
    }

    /// A client is told that its session has expired.
    pub(crate) fn expired(&mut self, client: u64, session: u64) {
        let node = format!("n{client}");
        self.event(Process::Client(client), Kind::Invoke, f::CONNECT, &node).session =
            Some(Hex(session));
        let event = self.event(Process::Client(client), Kind::Fail, f::CONNECT, &node);
        (event.node, event.session) = (Some(node), Some(Hex(session)));
        event.error = Some("session expired".into());
    }

    pub(crate) fn fault(
        &mut self,
        fault: u32,
        kind: &str,
        step: FaultStep,
        outcome: Option<Outcome>,
    ) {
        let (kind, what) = (kind.to_owned(), format!("{kind} of n1"));
        let (nodes, evidence) = (vec!["n1".into()], Value::Null);
        let value = FaultEvent { fault, step, kind, what, nodes, outcome, evidence };
        self.event(Process::nemesis(), Kind::Info, f::FAULT, value);
    }

    pub(crate) fn installed(&mut self, fault: u32, kind: &str) {
        self.fault(fault, kind, FaultStep::Injected, Some(Outcome::Installed));
        self.fault(fault, kind, FaultStep::Healed, Some(Outcome::Installed));
    }

    pub(crate) fn text(&self) -> String {
        let line = |event| serde_json::to_string(event).expect("JSON") + "\n";
        self.events.iter().map(line).collect()
    }

    /// As the reader sees it.
    pub(crate) fn history(&self) -> History {
        let read = history::read_from(self.text().as_bytes(), Path::new("story"), usize::MAX);
        History { logs: self.logs.clone(), ..read.expect("well-formed") }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        checker::check(&manifest(), &self.history())
    }

    pub(crate) fn check(&self, id: &str) -> Check {
        self.verdict().checks.into_iter().find(|check| check.id == id).expect("in the catalogue")
    }
}

/// A server's log: at each zxid, what is written there.
pub(crate) fn log(node: &str, entries: &[(u64, i64)]) -> ServerLog {
    let entry = |&(zxid, value): &(u64, i64)| LogEntry {
        zxid,
        digest: u32::try_from(value).expect("small"),
        values: vec![value],
    };
    let entries = entries.iter().map(entry).collect();
    ServerLog { node: node.to_owned(), entries, damage: Vec::new() }
}

/// Of a run with three servers, two clients and one znode.
pub(crate) fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        zoobreak: "0.1.0".into(),
        started: "2026-11-20T21:16:58Z".into(),
        argv: Vec::new(),
        settings: settings(),
        schedule: Value::Null,
        machine: Machine {
            kernel: "6.1".into(),
            cores: 2,
            partitions_by: "switch".into(),
            disks_by: None,
            lacks: std::collections::BTreeMap::new(),
            root: false,
            target_version: None,
        },
    }
}

fn settings() -> Settings {
    Settings {
        target: Target::Zoobreak,
        nodes: 3,
        clients: 10,
        time_s: 10.0,
        rate: 500.0,
        workload: "register".into(),
        faults: ["kill", "pause", "partition"].map(String::from).to_vec(),
        phases: Vec::new(),
        interval_s: 2.0,
        heal: history::Heal::Fast,
        pcap: false,
        scenario: None,
        seed: 1,
        keys: 5,
        tick_ms: 100,
        init_limit: 10,
        sync_limit: 5,
        session_ms: 4000,
        op_timeout_ms: 1000,
        mutant: None,
    }
}
