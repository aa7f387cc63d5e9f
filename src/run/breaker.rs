//! What breaks things: it carries out the schedule and records what really happened.
//!
//! Each fault has a thread of its own, from the moment that its turn comes to its heal, so that a slow one delays no other.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use history::Recorder;
use nemesis::scenario::Scenario;
use nemesis::{FaultSpec, Nemesis, Scheduled};
use workloads::RoleView;

use super::ground::Ground;

/// Between two looks at processes that should be running.
const WATCH: Duration = Duration::from_millis(200);
/// No heal takes longer unless it hangs. The run goes on without it then.
const HEAL_WITHIN: Duration = Duration::from_secs(30);

/// The running threads.
pub(super) struct Breaker {
    thread: JoinHandle<(Option<Nemesis>, Result<()>)>,
    stop: Sender<()>,
    ground: Arc<Ground>,
}

impl Breaker {
    /// Starts breaking; the schedule's clock starts now.
    pub(super) fn start(
        nemesis: Nemesis,
        schedule: &[Scheduled],
        roles: RoleView,
        recorder: Recorder,
        evidence: PathBuf,
        play: Play,
    ) -> Result<Breaker> {
        let ground = Arc::new(Ground::new(nemesis, roles, recorder, evidence, play));
        let work = Work {
            ground: Arc::clone(&ground),
            agenda: schedule.iter().cloned().collect(),
            workers: Vec::new(),
        };
        let (stop, stopped) = channel();
        let thread = thread::Builder::new()
            .name("nemesis".to_owned())
            .spawn(move || work.run(&stopped))
            .context("the nemesis' thread")?;
        Ok(Breaker { thread, stop, ground })
    }

    /// What is broken at this moment.
    pub(super) fn in_force(&self) -> Vec<String> {
        self.ground.in_force()
    }

    /// Stops breaking, heals everything, and gives the nemesis back, with what could not be
    /// healed or recorded as an error. A heal that hangs keeps the nemesis.
    pub(super) fn heal(self) -> Result<(Option<Nemesis>, Result<()>)> {
        drop((self.stop, self.ground));
        self.thread.join().map_err(|_| anyhow!("the nemesis' thread panicked"))
    }
}

/// What scenarios need.
pub(super) struct Play {
    /// The one that was given for the run.
    pub(super) scenario: Option<Scenario>,
    /// How many operations succeeded so far.
    pub(super) answers: Box<dyn Fn() -> u64 + Send + Sync>,
}

/// Tells a fault's thread that it is time to heal.
pub(super) struct Stop(Receiver<()>);

impl Stop {
    /// Waits; true if the time of all faults is over, in which case it does not wait to the end.
    pub(super) fn comes_within(&self, time: Duration) -> bool {
        self.0.recv_timeout(time) != Err(RecvTimeoutError::Timeout)
    }
}

struct Work {
    ground: Arc<Ground>,
    /// In order of time.
    agenda: VecDeque<Scheduled>,
    workers: Vec<Worker>,
}

/// The thread of one fault.
struct Worker {
    fault: Scheduled,
    stop: Sender<()>,
    thread: JoinHandle<Result<()>>,
}

impl Work {
    /// Works until told to stop; then heals everything.
    fn run(mut self, stopped: &Receiver<()>) -> (Option<Nemesis>, Result<()>) {
        let mut result = Ok(());
        while result.is_ok() {
            let due = self.agenda.front().map(|fault| Duration::from_millis(fault.at_ms));
            let wait = due.map_or(WATCH, |due| due.saturating_sub(self.ground.now()).min(WATCH));
            match stopped.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => result = self.work_due(),
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let healed = self.heal_all();
        // Who hangs has a share of it.
        let nemesis = Arc::into_inner(self.ground).map(Ground::into_nemesis);
        (nemesis, result.and(healed))
    }

    fn work_due(&mut self) -> Result<()> {
        self.ground.watch_processes()?;
        self.end_finished()?;
        let now = self.ground.now();
        let is_due = |fault: &&Scheduled| Duration::from_millis(fault.at_ms) <= now;
        let n_due = self.agenda.iter().take_while(is_due).count();
        for fault in self.agenda.drain(..n_due) {
            self.workers.push(Worker::start(&self.ground, fault)?);
        }
        Ok(())
    }

    /// The first error of a fault that is over.
    fn end_finished(&mut self) -> Result<()> {
        let finished = self.workers.extract_if(.., |worker| worker.thread.is_finished());
        finished.map(Worker::end).fold(Ok(()), Result::and)
    }

    /// All at the same time.
    fn heal_all(&mut self) -> Result<()> {
        for worker in &mut self.workers {
            worker.stop = channel().0;
        }
        let (start, mut healed) = (Instant::now(), Ok(()));
        while !self.workers.is_empty() && start.elapsed() < HEAL_WITHIN {
            thread::sleep(Duration::from_millis(1));
            healed = healed.and(self.end_finished());
        }
        self.ground.watch_processes()?;
        self.ground.keep_losses()?;
        let healed = healed.and(self.ground.heal_rest());
        let Some(Worker { fault: Scheduled { id, spec, .. }, .. }) = self.workers.first() else {
            return healed;
        };
        let late = format!("{id} ({spec}) was not healed within {HEAL_WITHIN:?}");
        Err(healed.map_or_else(|error| error.context(late.clone()), |()| anyhow!(late.clone())))
    }
}

impl Worker {
    fn start(ground: &Arc<Ground>, fault: Scheduled) -> Result<Worker> {
        let (stop, stopped) = channel();
        let (ground, endured) = (Arc::clone(ground), fault.clone());
        let work = move || ground.endure(&endured, &Stop(stopped));
        let thread = thread::Builder::new().name(fault.id.to_string()).spawn(work);
        Ok(Worker { fault, stop, thread: thread.context("a fault's thread")? })
    }

    fn end(self) -> Result<()> {
        let id = self.fault.id;
        self.thread.join().unwrap_or_else(|_| Err(anyhow!("the thread of {id} panicked")))
    }
}

impl Ground {
    /// One fault, from its injection to its heal.
    fn endure(&self, scheduled: &Scheduled, stop: &Stop) -> Result<()> {
        if let FaultSpec::Scenario { scenario } = scheduled.spec {
            return self.play(scheduled, scenario, stop);
        }
        let Some(chosen) = self.choose(scheduled, stop)? else { return Ok(()) };
        if self.inject(&chosen)? {
            stop.comes_within(Duration::from_millis(scheduled.hold_ms));
            self.heal(&chosen.event)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
