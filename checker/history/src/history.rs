//! A history: events paired into operations, and what the harness did meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::event::{DigestEvent, FaultEvent, Kind, Phase, Process, RoleEvent, f};
use crate::line::Line;
use crate::log::ServerLog;
use crate::operation::{Action, Operation, Status};
use crate::reader::Problem;
use crate::znode::{Ask, Told, WatchEvent};

/// What happened in a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The clients' operations, in order of invocation.
    pub operations: Vec<Operation>,
    /// The steps of faults, in order.
    pub faults: Vec<At<FaultEvent>>,
    /// Changes of the servers' roles, in order.
    pub roles: Vec<At<RoleEvent>>,
    /// Watch events, in order.
    pub watches: Vec<At<WatchEvent>>,
    /// Fingerprints of servers' states, in order of observation.
    pub digests: Vec<At<DigestEvent>>,
    /// Servers that ended on their own, with their exit status, in order.
    pub exits: Vec<At<String>>,
    /// The servers' logs, where they are known: they are no part of the file.
    pub logs: Vec<ServerLog>,
    /// The phases entered, in order.
    pub phases: Vec<At<Phase>>,
    /// Events read.
    pub events: u64,
    /// Time of the last event, nanoseconds since the start.
    pub end: u64,
    /// What was dropped from a file that ends in the middle of a line.
    pub cut: Option<String>,
    /// Did it fill the memory allowed? Then the rest was not read, and what was under way is of unknown
    /// outcome.
    pub full: bool,
}

/// Something that happened at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct At<T> {
    /// Index of the event.
    pub index: u64,
    /// Nanoseconds since the start.
    pub time: u64,
    /// The server it concerns, for watch events, roles, digests and exits.
    pub node: Option<Arc<str>>,
    /// What happened.
    pub what: T,
}

impl History {
    /// The event at which a phase began.
    #[must_use]
    pub fn phase(&self, phase: Phase) -> Option<&At<Phase>> {
        self.phases.iter().find(|at| at.what == phase)
    }

    /// The registers operated on, in order of name.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<Arc<str>> {
        self.operations.iter().filter_map(|op| op.action.key().cloned()).collect()
    }

    /// The ok reads invoked in the phase of final reads.
    pub fn final_reads(&self) -> impl Iterator<Item = &Operation> {
        let from = self.phase(Phase::FinalReads).map_or(u64::MAX, |at| at.index);
        let reads = self.operations.iter().filter(|op| op.action.is_read() && op.is_ok());
        reads.filter(move |op| op.invoke > from)
    }
}

/// Pairs events, one by one, into a history.
#[derive(Debug, Default)]
pub(crate) struct Pairing {
    history: History,
    /// Position in `history.operations` of each client's open operation.
    open: BTreeMap<u64, usize>,
    names: BTreeSet<Arc<str>>,
    /// Bytes that all this holds, about.
    bytes: usize,
}

/// Of what the allocator and the maps need for each thing of its own.
const OVERHEAD: usize = 64;

impl Pairing {
    /// Takes the next event.
    pub(crate) fn take(&mut self, event: &Line<'_>) -> Result<(), Problem> {
        self.check_order(event)?;
        self.history.events += 1;
        self.history.end = event.time;
        self.bytes += size_of_event(event);
        self.pair(event)
    }

    /// Bytes that the history holds so far, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes an event out of its place in the file.
    pub(crate) fn pair(&mut self, event: &Line<'_>) -> Result<(), Problem> {
        match (&event.process, event.kind) {
            (Process::Part(_), _) => self.note(event),
            (Process::Client(process), Kind::Invoke) => self.invoke(*process, event),
            (Process::Client(process), _) => self.complete(*process, event),
        }
    }

    /// The history; operations still open have an unknown outcome.
    pub(crate) fn finish(self) -> History {
        self.history
    }

    fn check_order(&self, event: &Line<'_>) -> Result<(), Problem> {
        let expected = self.history.events;
        match event.index {
            found if found > expected => Err(Problem::Gap { expected, found }),
            found if found < expected => Err(Problem::Disorder { expected, found }),
            _ if event.time < self.history.end => {
                Err(Problem::Backwards { before: self.history.end, found: event.time })
            }
            _ => Ok(()),
        }
    }

    /// Notes with other names are allowed, and skipped.
    fn note(&mut self, event: &Line<'_>) -> Result<(), Problem> {
        match &*event.f {
            f::FAULT => self.history.faults.push(at(event, None)?),
            f::ROLE => {
                let node = self.node(event)?;
                self.history.roles.push(at(event, Some(node))?);
            }
            f::WATCH => {
                let node = self.name(event.node.as_deref());
                self.history.watches.push(at(event, node)?);
            }
            f::DIGEST => {
                let node = self.node(event)?;
                self.history.digests.push(at(event, Some(node))?);
            }
            f::EXIT => {
                let node = self.node(event)?;
                self.history.exits.push(at(event, Some(node))?);
            }
            f::PHASE => self.history.phases.push(at(event, None)?),
            _ => {}
        }
        Ok(())
    }

    fn invoke(&mut self, process: u64, event: &Line<'_>) -> Result<(), Problem> {
        let operation = Operation {
            process,
            action: self.action(event)?,
            status: Status::Unknown,
            invoke: event.index,
            complete: None,
            start: event.time,
            end: None,
            read: None,
            told: None,
            error: None,
            node: self.name(event.node.as_deref()),
            session: event.session,
            zxid: None,
            stat: None,
        };
        if let Some(open) = self.open.insert(process, self.history.operations.len()) {
            let open = self.history.operations[open].invoke;
            return Err(Problem::DoubleInvocation { process, open });
        }
        self.history.operations.push(operation);
        Ok(())
    }

