//! The engines that judge in passing beside those that hold the whole.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spec::{CasRegister, Register, plain, versioned};

use super::call::{Act, Call, Engine, Trouble};
use super::values::Values;
use super::versions::Versions;
use crate::budget::{Budget, Limits};
use crate::engine::{self, Decision, decide};

/// How a random history is made.
#[derive(Clone, Copy)]
struct Shape {
    clients: usize,
    calls: usize,
    /// Is each value written once?
    distinct: bool,
    cas: bool,
    /// One in so many writes has no outcome.
    lost: u32,
    /// One in so many results is changed.
    lies: u32,
}

/// A register that behaved, but for the lies. Versions are noted always.
fn history(shape: Shape, rng: &mut ChaCha8Rng) -> Vec<Call> {
    let mut world = World::new(shape);
    while world.calls.len() < shape.calls || world.open.iter().any(Option::is_some) {
        world.step(rng);
    }
    world.calls
}

struct World {
    shape: Shape,
    now: u64,
    value: Option<i64>,
    version: i32,
    written: i64,
    /// Each client's call, and whether it has taken effect.
    open: Vec<Option<(usize, bool)>>,
    calls: Vec<Call>,
}

impl World {
    fn new(shape: Shape) -> World {
        let open = vec![None; shape.clients];
        World { shape, now: 0, value: None, version: 0, written: 0, open, calls: Vec::new() }
    }

    fn step(&mut self, rng: &mut ChaCha8Rng) {
        let client = rng.random_range(0..self.open.len());
        match self.open[client] {
            None if self.calls.len() < self.shape.calls => self.invoke(client, rng),
            None => {}
            Some((call, false)) => {
                self.take_effect(call);
                self.open[client] = Some((call, true));
            }
            Some((call, true)) => self.answer(client, call, rng),
        }
    }

    fn invoke(&mut self, client: usize, rng: &mut ChaCha8Rng) {
        self.now += 1;
        self.written += 1;
        let value = if self.shape.distinct { self.written } else { rng.random_range(1..4) };
        let act = match rng.random_range(0..4) {
            0 | 1 => Act::Read(None, 0),
            2 if self.shape.cas => {
                let expected = self.value.unwrap_or(1) - i64::from(rng.random_bool(0.3));
                Act::Cas(expected, value, 0)
            }
            _ => Act::Write(value, 0),
        };
        self.open[client] = Some((self.calls.len(), false));
        let lines = (self.now, 0);
        self.calls.push(Call { object: 0, act, start: self.now, end: None, lines });
    }

    fn take_effect(&mut self, call: usize) {
        let call = &mut self.calls[call];
        match call.act {
            Act::Read(..) => call.act = Act::Read(self.value, self.version),
            Act::Cas(expected, ..) if self.value != Some(expected) => {
                call.act = Act::Differs(expected);
            }
            Act::Write(value, _) | Act::Cas(_, value, _) => {
                self.value = Some(value);
                self.version += 1;
                call.act = match call.act {
                    Act::Cas(expected, ..) => Act::Cas(expected, value, self.version),
                    _ => Act::Write(value, self.version),
                };
            }
            Act::Differs(_) => {}
        }
    }

    fn answer(&mut self, client: usize, at: usize, rng: &mut ChaCha8Rng) {
        self.open[client] = None;
        let is_write = matches!(self.calls[at].act, Act::Write(..) | Act::Cas(..));
        if is_write && rng.random_ratio(1, self.shape.lost) {
            return;
        }
        self.now += 1;
        let call = &mut self.calls[at];
        (call.end, call.lines.1) = (Some(self.now), self.now);
        if let Act::Read(value, version) = &mut call.act
            && rng.random_ratio(1, self.shape.lies)
        {
            *version = rng.random_range(0..self.version + 2);
            *value = (*version > 0).then(|| rng.random_range(1..self.written.min(4) + 1));
        }
    }
}

/// What an engine says of calls that go by.
fn pass<E: Engine>(calls: &[Call]) -> Result<(), Trouble> {
    let starts = calls.iter().map(|call| (call.start, call, true));
    let ends = calls.iter().filter_map(|call| Some((call.end?, call, false)));
    let mut moments: Vec<_> = starts.chain(ends).collect();
    moments.sort_by_key(|moment| moment.0);
    let mut engine = E::default();
    for (_, call, starts) in moments {
        if starts { engine.start(call) } else { engine.end(call) }?;
    }
    engine.finish()
}

fn by_values(calls: &[Call]) -> bool {
    let calls: Vec<_> = calls
        .iter()
        .map(|call| {
            let (op, ret) = match call.act {
                Act::Read(value, _) => (plain::Op::Read, plain::Ret::Value(value)),
                Act::Write(value, _) => (plain::Op::Write(value), plain::Ret::Written),
                Act::Cas(expected, value, _) => {
                    (plain::Op::Cas { expected, value }, plain::Ret::Written)
                }
                Act::Differs(expected) => {
                    (plain::Op::Cas { expected, value: 0 }, plain::Ret::Differs)
                }
            };
            let (start, end) = (call.start, call.end);
            engine::Call::<CasRegister> { op, ret: end.map(|_| ret), start, end }
        })
        .collect();
    holds(CasRegister::default(), &calls)
}

