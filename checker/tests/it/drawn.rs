//! Random small histories of every specification.

use std::collections::BTreeSet;

use checker::engine::{Asked, Call, Decidable};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spec::{CasRegister, Counter, Entry, Lock, Queue, Register, Searchable, Set, Znodes};
use spec::{counter, kv, lock, plain, queue, set, versioned, znodes};
use stateright::semantics::SequentialSpec;

const CALLS_MAX: usize = 8;
const OBJECTS_MAX: usize = 2;
const CLIENTS: u64 = 3;

/// Of the operations of a specification.
type OpOf<D> = <<D as Drawn>::Spec as SequentialSpec>::Op;
type RetOf<D> = <<D as Drawn>::Spec as SequentialSpec>::Ret;

/// How operations and wrong answers of a specification are drawn.
pub(crate) trait Drawn {
    type Spec: Decidable;
    const NAME: &str;
    /// The n-th call's operation.
    fn op(rng: &mut ChaCha8Rng, n: i64) -> OpOf<Self>;
    /// An answer that may be wrong.
    fn answer(rng: &mut ChaCha8Rng, op: &OpOf<Self>) -> RetOf<Self>;
    /// May the operation have an unknown outcome? Of those that only read, nothing is learnt.
    fn may_be_lost(op: &OpOf<Self>) -> bool;
}

/// Histories of each specification; `CHECKER_HISTORIES=1000000` for more.
pub(crate) fn n_histories() -> u32 {
    let asked = std::env::var("CHECKER_HISTORIES").ok();
    asked.map_or(12_000, |asked| asked.parse().expect("CHECKER_HISTORIES is a number"))
}

/// A history that held, of which at times an answer was changed where it may be `wrong`: to one that was
/// right some time ago, or to any.
pub(crate) fn history<D: Drawn + ?Sized>(rng: &mut ChaCha8Rng, wrong: bool) -> Vec<Asked<D::Spec>> {
    let n = rng.random_range(1..=CALLS_MAX);
    let n_objects = if rng.random_bool(0.3) { OBJECTS_MAX } else { 1 };
    let mut before = vec![vec![D::Spec::default()]; n_objects];
    let mut asked = Vec::new();
    for (n, times) in (1..).zip(times(rng, n)) {
        let (object, op) = (rng.random_range(0..n_objects), D::op(rng, n));
        let states = &mut before[object];
        let lost = D::may_be_lost(&op) && rng.random_bool(0.15);
        let (start, end) = (times[0], (!lost).then_some(times[2]));
        let mut state = states.last().expect("there is the first").clone();
        let right = state.invoke(&op);
        let ret = match wrong && rng.random_bool(0.5) {
            true if rng.random_bool(0.5) => {
                states.choose(rng).expect("there is the first").clone().invoke(&op)
            }
            true => D::answer(rng, &op),
            false => right,
        };
        if !lost || rng.random_bool(0.5) {
            states.push(state);
        }
        let call = Call { op, ret: (!lost).then_some(ret), start, end };
        asked.push(Asked { call, client: 0, object });
    }
    asked.sort_by_key(|one| one.call.start);
    name_clients(rng, &mut asked);
    asked
}

/// Invocation, effect and answer of each of `n` calls, in order of effect.
fn times(rng: &mut ChaCha8Rng, n: usize) -> Vec<Vec<u64>> {
    let mut instants: Vec<u64> = (0..3 * n as u64).collect();
    if rng.random_bool(0.7) {
        instants.shuffle(rng);
    } else {
        // Few overlap.
        (0..n).for_each(|_| {
            let at = rng.random_range(0..instants.len() - 1);
            instants.swap(at, at + 1);
        });
    }
    let mut times: Vec<_> = instants.chunks(3).map(<[u64]>::to_vec).collect();
    times.iter_mut().for_each(|times| times.sort_unstable());
    times.sort_by_key(|times| times[1]);
    times
}

/// Each call is one of a client that has nothing else to wait for. After one that is lost, it goes on.
fn name_clients<S: Searchable>(rng: &mut ChaCha8Rng, asked: &mut [Asked<S>]) {
    let mut busy: Vec<u64> = Vec::new();
    for one in asked {
        let start = one.call.start;
        let free = |client: &usize| busy[*client] <= start;
        let free: Vec<usize> = (0..busy.len()).filter(free).collect();
        let fresh = free.is_empty() || (busy.len() as u64) < CLIENTS && rng.random_bool(0.3);
        let client = match free.choose(rng) {
            Some(client) if !fresh => *client,
            _ => {
                busy.push(0);
                busy.len() - 1
            }
        };
        busy[client] = one.call.end.unwrap_or(start);
        one.client = client as u64;
    }
}

