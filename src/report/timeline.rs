//! Events and deeds, folded into what a picture shows: operations, faults, roles, phases.

use std::collections::BTreeMap;

use history::foreign::{Datum, Deed};
use history::{Event, FaultEvent, FaultStep, Kind, Outcome, Phase, Process, RoleEvent, Status, f};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::words;

/// At most this many unreadable events are named.
const NOTES_MAX: usize = 10;

/// A run in time, or a history from elsewhere in the order of its events.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// What its times are.
    pub(super) clock: Clock,
    /// In order of invocation.
    pub(super) ops: Vec<Op>,
    /// In order of injection.
    pub(super) faults: Vec<Fault>,
    pub(super) roles: Vec<RoleChange>,
    pub(super) exits: Vec<Exit>,
    pub(super) phases: Vec<(Phase, u64)>,
    /// The last event's time.
    pub(super) end: u64,
    /// Events that could not be used, in words.
    pub(super) notes: Vec<String>,
}

/// What the times of a timeline are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Clock {
    /// Nanoseconds since the run's start.
    #[default]
    Nanoseconds,
    /// Positions among the events, counted from 1 as lines are: all that a history from elsewhere is
    /// judged by.
    Events,
}

impl Clock {
    /// A verdict's time.
    pub(super) fn of(self, time: u64) -> u64 {
        time + u64::from(self == Clock::Events)
    }
}

/// An operation of a client.
#[derive(Debug)]
pub(super) struct Op {
    pub(super) client: u64,
    /// The invocation's index, by which a verdict names it.
    pub(super) index: u64,
    /// The number by which people find it: that index, or the line of a history from elsewhere.
    pub(super) number: u64,
    pub(super) start: u64,
    /// When the client stopped waiting; none if it still did when the history ends.
    pub(super) end: Option<u64>,
    /// `ok`, `fail`, or `info` where it is unknown whether it happened.
    pub(super) kind: Kind,
    pub(super) label: String,
    pub(super) key: Option<String>,
    /// The server asked.
    pub(super) node: Option<String>,
    pub(super) session: Option<String>,
    pub(super) zxid: Option<String>,
}

impl Op {
    fn open(client: u64, invoke: &Event) -> Op {
        Op {
            client,
            index: invoke.index,
            number: invoke.index,
            start: invoke.time,
            end: None,
            kind: Kind::Info,
            label: words::label(invoke, None),
            key: invoke.key.clone(),
            node: invoke.node.clone(),
            session: None,
            zxid: None,
        }
    }

    /// The completion knows best which server was asked.
    fn complete(&mut self, invoke: &Event, done: &Event) {
        self.end = Some(done.time);
        self.kind = done.kind;
        self.label = words::label(invoke, Some(done));
        self.node = done.node.clone().or(self.node.take());
        self.session = done.session.map(|session| session.to_string());
        self.zxid = done.zxid.map(|zxid| zxid.to_string());
    }

    fn of_deed(deed: &Deed) -> Op {
        Op {
            client: deed.process,
            index: deed.invoke,
            number: deed.line,
            start: Clock::Events.of(deed.invoke),
            end: deed.complete.map(|at| Clock::Events.of(at)),
            kind: match deed.status {
                Status::Ok => Kind::Ok,
                Status::Fail => Kind::Fail,
                Status::Unknown => Kind::Info,
            },
            label: words::label_of_deed(deed),
            key: deed.key.as_ref().map(Datum::to_string),
            node: None,
            session: None,
            zxid: None,
        }
    }
}

/// A fault, from its first step to its last.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) id: u32,
    pub(super) kind: String,
    pub(super) what: String,
    pub(super) nodes: Vec<String>,
    /// When each step was recorded.
    pub(super) injecting: Option<u64>,
    pub(super) injected: Option<u64>,
    pub(super) healing: Option<u64>,
    pub(super) healed: Option<u64>,
    /// The last outcome that was stated; healing knows best.
    pub(super) outcome: Option<Outcome>,
    /// What each step proves, by the step's name.
    pub(super) evidence: BTreeMap<&'static str, Value>,
}

impl Fault {
    /// The first moment at which it may have been in force.
    pub(super) fn start(&self) -> u64 {
        [self.injecting, self.injected, self.healing, self.healed]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(0)
    }

    /// The last moment at which it may have been in force; `end` where it was never healed.
    pub(super) fn stop(&self, end: u64) -> u64 {
        match &self.outcome {
            Some(Outcome::Skipped { .. }) => self.injected.unwrap_or(self.start()),
            _ => self.healed.unwrap_or(end),
        }
    }
}

/// A server changes its role, as seen from outside.
#[derive(Debug)]
pub(super) struct RoleChange {
    pub(super) node: String,
    pub(super) at: u64,
    pub(super) role: String,
    pub(super) epoch: Option<u32>,
}

