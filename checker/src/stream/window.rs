//! Pairs events into calls, and hands them on once their outcome is known, in the order of the file.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use history::stream::{Argument, Batch, Step, Verb};
use history::{Kind, Problem};

use super::call::{Act, Call};
use super::reading::{Reading, Told};
use crate::mix::Numbered;

/// Events that wait for one outcome at most; then it is taken for unknown.
const WAITING_MAX: usize = if cfg!(test) { 16 } else { 1 << 20 };

/// What is next.
pub(super) enum Moment<'a> {
    Start(&'a Call),
    End(&'a Call),
}

/// Why the events cannot be handed on.
#[derive(Debug)]
pub(super) enum Stop {
    /// Line and what is wrong there.
    Problem(u64, Problem),
    /// Only who holds the whole can tell.
    Whole,
}

/// An operation under way.
struct Open {
    /// Of its call; zero if it is none.
    number: u64,
    object: u32,
    verb: Verb,
    asked: Argument,
    index: u64,
}

/// A call that was not handed on yet, or not to its end.
struct Slot {
    call: Call,
    state: State,
    /// What it is if nobody learns its outcome.
    lost: Told,
}

#[derive(PartialEq)]
enum State {
    Open,
    /// It says nothing.
    Dropped,
    Known,
}

#[derive(Default)]
pub(super) struct Window {
    reading: Reading,
    /// Events read.
    events: u64,
    index: Option<i64>,
    time: Option<i64>,
    open: Numbered<u64, Open>,
    /// Numbers of calls in the order of their invocations and answers; an answer is the number negated.
    moments: VecDeque<i64>,
    slots: VecDeque<Slot>,
    /// The number of the first slot.
    first: u64,
    objects: Numbered<Rc<[u8]>, u32>,
    /// The names of the objects, by number.
    pub(super) names: Vec<Rc<[u8]>>,
    /// Calls that say something.
    pub(super) examined: u64,
    /// Of them, reads.
    pub(super) reads: u64,
}

impl Window {
    pub(super) fn new(reading: Reading) -> Window {
        Window { reading, first: 1, ..Window::default() }
    }

    pub(super) fn reading(&self) -> &Reading {
        &self.reading
    }

    pub(super) fn take(&mut self, batch: &Batch, step: &Step) -> Result<(), Stop> {
        let problem = |problem| Stop::Problem(step.line, problem);
        self.check_order(step).map_err(problem)?;
        self.events += 1;
        self.reading.see(step)?;
        match (step.process, step.kind) {
            (None, _) => Ok(()),
            (Some(process), Kind::Invoke) => {
                self.invoke(process, batch.key(step), step).map_err(problem)
            }
            (Some(process), _) => self.complete(process, batch.key(step), step),
        }
    }

    /// What is still open is of unknown outcome.
    pub(super) fn close(&mut self) {
        for slot in &mut self.slots {
            presume(slot, &mut self.examined);
        }
    }

    /// The next moment whose call's outcome is known.
    pub(super) fn next(&mut self) -> Option<Moment<'_>> {
        loop {
            self.drop_done();
            let moment = *self.moments.front()?;
            let at = usize::try_from(moment.unsigned_abs() - self.first).expect("it has a slot");
            if self.slots[at].state == State::Open {
                if self.moments.len() < WAITING_MAX {
                    return None;
                }
                presume(&mut self.slots[at], &mut self.examined);
            }
            self.moments.pop_front();
            let slot = &mut self.slots[at];
            if slot.state == State::Dropped {
                continue;
            }
            let is_last = moment < 0 || slot.call.end.is_none();
            if is_last {
                slot.state = State::Dropped;
            }
            let moment = if moment < 0 { Moment::End } else { Moment::Start };
            return Some(moment(&self.slots[at].call));
        }
    }

    fn drop_done(&mut self) {
        let front = |moments: &VecDeque<i64>| moments.front().map(|moment| moment.unsigned_abs());
        while self.slots.front().is_some_and(|slot| slot.state == State::Dropped)
            && front(&self.moments) != Some(self.first)
        {
            self.slots.pop_front();
            self.first += 1;
        }
    }

    fn invoke(&mut self, process: u64, key: &[u8], step: &Step) -> Result<(), Problem> {
        let (verb, asked, index) = (step.verb, step.value, self.events - 1);
        let beside = verb == Verb::Other;
        let object = if beside { 0 } else { self.object(key) };
        let number = if beside { 0 } else { self.first + self.slots.len() as u64 };
        match self.open.entry(process) {
            Entry::Occupied(open) => {
                let open = open.get().index;
                return Err(Problem::DoubleInvocation { process, open });
            }
            Entry::Vacant(vacant) => vacant.insert(Open { number, object, verb, asked, index }),
        };
        if !beside {
            let lost = self.reading.lost(verb, asked);
            let lines = (step.line, step.line);
            let call = Call { object, act: Act::Differs(0), start: self.events, end: None, lines };
            self.slots.push_back(Slot { call, state: State::Open, lost });
            self.moments.push_back(signed(number));
        }
        Ok(())
    }

    fn object(&mut self, key: &[u8]) -> u32 {
        if let Some(object) = self.objects.get(key) {
            return *object;
        }
        let object = u32::try_from(self.names.len()).expect("fewer objects than that");
        let name: Rc<[u8]> = key.into();
        self.names.push(name.clone());
        self.objects.insert(name, object);
        object
    }

    fn complete(&mut self, process: u64, key: &[u8], step: &Step) -> Result<(), Stop> {
        let problem = |problem| Stop::Problem(step.line, problem);
        let open = self.open.remove(&process);
        let open = open.ok_or_else(|| problem(Problem::NoInvocation { process }))?;
        self.same(&open, key, step).map_err(problem)?;
        if open.number == 0 {
            return Ok(());
        }
        let told = self.reading.told(open.verb, open.asked, step)?;
        let at = open.number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        match at.map(|at| &mut self.slots[at]).filter(|slot| slot.state == State::Open) {
            Some(slot) => {
                slot.call.lines.1 = step.line;
                self.examined += u64::from(told != Told::Nothing);
                self.reads += u64::from(matches!(told, Told::Happened(Act::Read(..))));
                if settle(slot, told, self.events) {
                    self.moments.push_back(-signed(open.number));
                }
                Ok(())
            }
            // It was taken for unknown.
            None if told == self.reading.lost(open.verb, open.asked) => Ok(()),
            None => Err(Stop::Whole),
        }
    }

    fn same(&self, open: &Open, key: &[u8], step: &Step) -> Result<(), Problem> {
        let invoke = open.index;
        if open.verb != step.verb {
            let (expected, found) = (open.verb.name().to_owned(), step.verb.name().to_owned());
            return Err(Problem::OtherOperation { invoke, field: "f", expected, found });
        }
        let name = if open.number == 0 { key } else { &self.names[open.object as usize] };
        if !key.is_empty() && !name.is_empty() && name != key {
            let [expected, found] =
                [name, key].map(|name| String::from_utf8_lossy(name).into_owned());
            return Err(Problem::OtherOperation { invoke, field: "key", expected, found });
        }
        Ok(())
    }

    fn check_order(&mut self, step: &Step) -> Result<(), Problem> {
        let earlier = step.time.and_then(|time| self.time.replace(time));
        let Some(found) = step.index else { return self.check_without_index(step, earlier) };
        let before = self.index.replace(found);
        if self.reading.is_strict() {
            return self.check_strictly(step, found, earlier);
        }
        match before {
            Some(before) if found <= before => Err(Problem::Field {
                field: "index".to_owned(),
                message: format!(
                    "{found} after {before}: events are repeated or out of order; sort them"
                ),
            }),
            _ => Ok(()),
        }
    }

    fn check_without_index(&self, step: &Step, earlier: Option<i64>) -> Result<(), Problem> {
        if self.reading.is_strict() {
            let message = "missing; every event has it".to_owned();
            return Err(Problem::Field { field: "index".to_owned(), message });
        }
        check_time(step, earlier)
    }

    /// In zoobreak's own histories indices have no gaps, and time does not go backwards.
    fn check_strictly(&self, step: &Step, found: i64, earlier: Option<i64>) -> Result<(), Problem> {
        let (expected, found) = (self.events, u64::try_from(found).unwrap_or(0));
        let unsigned = |time: Option<i64>| time.and_then(|time| u64::try_from(time).ok());
        match found {
            found if found > expected => Err(Problem::Gap { expected, found }),
            found if found < expected => Err(Problem::Disorder { expected, found }),
            _ => match (unsigned(earlier), unsigned(step.time)) {
                (Some(before), Some(found)) if found < before => {
                    Err(Problem::Backwards { before, found })
                }
                _ => Ok(()),
            },
        }
    }
}

/// Without an index nothing else says that events are in order.
fn check_time(step: &Step, earlier: Option<i64>) -> Result<(), Problem> {
    match (step.time, earlier) {
        (Some(found), Some(before)) if found < before => Err(Problem::Field {
            field: "time".to_owned(),
            message: format!(
                "{found} is before the last event's {before}, and no index says in which order \
                 events happened; sort them"
            ),
        }),
        _ => Ok(()),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("fewer calls than that")
}

/// Says what became of an open call; true if it has an answer.
fn settle(slot: &mut Slot, told: Told, now: u64) -> bool {
    slot.state = State::Known;
    match told {
        Told::Nothing => slot.state = State::Dropped,
        Told::Lost(act) => slot.call.act = act,
        Told::Happened(act) => (slot.call.act, slot.call.end) = (act, Some(now)),
    }
    matches!(told, Told::Happened(_))
}

fn presume(slot: &mut Slot, examined: &mut u64) {
    if slot.state == State::Open {
        *examined += u64::from(slot.lost != Told::Nothing);
        settle(slot, slot.lost, 0);
    }
}
