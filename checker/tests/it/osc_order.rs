//! OSC(U) against a search that tries every order, on random small histories: sessions that write and
//! read two znodes, reads that are stale or wrong, writes whose outcome nobody learnt.

use std::collections::BTreeMap;

use checker::Outcome;
use history::{History, Operation, f};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::drawn::n_histories;
use crate::story::{Reply, Story};

const KEYS: [&str; 2] = ["/r0", "/r1"];
const CLIENTS: u64 = 3;
const CALLS: usize = 7;

/// Both say the same where every outcome is known. A write of unknown outcome is left out by the check,
/// so there it must only never refuse what has an order.
#[test]
fn the_order_of_sessions_and_versions_is_what_brute_force_finds() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut valid, mut invalid, mut lenient) = (0, 0, 0);
    let all = 2 * n_histories();
    for _ in 0..all {
        let lossy = rng.random_bool(0.2);
        let story = random_story(&mut rng, lossy);
        let history = story.history();
        let truth = has_order(&history);
        let check = story.check("OSC(U)");
        if history.operations.iter().all(|op| op.stat.is_none()) {
            continue;
        }
        match (check.outcome, truth) {
            (Outcome::Valid, true) => valid += 1,
            (Outcome::Invalid, false) => invalid += 1,
            (Outcome::Valid, false) if lossy => lenient += 1,
            (found, truth) => panic!("{found}, and brute force {truth}: {}", story.text()),
        }
    }
    println!(
        "{all} histories: {valid} valid, {invalid} invalid, {lenient} that a lost write excuses"
    );
    assert!(valid > all / 20 && invalid > all / 20, "one-sided: {valid} and {invalid} of {all}");
}

/// What each znode holds: the version, and the value of each version so far.
#[derive(Default)]
struct World {
    values: [Vec<i64>; 2],
    /// Every state there was: znode, version.
    seen: Vec<(usize, usize)>,
}

/// Clients that are busy at the same time; each call takes effect when it is answered.
fn random_story(rng: &mut ChaCha8Rng, lossy: bool) -> Story {
    let (mut story, mut world) = (Story::new(), World::default());
    world.seen.extend([(0, 0), (1, 0)]);
    let mut open: BTreeMap<u64, (usize, Option<i64>)> = BTreeMap::new();
    let (mut begun, mut closed) = (0, false);
    while !closed {
        let client = rng.random_range(1..=CLIENTS);
        match open.remove(&client) {
            Some(call) => end(&mut story, &mut world, rng, client, call, lossy),
            None if begun < CALLS => {
                begun += 1;
                open.insert(client, begin(&mut story, rng, client, begun));
            }
            None => closed = open.is_empty(),
        }
    }
    story
}

fn begin(story: &mut Story, rng: &mut ChaCha8Rng, client: u64, n: usize) -> (usize, Option<i64>) {
    let (key, value) = (rng.random_range(0..2), i64::try_from(n).expect("few"));
    if rng.random_bool(0.5) {
        story.invoke(client, f::WRITE, KEYS[key], value);
        (key, Some(value))
    } else {
        story.invoke(client, f::LOCAL_READ, KEYS[key], json!(null));
        (key, None)
    }
}

fn end(
    story: &mut Story,
    world: &mut World,
    rng: &mut ChaCha8Rng,
    client: u64,
    (key, written): (usize, Option<i64>),
    lossy: bool,
) {
    let lost = lossy && written.is_some() && rng.random_bool(0.3);
    if let Some(value) = written.filter(|_| !lost || rng.random_bool(0.5)) {
        world.values[key].push(value);
        world.seen.push((key, world.values[key].len()));
    }
    if lost {
        return story.info(client, f::WRITE);
    }
    let last = world.values[key].len();
    let states: Vec<usize> =
        world.seen.iter().filter(|(of, _)| *of == key).map(|(_, version)| *version).collect();
    // Most reads are fresh, others show any state there was; a few writes lie about their version.
    let version = match written {
        None if rng.random_bool(0.3) => *states.choose(rng).expect("there is the first"),
        Some(_) if rng.random_bool(0.05) && last > 1 => last - 1,
        _ => last,
    };
    let shown = version.checked_sub(1).map(|at| world.values[key][at]);
    let value = written.map_or(json!(shown), |value| json!(value));
    let name = if written.is_some() { f::WRITE } else { f::LOCAL_READ };
    let version = i32::try_from(version).expect("few");
    story.ok(client, name, value, Reply { zxid: 9, mzxid: 9, version });
}

/// Is there an order of all operations, and of any of the writes of unknown outcome, in which each
/// session's are as it made them, each write is behind those answered before it began, and each read shows
/// the write before it?
fn has_order(history: &History) -> bool {
    let operations: Vec<&Operation> = history.operations.iter().collect();
    place(&operations, &mut vec![false; operations.len()], [0, 0], [None, None])
}

fn place(
    operations: &[&Operation],
    placed: &mut [bool],
    versions: [i32; 2],
    values: [Option<i64>; 2],
) -> bool {
    let needed = |n: usize| !placed[n] && operations[n].is_ok();
    if !(0..operations.len()).any(needed) {
        return true;
    }
    for n in 0..operations.len() {
        if placed[n] || !may_be_next(operations, placed, n) {
            continue;
        }
        let op = operations[n];
        let key = usize::from(op.action.key().is_some_and(|key| &**key == KEYS[1]));
        let (mut versions, mut values) = (versions, values);
        if let Some(value) = op.action.written() {
            versions[key] += 1;
            values[key] = Some(value);
        }
        let fits = !op.is_ok()
            || op.stat.is_some_and(|stat| stat.version == versions[key])
                && (op.action.written().is_some() || op.read == values[key]);
        placed[n] = true;
        let found = fits && place(operations, placed, versions, values);
        placed[n] = false;
        if found {
            return true;
        }
    }
    false
}

/// Nothing that is not placed must come before it.
fn may_be_next(operations: &[&Operation], placed: &[bool], n: usize) -> bool {
    let op = operations[n];
    let comes_first = |other: &&Operation| {
        let same_session = other.session == op.session && other.invoke < op.invoke;
        let both_write = op.action.written().is_some() && other.action.written().is_some();
        let before = other.answered().is_some_and(|answered| answered < op.invoke);
        other.is_ok() && (same_session || both_write && before)
    };
    (0..operations.len()).all(|other| placed[other] || !comes_first(&operations[other]))
}