fn by_versions(calls: &[Call]) -> bool {
    let calls: Vec<_> = calls
        .iter()
        .map(|call| {
            use versioned::{Op, Ret};
            let (op, ret) = match call.act {
                Act::Read(value, version) => (Op::Read, Ret::Value { value, version }),
                Act::Write(value, version) => (Op::Write(value), Ret::Written { version }),
                Act::Cas(expected, value, version) => {
                    let expected = i32::try_from(expected).expect("small");
                    (Op::Cas { expected, value }, Ret::Written { version })
                }
                Act::Differs(expected) => {
                    let expected = i32::try_from(expected).expect("small");
                    (Op::Cas { expected, value: 0 }, Ret::BadVersion)
                }
            };
            let (start, end) = (call.start, call.end);
            engine::Call::<Register> { op, ret: end.map(|_| ret), start, end }
        })
        .collect();
    holds(Register::default(), &calls)
}

fn holds<S: spec::Searchable>(initial: S, calls: &[engine::Call<S>]) -> bool {
    match decide(initial, calls, &mut Budget::new(Limits::default())) {
        Decision::Linearizable => true,
        Decision::Broken { .. } => false,
        Decision::GaveUp { .. } => panic!("a small history needs no budget"),
    }
}

/// Compare-and-sets by version: the version they expect is the one before that they made.
fn expecting_versions(mut calls: Vec<Call>, rng: &mut ChaCha8Rng) -> Vec<Call> {
    for call in &mut calls {
        call.act = match call.act {
            Act::Cas(_, value, version) => Act::Cas(i64::from(version.max(1)) - 1, value, version),
            Act::Differs(_) => Act::Differs(rng.random_range(0..6)),
            act => act,
        };
    }
    calls
}

/// Counts what was accepted, refused with certainty, and left open, of histories that hold and of
/// others.
#[derive(Debug, Default)]
struct Tally {
    accepted: u32,
    open: u32,
    refused: u32,
    open_though_it_holds: u32,
}

fn compare(
    shape: Shape,
    seeds: u64,
    passed: fn(&[Call]) -> Result<(), Trouble>,
    truth: fn(&[Call]) -> bool,
    versions: bool,
) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..seeds {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut calls = history(shape, &mut rng);
        if versions {
            calls = expecting_versions(calls, &mut rng);
        }
        let holds = truth(&calls);
        match passed(&calls) {
            Ok(()) => {
                assert!(holds, "seed {seed}: accepted without an order: {calls:#?}");
                tally.accepted += 1;
            }
            Err(Trouble::Broken(..)) => {
                assert!(!holds, "seed {seed}: refused, though there is an order: {calls:#?}");
                tally.refused += 1;
            }
            Err(_) => {
                tally.open += 1;
                tally.open_though_it_holds += u32::from(holds);
            }
        }
    }
    tally
}

const SHAPE: Shape =
    Shape { clients: 4, calls: 10, distinct: true, cas: false, lost: u32::MAX, lies: 20 };

#[test]
fn registers_of_distinct_values_are_accepted_just_when_they_hold() {
    let tally = compare(SHAPE, 6_000, pass::<Values>, by_values, false);
    assert_eq!(tally.open_though_it_holds, 0, "{tally:?}");
    assert!(tally.accepted > 1_500 && tally.open > 600, "{tally:?}");
    let lost = Shape { lost: 5, ..SHAPE };
    let tally = compare(lost, 6_000, pass::<Values>, by_values, false);
    assert_eq!(tally.open_though_it_holds, 0, "{tally:?}");
    assert!(tally.accepted > 1_500 && tally.open > 300, "{tally:?}");
}

#[test]
fn what_is_accepted_of_other_registers_holds() {
    for (distinct, cas, lost) in
        [(true, true, u32::MAX), (true, true, 5), (false, false, u32::MAX), (false, true, 5)]
    {
        let shape = Shape { distinct, cas, lost, ..SHAPE };
        let tally = compare(shape, 6_000, pass::<Values>, by_values, false);
        assert!(tally.accepted > 150 && tally.open > 300, "{tally:?}");
    }
}

#[test]
fn versions_are_accepted_and_refused_just_as_the_search_does() {
    for (distinct, lost) in [(true, u32::MAX), (true, 4), (false, 4)] {
        for cas in [false, true] {
            let shape = Shape { distinct, cas, lost, ..SHAPE };
            let tally = compare(shape, 6_000, pass::<Versions>, by_versions, true);
            assert!(tally.accepted > 600 && tally.refused > 600, "{tally:?}");
        }
    }
}

