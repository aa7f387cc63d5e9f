//! The timeline as compact JSON for the page's script: columns instead of objects, microseconds
//! instead of nanoseconds, names by number. 50,000 operations take about 3.5 MB.

use std::collections::BTreeMap;

use checker::Verdict;
use history::{Kind, Outcome};
use serde::Serialize;

use super::timeline::{Clock, Fault, Op, Timeline};
use super::words;

/// What the lanes are of.
pub(super) struct Size {
    /// Servers.
    pub(super) nodes: usize,
    /// Clients with this number or a higher one only make the final reads.
    pub(super) clients: usize,
}

/// The page's data as JSON.
pub(super) fn json(timeline: &Timeline, size: &Size, verdict: &Verdict) -> String {
    serde_json::to_string(&Data::of(timeline, size, verdict)).expect("keys are strings")
}

/// What the script reads. All times are microseconds since the start, or positions among the events.
#[derive(Serialize)]
struct Data<'a> {
    /// Are times positions?
    by_position: bool,
    start: u64,
    end: u64,
    /// Name and start.
    phases: Vec<(String, u64)>,
    faults: Vec<Band<'a>>,
    nodes: Vec<Lane<'a>>,
    /// Process numbers, in order of their lanes.
    clients: Vec<u64>,
    /// Clients with this number or a higher one only make the final reads.
    final_from: usize,
    /// In the order of the page's violations.
    witnesses: Vec<Window<'a>>,
    /// What the columns `key`, `node` and `session` point at.
    names: Vec<String>,
    ops: Columns,
}

/// A fault.
#[derive(Serialize)]
struct Band<'a> {
    id: u32,
    kind: &'a str,
    what: &'a str,
    nodes: &'a [String],
    from: u64,
    to: u64,
    /// `installed`, `skipped`, `indeterminate`; `open` where no outcome was recorded.
    outcome: &'static str,
    reason: &'a str,
}

/// A server.
#[derive(Default, Serialize)]
struct Lane<'a> {
    node: String,
    /// Time, role, epoch.
    roles: Vec<(u64, &'a str, Option<u32>)>,
    /// When it ended by itself, and how.
    exits: Vec<(u64, &'a str)>,
}

/// What a violated check points at.
#[derive(Serialize)]
struct Window<'a> {
    check: &'a str,
    from: u64,
    to: u64,
    /// Positions in the columns.
    ops: Vec<usize>,
}

/// The operations, one column per property, in order of invocation. -1 stands for none.
#[derive(Default, Serialize)]
struct Columns {
    /// The event's index, or the line, as the difference to the row before.
    number: Vec<i64>,
    /// The invocation's time, as the difference to the row before.
    start: Vec<i64>,
    /// How long the client waited; -1 where it still did at the end.
    took: Vec<i64>,
    /// Position in `clients`.
    client: Vec<usize>,
    /// 0 ok, 1 fail, 2 info.
    kind: Vec<u8>,
    label: Vec<String>,
    key: Vec<i64>,
    node: Vec<i64>,
    session: Vec<i64>,
    zxid: Vec<String>,
}

impl<'a> Data<'a> {
    fn of(timeline: &'a Timeline, size: &Size, verdict: &'a Verdict) -> Data<'a> {
        let scale = Scale(timeline.clock);
        let clients = clients(&timeline.ops);
        let mut names = Names::default();
        let mut ops = Columns::default();
        let mut previous = (0, 0);
        for op in &timeline.ops {
            ops.push(op, scale, &clients, &mut names, &mut previous);
        }
        Data {
            by_position: timeline.clock == Clock::Events,
            start: scale.of(timeline.ops.first().map_or(0, |op| op.start)),
            end: scale.of(timeline.end),
            phases: timeline.phases.iter().map(|(p, at)| (p.to_string(), micros(*at))).collect(),
            faults: timeline.faults.iter().map(|fault| band(fault, timeline.end)).collect(),
            nodes: lanes(size.nodes, timeline),
            clients,
            final_from: size.clients,
            names: names.list,
            ops,
            witnesses: windows(timeline, verdict),
        }
    }
}

