//! Power cuts and broken disks, under a program that writes numbers and says what it was told is durable.

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use nemesis::fault::{Ailment, Damage};
use nemesis::{
    Fault, FaultId, Host, Lab, Launch, Loss, Means, Nemesis, NodeId, Outcome, Report, Rules,
};

use crate::scribe::{BATCH, N_SECTORS, NUMBER, SECTOR};
use crate::support::{LIMIT, PORT, skip_inside, until};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const F1: FaultId = FaultId(1);

/// Disks are made by watching system calls, not by FUSE.
static BY_CALLS: AtomicBool = AtomicBool::new(false);

/// The same test on such disks.
fn by_calls(test: fn()) {
    BY_CALLS.store(true, Ordering::Relaxed);
    test();
}

pub(crate) fn power_cut_by_calls() {
    by_calls(power_cut);
}

pub(crate) fn torn_by_calls() {
    by_calls(torn);
}

pub(crate) fn brown_out_by_calls() {
    by_calls(brown_out);
}

pub(crate) fn kill_loses_nothing_by_calls() {
    by_calls(kill_loses_nothing);
}

pub(crate) fn errors_by_calls() {
    by_calls(errors);
}

pub(crate) fn slow_by_calls() {
    by_calls(slow);
}

pub(crate) fn damage_by_calls() {
    by_calls(|| {
        bit_flip();
        misdirected_write();
        truncated_tail();
    });
}

pub(crate) fn slow_create_by_calls() {
    by_calls(slow_create);
}

pub(crate) fn scattered_by_calls() {
    by_calls(scattered);
}

pub(crate) fn unfelt_by_calls() {
    by_calls(unfelt);
}

/// What the program says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Said {
    /// Numbers it found in its file when it started.
    found: u64,
    written: u64,
    synced: u64,
    errors: u64,
}

/// Everything synced is there again, what was not is lost, and the other server notices nothing.
pub(crate) fn power_cut() {
    let mut stage = Stage::new();
    let before = stage.busy(N1);
    let other = stage.busy(N2);
    let injected = stage.nemesis.inject(F1, &power_cut_of(N1, 30));
    assert_eq!(injected.outcome, Outcome::Installed, "{injected:?}");
    let lost = &injected.evidence["lost"]["n1"];
    assert!(lost["bytes"].as_u64() > Some(0), "{lost}");
    assert_eq!(lost["names"], serde_json::json!(["data/unsynced"]));
    assert_eq!(stage.healed().outcome, Outcome::Installed);
    let after = stage.said(N1);
    assert!(after.found >= before.synced, "{before:?} {after:?}");
    assert!(stage.busy(N1).synced > after.found, "it can sync again");
    assert_eq!((stage.said(N2).found, stage.said(N2).errors), (other.found, 0));
    stage.assert_saved();
}

/// The contrast: a process that is killed leaves what it wrote in the cache of a machine that goes on.
pub(crate) fn kill_loses_nothing() {
    let mut stage = Stage::new();
    let slow = Fault::Disk { nodes: vec![N1], ailment: Ailment::Slow, size: 600_000 };
    stage.busy(N1);
    assert_eq!(stage.nemesis.inject(F1, &slow).outcome, Outcome::Installed);
    let (mut before, mut n_same) = (stage.said(N1), 0);
    until("it waits for an fsync", || {
        let now = stage.said(N1);
        n_same = if now == before { n_same + 1 } else { 0 };
        before = now;
        n_same > 100 && now.written == now.synced + BATCH
    });
    let f2 = FaultId(2);
    let killed = stage.nemesis.inject(f2, &Fault::Kill { nodes: vec![N1] });
    assert_eq!(killed.outcome, Outcome::Installed, "a held fsync lets a killed process go");
    assert_eq!(stage.healed().outcome, Outcome::Installed);
    assert!(stage.lab.namespace(N1.into()).pids().expect("proc").is_empty(), "it is still killed");
    assert_eq!(stage.nemesis.heal(f2).expect("it can be healed").outcome, Outcome::Installed);
    assert_eq!(stage.said(N1).found, before.written);
}

