//! What a run shows while it works: a bar on a terminal, plain lines elsewhere; on standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between plain lines of one phase.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Shows how a run is getting on. Share it by reference or in an `Arc`; every method may be
/// called from any thread.
pub struct Progress {
    out: Out,
    total: Duration,
    state: Mutex<State>,
}

/// The run at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Since the load began; zero before.
    pub elapsed: Duration,
    /// Operations that happened.
    pub ok: u64,
    /// Operations that did not happen.
    pub fail: u64,
    /// Operations that may have happened.
    pub info: u64,
    /// Faults in force, each in words: "kill n3".
    pub faults: Vec<String>,
    /// The current leader: "n2".
    pub leader: Option<String>,
}

enum Out {
    Bar(ProgressBar),
    Plain(Mutex<Box<dyn Write + Send>>),
}

struct State {
    phase: String,
    last: Snapshot,
    /// The last plain line.
    printed: Instant,
}

impl Progress {
    /// Begins; `total` is the time of the load.
    #[must_use]
    pub fn start(total: Duration) -> Progress {
        match io::stderr().is_terminal() {
            true => Progress::new(Out::Bar(bar(total)), total),
            false => Progress::plain(Box::new(io::stderr()), total),
        }
    }

    fn plain(out: Box<dyn Write + Send>, total: Duration) -> Progress {
        Progress::new(Out::Plain(Mutex::new(out)), total)
    }

    fn new(out: Out, total: Duration) -> Progress {
        let state =
            State { phase: String::new(), last: Snapshot::default(), printed: Instant::now() };
        Progress { out, total, state: Mutex::new(state) }
    }

    /// The run enters a phase: "boot", "load", "heal", ….
    pub fn phase(&self, name: &str) {
        name.clone_into(&mut lock(&self.state).phase);
        self.show(true);
    }

    /// The run as it stands. May be called often: plain lines appear every few seconds only.
    pub fn tick(&self, snapshot: &Snapshot) {
        lock(&self.state).last = snapshot.clone();
        self.show(false);
    }

    /// Says something that should stay on the screen.
    pub fn note(&self, text: &str) {
        match &self.out {
            Out::Bar(bar) => bar.suspend(|| say(&mut io::stderr(), text)),
            Out::Plain(out) => say(&mut *lock(out), text),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Out::Bar(bar) = &self.out {
            bar.finish_and_clear();
        }
    }

    fn show(&self, now: bool) {
        let mut state = lock(&self.state);
        match &self.out {
            Out::Bar(bar) => {
                bar.set_position(millis(state.last.elapsed.min(self.total)));
                bar.set_message(describe(&state.phase, self.total, &state.last));
            }
            Out::Plain(out) if now || state.printed.elapsed() >= PLAIN_EVERY => {
                state.printed = Instant::now();
                say(&mut *lock(out), &describe(&state.phase, self.total, &state.last));
            }
            Out::Plain(_) => {}
        }
    }
}

/// A bar left behind by an error would hide the message that follows.
impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn bar(total: Duration) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:24.cyan/dim} {wide_msg}")
        .expect("the template is a constant")
        .progress_chars("━━─");
    let bar = ProgressBar::with_draw_target(Some(millis(total)), ProgressDrawTarget::stderr());
    bar.with_style(style)
}

/// `load 12/30 s · leader n2 · 5003 ok, 12 fail, 3 info · faults: kill n3`: what may be long, and
/// cut off by a narrow terminal, comes last.
fn describe(phase: &str, total: Duration, at: &Snapshot) -> String {
    let mut parts = vec![format!("{phase} {}/{} s", at.elapsed.as_secs(), total.as_secs())];
    if let Some(leader) = &at.leader {
        parts.push(format!("leader {leader}"));
    }
    if at.ok + at.fail + at.info > 0 {
        parts.push(format!("{} ok, {} fail, {} info", at.ok, at.fail, at.info));
    }
    if !at.faults.is_empty() {
        parts.push(format!("faults: {}", at.faults.join(", ")));
    }
    parts.join(" · ")
}

/// A closed standard error ends the talking, not the run.
fn say(out: &mut dyn Write, text: &str) {
    let _ = writeln!(out, "{text}");
}

/// What is guarded is whole after any panic: each change is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_is_known() {
        let total = Duration::from_secs(30);
        assert_eq!(describe("boot", total, &Snapshot::default()), "boot 0/30 s");
        let busy = Snapshot {
            elapsed: Duration::from_millis(12_900),
            ok: 5_003,
            fail: 12,
            info: 3,
            faults: vec!["kill n3".to_owned(), "n1 cut off".to_owned()],
            leader: Some("n2".to_owned()),
        };
        assert_eq!(
            describe("load", total, &busy),
            "load 12/30 s · leader n2 · 5003 ok, 12 fail, 3 info · faults: kill n3, n1 cut off"
        );
    }
    #[test]
    fn plain_lines_appear_at_each_phase_and_else_now_and_then() {
        let written = Written::default();
        let progress = Progress::plain(Box::new(written.clone()), Duration::from_secs(30));
        progress.phase("load");
        let busy = Snapshot { ok: 7, ..Snapshot::default() };
        (0..100).for_each(|_| progress.tick(&busy));
        progress.note("n3 killed");
        progress.phase("heal");
        lock(&progress.state).printed -= PLAIN_EVERY;
        progress.tick(&busy);
        let expected = "load 0/30 s\nn3 killed\nheal 0/30 s · 7 ok, 0 fail, 0 info\n\
                        heal 0/30 s · 7 ok, 0 fail, 0 info\n";
        assert_eq!(String::from_utf8_lossy(&lock(&written.0)), expected);
    }

    #[derive(Clone, Default)]
    struct Written(std::sync::Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