/// A server ended that nobody killed.
#[derive(Debug)]
pub(super) struct Exit {
    pub(super) node: String,
    pub(super) at: u64,
    /// Its exit status, in words.
    pub(super) status: String,
}

impl Timeline {
    /// Folds a history. Completions without an invocation are left out; the history's reader
    /// refuses them.
    pub(super) fn of(events: &[Event]) -> Timeline {
        let mut timeline = Timeline::default();
        let mut open = BTreeMap::new();
        for event in events {
            timeline.end = timeline.end.max(event.time);
            match (&event.process, event.f.as_str()) {
                (Process::Client(client), _) => timeline.client(*client, event, &mut open),
                (_, f::FAULT) => timeline.fault(event),
                (_, f::ROLE) => timeline.role(event),
                (_, f::EXIT) => timeline.exit(event),
                (_, f::PHASE) => timeline.phase(event),
                // Their checks tell of them.
                (_, f::DIGEST | f::WATCH) => {}
                _ => timeline.note(event, "is neither a client's nor a known note"),
            }
        }
        timeline
    }

    /// A history from elsewhere, its deeds in order of invocation.
    pub(super) fn of_deeds(deeds: &[Deed]) -> Timeline {
        let ops: Vec<Op> = deeds.iter().map(Op::of_deed).collect();
        let end = ops.iter().map(|op| op.end.unwrap_or(op.start)).max().unwrap_or(0);
        Timeline { clock: Clock::Events, ops, end, ..Timeline::default() }
    }

    /// The operations of these invocations, in order of time.
    pub(super) fn ops_at(&self, invocations: &[u64]) -> Vec<&Op> {
        self.ops.iter().filter(|op| invocations.contains(&op.index)).collect()
    }

    fn client<'a>(
        &mut self,
        client: u64,
        event: &'a Event,
        open: &mut BTreeMap<u64, (usize, &'a Event)>,
    ) {
        if event.kind == Kind::Invoke {
            open.insert(client, (self.ops.len(), event));
            self.ops.push(Op::open(client, event));
        } else if let Some((at, invoke)) = open.remove(&client) {
            self.ops[at].complete(invoke, event);
        }
    }

    fn fault(&mut self, event: &Event) {
        let Some(step) = self.value::<FaultEvent>(event) else { return };
        let at = self.faults.iter().position(|fault| fault.id == step.fault);
        let at = at.unwrap_or_else(|| {
            self.faults.push(empty(step.fault));
            self.faults.len() - 1
        });
        self.faults[at].take(step, event.time);
    }

    fn role(&mut self, event: &Event) {
        let Some(role) = self.value::<RoleEvent>(event) else { return };
        let Some(node) = event.node.clone() else {
            return self.note(event, "is a role of no server: `node` is missing");
        };
        self.roles.push(RoleChange { node, at: event.time, role: role.role, epoch: role.epoch });
    }

    fn exit(&mut self, event: &Event) {
        let Some(status) = self.value(event) else { return };
        match event.node.clone() {
            Some(node) => self.exits.push(Exit { node, at: event.time, status }),
            None => self.note(event, "is the end of no server: `node` is missing"),
        }
    }

    fn phase(&mut self, event: &Event) {
        if let Some(phase) = self.value(event) {
            self.phases.push((phase, event.time));
        }
    }

    fn value<T: DeserializeOwned>(&mut self, event: &Event) -> Option<T> {
        T::deserialize(&event.value)
            .map_err(|error| self.note(event, &format!("has an unreadable value: {error}")))
            .ok()
    }

    fn note(&mut self, event: &Event, what: &str) {
        if self.notes.len() < NOTES_MAX {
            self.notes
                .push(format!("event {} ({} of {}) {what}", event.index, event.f, event.process));
        }
    }
}

impl Fault {
    fn take(&mut self, step: FaultEvent, time: u64) {
        let (at, name) = match step.step {
            FaultStep::Injecting => (&mut self.injecting, "injecting"),
            FaultStep::Injected => (&mut self.injected, "injected"),
            FaultStep::Healing => (&mut self.healing, "healing"),
            FaultStep::Healed => (&mut self.healed, "healed"),
        };
        *at = Some(time);
        self.kind = step.kind;
        self.what = step.what;
        self.nodes = step.nodes;
        self.outcome = step.outcome.or(self.outcome.take());
        if !step.evidence.is_null() {
            self.evidence.insert(name, step.evidence);
        }
    }
}

fn empty(id: u32) -> Fault {
    Fault {
        id,
        kind: String::new(),
        what: String::new(),
        nodes: Vec::new(),
        injecting: None,
        injected: None,
        healing: None,
        healed: None,
        outcome: None,
        evidence: BTreeMap::new(),
    }
}