impl Columns {
    fn push(
        &mut self,
        op: &Op,
        scale: Scale,
        clients: &[u64],
        names: &mut Names,
        previous: &mut (u64, u64),
    ) {
        let start = scale.of(op.start);
        let client = clients.binary_search(&op.client).expect("every process has a lane");
        self.number.push(difference(op.number, previous.0));
        self.start.push(difference(start, previous.1));
        self.took.push(op.end.map_or(-1, |end| difference(scale.of(end), start).max(0)));
        self.client.push(client);
        self.kind.push(kind(op.kind));
        self.label.push(op.label.clone());
        self.key.push(names.number(op.key.as_deref()));
        self.node.push(names.number(op.node.as_deref()));
        self.session.push(names.number(op.session.as_deref()));
        self.zxid.push(op.zxid.clone().unwrap_or_default());
        *previous = (op.number, start);
    }
}

/// What the script has of a time.
#[derive(Clone, Copy)]
struct Scale(Clock);

impl Scale {
    fn of(self, time: u64) -> u64 {
        match self.0 {
            Clock::Nanoseconds => micros(time),
            Clock::Events => time,
        }
    }
}

/// Numbers for texts that repeat.
#[derive(Default)]
struct Names {
    list: Vec<String>,
    numbers: BTreeMap<String, i64>,
}

impl Names {
    fn number(&mut self, name: Option<&str>) -> i64 {
        let Some(name) = name else { return -1 };
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = signed(self.list.len() as u64);
        self.list.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

fn clients(ops: &[Op]) -> Vec<u64> {
    let mut clients: Vec<u64> = ops.iter().map(|op| op.client).collect();
    clients.sort_unstable();
    clients.dedup();
    clients
}

fn band(fault: &Fault, end: u64) -> Band<'_> {
    let (outcome, reason) = match &fault.outcome {
        Some(Outcome::Installed) => ("installed", ""),
        Some(Outcome::Skipped { reason }) => ("skipped", reason.as_str()),
        Some(Outcome::Indeterminate { reason }) => ("indeterminate", reason.as_str()),
        None => ("open", "no outcome was recorded"),
    };
    Band {
        id: fault.id,
        kind: &fault.kind,
        what: &fault.what,
        nodes: &fault.nodes,
        from: micros(fault.start()),
        to: micros(fault.stop(end)),
        outcome,
        reason,
    }
}

/// A lane for each server of the ensemble, and for any other that the history names.
fn lanes<'a>(nodes: usize, timeline: &'a Timeline) -> Vec<Lane<'a>> {
    let mut lanes: Vec<Lane<'_>> = (1..=nodes).map(|n| lane(&format!("n{n}"))).collect();
    for role in &timeline.roles {
        let change = (micros(role.at), role.role.as_str(), role.epoch);
        lane_of(&mut lanes, &role.node).roles.push(change);
    }
    for exit in &timeline.exits {
        lane_of(&mut lanes, &exit.node).exits.push((micros(exit.at), &exit.status));
    }
    lanes
}

fn lane_of<'a, 'b>(lanes: &'b mut Vec<Lane<'a>>, node: &str) -> &'b mut Lane<'a> {
    let at = lanes.iter().position(|lane| lane.node == node).unwrap_or_else(|| {
        lanes.push(lane(node));
        lanes.len() - 1
    });
    &mut lanes[at]
}

fn lane<'a>(node: &str) -> Lane<'a> {
    Lane { node: node.to_owned(), ..Lane::default() }
}

fn windows<'a>(timeline: &Timeline, verdict: &'a Verdict) -> Vec<Window<'a>> {
    let scale = Scale(timeline.clock);
    words::violations(verdict)
        .into_iter()
        .map(|(check, witness)| Window {
            check: &check.id,
            from: scale.of(timeline.clock.of(witness.window.0)),
            to: scale.of(timeline.clock.of(witness.window.1).min(timeline.end)),
            ops: positions(timeline, &witness.operations),
        })
        .collect()
}

fn positions(timeline: &Timeline, invocations: &[u64]) -> Vec<usize> {
    let index = |at: &u64| timeline.ops.binary_search_by_key(at, |op| op.index).ok();
    invocations.iter().filter_map(index).collect()
}

fn kind(kind: Kind) -> u8 {
    match kind {
        Kind::Ok | Kind::Invoke => 0,
        Kind::Fail => 1,
        Kind::Info => 2,
    }
}

fn micros(ns: u64) -> u64 {
    ns / 1000
}

fn difference(a: u64, b: u64) -> i64 {
    signed(a) - signed(b)
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