pub(crate) fn torn() {
    let mut stage = Stage::new();
    let mut cut = power_cut_of(N1, 30);
    if let Fault::PowerCut { loss, rules, .. } = &mut cut {
        (*loss, *rules) = (Loss::Torn, Rules::Ext4);
    }
    let before = stage.busy(N1);
    let injected = stage.nemesis.inject(F1, &cut);
    assert_eq!(injected.evidence["lost"]["n1"]["names"], serde_json::json!([]), "it was journaled");
    stage.healed();
    assert!(stage.said(N1).found >= before.synced);
}

/// Of what was not synced, some sectors are there, and others in between are not.
pub(crate) fn scattered() {
    let mut stage = Stage::new();
    stage.busy(N1);
    stage.make(N1, "sectors");
    let path = stage.home.path().join("n1/sectors");
    assert_eq!(fs::read(&path).expect("it was made"), [7; N_SECTORS * SECTOR]);
    let mut cut = power_cut_of(N1, 0);
    if let Fault::PowerCut { loss, .. } = &mut cut {
        *loss = Loss::Scattered;
    }
    assert_eq!(stage.nemesis.inject(F1, &cut).outcome, Outcome::Installed);
    stage.healed();
    let left = fs::read(&path).expect("its name was synced");
    let sectors: Vec<bool> = left.chunks(SECTOR).map(|sector| sector.contains(&7)).collect();
    let turns = sectors.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(turns > 5, "{sectors:?}");
}

/// The program is told of each fsync that failed, and what it was told is durable is there.
pub(crate) fn brown_out() {
    let mut stage = Stage::new();
    let before = stage.busy(N1);
    let mut cut = power_cut_of(N1, 50);
    if let Fault::PowerCut { fsyncs_fail, .. } = &mut cut {
        *fsyncs_fail = true;
    }
    let injected = stage.nemesis.inject(F1, &cut);
    assert_eq!(injected.outcome, Outcome::Installed, "{injected:?}");
    assert!(injected.evidence["fsyncs_that_failed"]["n1"].as_u64() > Some(0), "{injected:?}");
    assert!(injected.evidence["lost"]["n1"]["bytes"].as_u64() > Some(0), "{injected:?}");
    assert_eq!(stage.healed().outcome, Outcome::Installed);
    assert!(stage.said(N1).found >= before.synced);
    assert!(stage.busy(N1).synced > before.synced, "its disk is well again");
    stage.nemesis.stop().expect("everything can be ended");

    // Who ended of it before the power failed is started again like the others.
    let mut echo = Stage::of(&["--echo"]);
    let pids = || echo.lab.namespace(N1.into()).pids().expect("proc is there");
    until("it runs, and its child", || pids().len() == 2);
    until("both have ended", || {
        for pid in pids() {
            kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it is ours");
        }
        pids().is_empty()
    });
    let injected = echo.nemesis.inject(F1, &cut);
    let buried = &injected.evidence["killed_pids"]["n1"];
    assert_eq!(buried.as_array().map(Vec::len), Some(1), "{injected:?}");
    let doubt = "nobody asked for an fsync that could fail";
    let healed = echo.healed();
    let told =
        matches!(&healed.outcome, Outcome::Indeterminate { reason } if reason.contains(doubt));
    assert!(told, "{healed:?}");
    assert!(!echo.lab.namespace(N1.into()).pids().expect("proc is there").is_empty());
}

pub(crate) fn errors() {
    for ailment in [Ailment::FsyncError, Ailment::Eio, Ailment::Full] {
        let mut stage = Stage::new();
        stage.busy(N1);
        let fault = Fault::Disk { nodes: vec![N1], ailment, size: 0 };
        assert_eq!(stage.nemesis.inject(F1, &fault).outcome, Outcome::Installed);
        until("an error", || stage.said(N1).errors > 0);
        assert_eq!(stage.nemesis.view(None).expect("proc is there").down, [N1].into());
        assert_eq!(stage.busy(N2).errors, 0);
        let healed = stage.healed();
        assert_eq!(healed.outcome, Outcome::Installed, "{healed:?}");
        assert!(healed.evidence["requests_that_felt_it"]["n1"].as_u64() > Some(0));
        stage.nemesis.inject(F1, &Fault::Kill { nodes: vec![N1] });
        stage.healed();
        assert_eq!(stage.busy(N1).errors, 0, "{ailment} is over");
    }
}