    fn complete(&mut self, process: u64, event: &Line<'_>) -> Result<(), Problem> {
        let position = self.open.remove(&process).ok_or(Problem::NoInvocation { process })?;
        let error = self.name(event.error.as_deref());
        let node = self.name(event.node.as_deref());
        let operation = &mut self.history.operations[position];
        same_operation(operation, event)?;
        operation.status = match event.kind {
            Kind::Ok => Status::Ok,
            Kind::Fail => Status::Fail,
            Kind::Info | Kind::Invoke => Status::Unknown,
        };
        operation.complete = Some(event.index);
        operation.end = Some(event.time).filter(|_| operation.status != Status::Unknown);
        operation.read = value_read(operation, event)?;
        operation.told = told(operation, event)?;
        operation.error = error;
        operation.node = node.or(operation.node.take());
        operation.session = event.session.or(operation.session);
        operation.zxid = event.zxid;
        operation.stat = event.stat;
        Ok(())
    }

    fn action(&mut self, event: &Line<'_>) -> Result<Action, Problem> {
        Ok(match &*event.f {
            f::CONNECT => Action::Connect {
                node: self.shared(&argument::<String>(event, "the name of a server")?),
            },
            f::READ => Action::Read { key: self.key(event)? },
            f::LOCAL_READ => Action::LocalRead { key: self.key(event)? },
            f::WRITE => {
                Action::Write { key: self.key(event)?, value: argument(event, "an integer")? }
            }
            f::CAS => {
                let (expected, value) = argument(event, "[expected version, integer]")?;
                Action::Cas { key: self.key(event)?, expected, value }
            }
            name if Ask::NAMES.contains(&name) => {
                let ask: Ask = argument(event, "what is asked of the tree")?;
                if ask.name() != name {
                    return Err(Problem::field("value", format!("of a {name}: it asks to {ask}")));
                }
                Action::Znode(Box::new(ask))
            }
            other => return Err(Problem::UnknownOperation { found: other.to_owned() }),
        })
    }

    fn key(&mut self, event: &Line<'_>) -> Result<Arc<str>, Problem> {
        self.name(event.key.as_deref())
            .ok_or_else(|| Problem::field("key", format!("missing: which znode to {}?", &*event.f)))
    }

    fn node(&mut self, event: &Line<'_>) -> Result<Arc<str>, Problem> {
        self.name(event.node.as_deref())
            .ok_or_else(|| Problem::field("node", format!("missing: whose {} is it?", &*event.f)))
    }

    fn name(&mut self, name: Option<&str>) -> Option<Arc<str>> {
        name.map(|name| self.shared(name))
    }

    /// One copy of each name, however often it occurs.
    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        self.bytes += name.len() + OVERHEAD;
        let name: Arc<str> = name.into();
        self.names.insert(name.clone());
        name
    }
}

/// What an event adds: a completion has its place in the operation that it completes.
fn size_of_event(event: &Line<'_>) -> usize {
    let own = match event.kind {
        Kind::Ok | Kind::Fail => 0,
        Kind::Invoke | Kind::Info => size_of::<Operation>(),
    };
    own + size_of_value(&event.value)
}

/// What a value holds beside itself. What is made of it holds no more.
fn size_of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len() + OVERHEAD,
        Value::Array(all) => all.iter().map(|one| size_of::<Value>() + size_of_value(one)).sum(),
        Value::Object(fields) => {
            let each =
                |(name, value): (&String, &Value)| name.len() + OVERHEAD + size_of_value(value);
            OVERHEAD + fields.iter().map(each).sum::<usize>()
        }
    }
}

fn at<T: DeserializeOwned>(event: &Line<'_>, node: Option<Arc<str>>) -> Result<At<T>, Problem> {
    let what = T::deserialize(&event.value)
        .map_err(|error| Problem::field("value", format!("of a {}: {error}", &*event.f)))?;
    Ok(At { index: event.index, time: event.time, node, what })
}

fn argument<T: DeserializeOwned>(event: &Line<'_>, shape: &str) -> Result<T, Problem> {
    T::deserialize(&event.value).map_err(|_| {
        Problem::field(
            "value",
            format!("of a {}: expected {shape}, found {}", &*event.f, event.value),
        )
    })
}

fn same_operation(operation: &Operation, event: &Line<'_>) -> Result<(), Problem> {
    let invoke = operation.invoke;
    if *event.f != *operation.action.name() {
        let (expected, found) = (operation.action.name().to_owned(), event.f.to_string());
        return Err(Problem::OtherOperation { invoke, field: "f", expected, found });
    }
    match (&event.key, operation.action.key()) {
        (Some(found), key) if key.map(|key| &**key) != Some(&**found) => {
            let expected = key.map_or_else(|| "none".to_owned(), ToString::to_string);
            Err(Problem::OtherOperation {
                invoke,
                field: "key",
                expected,
                found: found.to_string(),
            })
        }
        _ => Ok(()),
    }
}

fn value_read(operation: &Operation, event: &Line<'_>) -> Result<Option<i64>, Problem> {
    match &event.value {
        _ if !operation.is_ok() || !operation.action.is_read() => Ok(None),
        _ if operation.action.ask().is_some() => Ok(None),
        Value::Null => Ok(None),
        _ => argument(event, "an integer or null").map(Some),
    }
}

fn told(operation: &Operation, event: &Line<'_>) -> Result<Option<Box<Told>>, Problem> {
    match event.value {
        Value::Null => Ok(None),
        _ if operation.action.ask().is_none() => Ok(None),
        _ => argument(event, "what was told of the tree").map(|told| Some(Box::new(told))),
    }
}
