//! What the end-to-end tests share. Every wait has a deadline, every process an owner that ends it.

#![allow(dead_code, reason = "each test program uses its part")]

pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod disguise;
pub(crate) mod ensemble;
pub(crate) mod harness;
pub(crate) mod leftovers;
pub(crate) mod load;

use std::io::Write;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The machine for one test alone: ensembles that run at once would slow each other down.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::new(());
    // A test that failed leaves nothing behind that the next one could see.
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that `test` cannot run here. Where nothing may be skipped (`ZOOBREAK_NO_SKIP=1`, as in
/// continuous integration), that is a failure.
pub(crate) fn skip(test: &str, why: &str) {
    let line = format!("skipped: {test}: {why}");
    assert!(std::env::var_os("ZOOBREAK_NO_SKIP").is_none_or(|value| value != "1"), "{line}");
    // Not `eprintln!`, which the test runner keeps to itself.
    writeln!(std::io::stderr(), "{line}").expect("standard error is open");
}

/// Waits until `condition` gives a value.
///
/// # Panics
/// When it has not after `within`.
pub(crate) fn until<T>(
    what: &str,
    within: Duration,
    mut condition: impl FnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        sleep(Duration::from_millis(10));
    }
}

/// Waits for a process to end; one that does not is killed.
///
/// # Panics
/// When it has not ended after `within`.
pub(crate) fn wait(child: &mut Child, within: Duration) -> ExitStatus {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return status;
        }
        sleep(Duration::from_millis(10));
    }
    end(child);
    panic!("process {} was still running after {within:?}", child.id());
}

/// Kills a process that may have ended already.
pub(crate) fn end(child: &mut Child) {
    // An error says that it has ended.
    let _ = child.kill();
    let _ = child.wait();
}

/// A directory that goes away with the test.
pub(crate) fn scratch() -> TempDir {
    tempfile::Builder::new().prefix("zoobreak-e2e-").tempdir().expect("there is room in /tmp")
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("scratch paths are UTF-8")
}

pub(crate) const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