pub(crate) fn slow() {
    let mut stage = Stage::new();
    stage.busy(N1);
    let fault = Fault::Disk { nodes: vec![N1], ailment: Ailment::Slow, size: 40 };
    assert_eq!(stage.nemesis.inject(F1, &fault).outcome, Outcome::Installed);
    // The fsync that was on its way is not delayed.
    let (start, first) = (Instant::now(), stage.said(N1).synced + BATCH);
    until("five fsyncs", || stage.said(N1).synced >= first + 5 * BATCH);
    assert!(start.elapsed() >= Duration::from_millis(4 * 40), "{:?}", start.elapsed());
    assert_eq!(stage.healed().outcome, Outcome::Installed);
    let healed = stage.said(N1);
    until("it is quick again", || stage.said(N1).synced > healed.synced + 100 * BATCH);
}

/// The program refuses a file that is not what it wrote, and gets an empty disk.
pub(crate) fn bit_flip() {
    let mut stage = Stage::new();
    let damaged = stage.damaged(Damage::BitFlip);
    assert!(damaged["bytes"]["flipped"].is_u64(), "{damaged}");
    stage.assert_refused();
}

/// The same of what was written to the wrong place.
pub(crate) fn misdirected_write() {
    let mut stage = Stage::new();
    let damaged = stage.damaged(Damage::MisdirectedWrite);
    assert_ne!(damaged["bytes"]["moved"]["from"], damaged["bytes"]["moved"]["to"], "{damaged}");
    stage.assert_refused();
}

/// The program cannot see that the end of its file is gone: it goes on from there.
pub(crate) fn truncated_tail() {
    let mut stage = Stage::new();
    let damaged = stage.damaged(Damage::TruncatedTail);
    let length = |key: &str| damaged["bytes"]["cut"][key].as_u64().expect("a number");
    assert!(length("to") < length("from"), "{damaged}");
    assert_eq!(stage.said(N1).found, length("to") / NUMBER as u64);
    assert_eq!(stage.healed().outcome, Outcome::Installed);
}

/// A file that exists is opened and written as ever.
pub(crate) fn slow_create() {
    let mut stage = Stage::new();
    stage.busy(N1);
    let fault = Fault::Disk { nodes: vec![N1], ailment: Ailment::SlowCreate, size: 300 };
    assert_eq!(stage.nemesis.inject(F1, &fault).outcome, Outcome::Installed);
    let before = stage.said(N1);
    until("it writes", || stage.said(N1).synced > before.synced + 10 * BATCH);
    let slow = Duration::from_millis(300);
    assert!(stage.make(N1, "a") >= slow, "a new file");
    let quick = |node, name: &str| until("it is quick", || stage.make(node, name) < slow);
    quick(N1, "a");
    let name = std::cell::Cell::new(0);
    until("another disk is quick", || {
        name.set(name.get() + 1);
        stage.make(N2, &format!("b{}", name.get())) < slow
    });
    let f2 = FaultId(2);
    assert_eq!(stage.nemesis.inject(f2, &fault).outcome, Outcome::Installed);
    let healed = stage.healed();
    assert_eq!(healed.outcome, Outcome::Installed, "{healed:?}");
    assert_eq!(healed.evidence["requests_that_felt_it"]["n1"], 1);
    let healed = stage.nemesis.heal(f2).expect("it can be healed");
    assert!(matches!(healed.outcome, Outcome::Indeterminate { .. }), "nobody felt the second");
    until("it is over", || {
        name.set(name.get() + 1);
        stage.make(N1, &format!("c{}", name.get())) < slow
    });
}

