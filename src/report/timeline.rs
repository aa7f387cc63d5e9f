//! Events, folded into what a picture shows: operations, faults, roles, phases.

use std::collections::BTreeMap;

use history::{Event, FaultEvent, FaultStep, Kind, Outcome, Phase, Process, RoleEvent, f};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// At most this many unreadable events are named.
const NOTES_MAX: usize = 10;

/// A run in time. All times are nanoseconds since its start.
#[derive(Debug, Default)]
pub(super) struct Timeline<'a> {
    /// In order of invocation.
    pub(super) ops: Vec<Op<'a>>,
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

/// An operation of a client.
#[derive(Debug)]
pub(super) struct Op<'a> {
    pub(super) client: u64,
    pub(super) invoke: &'a Event,
    /// None: still open when the history ends.
    pub(super) done: Option<&'a Event>,
}

impl Op<'_> {
    /// `ok`, `fail`, or `info` where it is unknown whether it happened.
    pub(super) fn kind(&self) -> Kind {
        self.done.map_or(Kind::Info, |done| done.kind)
    }

    /// When the client stopped waiting.
    pub(super) fn end(&self) -> Option<u64> {
        self.done.map(|done| done.time)
    }

    /// The server asked: the completion knows best.
    pub(super) fn node(&self) -> Option<&str> {
        let done = self.done.and_then(|done| done.node.as_deref());
        done.or(self.invoke.node.as_deref())
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

impl<'a> Timeline<'a> {
    /// Folds a history. Completions without an invocation are left out; the history's reader
    /// refuses them.
    pub(super) fn of(events: &'a [Event]) -> Timeline<'a> {
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

    /// The operations of these invocations, in order of time.
    pub(super) fn ops_at(&self, invocations: &[u64]) -> Vec<&Op<'a>> {
        self.ops.iter().filter(|op| invocations.contains(&op.invoke.index)).collect()
    }

    fn client(&mut self, client: u64, event: &'a Event, open: &mut BTreeMap<u64, usize>) {
        if event.kind == Kind::Invoke {
            open.insert(client, self.ops.len());
            self.ops.push(Op { client, invoke: event, done: None });
        } else if let Some(at) = open.remove(&client) {
            self.ops[at].done = Some(event);
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
