//! Histories of a register that behaved, generated; and one that did not, once.

use checker::engine::plain::{Op, Ret};
use checker::engine::{Call, CasRegister};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// What a history looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) clients: usize,
    pub(super) operations: usize,
    pub(super) keys: usize,
    pub(super) values: Values,
    /// Per thousand writes, those whose outcome nobody learns.
    pub(super) unknown: u32,
    /// Does one read, in the second half, show a value that was replaced long before?
    pub(super) stale: bool,
    pub(super) seed: u64,
}

/// What is written, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Values {
    /// Every value is written once.
    Distinct,
    /// The same, and most operations are compare-and-sets, most of them of values that are gone.
    Cas,
    /// There are five.
    Five,
}

impl Shape {
    /// A stale read needs calls enough on its key for an old value to be replaced, and with few
    /// values also that not all of them are always being written.
    pub(super) fn makes_sense(&self) -> bool {
        let enough = self.operations / self.keys >= 100;
        !self.stale || enough && (self.values != Values::Five || self.clients <= 10)
    }
}

/// The calls on each key, in order of invocation.
pub(super) type History = Vec<Vec<Call<CasRegister>>>;

/// A history of that shape; half of the time a client waits.
pub(super) fn generate(shape: Shape) -> History {
    let mut world = World::new(shape);
    while world.invoked < shape.operations || world.clients.iter().any(Option::is_some) {
        world.step();
    }
    if shape.stale {
        world.plant();
    }
    world.calls
}

/// A call in flight: where it is recorded, and whether it has taken effect.
#[derive(Clone, Copy)]
struct Flight {
    key: usize,
    call: usize,
    lost: bool,
    effect: Option<Ret>,
}

struct World {
    shape: Shape,
    rng: ChaCha8Rng,
    now: u64,
    invoked: usize,
    values: i64,
    states: Vec<Option<i64>>,
    clients: Vec<Option<Flight>>,
    /// The value that each client read or wrote last, by client and key.
    known: Vec<Vec<Option<i64>>>,
    calls: History,
}

impl World {
    fn new(shape: Shape) -> World {
        World {
            shape,
            rng: ChaCha8Rng::seed_from_u64(shape.seed),
            now: 0,
            invoked: 0,
            values: 0,
            states: vec![None; shape.keys],
            clients: vec![None; shape.clients],
            known: vec![vec![None; shape.keys]; shape.clients],
            calls: vec![Vec::new(); shape.keys],
        }
    }

    /// One client goes on: it invokes, or its call takes effect, or it is answered.
    fn step(&mut self) {
        let client = self.rng.random_range(0..self.shape.clients);
        match self.clients[client] {
            None if self.invoked == self.shape.operations || self.rng.random_bool(0.5) => {}
            None => self.invoke(client),
            Some(flight) => match flight.effect {
                None => self.take_effect(client, flight),
                Some(ret) => self.answer(client, flight, ret),
            },
        }
    }

    fn invoke(&mut self, client: usize) {
        let key = self.rng.random_range(0..self.shape.keys);
        let op = self.draw(client, key);
        let lost = op != Op::Read && self.rng.random_ratio(self.shape.unknown, 1000);
        let call = self.calls[key].len();
        let start = self.tick();
        self.calls[key].push(Call { op, ret: None, start, end: None });
        self.clients[client] = Some(Flight { key, call, lost, effect: None });
        self.invoked += 1;
    }

    fn draw(&mut self, client: usize, key: usize) -> Op {
        let value = self.values + 1;
        let few = self.shape.values == Values::Five;
        let value = if few { self.rng.random_range(1..=5) } else { value };
        let n_reads = if self.shape.values == Values::Cas { 1 } else { 2 };
        match (self.rng.random_range(0..4), self.known[client][key]) {
            (n, _) if n < n_reads => Op::Read,
            (1 | 2, Some(expected)) => {
                self.values += 1;
                Op::Cas { expected, value }
            }
            _ => {
                self.values += 1;
                Op::Write(value)
            }
        }
    }

    fn take_effect(&mut self, client: usize, flight: Flight) {
        if flight.lost && self.rng.random_bool(0.5) {
            self.clients[client] = None;
            return;
        }
        let op = self.calls[flight.key][flight.call].op;
        let ret = apply(&mut self.states[flight.key], op);
        self.clients[client] = (!flight.lost).then_some(Flight { effect: Some(ret), ..flight });
    }