/// The calls on each object.
pub(crate) fn by_object<S: Searchable>(asked: &[Asked<S>]) -> Vec<Vec<Call<S>>> {
    let on = |object: usize| asked.iter().filter(move |one| one.object == object);
    let calls = |object| on(object).map(|one| one.call.clone()).collect();
    (0..OBJECTS_MAX).map(calls).collect()
}

/// Histories of a seed, of which about as many hold as do not.
pub(crate) fn histories<D: Drawn + ?Sized>(
    seed: u64,
    n: u32,
) -> impl Iterator<Item = Vec<Asked<D::Spec>>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(move |_| {
        let wrong = rng.random_bool(0.8);
        history::<D>(&mut rng, wrong)
    })
}

/// A value of its own in most histories, one of few in others.
fn value(rng: &mut ChaCha8Rng, n: i64) -> i64 {
    if rng.random_bool(0.95) { n } else { rng.random_range(1..3) }
}

fn some_value(rng: &mut ChaCha8Rng) -> i64 {
    rng.random_range(1..=CALLS_MAX.cast_signed() as i64)
}

impl Drawn for CasRegister {
    type Spec = CasRegister;
    const NAME: &str = "cas-register";

    fn op(rng: &mut ChaCha8Rng, n: i64) -> plain::Op {
        match rng.random_range(0..5) {
            0 | 1 => plain::Op::Read,
            2 => plain::Op::Write(value(rng, n)),
            _ => plain::Op::Cas { expected: rng.random_range(1..=n), value: value(rng, n) },
        }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &plain::Op) -> plain::Ret {
        match op {
            plain::Op::Read if rng.random_bool(0.2) => plain::Ret::Value(None),
            plain::Op::Read => plain::Ret::Value(Some(some_value(rng))),
            plain::Op::Cas { .. } if rng.random_bool(0.5) => plain::Ret::Differs,
            _ => plain::Ret::Written,
        }
    }

    fn may_be_lost(op: &plain::Op) -> bool {
        *op != plain::Op::Read
    }
}

impl Drawn for Register {
    type Spec = Register;
    const NAME: &str = "versioned register";

    fn op(rng: &mut ChaCha8Rng, n: i64) -> versioned::Op {
        match rng.random_range(0..4) {
            0 | 1 => versioned::Op::Read,
            2 => versioned::Op::Write(n),
            _ => versioned::Op::Cas { expected: rng.random_range(0..3), value: n },
        }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &versioned::Op) -> versioned::Ret {
        let version = rng.random_range(0..4);
        match op {
            versioned::Op::Read => versioned::Ret::Value { value: Some(some_value(rng)), version },
            versioned::Op::Cas { .. } if rng.random_bool(0.5) => versioned::Ret::BadVersion,
            _ => versioned::Ret::Written { version },
        }
    }

    fn may_be_lost(op: &versioned::Op) -> bool {
        *op != versioned::Op::Read
    }
}

impl Drawn for Counter {
    type Spec = Counter;
    const NAME: &str = "counter";

    fn op(rng: &mut ChaCha8Rng, _: i64) -> counter::Op {
        match rng.random_range(0..20) {
            0..8 => counter::Op::Read,
            8 => counter::Op::Add(-1),
            _ => counter::Op::Add(2),
        }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &counter::Op) -> counter::Ret {
        match op {
            counter::Op::Read => counter::Ret::Value(rng.random_range(-1..9)),
            counter::Op::Add(_) => counter::Ret::Added,
        }
    }

    fn may_be_lost(op: &counter::Op) -> bool {
        *op != counter::Op::Read
    }
}

impl Drawn for Set {
    type Spec = Set;
    const NAME: &str = "set";

    fn op(rng: &mut ChaCha8Rng, n: i64) -> set::Op {
        match rng.random_range(0..30) {
            0..12 => set::Op::Read,
            12 => set::Op::Remove(some_value(rng)),
            13 => set::Op::Contains(some_value(rng)),
            _ => set::Op::Add(value(rng, n)),
        }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &set::Op) -> set::Ret {
        match op {
            set::Op::Read => {
                let n = rng.random_range(0..4);
                set::Ret::Elements((0..n).map(|_| some_value(rng)).collect::<BTreeSet<_>>())
            }
            set::Op::Contains(_) => set::Ret::Found(rng.random_bool(0.5)),
            set::Op::Add(_) | set::Op::Remove(_) => set::Ret::Done,
        }
    }

    fn may_be_lost(op: &set::Op) -> bool {
        matches!(op, set::Op::Add(_) | set::Op::Remove(_))
    }
}

impl Drawn for Queue {
    type Spec = Queue;
    const NAME: &str = "queue";

