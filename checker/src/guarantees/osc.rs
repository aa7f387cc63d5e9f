//! OSC(U): linearizable writes with session-ordered reads, blind to zxids.

use std::collections::{BTreeMap, VecDeque};

use history::{Hex, History, Operation, Status};

use super::{Finding, Guarantee, Judge, registers};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, noun, witness};

pub(super) const OSC: Guarantee = Guarantee {
    id: "OSC(U)",
    name: "session-ordered reads",
    promise: "One order of all writes of all znodes agrees with real time, and each session's reads and \
              writes fit into it in the order in which it made them: reads may be stale, and never go \
              back.",
    source: "Lev-Ari et al., \"Modular Composition of Coordination Services\" (2016): ordered \
             sequential consistency, OSC(U); ZooKeeper Programmer's Guide, \"Consistency Guarantees\": \
             sequential consistency, single system image",
    more_than_zookeeper: false,
    applies: registers,
    check: Judge::History(check),
};

/// Examined are the reads and writes whose version is known. The versions of each znode say which
/// write comes after which and what a read has seen; there is an order if what must come before
/// what has no circle.
fn check(history: &History, _: &mut Budget) -> Finding {
    let operations: Vec<&Operation> = history.operations.iter().filter(|op| is_known(op)).collect();
    let mut order = Order { after: vec![Vec::new(); operations.len()] };
    order.add_versions(&operations);
    order.add_sessions(&operations);
    order.add_real_time(&operations);
    let circle = order.circle().map(|circle| explain(&operations, &circle));
    Finding::new(operations.len(), circle.flatten())
}

fn is_known(op: &Operation) -> bool {
    op.status == Status::Ok && op.stat.is_some() && op.action.key().is_some()
}

/// What must come after what. The first positions are the operations', the others points in time.
struct Order {
    after: Vec<Vec<usize>>,
}

impl Order {
    fn edge(&mut self, earlier: usize, later: usize) {
        self.after[earlier].push(later);
    }

    /// A write comes before who reads it, and that before the next write of the znode that is known.
    fn add_versions(&mut self, operations: &[&Operation]) {
        let mut of_key: BTreeMap<&str, Vec<(i32, bool, usize)>> = BTreeMap::new();
        for (n, op) in operations.iter().enumerate() {
            if let (Some(key), Some(stat)) = (op.action.key(), op.stat) {
                of_key.entry(key).or_default().push((stat.version, op.action.is_read(), n));
            }
        }
        for versions in of_key.values_mut() {
            versions.sort_unstable();
            let mut readers: Vec<usize> = Vec::new();
            let mut last: Option<(i32, usize)> = None;
            for &(version, reads, n) in versions.iter() {
                // What wrote this version may be unknown: then some write before it is.
                last.into_iter().for_each(|(_, write)| self.edge(write, n));
                if reads {
                    readers.push(n);
                    continue;
                }
                readers.drain(..).for_each(|reader| self.edge(reader, n));
                // Each version is written once: of two writes of one, each would come before the other.
                let twin = last.filter(|(before, _)| *before == version);
                twin.into_iter().for_each(|(_, write)| self.edge(n, write));
                last = Some((version, n));
            }
        }
    }

    fn add_sessions(&mut self, operations: &[&Operation]) {
        let mut last: BTreeMap<Hex, usize> = BTreeMap::new();
        for (n, op) in operations.iter().enumerate() {
            let Some(session) = op.session else { continue };
            if let Some(before) = last.insert(session, n) {
                self.edge(before, n);
            }
        }
    }

    /// A write comes before those that are invoked after its answer: by way of the points in time at
    /// which writes were answered.
    fn add_real_time(&mut self, operations: &[&Operation]) {
        let writes = || operations.iter().enumerate().filter(|(_, op)| op.action.is_write());
        let mut answers: Vec<(u64, usize)> =
            writes().filter_map(|(n, op)| Some((op.answered()?, n))).collect();
        answers.sort_unstable();
        let first = self.after.len();
        self.after.resize(first + answers.len(), Vec::new());
        for (at, (_, write)) in answers.iter().enumerate() {
            self.edge(*write, first + at);
            if at > 0 {
                self.edge(first + at - 1, first + at);
            }
        }
        for (n, op) in writes() {
            let before = answers.partition_point(|(answered, _)| *answered < op.invoke);
            if before > 0 {
                self.edge(first + before - 1, n);
            }
        }
    }

    /// A circle, and the shortest one through some position of it.
    fn circle(&self) -> Option<Vec<usize>> {
        let left = self.left_over();
        let mut at = left.iter().position(|left| *left)?;
        // Whatever is left comes after something that is left too: going back leads into a circle.
        let mut before = vec![at; left.len()];
        for earlier in (0..left.len()).filter(|earlier| left[*earlier]) {
            self.after[earlier].iter().for_each(|later| before[*later] = earlier);
        }
        let mut been = vec![false; left.len()];
        while !std::mem::replace(&mut been[at], true) {
            at = before[at];
        }
        self.way_back(at, &left)
    }

    /// What cannot be put in order, because it is on a circle or after one.
    fn left_over(&self) -> Vec<bool> {
        let mut before = vec![0_usize; self.after.len()];
        self.after.iter().flatten().for_each(|later| before[*later] += 1);
        let mut next: Vec<usize> = (0..before.len()).filter(|at| before[*at] == 0).collect();
        let mut left = vec![true; before.len()];
        while let Some(at) = next.pop() {
            left[at] = false;
            for later in &self.after[at] {
                before[*later] -= 1;
                if before[*later] == 0 {
                    next.push(*later);
                }
            }
        }
        left
    }

    /// The shortest way from a position to itself.
    fn way_back(&self, to: usize, among: &[bool]) -> Option<Vec<usize>> {
        let mut from: BTreeMap<usize, usize> = BTreeMap::new();
        let mut next = VecDeque::from([to]);
        while let Some(at) = next.pop_front() {
            for &later in self.after[at].iter().filter(|later| among[**later]) {
                if later == to {
                    let mut way = vec![at];
                    while let Some(before) = from.get(way.last().expect("it has one")) {
                        way.push(*before);
                    }
                    way.reverse();
                    return Some(way);
                }
                if later != at && !from.contains_key(&later) {
                    from.insert(later, at);
                    next.push_back(later);
                }
            }
        }
        None
    }
}

/// The operations of a circle, the last of them a read if there is one: it is what a client saw.
fn explain(operations: &[&Operation], circle: &[usize]) -> Option<Witness> {
    let mut shown: Vec<&Operation> =
        circle.iter().filter_map(|at| operations.get(*at).copied()).collect();
    let last = shown.iter().rposition(|op| op.action.is_read()).map_or(0, |at| at + 1);
    let turns = last % shown.len().max(1);
    shown.rotate_left(turns);
    let blamed = *shown.last()?;
    let others: Vec<String> = shown[..shown.len() - 1].iter().map(|op| noun(op)).collect();
    let key = blamed.action.key().map_or("", |key| &**key);
    let sentence = format!(
        "{}: no order has this after {}, as sessions and versions ask, and before the next write of \
         {key}",
        clause(blamed),
        others.join(", then "),
    );
    Some(witness(sentence, &shown))
}