pub(crate) fn skipped() {
    let lab = Arc::new(Lab::new(1).expect("a contained process may build a lab"));
    let nemesis = Nemesis::without_iptables(lab);
    let faults = [
        power_cut_of(N1, 0),
        Fault::Disk { nodes: vec![N1], ailment: Ailment::Eio, size: 0 },
        Fault::Damage { nodes: vec![N1], damage: Damage::TruncatedTail, seed: 1 },
    ];
    for fault in faults {
        let report = nemesis.inject(F1, &fault);
        let reason = match &report.outcome {
            Outcome::Skipped { reason } => reason.clone(),
            other => panic!("{other:?}"),
        };
        assert!(reason.contains("n1 has the machine's own disk"), "{reason}");
    }
    assert_eq!(nemesis.heal_all(), Ok(vec![]));
}

/// Nobody writes: the disk was ill and nobody can tell.
pub(crate) fn unfelt() {
    let stage = Stage::of(&["--echo"]);
    for (rules, loss) in [
        (Rules::Posix, Loss::Everything),
        (Rules::Ext4, Loss::Torn),
        (Rules::Posix, Loss::Scattered),
    ] {
        let nodes = vec![N1];
        let cut = Fault::PowerCut { nodes, rules, loss, stall_ms: 0, fsyncs_fail: false, seed: 1 };
        stage.assert_doubt(&cut, "nothing was lost");
    }
    for ailment in
        [Ailment::FsyncError, Ailment::Eio, Ailment::Full, Ailment::Slow, Ailment::SlowCreate]
    {
        let ill = Fault::Disk { nodes: vec![N1], ailment, size: 1 };
        stage.assert_doubt(&ill, "nobody felt it");
    }
}

/// Nothing was ever written to the disk that could be spoiled.
pub(crate) fn undamaged() {
    let stage = Stage::of(&["--echo"]);
    for damage in [Damage::BitFlip, Damage::MisdirectedWrite, Damage::TruncatedTail] {
        let fault = Fault::Damage { nodes: vec![N1], damage, seed: 1 };
        stage.assert_doubt(&fault, "n1 had synced nothing that can be damaged so");
    }
}

struct Stage {
    lab: Arc<Lab>,
    nemesis: Nemesis,
    home: tempfile::TempDir,
}

impl Stage {
    /// Two servers with disks that can be broken, both writing.
    fn new() -> Stage {
        Stage::of(&["--scribe"])
    }

    fn of(args: &[&str]) -> Stage {
        let by_calls = BY_CALLS.load(Ordering::Relaxed);
        match nemesis::disk_means(true) {
            Err(error) => skip_inside(&error.to_string()),
            Ok(Means::Seccomp(why)) if !by_calls => skip_inside(&why),
            Ok(_) => {}
        }
        let lab = Arc::new(Lab::new(2).expect("a contained process may build a lab"));
        let mut nemesis = Nemesis::without_iptables(lab.clone());
        let home = tempfile::tempdir().expect("a scratch directory");
        for node in lab.nodes() {
            let place = home.path().join(node.to_string());
            fs::create_dir(&place).expect("an empty directory");
            let disk = match by_calls {
                true => nemesis.watch_disk(node, &place),
                false => nemesis.mount_disk(node, &place),
            };
            disk.expect("it was available just now");
            nemesis.start(node, launch(args, &place)).expect("the program starts");
        }
        Stage { lab, nemesis, home }
    }

    fn said(&self, node: NodeId) -> Said {
        let mut said = None;
        until("a server answers", || {
            said = self.ask(node);
            said.is_some()
        });
        said.expect("it answered")
    }

    fn ask(&self, node: NodeId) -> Option<Said> {
        let answer = self.tell(node, "?", Duration::from_millis(150))?;
        let [found, written, synced, errors] = serde_json::from_slice(&answer).ok()?;
        Some(Said { found, written, synced, errors })
    }

