//! Wrong clocks: set in each process of a node, shown to it, counted, and put right again.

use std::io;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Active, Nemesis};
use crate::clock::Clock;
use crate::fault::{FaultId, Motion};
use crate::host::NodeId;
use crate::outcome::Outcome;
use crate::place::Place;
use crate::process;
use crate::worker::{Stop, Worker};

/// Wrong clocks, in force.
#[derive(Debug)]
pub(super) struct Clocks {
    clocks: Arc<Vec<(NodeId, i32, Clock)>>,
    offset_ms: i64,
    /// Who moves them.
    mover: Option<Worker<Result<u64, String>>>,
    doubts: Vec<String>,
}

/// How long a clock stays where it is, if it is moved again and again.
const MOVE_EVERY: Duration = Duration::from_millis(50);

/// A thread stands where the jumps go only for nanoseconds at a time.
const TRIES_MAX: usize = 20;

impl Nemesis {
    pub(super) fn set_clocks(
        &self,
        id: FaultId,
        nodes: &[NodeId],
        motion: Motion,
        offset_ms: i64,
    ) -> (Outcome, Value) {
        let (mut clocks, mut doubts) = (Vec::new(), Vec::new());
        for &node in nodes {
            match set(self.lab.place(node), offset_ms) {
                Ok(set) => clocks.extend(set.into_iter().map(|(pid, clock)| (node, pid, clock))),
                Err(error) => doubts.push(format!("{node}: {error}")),
            }
        }
        let shown: Vec<_> =
            clocks.iter().map(|(node, pid, _)| json!({ "node": node, "pid": pid })).collect();
        let evidence = json!({ "offset_ms": offset_ms, "seen_by_calling_clock_gettime_in": shown });
        if clocks.is_empty() {
            return (Outcome::skipped(doubts.join("; ")), evidence);
        }
        let clocks = Arc::new(clocks);
        let mover = (motion != Motion::Jump).then(|| {
            let clocks = clocks.clone();
            Worker::start("clocks", move |stop| move_on(&clocks, motion, offset_ms, stop))
        });
        let mover = mover.transpose().unwrap_or_else(|error| {
            doubts.push(error.to_string());
            None
        });
        let outcome = Outcome::unless(&doubts);
        self.ledger.put(id, Active::Clocks(Clocks { clocks, offset_ms, mover, doubts }));
        (outcome, evidence)
    }

    /// Puts the clocks right. A process that has ended took its wrong clock with it.
    pub(super) fn correct(&self, wrong: &mut Clocks) -> Result<(Outcome, Value), String> {
        let mut evidence = json!({ "offset_ms": wrong.offset_ms });
        let moving = wrong.mover.is_some();
        if let Some(mover) = wrong.mover.take() {
            match mover.finish() {
                Some(Ok(n)) => evidence["moves"] = json!(n),
                Some(Err(error)) => wrong.doubts.push(error),
                None => wrong.doubts.push("the clocks' thread panicked".into()),
            }
        }
        let (mut corrected, mut n_wrong) = (Vec::new(), 0);
        for (node, pid, clock) in wrong.clocks.iter() {
            let place = self.lab.place(*node);
            let in_node = |e: io::Error| format!("{node}: process {pid}: {e}");
            let alive = process::list(place).map_err(|e| format!("{node}: {e}"))?.contains(pid);
            if !alive || !clock.is_patched() {
                wrong.doubts.push(format!("{node}: process {pid} ended before the heal"));
                continue;
            }
            let n = clock.n_wrong_answers().map_err(in_node)?;
            if !moving && let Err(error) = look(*pid, clock, wrong.offset_ms) {
                wrong.doubts.push(format!("{node}: before the heal, {error}"));
            }
            correct(place, *pid, clock).map_err(in_node)?;
            n_wrong += n;
            corrected.push(json!({ "node": node, "pid": pid, "wrong_times_given": n }));
        }
        if n_wrong == 0 {
            wrong.doubts.push("no process asked for the time: nobody felt it".into());
        }
        evidence["corrected"] = json!(corrected);
        Ok((Outcome::unless(&wrong.doubts), evidence))
    }
}

/// Sets the clock of every process of a node, and lets each of them look at it.
fn set(place: &Place, offset_ms: i64) -> io::Result<Vec<(i32, Clock)>> {
    let mut clocks = patch(place)?;
    if clocks.is_empty() {
        return Err(io::Error::other("ran no process"));
    }
    let shown = clocks.iter_mut().try_for_each(|(pid, clock)| {
        clock.count()?;
        clock.set(offset_ms)?;
        look(*pid, clock, offset_ms)
    });
    match shown {
        Ok(()) => Ok(clocks),
        Err(error) => {
            clocks.iter().try_for_each(|(pid, clock)| correct(place, *pid, clock))?;
            Err(error)
        }
    }
}

fn look(pid: i32, clock: &Clock, offset_ms: i64) -> io::Result<()> {
    match clock.shows(offset_ms)? {
        true => Ok(()),
        false => {
            let what =
                format!("a call of clock_gettime in process {pid} is not off by {offset_ms} ms");
            Err(io::Error::other(what))
        }
    }
}

fn patch(place: &Place) -> io::Result<Vec<(i32, Clock)>> {
    for _ in 0..TRIES_MAX {
        match while_paused(place, patch_all) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sleep(Duration::from_millis(1));
            }
            other => return other,
        }
    }
    Err(io::Error::other("its threads ask for the time all the time"))
}

/// All of them or none.
fn patch_all(pids: &[i32]) -> io::Result<Vec<(i32, Clock)>> {
    let mut patched: Vec<(i32, Clock)> = Vec::new();
    for &pid in pids {
        match Clock::patch(pid) {
            Ok(clock) => patched.push((pid, clock)),
            Err(error) => {
                patched.iter().try_for_each(|(_, clock)| clock.restore())?;
                return Err(error);
            }
        }
    }
    Ok(patched)
}

/// The process must see the right time afterwards.
fn correct(place: &Place, pid: i32, clock: &Clock) -> io::Result<()> {
    clock.set(0)?;
    while_paused(place, |_| clock.restore())?;
    look(pid, clock, 0)
}

fn while_paused<T>(place: &Place, work: impl FnOnce(&[i32]) -> io::Result<T>) -> io::Result<T> {
    let paused = process::stopped(place).map_err(io::Error::other)?;
    if !paused.is_empty() {
        return Err(io::Error::other(format!("is paused already: {paused:?} are stopped")));
    }
    let pids = process::pause(place).map_err(io::Error::other);
    let done = pids.and_then(|pids| work(&pids));
    process::resume(place).map_err(io::Error::other)?;
    done
}

/// How often the clocks were moved.
fn move_on(
    clocks: &[(NodeId, i32, Clock)],
    motion: Motion,
    offset_ms: i64,
    stop: &Stop,
) -> Result<u64, String> {
    let start = Instant::now();
    for n in 0.. {
        if stop.comes_within(MOVE_EVERY) {
            return Ok(n);
        }
        let offset = match motion {
            Motion::Drift => offset_ms + offset_ms * start.elapsed().as_millis() as i64 / 1000,
            _ if n % 2 == 0 => 0,
            _ => offset_ms,
        };
        for (node, pid, clock) in clocks {
            clock.set(offset).map_err(|e| format!("{node}: process {pid}: {e}"))?;
        }
    }
    Ok(u64::MAX)
}