/// The calls as a file: JSON lines with the values, or zoobreak's own with the versions. Every other
/// call without an outcome is never completed.
fn file(calls: &[Call], own: bool) -> tempfile::NamedTempFile {
    let starts = calls.iter().enumerate().map(|(n, call)| (call.start, n, true));
    let ends = calls.iter().enumerate().filter_map(|(n, call)| Some((call.end?, n, false)));
    let mut moments: Vec<_> = starts.chain(ends).collect();
    moments.sort_unstable();
    let mut lines = Vec::new();
    for (_, n, starts) in moments {
        let (f, asked, answered, version) = words(calls[n].act);
        let error = if own { "BadVersion" } else { "differs" };
        let (kind, value, rest) = match (starts, calls[n].act) {
            (true, _) => ("invoke", asked, String::new()),
            (false, Act::Differs(_)) => ("fail", asked, format!(",\"error\":\"{error}\"")),
            (false, _) if own => ("ok", answered, stat(version)),
            (false, _) => ("ok", answered, String::new()),
        };
        lines.push((n, kind, f, value.clone(), rest));
        if starts && calls[n].end.is_none() && n % 2 == 0 {
            lines.push((n, "info", f, value, String::new()));
        }
    }
    let file = tempfile::NamedTempFile::with_suffix(".jsonl").expect("a scratch file");
    let session = if own { ",\"key\":\"/r\",\"session\":\"0x1\"" } else { "" };
    let line = |(index, (n, kind, f, value, rest)): (
        usize,
        &(usize, &str, &str, String, String),
    )| {
        format!(
            "{{\"index\":{index},\"time\":{index},\"process\":{n},\"type\":\"{kind}\",\"f\":\"{f}\",\
             \"value\":{value}{session}{rest}}}\n"
        )
    };
    let text: String = lines.iter().enumerate().map(line).collect();
    std::fs::write(file.path(), text).expect("a scratch file");
    file
}

fn stat(version: i32) -> String {
    format!(",\"stat\":{{\"czxid\":\"0x1\",\"mzxid\":\"0x2\",\"version\":{version}}}")
}

/// Operation, argument, result, version.
fn words(act: Act) -> (&'static str, String, String, i32) {
    let null = || "null".to_owned();
    match act {
        Act::Read(value, version) => {
            ("read", null(), value.map_or_else(null, |value| value.to_string()), version)
        }
        Act::Write(value, version) => ("write", value.to_string(), value.to_string(), version),
        Act::Cas(expected, value, version) => {
            let pair = format!("[{expected},{value}]");
            ("cas", pair.clone(), pair, version)
        }
        Act::Differs(expected) => ("cas", format!("[{expected},0]"), null(), 0),
    }
}

#[test]
fn files_are_judged_in_passing_as_they_are_held() {
    let spec = crate::Spec::named("cas-register").expect("it is one");
    let (mut outcomes, mut passed) = ([0; 2], 0);
    for seed in 0..300 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (distinct, cas) = (seed % 3 > 0, seed % 2 > 0);
        let file = file(&history(Shape { distinct, cas, lost: 6, ..SHAPE }, &mut rng), false);
        let options = history::foreign::Options::default();
        let limits = Limits::default();
        let whole = history::foreign::read(file.path(), options).expect("a good file");
        let held = crate::check_foreign(&whole, spec, limits).expect("sense");
        let streamed = crate::check_file(file.path(), options, spec, limits, &mut |_, _| ())
            .expect("a good file");
        assert_eq!(streamed.outcome, held.outcome, "{seed}: {streamed:#?}");
        outcomes[usize::from(held.outcome == crate::Outcome::Valid)] += 1;
        passed += u32::from(streamed.sentence.contains("in passing"));
    }
    assert!(outcomes.iter().all(|n| *n > 30) && passed > 30, "{outcomes:?}, {passed}");
}

#[test]
fn own_files_are_judged_in_passing_as_they_are_held() {
    let (mut outcomes, mut passed) = ([0; 2], 0);
    for seed in 0..300 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let shape = Shape { distinct: seed % 4 > 0, cas: true, lost: 6, ..SHAPE };
        let calls = expecting_versions(history(shape, &mut rng), &mut rng);
        let file = file(&calls, true);
        let held = crate::check_history(file.path(), Limits::default()).expect("a good file");
        let streamed =
            crate::check_own(file.path(), Limits::default(), &mut |_, _| ()).expect("a good file");
        for check in &streamed.checks[..2] {
            let by_whole = held.checks.iter().find(|whole| whole.id == check.id);
            let by_whole = by_whole.expect("it has all checks");
            assert_eq!(check.outcome, by_whole.outcome, "{seed}: {check:#?} {by_whole:#?}");
            let few = check.witness.as_ref().is_none_or(|witness| witness.operations.len() <= 10);
            assert!(few, "{check:#?}");
        }
        outcomes[usize::from(streamed.checks[0].outcome == crate::Outcome::Valid)] += 1;
        passed += u32::from(streamed.checks.len() == 2);
    }
    assert!(outcomes.iter().all(|n| *n > 30) && passed > 100, "{outcomes:?}, {passed}");
}
