//! A fixed part of kazoo's own tests, as kazoo ships them, against our server in place of `java`.
//! `docs/differences.md` tells how the rest of them fares.

mod support;

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::harness::Running;
use support::{alone, scratch, seconds, skip, until};

/// Modules of `kazoo.tests` that need servers and no package beyond kazoo and pytest.
const MODULES: [&str; 11] = [
    "barrier",
    "cache",
    "client",
    "connection",
    "counter",
    "election",
    "lease",
    "lock",
    "party",
    "queue",
    "watchers",
];

/// What this test leaves out: TLS; and a test that reads, without `sync`, on one server what it has
/// just written on another, which ZooKeeper does not promise to work.
const EXCEPT: &str = "not TestSSLClient and not test_lock_ephemeral";

/// All that kazoo 2.11 has there, less some for other versions.
const PASSED_MIN: u64 = 220;

/// kazoo's ports: three servers, ten for each.
const N_PORTS: u16 = 30;

#[test]
fn kazoos_own_tests_pass() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("kazoos_own_tests_pass", &why);
    }
    let scratch = scratch();
    let running = Running::start(&mut pytest(scratch.path()));
    let _servers = Group(Pid::from_raw(running.child.id().cast_signed()));
    let said = running.finish(seconds(900));
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(passed(&said.stdout) >= PASSED_MIN, "{}", said.all());
}

/// `python3 -m pytest` on the modules, with our `java` before any other.
fn pytest(scratch: &Path) -> Command {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kazoo_suite");
    let path = std::env::var("PATH").expect("tests have a PATH");
    let mut command = Command::new("python3");
    command
        .args(["-m", "pytest", "-q", "-p", "no_tls", "-p", "no:cacheprovider", "-k", EXCEPT])
        .arg("--pyargs")
        .args(MODULES.map(|module| format!("kazoo.tests.test_{module}")))
        .current_dir(scratch)
        .env("PATH", format!("{}:{path}", ours.display()))
        .env("PYTHONPATH", &ours)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("TMPDIR", scratch)
        .env("ZOOBREAK", env!("CARGO_BIN_EXE_zoobreak"))
        .env("ZOOKEEPER_VERSION", "3.8.0")
        .env("ZOOKEEPER_PATH", "/nonexistent")
        .env("ZOOKEEPER_PORT_OFFSET", free_ports().to_string());
    command
}

/// The first of ports in a row on which nobody listens.
fn free_ports() -> u16 {
    let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let kernels = || listen(0).and_then(|l| l.local_addr()).expect("there are free ports").port();
    until("ports in a row are free", seconds(20), || {
        let first = kernels().min(u16::MAX - N_PORTS);
        let held: Result<Vec<TcpListener>, _> = (first..first + N_PORTS).map(listen).collect();
        held.is_ok().then_some(first)
    })
}

/// The number in "239 passed, 4 deselected in 146.70s".
fn passed(stdout: &str) -> u64 {
    let summary = stdout.lines().rev().find(|line| line.contains(" passed"));
    let words: Vec<&str> = summary.unwrap_or_default().split([' ', ',']).collect();
    let at = words.iter().position(|word| *word == "passed");
    at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok()).unwrap_or(0)
}

fn missing() -> Option<String> {
    match Command::new("python3").args(["-c", "import kazoo, pytest"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(_) => Some("python3 lacks kazoo or pytest; pip install kazoo pytest".to_owned()),
        Err(error) => Some(format!("python3: {error}")),
    }
}

/// A process group, which ends with the test: pytest, and servers that it may have left.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // An error says that nothing of it is left.
        let _ = kill(Pid::from_raw(-self.0.as_raw()), Signal::SIGKILL);
    }
}

#[test]
fn the_number_of_passed_tests_is_read_from_the_summary() {
    assert_eq!(passed("...\n239 passed, 4 deselected, 316 warnings in 146.70s (0:02:26)\n"), 239);
    assert_eq!(passed("1 failed, 7 passed in 1.00s\n"), 7);
    assert_eq!(passed("4 deselected in 0.10s\n"), 0);
}