    fn answer(&mut self, client: usize, flight: Flight, ret: Ret) {
        let end = self.tick();
        let call = &mut self.calls[flight.key][flight.call];
        call.ret = Some(ret);
        call.end = Some(end);
        let known = &mut self.known[client][flight.key];
        match (call.op, ret) {
            (Op::Read, Ret::Value(value)) => *known = value,
            (Op::Write(value) | Op::Cas { value, .. }, Ret::Written) => *known = Some(value),
            _ if self.shape.values == Values::Cas => {}
            _ => *known = None,
        }
        self.clients[client] = None;
    }

    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    /// Makes a read of the first key show a value that a write replaced before it began, and that
    /// nobody wrote since: the first read after the middle that allows it.
    fn plant(&mut self) {
        let calls = &mut self.calls[0];
        let n = calls.len();
        let is_read = |&n: &usize| matches!(calls[n].ret, Some(Ret::Value(Some(_))));
        let old = (0..n / 4).find(is_read).map(|n| calls[n].ret);
        let planted = (n / 2..n).filter(is_read).find_map(|late| match self.shape.values {
            Values::Distinct | Values::Cas => Some((late, old?)),
            Values::Five => Some((late, Some(Ret::Value(Some(replaced(calls, late)?))))),
        });
        if let Some((late, stale)) = planted {
            calls[late].ret = stale;
        }
    }
}

/// One of five values that certainly is not there during the read at `late`: another was written
/// before it began, and all writes of this one had ended before that one began.
fn replaced(calls: &[Call<CasRegister>], late: usize) -> Option<i64> {
    let read = &calls[late];
    let ended_by = |call: &Call<CasRegister>, at| call.end.is_some_and(|end| end < at);
    let mut before = calls[..late].iter().rev();
    let last = before.find(|call| written(call).is_some() && ended_by(call, read.start))?;
    let until = read.end.unwrap_or(u64::MAX);
    let in_the_way = |value| {
        let own = calls.iter().filter(|call| written(call) == Some(value) && call.start < until);
        own.clone().any(|call| !ended_by(call, last.start))
    };
    (1..=5).find(|&value| written(last) != Some(value) && !in_the_way(value))
}

/// What it writes, if it did not fail.
fn written(call: &Call<CasRegister>) -> Option<i64> {
    match call.op {
        Op::Write(value) | Op::Cas { value, .. } if call.ret != Some(Ret::Differs) => Some(value),
        _ => None,
    }
}

/// A register without faults.
fn apply(state: &mut Option<i64>, op: Op) -> Ret {
    match op {
        Op::Read => return Ret::Value(*state),
        Op::Cas { expected, .. } if *state != Some(expected) => return Ret::Differs,
        Op::Write(value) | Op::Cas { value, .. } => *state = Some(value),
    }
    Ret::Written
}

#[cfg(test)]
mod tests {
    use checker::engine::{Decision, decide};
    use checker::{Budget, Limits};

    use super::*;

    const SHAPE: Shape = Shape {
        clients: 5,
        operations: 400,
        keys: 2,
        values: Values::Distinct,
        unknown: 10,
        stale: false,
        seed: 1,
    };

    fn holds(shape: Shape) -> bool {
        generate(shape).iter().all(|calls| {
            let mut budget = Budget::new(Limits::default());
            decide(CasRegister::default(), calls, &mut budget) == Decision::Linearizable
        })
    }

    #[test]
    fn what_is_generated_holds_unless_a_stale_read_is_planted() {
        for seed in 0..10 {
            for values in [Values::Distinct, Values::Cas, Values::Five] {
                let shape = Shape { seed, values, ..SHAPE };
                assert!(holds(shape), "{shape:?}");
                let stale = Shape { stale: true, unknown: 0, ..shape };
                assert!(!holds(stale), "{stale:?}");
            }
        }
    }

    #[test]
    fn it_has_the_shape_asked_for() {
        let history = generate(SHAPE);
        assert_eq!(history.len(), 2);
        assert_eq!(history.iter().map(Vec::len).sum::<usize>(), 400);
        assert!(history.iter().flatten().any(|call| call.end.is_none()));
        assert_eq!(history, generate(SHAPE));
    }
}