    fn op(rng: &mut ChaCha8Rng, n: i64) -> queue::Op {
        if rng.random_bool(0.5) { queue::Op::Dequeue } else { queue::Op::Enqueue(value(rng, n)) }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &queue::Op) -> queue::Ret {
        match op {
            queue::Op::Dequeue if rng.random_bool(0.4) => queue::Ret::Empty,
            queue::Op::Dequeue => queue::Ret::Dequeued(some_value(rng)),
            queue::Op::Enqueue(_) => queue::Ret::Enqueued,
        }
    }

    fn may_be_lost(_: &queue::Op) -> bool {
        true
    }
}

impl Drawn for Entry {
    type Spec = Entry;
    const NAME: &str = "kv";

    fn op(rng: &mut ChaCha8Rng, n: i64) -> kv::Op {
        match rng.random_range(0..4) {
            0 | 1 => kv::Op::Get,
            2 => kv::Op::Append(n.to_string()),
            _ => kv::Op::Put(n.to_string()),
        }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &kv::Op) -> kv::Ret {
        match op {
            kv::Op::Get => kv::Ret::Text(some_value(rng).to_string()),
            kv::Op::Put(_) | kv::Op::Append(_) => kv::Ret::Done,
        }
    }

    fn may_be_lost(op: &kv::Op) -> bool {
        *op != kv::Op::Get
    }
}

impl Drawn for Lock {
    type Spec = Lock;
    const NAME: &str = "lock";

    fn op(rng: &mut ChaCha8Rng, _: i64) -> lock::Op {
        let client = rng.random_range(0..2);
        if rng.random_bool(0.5) {
            lock::Op::Acquire { client }
        } else {
            lock::Op::Release { client }
        }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &lock::Op) -> lock::Ret {
        match op {
            _ if rng.random_bool(0.3) => lock::Ret::Refused,
            lock::Op::Acquire { .. } => {
                let token = rng.random_bool(0.8).then(|| rng.random_range(1..6));
                lock::Ret::Acquired { token }
            }
            lock::Op::Release { .. } => lock::Ret::Released,
        }
    }

    fn may_be_lost(_: &lock::Op) -> bool {
        true
    }
}

/// A register without compare-and-set.
pub(crate) struct Plain;

impl Drawn for Plain {
    type Spec = CasRegister;
    const NAME: &str = "register";

    fn op(rng: &mut ChaCha8Rng, n: i64) -> plain::Op {
        if rng.random_bool(0.5) { plain::Op::Read } else { plain::Op::Write(value(rng, n)) }
    }

    fn answer(rng: &mut ChaCha8Rng, op: &plain::Op) -> plain::Ret {
        <CasRegister as Drawn>::answer(rng, op)
    }

    fn may_be_lost(op: &plain::Op) -> bool {
        *op != plain::Op::Read
    }
}

const PATHS: [&str; 3] = ["/a", "/a/b", "/b"];

fn znode(rng: &mut ChaCha8Rng, n: i64, path: &str) -> znodes::Op {
    let path = path.to_owned();
    let version = rng.random_range(-1..2);
    match rng.random_range(0..13) {
        0..5 => {
            let sequential = rng.random_bool(0.2);
            let owner = rng.random_bool(0.3).then_some(1);
            znodes::Op::Create { path, data: n.to_string(), owner, sequential }
        }
        5 | 6 => znodes::Op::Set { path, data: n.to_string(), version },
        7 => znodes::Op::Delete { path, version },
        8 => znodes::Op::Check { path, version },
        9 => znodes::Op::Exists { path },
        10 => znodes::Op::Children { path },
        _ => znodes::Op::Get { path },
    }
}

impl Drawn for Znodes {
    type Spec = Znodes;
    const NAME: &str = "znodes";

    fn op(rng: &mut ChaCha8Rng, n: i64) -> znodes::Op {
        let path = |rng: &mut ChaCha8Rng| PATHS[rng.random_range(0..PATHS.len())];
        match rng.random_range(0..12) {
            0 => znodes::Op::Close { session: 1 },
            1 => {
                let first = path(rng);
                let ops = [first, path(rng)].map(|path| znode(rng, n, path));
                znodes::Op::Multi(ops.into_iter().filter(|op| !Znodes::is_query(op)).collect())
            }
            2..6 => znode(rng, n, "/a"),
            _ => {
                let path = path(rng);
                znode(rng, n, path)
            }
        }
    }

    /// What it is answered in some small tree.
    fn answer(rng: &mut ChaCha8Rng, op: &znodes::Op) -> znodes::Ret {
        let mut tree = Znodes::default();
        for n in 0..rng.random_range(0..4) {
            tree.invoke(&Self::op(rng, n));
        }
        tree.invoke(op)
    }

    fn may_be_lost(op: &znodes::Op) -> bool {
        !Znodes::is_query(op)
    }
}