    /// Has a file made, and says how long that took.
    fn make(&self, node: NodeId, name: &str) -> Duration {
        let answer = self.tell(node, name, LIMIT).expect("it answers");
        let [took_ms] = serde_json::from_slice(&answer).expect("a number");
        Duration::from_millis(took_ms)
    }

    fn tell(&self, node: NodeId, what: &str, within: Duration) -> Option<Vec<u8>> {
        let tell = || -> std::io::Result<Vec<u8>> {
            let socket = UdpSocket::bind((Host::Observer.addr(), 0))?;
            socket.set_read_timeout(Some(within))?;
            socket.connect((Host::Node(node).addr(), PORT))?;
            socket.send(what.as_bytes())?;
            let mut buffer = vec![0; 256];
            let len = socket.recv(&mut buffer)?;
            buffer.truncate(len);
            Ok(buffer)
        };
        self.lab.namespace(Host::Observer).run(tell).expect("it can be entered").ok()
    }

    /// Nobody feels the fault, and its heal says so.
    fn assert_doubt(&self, fault: &Fault, doubt: &str) {
        self.nemesis.inject(F1, fault);
        let healed = self.nemesis.heal(F1).expect("it can be healed");
        let told =
            matches!(&healed.outcome, Outcome::Indeterminate { reason } if reason.contains(doubt));
        assert!(told, "{healed:?}");
    }

    /// Waits until it has synced something that it did not find.
    fn busy(&self, node: NodeId) -> Said {
        until("something is synced", || {
            let said = self.said(node);
            said.synced > said.found
        });
        self.said(node)
    }

    /// Damages n1's log, of which much is synced; how.
    fn damaged(&mut self, damage: Damage) -> serde_json::Value {
        until("there is something to damage", || self.busy(N1).synced > 1000);
        let injected = self.nemesis.inject(F1, &Fault::Damage { nodes: vec![N1], damage, seed: 4 });
        assert_eq!(injected.outcome, Outcome::Installed, "{injected:?}");
        let damaged = injected.evidence["damaged"]["n1"].clone();
        assert_eq!(damaged["file"], "data/log");
        damaged
    }

    /// The program ended of the damage, and got an empty disk.
    fn assert_refused(&mut self) {
        until("it refuses", || self.lab.namespace(N1.into()).pids().expect("proc").is_empty());
        assert_eq!(self.nemesis.exits().expect("proc is there"), [], "the fault is why");
        let healed = self.healed();
        assert_eq!(healed.evidence["ended"]["n1"], "exit status: 3");
        assert_eq!(self.busy(N1).found, 0);
    }

    fn healed(&mut self) -> Report {
        self.nemesis.heal(F1).expect("it can be healed")
    }

    /// At the end the files are where the disk was mounted.
    fn assert_saved(mut self) {
        let said = self.busy(N1);
        self.nemesis.stop().expect("everything can be ended");
        let saved = fs::read(self.home.path().join("n1/data/log")).expect("it was saved");
        assert!(saved.len() as u64 >= said.written * NUMBER as u64, "{} {said:?}", saved.len());
        let mounts = fs::read_to_string("/proc/self/mounts").expect("proc is there");
        assert!(!mounts.contains("fuse"), "{mounts}");
    }
}

fn launch(args: &[&str], place: &Path) -> Launch {
    let mut args: Vec<_> = args.iter().map(Into::into).collect();
    if args == ["--scribe"] {
        args.push(place.join("data").into());
    }
    let log: PathBuf = place.with_extension("stderr");
    Launch {
        program: "/proc/self/exe".into(),
        args,
        env: [].into(),
        cwd: "/".into(),
        stdout: log.clone(),
        stderr: log,
        disks: vec![place.join("data")],
    }
}

fn power_cut_of(node: NodeId, stall_ms: u64) -> Fault {
    let (rules, loss) = (Rules::Posix, Loss::Everything);
    Fault::PowerCut { nodes: vec![node], rules, loss, stall_ms, fsyncs_fail: false, seed: 1 }
}
